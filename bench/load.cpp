#include "load.hpp"

#include <fmt/core.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <stdexcept>

namespace flexd::bench {
namespace {

constexpr std::uint64_t kSecondNs = 1'000'000'000;
constexpr std::size_t kBufferBytes = std::size_t{256} * 1024;
constexpr std::size_t kReadyMax = 256;

std::uint64_t read_clock(clockid_t clock) {
  timespec time{};
  clock_gettime(clock, &time);
  return static_cast<std::uint64_t>(time.tv_sec) * kSecondNs +
         static_cast<std::uint64_t>(time.tv_nsec);
}

std::uint64_t to_ns(double seconds) {
  return static_cast<std::uint64_t>(seconds * 1e9);
}

}  // namespace

std::uint64_t now_ns() {
  return read_clock(CLOCK_MONOTONIC);
}

Load::Load(const Options& options, const std::string& request)
    : options_(options), request_(request), buffer_(kBufferBytes) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int error = getaddrinfo(options.host.c_str(), options.port.c_str(), &hints, &found);
  if (error != 0) {
    throw std::runtime_error(
        fmt::format("cannot resolve {}:{}: {}", options.host, options.port, gai_strerror(error)));
  }
  address_bytes_ = found->ai_addrlen;
  std::memcpy(&address_, found->ai_addr, found->ai_addrlen);
  freeaddrinfo(found);
  // The default slack of 50 us would make every open-loop send late by as much.
  prctl(PR_SET_TIMERSLACK, 1);
}

Load::~Load() {
  for (Connection& connection : connections_) {
    if (connection.fd >= 0) ::close(connection.fd);
  }
  if (epoll_fd_ >= 0) ::close(epoll_fd_);
}

