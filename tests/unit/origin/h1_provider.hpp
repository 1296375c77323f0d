// h1_provider.hpp: a provider that speaks HTTP/1.1 byte by byte as a test tells it to.
#pragma once

#include <doctest/doctest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "flexd/io/reactor.hpp"

namespace flexd::origin::test {

class H1Provider;

class H1Link final : public io::SocketHandler {
 public:
  H1Link(H1Provider& provider, io::SocketId socket, size_t index)
      : provider_(provider), socket_(socket), index_(index) {}

  bool is_open() const { return open_; }
  size_t index() const { return index_; }
  // send queues bytes; what exceeds the high mark follows as the client reads.
  void send(std::string_view bytes);
  void close();
  void abort();
  void pause();
  void resume();
  // unsent is what the client has not taken yet.
  size_t unsent();

  std::string input;                  // of the request that is being received
  std::vector<std::string> requests;  // whole ones: head and body
  size_t received_bytes = 0;
  bool peer_closed = false;
  int error = -1;

 private:
  void on_data(std::string_view bytes) override;
  void on_peer_closed() override;
  void on_closed(int error) override;

  H1Provider& provider_;
  io::SocketId socket_;
  size_t index_;
  bool open_ = true;
};

class H1Provider final : public io::AcceptHandler {
 public:
  explicit H1Provider(io::Reactor& reactor) : reactor(reactor) {}

  void listen(const io::Address& address) { REQUIRE(reactor.listen(address, *this).has_value()); }
  void abort_all();
  H1Link& link(size_t index) { return *links.at(index); }
  size_t open_links() const;

  io::Reactor& reactor;
  // A connection came; bytes came; a request is whole. Nothing is answered without them.
  std::function<void(H1Link&)> when_accepted;
  std::function<void(H1Link&)> when_bytes;
  std::function<void(H1Link&)> when_whole;
  std::vector<std::unique_ptr<H1Link>> links;

 private:
  io::SocketHandler* on_accept(io::SocketId socket, const io::Address& peer) override;
};

}  // namespace flexd::origin::test
