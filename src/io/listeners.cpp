#include "listeners.hpp"

#include <cerrno>
#include <cstring>

#include "flexd/base/assert.hpp"

namespace flexd::io {

namespace {

// kRetryNs is how long accepting pauses when the system has no more descriptors or memory.
constexpr uint64_t kRetryNs = 100'000'000;
// kGeneration: listeners are never reused, so one generation does for all.
constexpr uint32_t kGeneration = 1;

bool is_exhaustion(int error) {
  return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

}  // namespace

Listeners::Listener::Listener(Listeners& listeners, int descriptor, AcceptHandler& accept_handler,
                              uint32_t number)
    : owner(listeners),
      fd(descriptor),
      handler(&accept_handler),
      index(number),
      retry(timer_callback<Listener, &Listener::on_retry>, this) {}

void Listeners::Listener::on_retry() {
  owner.arm(*this);
}

Result<Address> Listeners::listen(const Address& address, AcceptHandler& handler) {
  Address bound = address;
  const Result<int> fd = backend_.open_listener(bound);
  if (!fd) return fail(fd.error());
  const auto index = static_cast<uint32_t>(listeners_.size());
  listeners_.push_back(std::make_unique<Listener>(*this, *fd, handler, index));
  arm(*listeners_.back());
  return bound;
}

void Listeners::arm(Listener& listener) {
  if (listener.armed || listener.stopping) return;
  listener.armed = true;
  in_flight_++;
  backend_.accept_multishot(listener.fd, {Operation::accept, kGeneration, listener.index});
}

void Listeners::stop() {
  for (const auto& listener : listeners_) {
    if (listener->stopping) continue;
    listener->stopping = true;
    listener->retry.cancel();
    if (!listener->armed) continue;
    // The completion of the cancel itself is not waited for: it refers to nothing.
    backend_.cancel({Operation::accept, kGeneration, listener->index},
                    {Operation::cancel, 0, UINT32_MAX});
  }
}

void Listeners::on_completion(const Completion& completion) {
  FLEXD_ASSERT(completion.token.slot < listeners_.size());
  Listener& listener = *listeners_[completion.token.slot];
  if (!completion.more) {
    FLEXD_ASSERT(listener.armed);
    listener.armed = false;
    in_flight_--;
  }
  if (completion.result >= 0) {
    admit(listener, completion.result);
  } else if (completion.result != -ECANCELED) {
    on_error(listener, -completion.result);
  }
  if (!listener.retry.is_set()) arm(listener);
}

void Listeners::admit(Listener& listener, int fd) {
  stats_.accepts++;
  const SocketId id = listener.handler == nullptr ? SocketId{} : sockets_.accept(fd);
  if (!id) {
    stats_.sheds++;
    backend_.set_reset(fd);
    backend_.close(fd);
    return;
  }
  SocketHandler* handler = listener.handler->on_accept(id, backend_.peer_address(fd));
  if (handler == nullptr) stats_.sheds++;
  sockets_.adopt(id, handler);
}

void Listeners::on_error(Listener& listener, int error) {
  // The others (ECONNABORTED, EPERM, EPROTO...) concern one connection that is gone already.
  if (!is_exhaustion(error)) return;
  stats_.accept_errors++;
  if (!listener.stopping) timers_.set(listener.retry, now_ns_ + kRetryNs);
  if (error_limit_.allow(now_ns_)) {
    log_line(LogLevel::error, "accept_failed",
             {{"error", std::strerror(error)}, {"suppressed", error_limit_.suppressed()}});
  }
}

bool Listeners::finish() {
  bool any = false;
  for (const auto& listener : listeners_) {
    if (!listener->stopping || listener->armed || listener->fd < 0) continue;
    any = true;
    // A connection the kernel has completed is ours: closing the listener would reset it.
    int fd = backend_.accept_now(listener->fd);
    for (; fd >= 0; fd = backend_.accept_now(listener->fd)) admit(*listener, fd);
    backend_.close(listener->fd);
    listener->fd = -1;
  }
  return any;
}

void Listeners::abandon() {
  for (const auto& listener : listeners_) listener->handler = nullptr;
  stop();
}

bool Listeners::has_work() const {
  for (const auto& listener : listeners_) {
    if (listener->stopping && !listener->armed && listener->fd >= 0) return true;
  }
  return false;
}

}  // namespace flexd::io
