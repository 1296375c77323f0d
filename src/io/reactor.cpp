#include "flexd/io/reactor.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>

#include "flexd/base/assert.hpp"
#include "flexd/io/backend.hpp"
#include "listeners.hpp"
#include "mailbox.hpp"
#include "sockets.hpp"
#include "turn_metrics.hpp"

namespace flexd::io {

namespace {

// kCompletionsMax bounds the completions of one turn, so that flushes and timers are never far off.
constexpr size_t kCompletionsMax = 512;
// kFinishRoundsMax bounds how often a turn flushes because something closed.
constexpr int kFinishRoundsMax = 4;
// kFarewellNs bounds the wait for the last completions when a reactor is destroyed.
constexpr uint64_t kFarewellNs = 2'000'000'000;

}  // namespace

class Reactor::Impl {
 public:
  Impl(std::unique_ptr<Backend> backend, const ReactorOptions& options);
  ~Impl();
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  void turn(bool wait);
  void resolve(std::string_view host, uint16_t port, ResolveHandler& handler);
  void cancel_resolve(ResolveHandler& handler);
  void watch_fd(int fd, std::function<void()> on_ready);
  bool post(const Mail& mail);
  size_t in_flight() const {
    return sockets.in_flight() + listeners.in_flight() + watches_in_flight;
  }

  metrics::Core* metrics;
  BlockPool blocks;
  std::unique_ptr<Backend> backend;
  uint64_t now_ns;
  uint64_t unix_ms;
  ReactorStats stats;
  TimerWheel timers;
  Sockets sockets;
  Listeners listeners;
  MailHandler* mail_handler = nullptr;
  bool running = false;

 private:
  struct Look {
    uint64_t key;
    ResolveHandler* handler;
    std::vector<Address> literal;  // the answer, if no look-up is needed
  };
  struct Watch {
    int fd;
    std::function<void()> on_ready;
  };

  bool has_work() const;
  void deliver(const Completion& completion);
  void on_watch(const Completion& completion);
  void deliver_mail();
  void deliver_resolved();
  void publish();

