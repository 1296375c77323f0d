// main.cpp: flexctl, the program with which an operator manages the store of flexd.
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ctime>

#include "command_line.hpp"

namespace {

using flexd::ctl::Context;

int complain(const flexd::ctl::Refusal& refusal) {
  std::fprintf(stderr, "flexctl: %s\n", refusal.message.c_str());
  return refusal.exit_code;
}

// hide_memory keeps keys out of core files and from other processes of the same user.
void hide_memory() {
  prctl(PR_SET_DUMPABLE, 0);
  const rlimit none{0, 0};
  setrlimit(RLIMIT_CORE, &none);
}

// print puts text on stdout. False where it could not be written, which matters for a new key.
bool print(const std::string& text) {
  return std::fwrite(text.data(), 1, text.size(), stdout) == text.size() &&
         std::fflush(stdout) == 0;
}

}  // namespace

int main(int argc, char** argv) {
  hide_memory();
  signal(SIGPIPE, SIG_IGN);  // print reports it
  Context context;
  context.now_s = std::time(nullptr);
  auto text = flexd::ctl::read_command_line(argc, argv, context);
  if (!text) return complain(text.error());
  flexd::ctl::Outcome outcome;
  if (text->empty()) {
    outcome = context.action();
  } else {
    context.out = std::move(*text);
  }
  const bool printed = print(context.out);
  flexd::ctl::wipe_text(context.out);
  if (!outcome) return complain(outcome.error());
  if (!printed) {
    std::fprintf(stderr, "flexctl: the command is done, but stdout cannot be written: %s\n",
                 std::strerror(errno));
    return flexd::ctl::kExitFailed;
  }
  return 0;
}
