// client.hpp: an HTTP/1.1 client in the simulated world, with an HTTP parser of its own, so that
// the gateway's codec is not tested by itself.
//
// A Client is one connection. What is sent is up to the test, byte by byte if it likes; what comes
// back is collected as replies, each with its times.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "flexd/io/reactor.hpp"

namespace flexd::sim_test {

// Arrival is a moment at which body bytes came: `size` is how many there were then.
struct Arrival {
  uint64_t at_ns;
  size_t size;
};

struct Reply {
  unsigned status = 0;
  std::vector<std::pair<std::string, std::string>> fields;  // names in lower case
  std::string body;
  std::vector<Arrival> arrivals;
  uint64_t head_ns = 0;
  uint64_t end_ns = 0;
  // whole: the body ended as its framing says. A reply without it was cut off.
  bool whole = false;

  // field is the value of `name`, or "" if it is not there; has and count tell the cases apart.
  std::string field(std::string_view name) const;
  size_t count(std::string_view name) const;
  bool has(std::string_view name) const { return count(name) > 0; }
  std::string reason() const { return field("x-flexinference-routing-reason"); }
  std::string tier() const { return field("x-flexinference-served-tier"); }
  // code is error.code of a body of flexd's own.
  std::string code() const;
};

// json_text finds the string member `name` in flat JSON text; "" if there is none.
std::string json_text(std::string_view json, std::string_view name);

class Client final : public io::SocketHandler {
 public:
  // Connects at once; bytes sent before the connection is open wait for it.
  Client(io::Reactor& reactor, const io::Address& gateway);
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  void send(std::string_view bytes);
  // close ends the connection with FIN, abort with RST.
  void close();
  void abort();
  // pause stops reading; resume goes on.
  void pause();
  void resume();

  // replies are those that have begun; the last one may be incomplete.
  const std::deque<Reply>& replies() const { return replies_; }
  const Reply& reply(size_t index = 0) const;
  size_t whole_replies() const;
  unsigned interims() const { return interims_; }
  bool is_closed() const { return closed_; }
  bool peer_closed() const { return peer_closed_; }
  int error() const { return error_; }
  // broken: the bytes that came are not HTTP.
  bool broken() const { return broken_; }
  uint64_t closed_ns() const { return closed_ns_; }

 private:
  // SocketHandler
  void on_connected() override;
  void on_data(std::string_view bytes) override;
  void on_peer_closed() override;
  void on_closed(int error) override;

  enum class Framing : uint8_t { length, chunked, until_close };
  void parse();
  bool parse_head();
  bool parse_body();
  bool parse_chunk();
  void add_body(std::string_view bytes);
  void end_reply();

  io::Reactor& reactor_;
  io::SocketId socket_;
  std::string unsent_;
  std::string input_;
  std::deque<Reply> replies_;
  Framing framing_ = Framing::length;
  uint64_t left_ = 0;
  uint64_t closed_ns_ = 0;
  unsigned interims_ = 0;
  int error_ = 0;
  bool in_body_ = false;
  bool connected_ = false;
  bool peer_closed_ = false;
  bool closed_ = false;
  bool broken_ = false;
};

}  // namespace flexd::sim_test
