// resolver.hpp: host names to addresses, off the loops: one thread for the process.
//
// getaddrinfo(3) blocks, so it runs on a thread of its own, one name at a time. Answers are kept
// for kFreshNs; if a later look-up fails the old answer is given again. The thread starts with the
// first question and lives as long as the process.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "flexd/io/backend.hpp"

namespace flexd::io {

inline constexpr uint64_t kFreshNs = 30'000'000'000;

// ResolveInbox receives the answers for one backend. It is shared with the resolver's thread, so
// that a backend may go away while a look-up runs: it calls `close` first.
class ResolveInbox {
 public:
  // `notify` is called, from the resolver's thread, when an answer is in.
  explicit ResolveInbox(std::function<void()> notify) : notify_(std::move(notify)) {}

  void put(Resolved resolved);
  bool poll(Resolved& out);
  // close forgets `notify`; when it returns no call of it is running.
  void close();

 private:
  std::atomic<bool> filled_{false};  // so that polling an empty box takes no lock
  std::mutex mutex_;
  std::function<void()> notify_;
  std::vector<Resolved> answers_;
};

// LookUp asks the system for the addresses of `host`, blocking; false and `error` if it has none.
using LookUp = std::function<bool(const std::string& host, std::vector<Address>& addresses,
                                  std::string& error)>;

// Resolver answers questions in order. Thread-safe.
class Resolver {
 public:
  // shared is the process's resolver, over getaddrinfo.
  static Resolver& shared();
  // For tests: another source of answers, another clock, and answers in the calling thread.
  Resolver(LookUp look_up, std::function<uint64_t()> now_ns);
  ~Resolver();

  // ask has the addresses of `host`, with `port`, put into `inbox` under `key`.
  void ask(std::shared_ptr<ResolveInbox> inbox, uint64_t key, std::string_view host, uint16_t port);
  // answer_all answers what was asked; the thread's work, or a test's.
  void answer_all();

 private:
  struct State;
  void start_thread();
  std::shared_ptr<State> state_;
};

}  // namespace flexd::io
