#include "secret_input.hpp"

#include <fmt/format.h>
#include <signal.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "flexd/crypto/bytes.hpp"

namespace flexd::ctl {
namespace {

// Room for a secret, "\r\n", and a byte that shows that there was more.
constexpr size_t kRoom = kSecretBytesMax + 3;

// The terminal as it was, for the handler of a signal that ends the program while the echo is off.
termios saved_terminal;

extern "C" void restore_and_die(int number) {
  tcsetattr(STDIN_FILENO, TCSANOW, &saved_terminal);
  signal(number, SIG_DFL);
  raise(number);
}

// Hush turns the echo of the terminal off, and on again when it dies or the program is ended.
class Hush {
 public:
  Hush() {
    if (tcgetattr(STDIN_FILENO, &saved_terminal) != 0) return;
    for (size_t i = 0; i < kSignals.size(); ++i) before_[i] = signal(kSignals[i], restore_and_die);
    termios silent = saved_terminal;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    silent.c_lflag |= ECHONL;
    on_ = tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent) == 0;
  }
  ~Hush() {
    if (on_) tcsetattr(STDIN_FILENO, TCSAFLUSH, &saved_terminal);
    for (size_t i = 0; i < kSignals.size(); ++i) signal(kSignals[i], before_[i]);
  }
  Hush(const Hush&) = delete;
  Hush& operator=(const Hush&) = delete;

 private:
  static constexpr std::array kSignals = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
  std::array<sighandler_t, kSignals.size()> before_{};
  bool on_ = false;
};

// read_bytes fills `room` from stdin: to its end, or only one line.
Result<size_t> read_bytes(std::array<char, kRoom>& room, bool one_line) {
  size_t size = 0;
  while (size < room.size()) {
    const ssize_t count = ::read(STDIN_FILENO, room.data() + size, room.size() - size);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail_with(fmt::format("stdin: {}", std::strerror(errno)));
    if (count == 0) break;
    size += static_cast<size_t>(count);
    if (one_line && room[size - 1] == '\n') break;
  }
  return size;
}

}  // namespace

Result<crypto::Secret> clean_secret(std::string_view bytes) {
  if (bytes.ends_with('\n')) bytes.remove_suffix(1);
  if (bytes.ends_with('\r')) bytes.remove_suffix(1);
  if (bytes.empty()) return fail_with("stdin is empty: the key is read from there");
  if (bytes.size() > kSecretBytesMax) {
    return fail_with(fmt::format("the key on stdin is longer than {} bytes", kSecretBytesMax));
  }
  if (bytes.find('\n') != bytes.npos) return fail_with("stdin has more than one line");
  // More than a header field asks: no key has spaces, and a letter outside of ASCII is an accident,
  // such as the byte order mark of an editor.
  if (!std::all_of(bytes.begin(), bytes.end(), [](char c) { return c > ' ' && c < '\x7F'; })) {
    return fail_with("the key on stdin has spaces, control characters or letters outside of ASCII");
  }
  return crypto::Secret(bytes);
}

Result<crypto::Secret> read_secret(std::string_view what) {
  std::array<char, kRoom> room;
  Result<size_t> size = 0;
  if (isatty(STDIN_FILENO) == 1) {
    const Hush hush;  // first: it drops what was typed before
    std::fprintf(stderr, "%.*s (not shown): ", static_cast<int>(what.size()), what.data());
    std::fflush(stderr);
    size = read_bytes(room, true);
  } else {
    size = read_bytes(room, false);
  }
  if (!size) return fail(std::move(size.error()));
  Result<crypto::Secret> secret = clean_secret({room.data(), *size});
  crypto::wipe(room.data(), room.size());
  return secret;
}

}  // namespace flexd::ctl
