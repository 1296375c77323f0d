// io_test.hpp: what the tests of the reactor share: real sockets on loopback, no sleeps.
#pragma once

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "flexd/io/reactor.hpp"

namespace flexd::io::test {

// make_reactor fails the test if io_uring is not to be had.
inline std::unique_ptr<Reactor> make_reactor(const ReactorOptions& options = {}) {
  auto reactor = Reactor::create(options);
  if (!reactor) FAIL(reactor.error().message);
  return std::move(*reactor);
}

inline Address loopback() {
  return *Address::parse("127.0.0.1:0");
}

// turn_until turns until `done`; a timer ends a test that would hang.
template <typename Done>
void turn_until(Reactor& reactor, Done done) {
  struct Guard {
    void on_timer() { late = true; }
    bool late = false;
  } guard;
  Timer timer(timer_callback<Guard, &Guard::on_timer>, &guard);
  reactor.timers().set(timer, reactor.now_ns() + 20'000'000'000);
  while (!done()) {
    REQUIRE_FALSE(guard.late);
    reactor.turn(true);
  }
}

// Peer is a socket of one side, with what happened to it on record.
struct Peer : SocketHandler {
  explicit Peer(Reactor& owner) : reactor(owner) {}
  virtual ~Peer() = default;

  void on_connected() override { connected = true; }
  void on_data(std::string_view bytes) override {
    received += bytes.size();
    if (keep) data += bytes;
    if (echo) send(bytes);
  }
  void on_peer_closed() override {
    peer_closed++;
    if (close_on_fin) reactor.close(id);
  }
  void on_flush() override { flushes++; }
  void on_drained() override { drained++; }
  void on_closed(int code) override {
    closed++;
    error = code;
  }
  void send(std::string_view bytes) {
    REQUIRE(reactor.out(id).append(bytes));
    reactor.touch(id);
  }

  Reactor& reactor;
  SocketId id;
  std::string data;
  size_t received = 0;
  bool keep = true;
  bool echo = false;
  bool close_on_fin = false;
  bool connected = false;
  int peer_closed = 0;
  int flushes = 0;
  int drained = 0;
  int closed = 0;
  int error = -1;
};

// Acceptor keeps every accepted socket; `prepare` may change each before it starts.
struct Acceptor : AcceptHandler {
  explicit Acceptor(Reactor& owner) : reactor(owner) {}
  virtual ~Acceptor() = default;
  SocketHandler* on_accept(SocketId socket, const Address& from) override {
    if (refuse) return nullptr;
    peers.push_back(std::make_unique<Peer>(reactor));
    peers.back()->id = socket;
    peers.back()->echo = echo;
    addresses.push_back(from);
    if (prepare) prepare(*peers.back());
    return peers.back().get();
  }
  Reactor& reactor;
  std::vector<std::unique_ptr<Peer>> peers;
  std::vector<Address> addresses;
  std::function<void(Peer&)> prepare;
  bool echo = false;
  bool refuse = false;
};

// Raw is a client without a reactor: a non-blocking descriptor.
struct Raw {
  explicit Raw(const Address& to, int receive_bytes = 0) {
    fd = ::socket(to.family(), SOCK_STREAM | SOCK_CLOEXEC, 0);
    REQUIRE(fd >= 0);
    if (receive_bytes > 0) {
      ::setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof(receive_bytes));
    }
    // On loopback the kernel completes the handshake inside the call.
    REQUIRE(::connect(fd, to.data(), to.size()) == 0);
    REQUIRE(::fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
  }
  ~Raw() { close(); }
  Raw(Raw&& other) noexcept : fd(std::exchange(other.fd, -1)) {}
  Raw(const Raw&) = delete;
  Raw& operator=(const Raw&) = delete;
  void close() {
    if (fd >= 0) ::close(fd);
    fd = -1;
  }
  void send(std::string_view bytes) const {
    REQUIRE(::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
            static_cast<ssize_t>(bytes.size()));
  }
  // read takes what is there: >0 bytes, 0 FIN, -errno.
  ssize_t read(std::string& into) const {
    char bytes[65536];
    const ssize_t count = ::recv(fd, bytes, sizeof(bytes), 0);
    if (count < 0) return -errno;
    into.append(bytes, static_cast<size_t>(count));
    return count;
  }
  int fd = -1;
};

}  // namespace flexd::io::test
