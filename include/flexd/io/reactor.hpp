// reactor.hpp: one worker's event loop. All I/O, time, randomness, name resolution and crossings
// between threads come through here.
//
// A Reactor owns its sockets, their outgoing bytes, a timer wheel, a block pool and a mailbox. It
// is built on backend.hpp (io_uring in production, a seeded simulation in tests), chosen at link
// time.
//
// One turn:   wait for completions -> copy them all -> deliver them -> run expired timers
//             -> deliver mail -> for each touched socket: on_flush once, then one send
// A handler may call any Reactor function from any callback. A socket's `on_closed` is the last
// call its handler gets for it: by then no operation of the kernel's refers to it, and the handler
// may destroy itself there. Nothing else ever destroys a handler under its own callback.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "flexd/base/block_pool.hpp"
#include "flexd/base/byte_chain.hpp"
#include "flexd/base/result.hpp"
#include "flexd/base/timer_wheel.hpp"
#include "flexd/io/address.hpp"

namespace flexd::metrics {
class Core;
}

namespace flexd::io {

// SocketId names a socket for as long as it lives; a stale id is recognised by its generation and
// every call with one does nothing.
struct SocketId {
  uint32_t slot = UINT32_MAX;
  uint32_t generation = 0;
  bool operator==(const SocketId&) const = default;
  explicit operator bool() const { return slot != UINT32_MAX; }
};

// SocketHandler is told what happens to one socket.
class SocketHandler {
 public:
  // on_connected: a socket got by `connect` is open. (Accepted sockets are open from the start.)
  virtual void on_connected() {}
  // on_data: bytes arrived; they are the kernel's again after the call.
  virtual void on_data(std::string_view bytes) = 0;
  // on_peer_closed: the peer sent FIN, or hung up while receiving was paused. Sending may still
  // work.
  virtual void on_peer_closed() = 0;
  // on_flush: the end of a turn in which the socket was touched; the last chance to add to `out`
  // before it is sent.
  virtual void on_flush() {}
  // on_drained: the outgoing bytes fell below kOutLowBytes after having been above kOutHighBytes.
  virtual void on_drained() {}
  // on_closed: the socket is gone. `error` is 0 after close/abort of our own, else an errno:
  // of connect (ETIMEDOUT by the connect clock too), of receive or of send.
  virtual void on_closed(int error) = 0;

 protected:
  ~SocketHandler() = default;
};

// AcceptHandler makes a handler for each accepted connection.
class AcceptHandler {
 public:
  // on_accept returns the handler of the new socket, or nullptr to refuse it (it is aborted).
  virtual SocketHandler* on_accept(SocketId socket, const Address& peer) = 0;

 protected:
  ~AcceptHandler() = default;
};

// ResolveHandler is told the addresses of a host name.
class ResolveHandler {
 public:
  // on_resolved: the addresses found, with the port asked for; empty if there are none, then
  // `error` is a text for a log.
  virtual void on_resolved(std::span<const Address> addresses, std::string_view error) = 0;

 protected:
  ~ResolveHandler() = default;
};

// Mail is a message from another thread: a fixed, small, copyable set of words. What they mean is
// agreed between the senders and the MailHandler (front/mail.hpp, app).
struct Mail {
  uint32_t kind = 0;
  uint32_t number = 0;
  void* pointer = nullptr;
};

class MailHandler {
 public:
  virtual void on_mail(const Mail& mail) = 0;

 protected:
  ~MailHandler() = default;
};

// Outgoing bytes above the high mark mean that a reader is slow: producers stop and wait for
// on_drained, which comes below the low mark.
inline constexpr size_t kOutHighBytes = 256U << 10U;
inline constexpr size_t kOutLowBytes = 64U << 10U;

struct ReactorOptions {
  size_t sockets_max = 40'000;               // clients and origins together
  size_t memory_budget_bytes = 256U << 20U;  // of the block pool
  uint32_t recv_buffers = 2048;              // provided buffers (power of two)
  uint32_t recv_buffer_bytes = 4096;
  // connect_timeout_ns: on_closed(ETIMEDOUT) when a connect takes longer.
  uint64_t connect_timeout_ns = 5'000'000'000;
  bool yield_each_turn = false;      // for valgrind: never sleep holding the big lock
  bool yield_in_poll = false;        // ... for a thread with little to do: wait outside the ring
  metrics::Core* metrics = nullptr;  // may be null
};

// ReactorStats are counters since the start.
struct ReactorStats {
  uint64_t turns = 0;
  uint64_t completions = 0;
  uint64_t accepts = 0;
  uint64_t accept_errors = 0;  // EMFILE and the like; accepting pauses for 100 ms after each
  uint64_t sheds = 0;          // accepted and dropped at once: no socket free, or refused
  uint64_t receives = 0;
  uint64_t sends = 0;  // send operations started
  uint64_t short_sends = 0;
  uint64_t starvations = 0;   // receives that found no free buffer
  uint64_t stale = 0;         // completions and calls for sockets that are gone
  uint64_t mail_dropped = 0;  // posts that found the mailbox full
  // By side: 0 of accepted sockets, 1 of connected ones.
  std::array<uint64_t, 2> received_bytes{};
  std::array<uint64_t, 2> sent_bytes{};
  std::array<uint64_t, 2> pauses{};
};

class Reactor {
 public:
  // create sets up the ring in the calling thread, which is the only one that may use the reactor
  // afterwards (except `post`). Fails with the likely cause in words (sysctl, seccomp, memlock).
  static Result<std::unique_ptr<Reactor>> create(const ReactorOptions& options);
  // The destructor ends all sockets without a word to their handlers. What holds blocks of the pool
  // is gone before.
  ~Reactor();
  Reactor(const Reactor&) = delete;
  Reactor& operator=(const Reactor&) = delete;