void Load::connect(Connection& connection) {
  connection.fd = ::socket(address_.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (connection.fd < 0 ||
      ::connect(connection.fd, reinterpret_cast<const sockaddr*>(&address_), address_bytes_) != 0) {
    throw std::runtime_error(fmt::format("cannot connect to {}:{}: {}", options_.host,
                                         options_.port, std::strerror(errno)));
  }
  const int one = 1;
  ::setsockopt(connection.fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  connection.reader.reset();
  watch(connection, false, true);
}

void Load::watch(Connection& connection, bool for_write, bool is_new) {
  epoll_event event{};
  event.events = for_write ? EPOLLIN | EPOLLOUT : EPOLLIN;
  event.data.u32 = static_cast<std::uint32_t>(&connection - connections_.data());
  ::epoll_ctl(epoll_fd_, is_new ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, connection.fd, &event);
  connection.wants_write = for_write;
}

void Load::reconnect(Connection& connection) {
  ::close(connection.fd);
  connect(connection);
}

std::uint64_t Load::due_ns(std::uint64_t index) const {
  return start_ns_ + to_ns(static_cast<double>(index) / options_.rate_per_s);
}

bool Load::may_send(std::uint64_t now_ns) const {
  if (report_.errors >= kErrorsMax) return false;
  if (options_.count != 0 && sent_ >= options_.count) return false;
  return (options_.rate_per_s > 0 ? due_ns(sent_) : now_ns) < stop_ns_;
}

void Load::send_next(Connection& connection, std::uint64_t now_ns) {
  const bool is_open_loop = options_.rate_per_s > 0;
  if (!may_send(now_ns) || (is_open_loop && due_ns(sent_) > now_ns)) {
    idle_.push_back(static_cast<std::uint32_t>(&connection - connections_.data()));
    return;
  }
  begin(connection, is_open_loop ? due_ns(sent_) : now_ns, now_ns);
}

// Open loop: whatever is due goes out on idle connections; what finds none waits for the next to
// come free, and its latency still counts from when it was due.
void Load::send_due(std::uint64_t now_ns) {
  while (!idle_.empty() && may_send(now_ns) && due_ns(sent_) <= now_ns) {
    Connection& connection = connections_[idle_.back()];
    idle_.pop_back();
    begin(connection, due_ns(sent_), now_ns);
  }
}

void Load::begin(Connection& connection, std::uint64_t start_ns, std::uint64_t now_ns) {
  ++sent_;
  ++busy_;
  connection.is_busy = true;
  connection.start_ns = start_ns;
  connection.sent_ns = now_ns;
  connection.last_event_ns = 0;
  connection.events_seen = 0;
  connection.sent_bytes = 0;
  if (options_.rate_per_s > 0) report_.send_delay.record(now_ns - start_ns);
  write(connection);
}

void Load::write(Connection& connection) {
  while (connection.sent_bytes < request_.size()) {
    const ssize_t sent =
        ::send(connection.fd, request_.data() + connection.sent_bytes,
               request_.size() - connection.sent_bytes, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0) {
      if (errno == EINTR) continue;
      // Any other failure shows on the read side, where an early answer may still be read.
      if (errno == EAGAIN && !connection.wants_write) watch(connection, true, false);
      if (errno == EPIPE || errno == ECONNRESET) connection.sent_bytes = request_.size();
      return;
    }
    connection.sent_bytes += static_cast<std::size_t>(sent);
  }
  if (connection.wants_write) watch(connection, false, false);
}

void Load::on_ready(Connection& connection, std::uint32_t events) {
  if ((events & EPOLLOUT) != 0) write(connection);
  if ((events & (EPOLLIN | EPOLLERR | EPOLLHUP)) == 0) return;
  const ssize_t got = ::recv(connection.fd, buffer_.data(), buffer_.size(), MSG_DONTWAIT);
  if (got > 0) {
    on_bytes(connection, {buffer_.data(), static_cast<std::size_t>(got)});
  } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
    on_closed(connection, got == 0 ? 0 : errno);
  }
}

void Load::on_bytes(Connection& connection, std::string_view bytes) {
  if (!connection.is_busy) {
    fail(connection, "unasked", "bytes arrived although nothing was asked");
    return;
  }
  ResponseReader& reader = connection.reader;
  const std::size_t used = reader.feed(bytes);
  const std::uint64_t now = now_ns();
  if (reader.events() != connection.events_seen) {
    note_events(connection, now);
    if (options_.abort_after != 0 && connection.events_seen >= options_.abort_after) {
      abort(connection, now);
      return;
    }
  }
  if (reader.state() == ResponseReader::State::kReading) return;
  if (reader.state() == ResponseReader::State::kBroken) {
    fail(connection, "malformed", std::string(bytes.substr(0, 120)));
  } else if (used != bytes.size()) {
    fail(connection, "excess", "bytes after the end of the answer");
  } else {
    finish(connection, now);
  }
}

void Load::on_closed(Connection& connection, int error) {
  if (!connection.is_busy) {  // a keep-alive limit or timeout of the peer; it is used again later
    ++report_.reconnects;
    reconnect(connection);
    return;
  }
  if (error == 0) connection.reader.on_eof();
  if (connection.reader.state() == ResponseReader::State::kDone) {
    finish(connection, now_ns());
    return;
  }
  fail(connection, connection.reader.has_begun() ? "cut" : "closed",
       error == 0 ? "connection closed before the answer's end" : std::strerror(error));
}

void Load::note_events(Connection& connection, std::uint64_t now_ns) {
  std::uint64_t fresh = connection.reader.events() - connection.events_seen;
  report_.events += fresh;
  if (connection.events_seen == 0) {
    report_.first_event.record(now_ns - connection.start_ns);
    --fresh;
  } else {
    report_.event_gap.record(now_ns - connection.last_event_ns);
    --fresh;
  }
  report_.event_gap.record_many(0, fresh);
  connection.events_seen = connection.reader.events();
  connection.last_event_ns = now_ns;
}

void Load::finish(Connection& connection, std::uint64_t now_ns) {
  const ResponseReader& reader = connection.reader;
  ++report_.statuses[reader.status()];
  if (reader.status() != options_.expect_status) {
    fail(connection, "status", fmt::format("status {}: {}", reader.status(), reader.sample()));
    return;
  }
  if (options_.expect_events != 0 && reader.events() != options_.expect_events) {
    fail(connection, "events", fmt::format("{} events", reader.events()));
    return;
  }
  if (options_.expect_bytes != 0 && reader.body_bytes() != options_.expect_bytes) {
    fail(connection, "bytes", fmt::format("{} body bytes", reader.body_bytes()));
    return;
  }
  if (options_.abort_after != 0) {
    fail(connection, "events",
         fmt::format("ended after {} events, before the abort", reader.events()));
    return;
  }
  ++report_.requests;
  report_.body_bytes += reader.body_bytes();
  report_.latency.record(now_ns - connection.start_ns);
  report_.elapsed_ns = now_ns - start_ns_;
  connection.is_busy = false;
  --busy_;
  if (reader.wants_close()) {
    ++report_.reconnects;
    reconnect(connection);
  }
  connection.reader.reset();
  send_next(connection, now_ns);
}

void Load::abort(Connection& connection, std::uint64_t now_ns) {
  ++report_.requests;
  report_.aborts.push_back({bench::now_ns(), read_clock(CLOCK_REALTIME)});
  report_.elapsed_ns = now_ns - start_ns_;
  connection.is_busy = false;
  --busy_;
  reconnect(connection);
  send_next(connection, now_ns);
}

void Load::fail(Connection& connection, const char* kind, const std::string& detail) {
  ++report_.errors;
  ++report_.error_kinds[kind];
  if (report_.first_error.empty()) report_.first_error = fmt::format("{}: {}", kind, detail);
  reconnect(connection);
  if (!connection.is_busy) return;
  connection.is_busy = false;
  --busy_;
  const std::uint64_t now = now_ns();
  report_.elapsed_ns = now - start_ns_;
  send_next(connection, now);
}

void Load::check_timeouts(std::uint64_t now_ns) {
  if (now_ns - last_check_ns_ < kSecondNs / 2) return;
  last_check_ns_ = now_ns;
  const std::uint64_t timeout_ns = to_ns(options_.timeout_s);
  for (Connection& connection : connections_) {
    if (connection.is_busy && now_ns > connection.sent_ns + timeout_ns) {
      fail(connection, "timeout", "no whole answer in time");
    }
  }
}

// Sleeps until something is readable or the next request is due. It never spins: the origin shares
// this core.
void Load::wait(std::uint64_t now_ns) {
  std::uint64_t sleep_ns = kSecondNs / 2;
  if (options_.rate_per_s > 0 && !idle_.empty() && may_send(now_ns)) {
    const std::uint64_t due = due_ns(sent_);
    sleep_ns = due > now_ns ? std::min(sleep_ns, due - now_ns) : 0;
  }
  const timespec timeout{static_cast<time_t>(sleep_ns / kSecondNs),
                         static_cast<long>(sleep_ns % kSecondNs)};
  std::array<epoll_event, kReadyMax> ready{};
  const int count = ::epoll_pwait2(epoll_fd_, ready.data(), kReadyMax, &timeout, nullptr);
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = ready[static_cast<std::size_t>(i)];
    on_ready(connections_[event.data.u32], event.events);
  }
}

Report& Load::run() {
  epoll_fd_ = ::epoll_create1(EPOLL_CLOEXEC);
  if (epoll_fd_ < 0) throw std::runtime_error("epoll_create1 failed");
  connections_.resize(options_.connections);
  idle_.reserve(connections_.size());
  for (Connection& connection : connections_) connect(connection);
  start_ns_ = last_check_ns_ = now_ns();
  if (options_.duration_s > 0) stop_ns_ = start_ns_ + to_ns(options_.duration_s);
  for (Connection& connection : connections_) send_next(connection, now_ns());
  std::uint64_t now = now_ns();
  while (busy_ != 0 || may_send(now)) {
    wait(now);
    now = now_ns();
    if (options_.rate_per_s > 0) send_due(now);
    check_timeouts(now);
  }
  return report_;
}

}  // namespace flexd::bench
