// The API of sockets and the phases of a turn; socket_events.cpp has what completions do.
#include "sockets.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "flexd/base/assert.hpp"

namespace flexd::io {

namespace {

// kIovecsMax is how many pieces one send gathers: 64 KiB of a chain's segments.
constexpr size_t kIovecsMax = 16;
// kFlushRoundsMax bounds flushes that touch other sockets, in one phase.
constexpr int kFlushRoundsMax = 8;
// kRearmMax bounds the receives that are armed again in one turn.
constexpr size_t kRearmMax = 64;

}  // namespace

Socket::Socket(Sockets& owner, BlockPool& pool, int descriptor, SocketState first_state)
    : table(owner),
      fd(descriptor),
      out(pool),
      timer(timer_callback<Socket, &Socket::on_timer>, this),
      state(first_state) {}

void Socket::on_timer() {
  table.on_timer(*this);
}

Sockets::Sockets(Backend& backend, TimerWheel& timers, BlockPool& blocks, ReactorStats& stats,
                 const uint64_t& now_ns, const ReactorOptions& options)
    : backend_(backend),
      timers_(timers),
      blocks_(blocks),
      stats_(stats),
      now_ns_(now_ns),
      connect_timeout_ns_(options.connect_timeout_ns),
      slab_(options.sockets_max) {}

Socket* Sockets::get(SocketId id) {
  Socket* socket = slab_.get(id.slot, id.generation);
  if (socket == nullptr) stats_.stale++;
  return socket;
}

Socket* Sockets::create(int fd, SocketState state) {
  const SlabHandle handle = slab_.create(*this, blocks_, fd, state);
  if (!handle) return nullptr;
  Socket* socket = slab_.get(handle);
  socket->id = {handle.slot, handle.generation};
  return socket;
}

SocketId Sockets::accept(int fd) {
  const Socket* socket = create(fd, SocketState::open);
  return socket == nullptr ? SocketId{} : socket->id;
}

void Sockets::adopt(SocketId id, SocketHandler* handler) {
  Socket* socket = get(id);
  FLEXD_ASSERT(socket != nullptr);
  socket->handler = handler;
  if (handler == nullptr) {
    abort(id);
  } else {
    start_receive(*socket);
  }
}

SocketId Sockets::connect(const Address& address, SocketHandler& handler) {
  if (slab_.count() >= slab_.capacity()) return {};
  const int fd = backend_.open_socket(address.family());
  if (fd < 0) return {};
  Socket* socket = create(fd, SocketState::connecting);
  FLEXD_ASSERT(socket != nullptr);
  socket->handler = &handler;
  socket->side = 1;
  socket->address = take_address(address);
  timers_.set(socket->timer, now_ns_ + connect_timeout_ns_);
  started(*socket);
  backend_.connect(fd, *socket->address, token(Operation::connect, *socket));
  return socket->id;
}

void Sockets::touch(SocketId id) {
  Socket* socket = get(id);
  if (socket == nullptr || socket->touched || socket->state != SocketState::open) return;
  socket->touched = true;
  touched_.push_back(id);
}

void Sockets::pause(SocketId id) {
  Socket* socket = get(id);
  if (socket == nullptr || socket->paused || socket->state > SocketState::open) return;
  socket->paused = true;
  stats_.pauses[socket->side]++;
  if (socket->state != SocketState::open) return;
  if (!socket->receiving) {
    start_hang_up_poll(*socket);
  } else if (!socket->receive_cancelled) {
    socket->receive_cancelled = true;
    cancel(*socket, Operation::receive);
  }
}

void Sockets::resume(SocketId id) {
  Socket* socket = get(id);
  if (socket == nullptr || !socket->paused) return;
  socket->paused = false;
  // A cancelled receive that has not ended yet is armed again when it does. The hang-up poll stays:
  // it is ignored while receiving, because receiving sees the FIN itself.
  start_receive(*socket);
}

void Sockets::close(SocketId id, uint64_t linger_ns, size_t linger_bytes) {
  Socket* socket = get(id);
  if (socket == nullptr || socket->state > SocketState::open) return;
  if (socket->state == SocketState::connecting) {
    die(*socket, 0);
    return;
  }
  socket->state = SocketState::closing;
  socket->linger_ns = linger_ns;
  socket->linger_bytes = linger_bytes;
  socket->paused = false;
  if (socket->out.empty()) {
    linger(*socket);
    return;
  }
  // Reading goes on meanwhile: a peer that blocks on writing would never come to read.
  start_receive(*socket);
  queue_send(*socket);
  timers_.set(socket->timer, now_ns_ + kCloseStallNs);
}

void Sockets::abort(SocketId id) {
  Socket* socket = get(id);
  if (socket == nullptr || socket->state == SocketState::dying) return;
  if (socket->state != SocketState::connecting) backend_.set_reset(socket->fd);
  die(*socket, 0);
}

// linger ends our half and reads the other away: bytes left unread in the kernel at close would
// make it send RST, and the peer could lose the last answer.
void Sockets::linger(Socket& socket) {
  socket.state = SocketState::lingering;
  backend_.shutdown_write(socket.fd);
  if (socket.peer_closed || socket.linger_ns == 0) {
    die(socket, 0);
    return;
  }
  timers_.set(socket.timer, now_ns_ + socket.linger_ns);
  start_receive(socket);
}

// die asks everything in flight to end. The first reason counts.
void Sockets::die(Socket& socket, int error) {
  if (socket.state == SocketState::dying) return;
  if (socket.state <= SocketState::open) socket.error = error;
  if (socket.state == SocketState::connecting) cancel(socket, Operation::connect);
  if (socket.receiving && !socket.receive_cancelled) {
    socket.receive_cancelled = true;
    cancel(socket, Operation::receive);
  }
  if (socket.sending) cancel(socket, Operation::send);
  if (socket.polling) cancel(socket, Operation::hang_up);
  socket.state = SocketState::dying;
  socket.timer.cancel();
  queue_closed(socket);
}

void Sockets::queue_closed(Socket& socket) {
  if (socket.state != SocketState::dying || socket.in_flight > 0 || socket.close_queued) return;
  socket.close_queued = true;
  closed_.push_back(socket.id);
}

void Sockets::on_timer(Socket& socket) {
  if (socket.state == SocketState::closing) backend_.set_reset(socket.fd);
  die(socket, ETIMEDOUT);
}

Token Sockets::token(Operation operation, const Socket& socket) {
  return {operation, socket.id.generation, socket.id.slot};
}

void Sockets::started(Socket& socket) {
  socket.in_flight++;
  in_flight_++;
}

void Sockets::cancel(Socket& socket, Operation operation) {
  started(socket);
  backend_.cancel(token(operation, socket), token(Operation::cancel, socket));
}

void Sockets::start_receive(Socket& socket) {
  if (socket.receiving || socket.starved || socket.paused || socket.peer_closed) return;
  if (socket.state == SocketState::connecting || socket.state == SocketState::dying) return;
  if (!backend_.buffers_available()) {
    socket.starved = true;
    stats_.starvations++;
    starved_.push_back(socket.id);
    return;
  }
  socket.receiving = true;
  socket.receive_cancelled = false;
  started(socket);
  backend_.receive_multishot(socket.fd, token(Operation::receive, socket));
}

void Sockets::start_hang_up_poll(Socket& socket) {
  if (socket.polling || socket.peer_closed) return;
  socket.polling = true;
  started(socket);
  backend_.poll_hang_up(socket.fd, token(Operation::hang_up, socket));
}

void Sockets::queue_send(Socket& socket) {
  if (socket.out.size() > kOutHighBytes) socket.above_high = true;
  if (socket.send_queued || socket.sending || socket.out.empty()) return;
  socket.send_queued = true;
  sends_.push_back(socket.id);
}

void Sockets::start_send(Socket& socket) {
  if (socket.sending || socket.out.empty()) return;
  if (socket.state != SocketState::open && socket.state != SocketState::closing) return;
  std::array<iovec, kIovecsMax> pieces;
  const size_t count = socket.out.fill_iovecs(pieces);
  socket.send_bytes = 0;
  for (size_t i = 0; i < count; i++) socket.send_bytes += pieces[i].iov_len;
  socket.sending = true;
  stats_.sends++;
  started(socket);
  // Nobody waits for the end of a send that empties an open socket's queue.
  const bool quiet = socket.state == SocketState::open && !socket.stalled && !socket.above_high &&
                     socket.send_bytes == socket.out.size();
  const std::span<const iovec> parts(pieces.data(), count);
  if (quiet) {
    backend_.send_quietly(socket.fd, parts, token(Operation::send, socket));
  } else {
    backend_.send(socket.fd, parts, token(Operation::send, socket));
  }
}

// rearm_starved arms receives again when buffers are back, those that waited longest first. A few
// at a time: with fewer buffers than sockets most would only fail again.
void Sockets::rearm_starved() {
  const size_t count = std::min(starved_.size(), kRearmMax);
  size_t at = 0;
  for (; at < count && backend_.buffers_available(); at++) {
    Socket* socket = slab_.get(starved_[at].slot, starved_[at].generation);
    if (socket == nullptr) continue;
    socket->starved = false;
    start_receive(*socket);
  }
  starved_.erase(starved_.begin(), starved_.begin() + static_cast<std::ptrdiff_t>(at));
}

void Sockets::flush() {
  for (int round = 0; round < kFlushRoundsMax && !touched_.empty(); round++) {
    std::swap(touched_, flushing_);
    for (const SocketId id : flushing_) {
      Socket* socket = slab_.get(id.slot, id.generation);
      if (socket == nullptr) continue;
      socket->touched = false;
      if (socket->state != SocketState::open) continue;
      socket->handler->on_flush();
      if (socket->state == SocketState::open) queue_send(*socket);
    }
    flushing_.clear();
  }
}

void Sockets::start_sends() {
  for (const SocketId id : sends_) {
    Socket* socket = slab_.get(id.slot, id.generation);
    if (socket == nullptr) continue;
    socket->send_queued = false;
    start_send(*socket);
  }
  sends_.clear();
}

bool Sockets::finish_closed() {
  if (closed_.empty()) return false;
  std::swap(closed_, closing_);
  for (const SocketId id : closing_) {
    Socket* socket = slab_.get(id.slot, id.generation);
    FLEXD_ASSERT(socket != nullptr && socket->in_flight == 0);
    SocketHandler* handler = socket->handler;
    const int error = socket->error;
    backend_.close(socket->fd);
    slab_.destroy({id.slot, id.generation});
    if (handler != nullptr) handler->on_closed(error);
  }
  closing_.clear();
  return true;
}

bool Sockets::has_work() const {
  return !touched_.empty() || !sends_.empty() || !closed_.empty() ||
         (!starved_.empty() && backend_.buffers_available());
}

void Sockets::abandon() {
  slab_.for_each([this](SlabHandle /*handle*/, Socket& socket) {
    socket.handler = nullptr;
    die(socket, 0);
  });
}

Address* Sockets::take_address(const Address& address) {
  if (free_addresses_.empty()) {
    addresses_.push_back(std::make_unique<Address>());
    free_addresses_.push_back(addresses_.back().get());
  }
  Address* taken = free_addresses_.back();
  free_addresses_.pop_back();
  *taken = address;
  return taken;
}

void Sockets::give_address(Socket& socket) {
  if (socket.address != nullptr) free_addresses_.push_back(socket.address);
  socket.address = nullptr;
}

}  // namespace flexd::io
