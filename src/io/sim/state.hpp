// state.hpp: what a World is made of: clock, events, names, descriptors and the network.
//
// Progress is lazy, as with a ring that runs its completions in the waiting thread: an event only
// marks a socket as touched, and its backend works out the completions when it next waits. So bytes
// that arrive between two waits are merged, and a backend with touched sockets is one to be turned.
#pragma once

#include <array>
#include <cstdint>
#include <cstdio>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "flexd/io/backend.hpp"
#include "flexd/io/sim.hpp"
#include "random.hpp"

namespace flexd::io::sim {

class SimBackend;

// Bytes is a queue of bytes.
class Bytes {
 public:
  void append(std::string_view bytes) { data_.append(bytes); }
  size_t size() const { return data_.size() - at_; }
  bool empty() const { return size() == 0; }
  std::string take(size_t count);
  void clear();

 private:
  std::string data_;
  size_t at_ = 0;
};

struct Segment {
  enum class Kind : uint8_t { data, fin, reset };
  Kind kind = Kind::data;
  std::string bytes;
};

// Side is one end of a connection: the bytes it sends, on their way, and those it has received.
struct Side {
  Address address;
  int fd = -1;          // -1 before accept and after close
  bool closed = false;  // the descriptor was closed

  Bytes out;                    // taken by send, held back by the peer's window
  std::deque<Segment> network;  // under way; each has an event that delivers the first of them
  size_t network_bytes = 0;
  uint64_t delivery_at_ns = 0;    // of the last segment: the order is kept
  uint64_t stalled_since_ns = 0;  // 0 unless a partition holds the first segment
  bool fin_queued = false;
  bool fin_sent = false;

  Bytes in;
  bool fin_received = false;
  bool dead = false;  // reset: nothing goes out or comes in any more
  int error = 0;      // told once, by receive or send
};

struct Connection {
  uint64_t id = 0;
  std::array<Side, 2> sides;  // 0 connected, 1 accepted
};

// Pending is an operation of a socket from its start until its last completion is handed out.
struct Pending {
  bool armed = false;
  bool submitted = false;
  bool finished = false;   // its last completion is waiting to be handed out
  bool cancelled = false;  // to complete with -ECANCELED
  Token token{};
};

struct Socket {
  enum class Kind : uint8_t { fresh, listener, stream, foreign };
  int fd = -1;
  uint64_t serial = 0;  // tells users of a reused descriptor apart
  Kind kind = Kind::fresh;
  SimBackend* owner = nullptr;
  bool touched = false;
  bool reset_on_close = false;

  std::shared_ptr<Connection> connection;
  size_t side = 0;

  Address bound;  // listener
  std::deque<std::shared_ptr<Connection>> backlog;

  std::array<Pending, 9> pending;  // by Operation
  bool connect_answered = false;
  int32_t connect_result = 0;
  std::vector<iovec> send_iovecs;
  size_t send_total = 0;
  size_t send_done = 0;
  bool readable = false;  // foreign

  Pending& of(Operation operation) { return pending[static_cast<size_t>(operation)]; }
  Side& self() { return connection->sides[side]; }
  bool operations_in_flight() const;
};

// State is shared by the World and its backends.
class State {
 public:
  State(uint64_t seed, const WorldOptions& options);

  // Clock and events.
  void schedule_at(uint64_t time_ns, std::function<void()> action);
  uint64_t next_event_ns() const;
  // fire_due fires the events up to now, in order of time and then of scheduling.
  void fire_due();
  uint64_t unix_ms() const;
  // note mixes an event into the hash and the trace.
  void note(const char* what, uint64_t a = 0, uint64_t b = 0, std::string_view bytes = {});

  // Descriptors.
  // open makes a socket with the lowest free number; nullptr at descriptors_max.
  Socket* open(SimBackend* owner, Socket::Kind kind);
  // socket asserts that `fd` is open and belongs to `owner`.
  Socket& socket(int fd, const SimBackend* owner);
  Socket* find(int fd);
  void close(Socket& socket);
  // touch lets the owner look at the socket at its next wait, perhaps a bit later.
  void touch(Socket& socket);
  void touch_now(Socket& socket);

  // The network.
  void bind(Socket& listener, Address& address);
  void connect(Socket& socket, const Address& address);
  // transmit puts what may go out of `side` on its way.
  void transmit(const std::shared_ptr<Connection>& connection, size_t side);
  void shutdown_write(Socket& socket);
  void reset_side(Connection& connection, size_t side, int error);
  void reset_both(Connection& connection);
  bool is_partitioned(const Connection& connection) const;
  uint64_t latency_ns(const Address& a, const Address& b) const;

  void resolve(SimBackend& backend, uint64_t key, std::string_view host, uint16_t port);

  uint64_t seed;
  WorldOptions options;
  Faults faults;
  Random random;
  uint64_t now_ns;
  int64_t wall_delta_ms = 0;
  uint64_t hash = 0xcbf29ce484222325U;
  std::FILE* trace = nullptr;
  std::map<int, std::unique_ptr<Socket>> sockets;
  std::map<uint64_t, std::weak_ptr<Connection>> connections;
  std::map<uint64_t, SimBackend*> backends;  // by number
  uint64_t backends_made = 0;
  uint64_t turning = 0;         // the backend whose reactor the World gives a turn
  SimBackend* asked = nullptr;  // the backend that was called last: how a reactor is matched to it
  std::map<std::string, Name, std::less<>> names;
  std::set<std::array<uint8_t, 16>> partitions;
  std::map<std::array<uint8_t, 16>, uint64_t> latencies;

 private:
  struct Event {
    uint64_t at_ns;
    uint64_t sequence;
    std::function<void()> action;
  };
  struct Later {
    bool operator()(const Event& a, const Event& b) const {
      return a.at_ns != b.at_ns ? a.at_ns > b.at_ns : a.sequence > b.sequence;
    }
  };

  void syn(int fd, uint64_t serial, const Address& address, uint64_t give_up_ns);
  void answer_connect(int fd, uint64_t serial, int32_t result, uint64_t delay_ns);
  void establish(int fd, uint64_t serial, Socket& listener, const Address& address);
  Socket* find_listener(const Address& address);
  void send_segment(const std::shared_ptr<Connection>& connection, size_t side, Segment segment);
  void deliver(const std::shared_ptr<Connection>& connection, size_t side);
  void deliver_data(const std::shared_ptr<Connection>& connection, size_t side, Segment& segment);
  void touch_side(const Side& side);
  uint64_t jitter_ns();

  std::vector<Event> events_;  // a heap
  uint64_t sequence_ = 0;
  uint64_t serial_ = 0;
  uint64_t connections_made_ = 0;
  std::set<int> free_;
  int fd_next_;
  uint16_t port_next_ = 20'000;
  uint16_t client_port_next_ = 40'000;
};

// The world and the host that new backends of this thread belong to.
State*& current_state();
std::string& current_host();

}  // namespace flexd::io::sim
