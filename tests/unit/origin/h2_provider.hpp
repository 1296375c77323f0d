// h2_provider.hpp: a provider that speaks HTTP/2 and does what a test tells it to.
#pragma once

#include <doctest/doctest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "flexd/http/h2_server.hpp"
#include "flexd/io/reactor.hpp"

namespace flexd::origin::test {

class H2Provider;

// Seen is what the provider saw of one request.
struct Seen {
  size_t link = 0;
  int32_t stream = 0;
  std::string path;
  std::string authority;
  size_t body_bytes = 0;
  bool whole = false;
  bool closed = false;
  uint32_t code = 0;
  uint64_t closed_ns = 0;
};

// H2Link is one connection. Its record stays after the socket is gone.
class H2Link final : public io::SocketHandler, public http::h2::ServerHandler {
 public:
  H2Link(H2Provider& provider, io::SocketId socket, size_t index);

  bool is_open() const { return open_; }
  size_t index() const { return index_; }
  http::h2::ServerSession& session() { return session_; }
  void touch();
  // head, send, finish and answer play an answer.
  void head(int32_t stream, unsigned status = 200);
  void send(int32_t stream, std::string_view bytes);
  void finish(int32_t stream);
  void answer(int32_t stream, std::string_view body = "ok");
  void reset(int32_t stream, uint32_t code);
  void goaway(int32_t last_stream, uint32_t code = 0);
  void close();
  void abort();

  // Requests seen on this link, in order.
  std::vector<Seen> seen;
  bool peer_closed = false;

 private:
  void on_data(std::string_view bytes) override;
  void on_peer_closed() override;
  void on_flush() override;
  void on_drained() override { touch(); }
  void on_closed(int error) override;
  void on_request(int32_t stream, const http::RequestHead& head) override;
  void on_data(int32_t stream, std::string_view bytes) override;
  void on_end(int32_t stream) override;
  void on_drain(int32_t stream) override;
  void on_closed(int32_t stream, uint32_t code) override;
  Seen& find(int32_t stream);

  H2Provider& provider_;
  io::SocketId socket_;
  size_t index_;
  bool open_ = true;
  bool close_wanted_ = false;
  http::h2::ServerSession session_;
};

class H2Provider final : public io::AcceptHandler {
 public:
  explicit H2Provider(io::Reactor& reactor) : reactor(reactor) {}

  void listen(const io::Address& address) { REQUIRE(reactor.listen(address, *this).has_value()); }
  void abort_all();
  H2Link& link(size_t index) { return *links.at(index); }
  size_t seen_count() const;
  size_t open_links() const;

  io::Reactor& reactor;
  http::h2::ServerOptions options;
  bool consumes = true;
  // A request's head came, and its whole body. Without `when_whole` it is answered 200 "ok".
  std::function<void(H2Link&, int32_t)> when_request;
  std::function<void(H2Link&, int32_t)> when_whole = [](H2Link& link, int32_t stream) {
    link.answer(stream);
  };
  std::vector<std::unique_ptr<H2Link>> links;
  http::h2::Resources resources;

 private:
  io::SocketHandler* on_accept(io::SocketId socket, const io::Address& peer) override;
};

}  // namespace flexd::origin::test
