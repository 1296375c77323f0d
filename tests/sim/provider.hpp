// provider.hpp: providers in the simulated world: HTTP/2 without TLS, playing what a test wrote.
// Each of the three has a port of its own.
//
// For each request the test's `choose` gives a Play: steps in virtual time. Everything that arrives
// is recorded: when a request was whole, when and how its stream ended.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "flexd/errors/dialect.hpp"
#include "flexd/http/h2_server.hpp"
#include "flexd/io/reactor.hpp"

namespace flexd::sim_test {

// Vendor is what src calls errors::Provider; here a Provider is what answers in its place.
using Vendor = errors::Provider;

inline constexpr uint64_t kMs = 1'000'000;
inline constexpr uint64_t kSecond = 1'000'000'000;
inline constexpr uint32_t kCancelCode = 8;   // RFC 9113 7: CANCEL
inline constexpr uint32_t kRefusedCode = 7;  // REFUSED_STREAM
inline constexpr uint32_t kInternalCode = 2;

inline constexpr std::array<errors::Provider, errors::kProviderCount> kProviders = {
    errors::Provider::openai, errors::Provider::gemini, errors::Provider::anthropic};
// port_of is where a provider listens.
constexpr uint16_t port_of(errors::Provider provider) {
  return static_cast<uint16_t>(80 + static_cast<unsigned>(provider));
}

using Fields = std::vector<std::pair<std::string, std::string>>;

// Play is what a provider does with one request.
class Play {
 public:
  enum class Op : uint8_t { wait, head, send, finish, reset, goaway, abort, close };
  struct Step {
    Op op;
    uint64_t number = 0;  // ns, status or code
    std::string text;
    Fields fields;
  };

  Play& wait(uint64_t ns) { return add({Op::wait, ns, "", {}}); }
  Play& head(unsigned status, Fields fields) {
    return add({Op::head, status, "", std::move(fields)});
  }
  // sse begins an event stream.
  Play& sse() { return head(200, {{"content-type", "text/event-stream; charset=utf-8"}}); }
  Play& send(std::string text) { return add({Op::send, 0, std::move(text), {}}); }
  Play& finish() { return add({Op::finish, 0, "", {}}); }
  // answer is a whole answer with a body of known length.
  Play& answer(unsigned status, Fields fields, std::string body);
  Play& json(unsigned status, std::string body) {
    return answer(status, {{"content-type", "application/json"}}, std::move(body));
  }
  Play& reset(uint32_t code) { return add({Op::reset, code, "", {}}); }
  // goaway says that this stream was not processed.
  Play& goaway() { return add({Op::goaway, 0, "", {}}); }
  // abort and close end the whole connection, with RST or FIN.
  Play& abort() { return add({Op::abort, 0, "", {}}); }
  Play& close() { return add({Op::close, 0, "", {}}); }

  const std::vector<Step>& steps() const { return steps_; }
  // sent is all that the play sends.
  std::string sent() const;

 private:
  Play& add(Step step) {
    steps_.push_back(std::move(step));
    return *this;
  }
  std::vector<Step> steps_;
};

// Seen is one request as the provider saw it.
struct Seen {
  errors::Provider provider = errors::Provider::openai;  // whose port it came to
  size_t connection = 0;
  int32_t stream = 0;
  Fields fields;
  std::string path;
  std::string body;
  std::string tier;  // service_tier in the body, "" without
  bool streamed = false;
  uint64_t head_ns = 0;
  uint64_t whole_ns = 0;   // 0: never whole
  uint64_t closed_ns = 0;  // 0: still open
  uint32_t close_code = 0;
  bool finished = false;  // the play came to its `finish`
  size_t sent_bytes = 0;  // handed to the stream's queue
  std::string trace;      // metadata of a test: the text after "trace:" in the body

  bool is_open() const { return closed_ns == 0; }
  bool cancelled() const { return closed_ns != 0 && close_code == kCancelCode; }
  std::string field(std::string_view name) const;
};

class Provider {
 public:
  explicit Provider(io::Reactor& reactor);
  ~Provider();
  Provider(const Provider&) = delete;
  Provider& operator=(const Provider&) = delete;

  // listen takes connections on this host, on each provider's port, and returns OpenAI's address.
  io::Address listen();
  // choose gives the play of a request. By default flex_play and standard_play are used.
  std::function<Play(const Seen&)> choose;
  Play flex_play;
  Play standard_play;  // of every other tier

  const std::deque<Seen>& seen() const { return seen_; }
  // of gives the requests of a tier, in order.
  std::vector<const Seen*> of(std::string_view tier) const;
  // only is the one request of a tier; it fails the test if there is not exactly one.
  const Seen& only(std::string_view tier) const;
  size_t open_streams() const;
  size_t open_connections() const;
  // queued_bytes wait in a stream's queue for flow control.
  size_t queued_bytes(const Seen& seen) const;
  void set_streams_max(uint32_t count) { options_.streams_max = count; }
  // close ends all connections with FIN.
  void close();

 private:
  class Link;
  class Stream;
  struct Door final : io::AcceptHandler {
    Door(Provider& house, errors::Provider name) : owner(house), of(name) {}
    io::SocketHandler* on_accept(io::SocketId socket, const io::Address& peer) override;
    Provider& owner;
    errors::Provider of;
  };

  io::Reactor& reactor_;
  http::h2::Resources resources_;
  http::h2::ServerOptions options_;
  std::deque<Seen> seen_;
  std::array<Door, errors::kProviderCount> doors_;
  std::vector<std::unique_ptr<Link>> links_;
};

}  // namespace flexd::sim_test