  // now_ns is monotonic time, read once per turn. unix_ms is wall time, read with it.
  uint64_t now_ns() const;
  uint64_t unix_ms() const;
  // random_bytes fills `out` from the system's generator (from the seed in simulation).
  void random_bytes(std::span<uint8_t> out);
  uint64_t random_u64();
  TimerWheel& timers();
  BlockPool& blocks();
  metrics::Core* metrics();

  // listen binds and accepts on `address` (SO_REUSEPORT, TCP_NODELAY; a stale unix socket path is
  // replaced) and returns the address with the port chosen. Several listeners may be open.
  Result<Address> listen(const Address& address, AcceptHandler& handler);
  // stop_listening closes all listeners, after accepting what is queued on them.
  void stop_listening();

  // connect opens a TCP connection; on_connected or on_closed follows, never before it returns.
  // An invalid id means that no socket or descriptor is to be had.
  [[nodiscard]] SocketId connect(const Address& address, SocketHandler& handler);
  // out is what the socket has still to send. Append to it, then `touch`. The front may be in the
  // kernel's hands: never consume from it. The id must be live.
  ByteChain& out(SocketId id);
  // touch has on_flush called and the outgoing bytes sent at the end of this turn.
  void touch(SocketId id);
  // pause stops receiving (bytes already under way may still come, bounded by the receive
  // buffers); a hang-up of the peer is still reported. resume starts again.
  void pause(SocketId id);
  void resume(SocketId id);
  // close sends what is in `out`, then shuts down and reads away what the peer still sends (up to
  // `linger_bytes` or `linger_ns`), so that the peer can read the last bytes; then on_closed(0).
  // Only on_closed is called any more (no on_flush either). A peer that takes none of the last
  // bytes for kCloseStallNs is cut off. `abort` may follow.
  void close(SocketId id, uint64_t linger_ns = 1'000'000'000, size_t linger_bytes = 1U << 20U);
  // abort drops what is unsent and closes with RST; then on_closed(0).
  void abort(SocketId id);
  bool is_open(SocketId id) const;
  // bytes_received counts what came in on this socket.
  uint64_t bytes_received(SocketId id) const;

  // resolve looks a host name up off the loop; IP literals answer too. on_resolved follows later.
  // cancel_resolve forgets a handler that goes away first.
  void resolve(std::string_view host, uint16_t port, ResolveHandler& handler);
  void cancel_resolve(ResolveHandler& handler);

  // watch_fd has on_ready called (in a turn) each time `fd` is readable: signalfd and such. The
  // callback reads it. For the control thread.
  void watch_fd(int fd, std::function<void()> on_ready);

  // post hands mail to this reactor from any thread; delivered in a later turn in order. Bounded:
  // false if kMailMax messages are waiting.
  [[nodiscard]] bool post(const Mail& mail);
  void set_mail_handler(MailHandler& handler);

  // turn runs one turn; with `wait` it sleeps until something happens. run turns until stop().
  void turn(bool wait);
  void run();
  void stop();
  // live_sockets counts sockets not yet closed, operations_in_flight what the kernel still owes us.
  size_t live_sockets() const;
  size_t operations_in_flight() const;
  // system_calls counts entries into the kernel by this reactor.
  uint64_t system_calls() const;
  const ReactorStats& stats() const;

 private:
  class Impl;
  explicit Reactor(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

inline constexpr size_t kMailMax = 1024;
inline constexpr uint64_t kCloseStallNs = 30'000'000'000;

}  // namespace flexd::io
