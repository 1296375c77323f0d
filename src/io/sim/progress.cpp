// progress.cpp: what the simulated kernel makes of a socket's operations when its backend waits.
#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "flexd/base/assert.hpp"
#include "sim_backend.hpp"

namespace flexd::io::sim {
namespace {

bool is_active(const Pending& pending) {
  return pending.submitted && !pending.finished;
}

}  // namespace

void SimBackend::progress(Socket& socket) {
  // A hang-up is looked at last: it is told after the bytes that came before it.
  static constexpr std::array<std::pair<Operation, void (SimBackend::*)(Socket&)>, 6> kSteps = {{
      {Operation::connect, &SimBackend::progress_connect},
      {Operation::accept, &SimBackend::progress_accept},
      {Operation::receive, &SimBackend::progress_receive},
      {Operation::send, &SimBackend::progress_send},
      {Operation::hang_up, &SimBackend::progress_hang_up},
      {Operation::watch, &SimBackend::progress_watch},
  }};
  for (const auto& [operation, step] : kSteps) {
    Pending& pending = socket.of(operation);
    if (!is_active(pending)) continue;
    const bool looks = !pending.cancelled || state_.random.chance(state_.faults.cancel_race);
    if (looks) (this->*step)(socket);
    if (!is_active(pending) || !pending.cancelled) continue;
    // A send that has taken bytes says so when it is cancelled.
    const bool partial = operation == Operation::send && socket.send_done > 0;
    const int32_t result = partial ? static_cast<int32_t>(socket.send_done) : -ECANCELED;
    complete(socket, operation, result, false);
  }
}

void SimBackend::progress_connect(Socket& socket) {
  if (!socket.connect_answered) return;
  complete(socket, Operation::connect, socket.connect_result, false);
}

void SimBackend::progress_accept(Socket& socket) {
  while (is_active(socket.of(Operation::accept)) && !socket.backlog.empty()) {
    if (!accept_one(socket)) return;
  }
}

bool SimBackend::accept_one(Socket& socket) {
  Faults& faults = state_.faults;
  if (state_.random.chance(faults.accept_full)) {
    complete(socket, Operation::accept, -EMFILE, false);
    return false;
  }
  const std::shared_ptr<Connection> connection = socket.backlog.front();
  if (state_.random.chance(faults.accept_aborted)) {
    socket.backlog.pop_front();
    connection->sides[1].closed = true;
    state_.reset_both(*connection);
    complete(socket, Operation::accept, -ECONNABORTED, false);
    return false;
  }
  const int fd = take_accepted(socket);
  const bool more = fd >= 0 && !state_.random.chance(faults.end_multishot);
  complete(socket, Operation::accept, fd, more);
  return more;
}

int SimBackend::take_accepted(Socket& listener) {
  if (listener.backlog.empty()) return -EAGAIN;
  Socket* accepted = state_.open(this, Socket::Kind::stream);
  if (accepted == nullptr) return -EMFILE;
  accepted->connection = std::move(listener.backlog.front());
  listener.backlog.pop_front();
  accepted->side = 1;
  accepted->self().fd = accepted->fd;
  return accepted->fd;
}

int SimBackend::accept_now(int fd) {
  system_calls_++;
  Socket& socket = state_.socket(fd, this);
  FLEXD_ASSERT(socket.kind == Socket::Kind::listener && "accept on what does not listen");
  FLEXD_ASSERT(!socket.of(Operation::accept).armed && "accept_now beside an accept in flight");
  const int accepted = take_accepted(socket);
  state_.note("accept_now", number_, static_cast<uint64_t>(accepted));
  return accepted;
}

void SimBackend::progress_receive(Socket& socket) {
  while (is_active(socket.of(Operation::receive))) {
    if (!receive_one(socket)) return;
  }
}

bool SimBackend::receive_one(Socket& socket) {
  const Faults& faults = state_.faults;
  Side& self = socket.self();
  if (self.in.empty()) {
    if (self.error != 0) {
      complete(socket, Operation::receive, -std::exchange(self.error, 0), false);
    } else if (self.dead || self.fin_received) {
      complete(socket, Operation::receive, 0, false);
    }
    return false;
  }
  if (buffers_free_.empty() || state_.random.chance(faults.starve)) {
    complete(socket, Operation::receive, -ENOBUFS, false);
    return false;
  }
  size_t count = std::min<size_t>(self.in.size(), buffer_bytes_);
  if (state_.random.chance(faults.short_receive)) count = state_.random.piece(count);
  const uint32_t buffer = take_buffer(self.in.take(count));
  const bool more = !state_.random.chance(faults.end_multishot);
  complete(socket, Operation::receive, static_cast<int32_t>(count), more);
  Completion& completion = ready_.back().completion;
  completion.buffer = buffer;
  completion.bytes = {memory_.get() + size_t{buffer} * buffer_bytes_, count};
  state_.transmit(socket.connection, 1 - socket.side);  // the window has opened
  return more;
}

void SimBackend::progress_send(Socket& socket) {
  Side& self = socket.self();
  if (self.error != 0 || self.dead || self.fin_queued) {
    // What was taken before counts first; the error is told by the next send.
    const int error = self.error != 0 ? self.error : EPIPE;
    if (socket.send_done > 0) {
      complete(socket, Operation::send, static_cast<int32_t>(socket.send_done), false);
      return;
    }
    self.error = 0;
    complete(socket, Operation::send, -error, false);
    return;
  }
  const size_t used = self.out.size() + self.network_bytes;
  if (used >= state_.options.send_buffer_bytes) return;
  const size_t room = state_.options.send_buffer_bytes - used;
  size_t count = std::min(room, socket.send_total - socket.send_done);
  const bool cut = state_.random.chance(state_.faults.short_send);
  if (cut) count = state_.random.piece(count);
  take_send_bytes(socket, self, count);
  if (cut || socket.send_done == socket.send_total) {
    complete(socket, Operation::send, static_cast<int32_t>(socket.send_done), false);
  }
  state_.transmit(socket.connection, socket.side);
}

// The bytes are read here and not when the send was started: they have to be alive still.
void SimBackend::take_send_bytes(Socket& socket, Side& side, size_t count) {
  size_t skip = socket.send_done;
  size_t left = count;
  for (const iovec& part : socket.send_iovecs) {
    const size_t skipped = std::min(skip, part.iov_len);
    skip -= skipped;
    const size_t taken = std::min(left, part.iov_len - skipped);
    side.out.append({static_cast<const char*>(part.iov_base) + skipped, taken});
    left -= taken;
  }
  FLEXD_ASSERT(left == 0);
  socket.send_done += count;
}

void SimBackend::progress_hang_up(Socket& socket) {
  if (socket.kind != Socket::Kind::stream) return;
  const Side& self = socket.self();
  if (!self.fin_received && !self.dead) return;
  const int events = POLLRDHUP | (self.dead ? POLLHUP | POLLERR : 0);
  complete(socket, Operation::hang_up, events, false);
}

void SimBackend::progress_watch(Socket& socket) {
  if (!std::exchange(socket.readable, false)) return;
  const bool more = !state_.random.chance(state_.faults.end_multishot);
  complete(socket, Operation::watch, POLLIN, more);
}

}  // namespace flexd::io::sim