  std::array<Completion, kCompletionsMax> completions_;
  Mailbox mailbox_;
  std::atomic<bool> woken_{false};  // a wake is under way: one is enough for any amount of mail
  std::atomic<uint64_t> mail_dropped_{0};
  TurnMetrics turn_metrics_;
  std::vector<Look> looks_;
  size_t literals_ = 0;  // looks_ with an answer at hand
  uint64_t next_key_ = 1;
  std::vector<Watch> watches_;
  size_t watches_in_flight = 0;
};

Reactor::Impl::Impl(std::unique_ptr<Backend> chosen, const ReactorOptions& options)
    : metrics(options.metrics),
      blocks(options.memory_budget_bytes),
      backend(std::move(chosen)),
      now_ns(backend->now_ns()),
      unix_ms(backend->unix_ms()),
      timers(now_ns),
      sockets(*backend, timers, blocks, stats, now_ns, options),
      listeners(*backend, sockets, timers, stats, now_ns) {}

// Nothing may be freed that an operation refers to, so all are ended and their last completions
// taken. Handlers hear no more.
Reactor::Impl::~Impl() {
  mail_handler = nullptr;
  looks_.clear();
  listeners.abandon();
  sockets.abandon();
  for (uint32_t i = 0; i < watches_.size(); i++) {
    watches_[i].on_ready = nullptr;
    backend->cancel({Operation::watch, 1, i}, {Operation::cancel, 0, UINT32_MAX});
  }
  const uint64_t end_ns = now_ns + kFarewellNs;
  while (in_flight() > 0 || sockets.live() > 0) {
    turn(true);
    if (now_ns > end_ns) break;
  }
  FLEXD_ASSERT(in_flight() == 0);
}

bool Reactor::Impl::has_work() const {
  return sockets.has_work() || listeners.has_work() || literals_ > 0 || !mailbox_.empty();
}

void Reactor::Impl::turn(bool wait) {
  stats.turns++;
  const uint64_t deadline_ns = !wait || has_work() ? 0 : timers.next_expiry_ns();
  // All completions are copied before any is delivered: a handler never runs inside the ring.
  const size_t count = backend->wait(deadline_ns, completions_);
  now_ns = std::max(now_ns, backend->now_ns());
  unix_ms = backend->unix_ms();
  stats.completions += count;
  for (size_t i = 0; i < count; i++) deliver(completions_[i]);
  timers.advance(now_ns);
  deliver_mail();
  deliver_resolved();
  sockets.rearm_starved();
  for (int round = 0; round < kFinishRoundsMax; round++) {
    sockets.flush();
    const bool closed = sockets.finish_closed();
    const bool stopped = listeners.finish();
    if (!closed && !stopped) break;
  }
  sockets.start_sends();
  stats.mail_dropped = mail_dropped_.load(std::memory_order_relaxed);
  if (metrics != nullptr) publish();
}

void Reactor::Impl::publish() {
  turn_metrics_.publish(*metrics, stats,
                        {.system_calls = backend->system_calls(),
                         .timers_fired = timers.fired(),
                         .timers_set = timers.count(),
                         .block_bytes_in_use = blocks.in_use_bytes(),
                         .block_bytes_budget = blocks.budget_bytes(),
                         .block_system_takes = blocks.system_takes(),
                         .turn_ns = std::max(now_ns, backend->now_ns()) - now_ns});
}

void Reactor::Impl::deliver(const Completion& completion) {
  switch (completion.token.operation) {
    case Operation::accept:
      listeners.on_completion(completion);
      break;
    case Operation::watch:
      on_watch(completion);
      break;
    case Operation::close:
    case Operation::wake:
      break;
    default:
      // Cancels of watches and listeners name no socket.
      if (completion.token.slot != UINT32_MAX) sockets.on_completion(completion);
  }
}

void Reactor::Impl::on_watch(const Completion& completion) {
  FLEXD_ASSERT(completion.token.slot < watches_.size());
  if (!completion.more) watches_in_flight--;
  Watch& watch = watches_[completion.token.slot];
  if (watch.on_ready == nullptr) return;
  // The callback may add watches, which moves them.
  const std::function<void()> on_ready = watch.on_ready;
  const int fd = watch.fd;
  if (completion.result > 0) on_ready();
  if (completion.more || completion.result < 0) return;
  watches_in_flight++;
  backend->watch(fd, completion.token);
}

void Reactor::Impl::watch_fd(int fd, std::function<void()> on_ready) {
  watches_.push_back({fd, std::move(on_ready)});
  watches_in_flight++;
  backend->watch(fd, {Operation::watch, 1, static_cast<uint32_t>(watches_.size() - 1)});
}

bool Reactor::Impl::post(const Mail& mail) {
  if (!mailbox_.push(mail)) {
    mail_dropped_.fetch_add(1, std::memory_order_relaxed);
    return false;
  }
  if (!woken_.exchange(true, std::memory_order_acq_rel)) backend->wake();
  return true;
}

void Reactor::Impl::deliver_mail() {
  // The exchange reads what the last poster wrote, so that its message is seen below.
  if (!woken_.load(std::memory_order_acquire)) return;
  woken_.exchange(false, std::memory_order_acq_rel);
  Mail mail;
  for (size_t i = 0; i < kMailMax && mailbox_.pop(mail); i++) {
    if (mail_handler != nullptr) mail_handler->on_mail(mail);
  }
  // What is left is for the next turn, which does not sleep and does not need another wake.
  if (!mailbox_.empty()) woken_.store(true, std::memory_order_release);
}

void Reactor::Impl::resolve(std::string_view host, uint16_t port, ResolveHandler& handler) {
  Look look{next_key_++, &handler, {}};
  if (auto literal = Address::from_ip(host, port)) {
    look.literal.push_back(*literal);
    literals_++;
  } else {
    backend->resolve(look.key, host, port);
  }
  looks_.push_back(std::move(look));
}

void Reactor::Impl::cancel_resolve(ResolveHandler& handler) {
  std::erase_if(looks_, [&](const Look& look) {
    if (look.handler != &handler) return false;
    literals_ -= look.literal.size();
    return true;
  });
}

void Reactor::Impl::deliver_resolved() {
  for (size_t left = literals_; left > 0 && literals_ > 0; left--) {
    const auto found = std::find_if(looks_.begin(), looks_.end(),
                                    [](const Look& look) { return !look.literal.empty(); });
    const Look look = std::move(*found);
    looks_.erase(found);
    literals_--;
    look.handler->on_resolved(look.literal, "");
  }
  Resolved resolved;
  while (!looks_.empty() && backend->poll_resolved(resolved)) {
    const auto found = std::find_if(looks_.begin(), looks_.end(),
                                    [&](const Look& look) { return look.key == resolved.key; });
    if (found == looks_.end()) continue;
    ResolveHandler* handler = found->handler;
    looks_.erase(found);
    handler->on_resolved(resolved.addresses, resolved.error);
  }
}

Result<std::unique_ptr<Reactor>> Reactor::create(const ReactorOptions& options) {
  Result<std::unique_ptr<Backend>> backend = Backend::create(options);
  if (!backend) return fail(backend.error());
  auto impl = std::make_unique<Impl>(std::move(*backend), options);
  return std::unique_ptr<Reactor>(new Reactor(std::move(impl)));
}

Reactor::Reactor(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Reactor::~Reactor() = default;

uint64_t Reactor::now_ns() const {
  return impl_->now_ns;
}
uint64_t Reactor::unix_ms() const {
  return impl_->unix_ms;
}
void Reactor::random_bytes(std::span<uint8_t> out) {
  impl_->backend->random_bytes(out);
}

uint64_t Reactor::random_u64() {
  std::array<uint8_t, sizeof(uint64_t)> bytes;
  random_bytes(bytes);
  return std::bit_cast<uint64_t>(bytes);
}

TimerWheel& Reactor::timers() {
  return impl_->timers;
}
BlockPool& Reactor::blocks() {
  return impl_->blocks;
}
metrics::Core* Reactor::metrics() {
  return impl_->metrics;
}

Result<Address> Reactor::listen(const Address& address, AcceptHandler& handler) {
  return impl_->listeners.listen(address, handler);
}
void Reactor::stop_listening() {
  impl_->listeners.stop();
}

SocketId Reactor::connect(const Address& address, SocketHandler& handler) {
  return impl_->sockets.connect(address, handler);
}

ByteChain& Reactor::out(SocketId id) {
  Socket* socket = impl_->sockets.get(id);
  FLEXD_ASSERT(socket != nullptr);
  return socket->out;
}

void Reactor::touch(SocketId id) {
  impl_->sockets.touch(id);
}
void Reactor::pause(SocketId id) {
  impl_->sockets.pause(id);
}
void Reactor::resume(SocketId id) {
  impl_->sockets.resume(id);
}
void Reactor::close(SocketId id, uint64_t linger_ns, size_t linger_bytes) {
  impl_->sockets.close(id, linger_ns, linger_bytes);
}
void Reactor::abort(SocketId id) {
  impl_->sockets.abort(id);
}

bool Reactor::is_open(SocketId id) const {
  const Socket* socket = impl_->sockets.get(id);
  return socket != nullptr && socket->state <= SocketState::open;
}

uint64_t Reactor::bytes_received(SocketId id) const {
  const Socket* socket = impl_->sockets.get(id);
  return socket == nullptr ? 0 : socket->bytes_received;
}

void Reactor::resolve(std::string_view host, uint16_t port, ResolveHandler& handler) {
  impl_->resolve(host, port, handler);
}
void Reactor::cancel_resolve(ResolveHandler& handler) {
  impl_->cancel_resolve(handler);
}
void Reactor::watch_fd(int fd, std::function<void()> on_ready) {
  impl_->watch_fd(fd, std::move(on_ready));
}
bool Reactor::post(const Mail& mail) {
  return impl_->post(mail);
}
void Reactor::set_mail_handler(MailHandler& handler) {
  impl_->mail_handler = &handler;
}
void Reactor::turn(bool wait) {
  impl_->turn(wait);
}

void Reactor::run() {
  impl_->running = true;
  while (impl_->running) impl_->turn(true);
}

void Reactor::stop() {
  impl_->running = false;
}
size_t Reactor::live_sockets() const {
  return impl_->sockets.live();
}
size_t Reactor::operations_in_flight() const {
  return impl_->in_flight();
}
uint64_t Reactor::system_calls() const {
  return impl_->backend->system_calls();
}
const ReactorStats& Reactor::stats() const {
  return impl_->stats;
}

}  // namespace flexd::io
