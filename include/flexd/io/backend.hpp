// backend.hpp: the seam between the reactor and the world. One header, two implementations, chosen
// at link time: uring_backend.cpp and sim_backend.cpp.
//
// A backend takes operations and yields completions, like a ring: every operation started ends in
// exactly one completion without `more`, after any number with it. It knows descriptors and tokens,
// nothing of protocols. Tokens carry {operation, generation, slot}, never a pointer.
#pragma once

#include <sys/uio.h>

#include <cerrno>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "flexd/base/result.hpp"
#include "flexd/io/address.hpp"
#include "flexd/io/reactor.hpp"

namespace flexd::io {

// Operation says what a completion completes.
enum class Operation : uint8_t {
  accept,   // result: the new descriptor
  connect,  // result: 0 or -errno
  receive,  // result: bytes, 0 at FIN, -errno; `bytes` holds them
  send,     // result: bytes taken, -errno
  cancel,   // result: of the cancel itself; says nothing of its target
  hang_up,  // a poll for the peer's leaving; result > 0 when it left
  watch,    // a descriptor is readable
  close,    // result: 0
  wake,     // another thread called wake()
};

// Token identifies the operation; the backend hands it back unchanged.
struct Token {
  Operation operation;
  uint32_t generation;  // 24 bits are kept
  uint32_t slot;
};

struct Completion {
  Token token;
  int32_t result = 0;
  bool more = false;             // the operation goes on
  uint32_t buffer = UINT32_MAX;  // of `receive`: give it back by return_buffer
  std::string_view bytes;        // of `receive`: valid until return_buffer
};

// Resolved is the answer to `resolve`; it comes from poll_resolved.
struct Resolved {
  uint64_t key = 0;
  std::vector<Address> addresses;
  std::string error;
};

class Backend {
 public:
  static Result<std::unique_ptr<Backend>> create(const ReactorOptions& options);
  virtual ~Backend() = default;

  virtual uint64_t now_ns() = 0;
  virtual uint64_t unix_ms() = 0;
  virtual void random_bytes(std::span<uint8_t> out) = 0;

  // open_listener binds and listens; returns the descriptor and writes the bound address back.
  virtual Result<int> open_listener(Address& address) = 0;
  // open_socket makes a stream socket for `family`; negative errno on failure.
  virtual int open_socket(int family) = 0;
  // peer_address is the address of a connected descriptor's other end.
  virtual Address peer_address(int fd) = 0;

  // The operations. Each returns after queuing; nothing is submitted before `wait`.
  virtual void accept_multishot(int fd, Token token) = 0;
  // `address` lives until the completion.
  virtual void connect(int fd, const Address& address, Token token) = 0;
  virtual void receive_multishot(int fd, Token token) = 0;
  // `iovecs` are copied or live until `wait` returns; the bytes live until the completion.
  virtual void send(int fd, std::span<const iovec> iovecs, Token token) = 0;
  // send_quietly is for bytes whose leaving nobody waits for: its completion does not end a `wait`
  // but comes with the next return of it. It takes what the socket has room for at once: it may
  // complete with less, or with -EAGAIN, and then the rest goes by `send`.
  virtual void send_quietly(int fd, std::span<const iovec> iovecs, Token token) {
    send(fd, iovecs, token);
  }
  virtual void poll_hang_up(int fd, Token token) = 0;
  virtual void watch(int fd, Token token) = 0;
  // cancel ends the operation started with `target`, which completes with -ECANCELED unless it was
  // done already.
  virtual void cancel(Token target, Token token) = 0;
  // accept_now takes one connection that is queued on a listener whose accept operation has ended:
  // its descriptor, or a negative errno (-EAGAIN: none). Used while a listener is being closed.
  virtual int accept_now(int /*fd*/) { return -EAGAIN; }
  virtual void shutdown_write(int fd) = 0;
  // set_reset makes a later close send RST.
  virtual void set_reset(int fd) = 0;
  // close gives up the descriptor; no operation of it may be in flight.
  virtual void close(int fd) = 0;
  virtual void return_buffer(uint32_t buffer) = 0;
  // buffers_available: false while the receive ring is dry (a receive armed now would fail).
  virtual bool buffers_available() const = 0;

  // wait submits what is queued, sleeps until a completion is there, `deadline_ns` passes or wake()
  // is called, and copies completions into `out`; returns how many. With `deadline_ns` 0 it does
  // not sleep.
  virtual size_t wait(uint64_t deadline_ns, std::span<Completion> out) = 0;
  // wake makes `wait` return; from any thread.
  virtual void wake() = 0;

  // resolve starts a look-up off the loop; its answer makes `wait` return and is fetched by
  // poll_resolved.
  virtual void resolve(uint64_t key, std::string_view host, uint16_t port) = 0;
  virtual bool poll_resolved(Resolved& out) = 0;

  virtual uint64_t system_calls() const = 0;
};

}  // namespace flexd::io
