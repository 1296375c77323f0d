// main.cpp: flexd, the gateway daemon.
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <cstdio>

#include "flexd/config/flags.hpp"
#include "process.hpp"

namespace {

constexpr int kExitUsage = 2;

int complain(const std::string& message) {
  std::fprintf(stderr, "flexd: %s\n", message.c_str());
  return kExitUsage;
}

// block_signals keeps signals for the control thread's signalfd; threads inherit it.
void block_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  sigprocmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);
}

// hide_memory keeps keys out of core files and from other processes of the same user.
void hide_memory() {
  prctl(PR_SET_DUMPABLE, 0);
  const rlimit none{0, 0};
  setrlimit(RLIMIT_CORE, &none);
}

// raise_descriptor_limit takes what the system allows: each connection is one.
void raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

int main(int argc, char** argv) {
  const auto parsed = flexd::config::parse_flags(argc, argv);
  if (!parsed) return complain(parsed.error().message);
  using Kind = flexd::config::Parsed::Kind;
  if (parsed->kind == Kind::print) {
    std::fputs(parsed->text.c_str(), stdout);
    return 0;
  }
  block_signals();
  if (!parsed->settings.allow_core_dumps) hide_memory();
  raise_descriptor_limit();
  flexd::app::Process process(parsed->settings);
  if (const auto prepared = process.prepare(); !prepared) {
    return complain(prepared.error().message);
  }
  if (parsed->kind == Kind::check_config) {
    std::puts("flexd: the configuration is good");
    return 0;
  }
  if (const auto started = process.start(); !started) return complain(started.error().message);
  process.run();
  return 0;
}
