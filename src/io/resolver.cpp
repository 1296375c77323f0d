#include "resolver.hpp"

#include <netdb.h>

#include <chrono>
#include <condition_variable>
#include <map>
#include <thread>
#include <utility>

namespace flexd::io {

namespace {

// kCachedMax bounds the names kept; the providers are a handful.
constexpr size_t kCachedMax = 256;

bool system_look_up(const std::string& host, std::vector<Address>& addresses, std::string& error) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_ADDRCONFIG;
  addrinfo* found = nullptr;
  const int result = getaddrinfo(host.c_str(), nullptr, &hints, &found);
  if (result != 0) {
    error = gai_strerror(result);
    return false;
  }
  for (const addrinfo* each = found; each != nullptr; each = each->ai_next) {
    addresses.push_back(Address::from_sockaddr(each->ai_addr, each->ai_addrlen));
  }
  freeaddrinfo(found);
  if (addresses.empty()) error = "no address";
  return !addresses.empty();
}

uint64_t steady_ns() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return static_cast<uint64_t>(std::chrono::nanoseconds(now).count());
}

}  // namespace

void ResolveInbox::put(Resolved resolved) {
  const std::lock_guard lock(mutex_);
  answers_.push_back(std::move(resolved));
  filled_.store(true, std::memory_order_release);
  if (notify_) notify_();
}

bool ResolveInbox::poll(Resolved& out) {
  if (!filled_.load(std::memory_order_acquire)) return false;
  const std::lock_guard lock(mutex_);
  if (answers_.empty()) return false;
  out = std::move(answers_.front());
  answers_.erase(answers_.begin());
  filled_.store(!answers_.empty(), std::memory_order_release);
  return true;
}

void ResolveInbox::close() {
  const std::lock_guard lock(mutex_);
  notify_ = nullptr;
}

struct Resolver::State {
  struct Question {
    std::shared_ptr<ResolveInbox> inbox;
    uint64_t key;
    std::string host;
    uint16_t port;
  };
  struct Entry {
    std::vector<Address> addresses;
    uint64_t found_ns = 0;
  };

  LookUp look_up;
  std::function<uint64_t()> now_ns;
  std::mutex mutex;
  std::condition_variable asked;
  std::vector<Question> questions;
  bool threaded = false;
  std::map<std::string, Entry, std::less<>> cache;  // of the answering thread

  bool take(Question& question);
  void answer(const Question& question);
};

bool Resolver::State::take(Question& question) {
  const std::lock_guard lock(mutex);
  if (questions.empty()) return false;
  question = std::move(questions.front());
  questions.erase(questions.begin());
  return true;
}

void Resolver::State::answer(const Question& question) {
  Resolved resolved;
  resolved.key = question.key;
  const auto cached = cache.find(question.host);
  if (cached != cache.end() && now_ns() - cached->second.found_ns < kFreshNs) {
    resolved.addresses = cached->second.addresses;
  } else if (look_up(question.host, resolved.addresses, resolved.error)) {
    if (cache.size() >= kCachedMax) cache.clear();
    cache[question.host] = {resolved.addresses, now_ns()};
  } else if (cached != cache.end()) {
    resolved.addresses = cached->second.addresses;
    resolved.error.clear();
  } else {
    resolved.addresses.clear();
  }
  for (Address& address : resolved.addresses) address.set_port(question.port);
  question.inbox->put(std::move(resolved));
}

Resolver& Resolver::shared() {
  // Never destroyed: its thread may be inside getaddrinfo when the process ends.
  static auto* resolver = [] {
    auto* made = new Resolver(system_look_up, steady_ns);
    made->start_thread();
    return made;
  }();
  return *resolver;
}

Resolver::Resolver(LookUp look_up, std::function<uint64_t()> now_ns)
    : state_(std::make_shared<State>()) {
  state_->look_up = std::move(look_up);
  state_->now_ns = std::move(now_ns);
}

Resolver::~Resolver() = default;

void Resolver::start_thread() {
  state_->threaded = true;
  std::thread([state = state_] {
    State::Question question;
    while (true) {
      {
        std::unique_lock lock(state->mutex);
        state->asked.wait(lock, [&] { return !state->questions.empty(); });
      }
      while (state->take(question)) state->answer(question);
      question = {};
    }
  }).detach();
}

void Resolver::ask(std::shared_ptr<ResolveInbox> inbox, uint64_t key, std::string_view host,
                   uint16_t port) {
  {
    const std::lock_guard lock(state_->mutex);
    state_->questions.push_back({std::move(inbox), key, std::string(host), port});
  }
  state_->asked.notify_one();
}

void Resolver::answer_all() {
  State::Question question;
  while (state_->take(question)) state_->answer(question);
}

}  // namespace flexd::io
