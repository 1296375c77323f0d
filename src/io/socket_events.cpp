// What each completion does to its socket.
#include <cerrno>

#include "flexd/base/assert.hpp"
#include "sockets.hpp"

namespace flexd::io {

void Sockets::on_completion(const Completion& completion) {
  Socket* socket = slab_.get(completion.token.slot, completion.token.generation);
  if (socket == nullptr) {
    // Cannot happen while slots wait for their last completion; a kernel or a simulation that
    // completes twice is survived and seen in the counter.
    stats_.stale++;
  } else {
    if (!completion.more) {
      FLEXD_ASSERT(socket->in_flight > 0);
      socket->in_flight--;
      in_flight_--;
    }
    switch (completion.token.operation) {
      case Operation::connect:
        on_connect(*socket, completion.result);
        break;
      case Operation::receive:
        on_receive(*socket, completion);
        break;
      case Operation::send:
        on_send(*socket, completion.result);
        break;
      case Operation::hang_up:
        on_hang_up(*socket, completion.result);
        break;
      default:  // a cancel says nothing of its target
        break;
    }
    queue_closed(*socket);
  }
  if (completion.buffer != UINT32_MAX) backend_.return_buffer(completion.buffer);
}

void Sockets::on_connect(Socket& socket, int result) {
  give_address(socket);
  if (socket.state == SocketState::dying) return;
  if (result < 0) {
    // Not `connecting` any more: there is nothing to cancel.
    socket.state = SocketState::open;
    die(socket, -result);
    return;
  }
  socket.state = SocketState::open;
  socket.timer.cancel();
  if (socket.paused) {
    start_hang_up_poll(socket);
  } else {
    start_receive(socket);
  }
  socket.handler->on_connected();
  touch(socket.id);
}

void Sockets::on_receive(Socket& socket, const Completion& completion) {
  if (!completion.more) {
    socket.receiving = false;
    socket.receive_cancelled = false;
  }
  if (completion.result > 0) {
    stats_.receives++;
    socket.bytes_received += completion.bytes.size();
    stats_.received_bytes[socket.side] += completion.bytes.size();
    on_bytes(socket, completion.bytes);
  } else if (socket.state != SocketState::dying) {
    on_receive_end(socket, completion.result);
  }
  if (completion.more || socket.receiving || socket.state == SocketState::dying) return;
  // A multishot receive ends for reasons of its own; it is armed again only after it did.
  if (socket.paused && socket.state == SocketState::open) {
    start_hang_up_poll(socket);
  } else {
    start_receive(socket);
  }
}

void Sockets::on_bytes(Socket& socket, std::string_view bytes) {
  if (socket.state == SocketState::open) {
    socket.handler->on_data(bytes);
  } else if (socket.state == SocketState::lingering) {
    if (bytes.size() >= socket.linger_bytes) {
      die(socket, 0);
    } else {
      socket.linger_bytes -= bytes.size();
    }
  }
}

// on_receive_end: a receive completed without bytes.
void Sockets::on_receive_end(Socket& socket, int result) {
  switch (-result) {
    case 0:
      socket.peer_closed = true;
      if (socket.state == SocketState::open) {
        socket.handler->on_peer_closed();
      } else if (socket.state == SocketState::lingering) {
        die(socket, 0);
      }
      return;
    case ENOBUFS:
      // Armed again when a buffer is back: at the end of this turn, if one is.
      if (!socket.starved && !socket.paused && !socket.receiving) {
        socket.starved = true;
        stats_.starvations++;
        starved_.push_back(socket.id);
      }
      return;
    case ECANCELED:
    case EAGAIN:
    case EINTR:
      return;
    default:
      die(socket, -result);
  }
}

void Sockets::on_send(Socket& socket, int result) {
  socket.sending = false;
  if (socket.state == SocketState::dying) return;
  if (result == -EAGAIN || result == -EINTR) {
    socket.stalled = true;
    queue_send(socket);
    return;
  }
  if (result <= 0) {
    die(socket, result == 0 ? EPIPE : -result);
    return;
  }
  const auto count = static_cast<size_t>(result);
  socket.stalled = count < socket.send_bytes;
  if (count < socket.send_bytes) stats_.short_sends++;
  stats_.sent_bytes[socket.side] += count;
  socket.out.consume(count);
  if (socket.state == SocketState::closing) {
    if (socket.out.empty()) {
      linger(socket);
      return;
    }
    timers_.set(socket.timer, now_ns_ + kCloseStallNs);
  }
  queue_send(socket);
  if (socket.above_high && socket.out.size() < kOutLowBytes) {
    socket.above_high = false;
    if (socket.state == SocketState::open) socket.handler->on_drained();
  }
}

void Sockets::on_hang_up(Socket& socket, int result) {
  socket.polling = false;
  if (result > 0 && socket.state == SocketState::open && socket.paused) {
    socket.handler->on_peer_closed();
  }
}

}  // namespace flexd::io
