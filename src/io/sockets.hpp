// sockets.hpp: the sockets of one reactor and the life of each, for any backend.
//
//   connecting ─> open ─> closing ─> lingering ─┐
//        └──────────┴─────────┴─────────────────┴─> dying ─> (on_closed, slot free)
//
// `closing` still sends; `lingering` has shut down its sending half and reads away; `dying` has
// cancelled what was in flight and waits for the last completion. Only then is the descriptor
// closed and the slot given back, so no completion can ever meet a new tenant
// (io_uring_cancelation(7): closing a descriptor does not end its operations).
//
// No function of the API part calls a handler; completions and the phases of a turn do.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "flexd/base/byte_chain.hpp"
#include "flexd/base/slab.hpp"
#include "flexd/base/timer_wheel.hpp"
#include "flexd/io/backend.hpp"

namespace flexd::io {

class Sockets;

enum class SocketState : uint8_t { connecting, open, closing, lingering, dying };

struct Socket {
  Socket(Sockets& owner, BlockPool& pool, int descriptor, SocketState first_state);
  void on_timer();

  Sockets& table;
  SocketHandler* handler = nullptr;
  SocketId id;
  int fd;
  int error = 0;
  ByteChain out;
  Timer timer;  // of connecting, closing and lingering
  uint64_t bytes_received = 0;
  uint64_t linger_ns = 0;
  size_t linger_bytes = 0;     // still to be read away
  size_t send_bytes = 0;       // of the send in flight
  Address* address = nullptr;  // of the connect in flight
  uint16_t in_flight = 0;      // operations whose last completion is still to come
  SocketState state;
  uint8_t side = 0;                // 1: connected by us
  bool receiving = false;          // a receive is in flight
  bool receive_cancelled = false;  // ... and was asked to end
  bool sending = false;
  bool stalled = false;  // the last quiet send did not take all
  bool polling = false;  // a hang-up poll is in flight
  bool paused = false;
  bool peer_closed = false;   // FIN was seen
  bool touched = false;       // in touched_
  bool starved = false;       // in starved_
  bool send_queued = false;   // in sends_
  bool close_queued = false;  // in closed_
  bool above_high = false;
};

class Sockets {
 public:
  // What is referred to outlives the table. `now_ns` is the reactor's clock.
  Sockets(Backend& backend, TimerWheel& timers, BlockPool& blocks, ReactorStats& stats,
          const uint64_t& now_ns, const ReactorOptions& options);

  // accept makes an open socket of a descriptor, without a handler yet; empty if the table is full
  // (the descriptor is still the caller's). adopt gives it its handler and starts receiving; a null
  // handler aborts it.
  SocketId accept(int fd);
  void adopt(SocketId id, SocketHandler* handler);

  SocketId connect(const Address& address, SocketHandler& handler);
  Socket* get(SocketId id);
  void touch(SocketId id);
  void pause(SocketId id);
  void resume(SocketId id);
  void close(SocketId id, uint64_t linger_ns, size_t linger_bytes);
  void abort(SocketId id);

  // The phases of a turn, in this order. Each leaves to the next turn what exceeds its bound.
  void on_completion(const Completion& completion);
  void rearm_starved();
  void flush();
  bool finish_closed();  // true if any socket was finished
  void start_sends();

  // has_work tells that a turn must not sleep.
  bool has_work() const;
  // abandon lets go of all handlers and ends all sockets, for the end of the reactor.
  void abandon();
  size_t live() const { return slab_.count(); }
  size_t in_flight() const { return in_flight_; }

 private:
  friend struct Socket;

  Socket* create(int fd, SocketState state);
  static Token token(Operation operation, const Socket& socket);
  void started(Socket& socket);
  void cancel(Socket& socket, Operation operation);
  void start_receive(Socket& socket);
  void start_hang_up_poll(Socket& socket);
  void start_send(Socket& socket);
  void queue_send(Socket& socket);
  void linger(Socket& socket);
  void die(Socket& socket, int error);
  void queue_closed(Socket& socket);
  void on_timer(Socket& socket);

  void on_connect(Socket& socket, int result);
  void on_receive(Socket& socket, const Completion& completion);
  void on_bytes(Socket& socket, std::string_view bytes);
  void on_receive_end(Socket& socket, int result);
  void on_send(Socket& socket, int result);
  void on_hang_up(Socket& socket, int result);

  Address* take_address(const Address& address);
  void give_address(Socket& socket);

  Backend& backend_;
  TimerWheel& timers_;
  BlockPool& blocks_;
  ReactorStats& stats_;
  const uint64_t& now_ns_;
  uint64_t connect_timeout_ns_;
  Slab<Socket> slab_;
  size_t in_flight_ = 0;
  // Each socket stands at most once in each list. They keep their memory.
  std::vector<SocketId> touched_;
  std::vector<SocketId> flushing_;
  std::vector<SocketId> sends_;
  std::vector<SocketId> starved_;
  std::vector<SocketId> closed_;
  std::vector<SocketId> closing_;
  std::vector<std::unique_ptr<Address>> addresses_;
  std::vector<Address*> free_addresses_;
};

}  // namespace flexd::io
