// network.cpp: TCP as a program sees it.
#include <algorithm>
#include <cerrno>

#include "flexd/base/assert.hpp"
#include "sim_backend.hpp"
#include "state.hpp"

namespace flexd::io::sim {
namespace {

constexpr uint64_t kRetryNs = 200'000'000;  // of what a partition or a full backlog swallowed
constexpr uint16_t kEphemeralFirst = 40'000;

bool is_any(const Address& address) {
  const std::array<uint8_t, 16> ip = address.ip();
  const bool v4_any = ip == std::array<uint8_t, 16>{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  return address.family() != AF_UNIX && (v4_any || ip == std::array<uint8_t, 16>{});
}

bool is_loopback(const Address& address) {
  const std::array<uint8_t, 16> ip = address.ip();
  if (address.family() == AF_INET) return ip[12] == 127;
  return ip == std::array<uint8_t, 16>{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
}

}  // namespace

bool State::is_partitioned(const Connection& connection) const {
  return !partitions.empty() && (partitions.contains(connection.sides[0].address.ip()) ||
                                 partitions.contains(connection.sides[1].address.ip()));
}

void State::bind(Socket& listener, Address& address) {
  if (address.family() != AF_UNIX && address.port() == 0) address.set_port(port_next_++);
  listener.bound = address;
  note("listen", static_cast<uint64_t>(listener.fd), address.port());
}

Socket* State::find_listener(const Address& address) {
  std::vector<Socket*> found;  // several on one address: the kernel picks one (SO_REUSEPORT)
  for (const auto& [fd, socket] : sockets) {
    if (socket->kind != Socket::Kind::listener) continue;
    const bool exact = socket->bound == address;
    const bool wildcard = is_any(socket->bound) && socket->bound.port() == address.port();
    if (!exact && !wildcard) continue;
    const auto host = Address::from_ip(socket->owner->host_ip(), address.port());
    const bool here = is_loopback(address) || (host.has_value() && host->ip() == address.ip());
    if (exact || here) found.push_back(socket.get());
  }
  if (found.empty()) return nullptr;
  return found.size() == 1 ? found[0] : found[random.below(found.size())];
}

void State::connect(Socket& socket, const Address& address) {
  note("connect", static_cast<uint64_t>(socket.fd), address.port());
  if (random.chance(faults.connect_unreachable)) {
    answer_connect(socket.fd, socket.serial, -EHOSTUNREACH, jitter_ns());
    return;
  }
  if (random.chance(faults.connect_timeout)) {
    answer_connect(socket.fd, socket.serial, -ETIMEDOUT, options.connect_timeout_ns);
    return;
  }
  const auto client = Address::from_ip(socket.owner->host_ip(), 0);
  uint64_t delay_ns = latency_ns(client.has_value() ? *client : Address{}, address);
  if (random.chance(faults.delay)) delay_ns += jitter_ns();
  const uint64_t give_up_ns = now_ns + options.connect_timeout_ns;
  const auto arrive = [this, fd = socket.fd, serial = socket.serial, address, give_up_ns] {
    syn(fd, serial, address, give_up_ns);
  };
  schedule_at(now_ns + delay_ns, arrive);
}

void State::syn(int fd, uint64_t serial, const Address& address, uint64_t give_up_ns) {
  Socket* socket = find(fd);
  if (socket == nullptr || socket->serial != serial) return;
  const Pending& pending = socket->of(Operation::connect);
  if (!pending.armed || pending.finished || pending.cancelled) return;
  const auto client = Address::from_ip(socket->owner->host_ip(), 0);
  const bool lost = partitions.contains(address.ip()) ||
                    (client.has_value() && partitions.contains(client->ip()));
  Socket* listener = lost ? nullptr : find_listener(address);
  if (lost || (listener != nullptr && listener->backlog.size() >= options.backlog_max)) {
    if (now_ns >= give_up_ns) {
      answer_connect(fd, serial, -ETIMEDOUT, 0);
      return;
    }
    const auto again = [this, fd, serial, address, give_up_ns] {
      syn(fd, serial, address, give_up_ns);
    };
    schedule_at(std::min(now_ns + kRetryNs, give_up_ns), again);
    return;
  }
  if (listener == nullptr || random.chance(faults.connect_refused)) {
    const uint64_t back_ns = latency_ns(client.has_value() ? *client : Address{}, address);
    answer_connect(fd, serial, -ECONNREFUSED, back_ns);
    return;
  }
  establish(fd, serial, *listener, address);
}

void State::answer_connect(int fd, uint64_t serial, int32_t result, uint64_t delay_ns) {
  const auto arrive = [this, fd, serial, result] {
    Socket* socket = find(fd);
    if (socket == nullptr || socket->serial != serial) return;
    socket->connect_answered = true;
    socket->connect_result = result;
    touch(*socket);
  };
  schedule_at(now_ns + delay_ns, arrive);
}

void State::establish(int fd, uint64_t serial, Socket& listener, const Address& address) {
  auto connection = std::make_shared<Connection>();
  connection->id = ++connections_made_;
  Side& client = connection->sides[0];
  const auto host = Address::from_ip(find(fd)->owner->host_ip(), client_port_next_);
  if (address.family() != AF_UNIX && host.has_value()) client.address = *host;
  if (++client_port_next_ == 0) client_port_next_ = kEphemeralFirst;
  connection->sides[1].address = address;
  connections[connection->id] = connection;
  const uint64_t latency = latency_ns(client.address, address);
  // The client is connected one latency from now, the listener learns it one later.
  const auto connected = [this, fd, serial, connection] {
    Socket* socket = find(fd);
    const bool gone = socket == nullptr || socket->serial != serial ||
                      !socket->of(Operation::connect).armed ||
                      socket->of(Operation::connect).cancelled;
    if (gone) {  // it went away half-way: the listener finds a connection that is reset
      connection->sides[0].closed = true;
      reset_side(*connection, 0, 0);
      reset_side(*connection, 1, ECONNRESET);
      return;
    }
    socket->connection = connection;
    socket->side = 0;
    socket->kind = Socket::Kind::stream;
    socket->connect_answered = true;
    connection->sides[0].fd = fd;
    touch(*socket);
  };
  const auto queued = [this, listener_fd = listener.fd, listener_serial = listener.serial,
                       connection] {
    Socket* found = find(listener_fd);
    if (found == nullptr || found->serial != listener_serial) {
      connection->sides[1].closed = true;
      reset_both(*connection);
      return;
    }
    found->backlog.push_back(connection);
    touch(*found);
  };
  schedule_at(now_ns + latency, connected);
  schedule_at(now_ns + 2 * latency, queued);
}

void State::transmit(const std::shared_ptr<Connection>& connection, size_t side) {
  Side& from = connection->sides[side];
  Side& to = connection->sides[1 - side];
  while (!from.dead && !from.out.empty()) {
    const size_t used = to.in.size() + from.network_bytes;
    if (used >= options.receive_buffer_bytes) return;
    size_t count = std::min(from.out.size(), options.receive_buffer_bytes - used);
    if (random.chance(faults.split)) count = random.piece(count);
    send_segment(connection, side, {Segment::Kind::data, from.out.take(count)});
  }
  if (from.dead || !from.fin_queued || from.fin_sent) return;
  from.fin_sent = true;
  send_segment(connection, side, {Segment::Kind::fin, {}});
}

void State::send_segment(const std::shared_ptr<Connection>& connection, size_t side,
                         Segment segment) {
  Side& from = connection->sides[side];
  uint64_t arrival_ns = now_ns + latency_ns(from.address, connection->sides[1 - side].address);
  if (random.chance(faults.delay)) arrival_ns += jitter_ns();
  from.delivery_at_ns = std::max(from.delivery_at_ns, arrival_ns);
  from.network_bytes += segment.bytes.size();
  from.network.push_back(std::move(segment));
  schedule_at(from.delivery_at_ns, [this, connection, side] { deliver(connection, side); });
}

void State::deliver(const std::shared_ptr<Connection>& connection, size_t side) {
  Side& from = connection->sides[side];
  Side& to = connection->sides[1 - side];
  if (from.network.empty()) return;  // reset meanwhile
  if (is_partitioned(*connection)) {
    if (from.stalled_since_ns == 0) from.stalled_since_ns = now_ns;
    if (now_ns - from.stalled_since_ns >= options.stall_timeout_ns) {
      reset_side(*connection, side, ETIMEDOUT);
      return;
    }
    schedule_at(now_ns + kRetryNs, [this, connection, side] { deliver(connection, side); });
    return;
  }
  from.stalled_since_ns = 0;
  Segment segment = std::move(from.network.front());
  from.network.pop_front();
  from.network_bytes -= segment.bytes.size();
  if (to.dead) {
    // What arrives at a reset end is answered by a reset.
    if (segment.kind != Segment::Kind::reset) reset_side(*connection, side, ECONNRESET);
    return;
  }
  switch (segment.kind) {
    case Segment::Kind::data:
      deliver_data(connection, side, segment);
      break;
    case Segment::Kind::fin:
      note("fin", connection->id, side);
      to.fin_received = true;
      touch_side(to);
      break;
    case Segment::Kind::reset:
      reset_side(*connection, 1 - side, to.fin_received ? EPIPE : ECONNRESET);
      break;
  }
}

void State::deliver_data(const std::shared_ptr<Connection>& connection, size_t side,
                         Segment& segment) {
  Side& from = connection->sides[side];
  Side& to = connection->sides[1 - side];
  note("deliver", connection->id, side, segment.bytes);
  if (to.closed) {  // bytes for a closed socket: its kernel answers with a reset
    to.dead = true;
    const uint64_t back_ns = now_ns + latency_ns(from.address, to.address);
    const auto answered = [this, connection, side] {
      Side& sender = connection->sides[side];
      reset_side(*connection, side, sender.fin_received ? EPIPE : ECONNRESET);
    };
    schedule_at(back_ns, answered);
    return;
  }
  to.in.append(segment.bytes);
  touch_side(to);
  touch_side(from);  // there is room in the send buffer again
  if (random.chance(faults.reset)) reset_both(*connection);
}

void State::touch_side(const Side& side) {
  if (side.fd < 0) return;
  Socket* socket = find(side.fd);
  FLEXD_ASSERT(socket != nullptr && socket->kind == Socket::Kind::stream);
  touch(*socket);
}

void State::reset_side(Connection& connection, size_t side, int error) {
  Side& end = connection.sides[side];
  if (end.dead) return;
  note("reset", connection.id, side);
  end.dead = true;
  end.error = error;
  end.out.clear();
  end.network.clear();
  end.network_bytes = 0;
  touch_side(end);
}

void State::reset_both(Connection& connection) {
  reset_side(connection, 0, ECONNRESET);
  reset_side(connection, 1, ECONNRESET);
}

void State::shutdown_write(Socket& socket) {
  if (socket.kind != Socket::Kind::stream) return;
  Side& self = socket.self();
  if (self.dead || self.fin_queued) return;
  note("shutdown", static_cast<uint64_t>(socket.fd));
  self.fin_queued = true;
  transmit(socket.connection, socket.side);
  touch_now(socket);
}

void State::close(Socket& socket) {
  note("close", static_cast<uint64_t>(socket.fd), socket.reset_on_close ? 1 : 0);
  FLEXD_ASSERT(!socket.operations_in_flight() && "close with operations in flight");
  if (socket.kind == Socket::Kind::stream) {
    Side& self = socket.self();
    self.fd = -1;
    self.closed = true;
    if (!self.dead && (socket.reset_on_close || !self.in.empty())) {
      // Unread bytes make a close a reset too (RFC 1122 4.2.2.13).
      self.out.clear();
      send_segment(socket.connection, socket.side, {Segment::Kind::reset, {}});
      self.dead = true;
    } else if (!self.dead && !self.fin_queued) {
      self.fin_queued = true;
      transmit(socket.connection, socket.side);
    }
  }
  for (const auto& waiting : socket.backlog) {
    waiting->sides[1].closed = true;
    reset_both(*waiting);
  }
  free_.insert(socket.fd);
  sockets.erase(socket.fd);
}

}  // namespace flexd::io::sim
