// connection.hpp: one connection to a provider: name, TCP, TLS, then HTTP/2 or HTTP/1.1 by ALPN.
//
//   resolving -> connecting -> handshaking -> ready -> closing
//
// Until it is ready it may fail with a stage, which its pool tells the attempts that wait. A ready
// HTTP/2 connection carries many attempts, an HTTP/1.1 connection one (h1_exchange.hpp).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "flexd/http/h2_client.hpp"
#include "flexd/io/reactor.hpp"
#include "flexd/metrics/core.hpp"
#include "flexd/origin/pool.hpp"
#include "flexd/tls/session.hpp"
#include "h1_exchange.hpp"

namespace flexd::origin {

class Connection final : public io::SocketHandler,
                         public io::ResolveHandler,
                         public tls::PlaintextSink,
                         public http::h2::ConnectionHandler {
 public:
  explicit Connection(Pool& pool);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // open begins with the name.
  void open();
  // has_room: an attempt could be placed here now.
  bool has_room() const;
  // place sends an attempt; false if there is no room after all.
  bool place(Attempt& attempt);
  // retire takes no new attempts and closes when the last one is over.
  void retire();

  bool is_opening() const { return state_ < State::ready; }
  bool is_http1() const { return h1_.has_value(); }
  uint32_t stream_count() const;
  // received_ns is when bytes last came.
  uint64_t received_ns() const { return received_ns_; }

  // lost_kind is what attempts are told when the connection ends under them.
  FailureKind lost_kind() const { return lost_kind_; }

  // For attempts that are placed here.
  void cancel(Attempt& attempt);
  // release forgets an attempt whose answer is whole.
  void release(Attempt& attempt);
  void consume(Attempt& attempt, size_t count);

 private:
  friend class H1Exchange;
  enum class State : uint8_t { resolving, connecting, handshaking, ready, closing };
  static constexpr size_t kAddressesMax = 8;

  // io::ResolveHandler
  void on_resolved(std::span<const io::Address> addresses, std::string_view error) override;
  // io::SocketHandler
  void on_connected() override;
  void on_data(std::string_view bytes) override;
  void on_peer_closed() override;
  void on_flush() override;
  void on_drained() override;
  void on_closed(int error) override;
  // tls::PlaintextSink
  void on_plaintext(std::string_view bytes) override;
  // http::h2::ConnectionHandler
  void on_ping_ack(uint64_t payload) override;
  void on_goaway(int32_t last_stream, uint32_t code) override;
  void on_settings() override;

  void connect_next();
  void start_tls();
  void become_ready();
  bool check_tls();
  void after_input();
  void note_room();
  void on_resumed();
  void end_input();
  void fail_open(FailureKind kind, std::string_view detail);
  void close();
  void abort();
  void arm(uint64_t duration_ns);
  void on_timer();
  void check_liveness();
  bool send(std::string_view plaintext);
  void count_connect(metrics::ConnectResult result);
  http::h2::Request h2_request(const Attempt& attempt) const;

  Pool& pool_;
  State state_ = State::resolving;
  io::SocketId socket_;
  std::array<io::Address, kAddressesMax> addresses_;
  size_t address_count_ = 0;
  size_t address_next_ = 0;
  std::optional<tls::Session> tls_;
  std::optional<http::h2::ClientSession> h2_;
  std::optional<H1Exchange> h1_;
  Timer timer_;
  uint64_t wished_ns_ = 0;    // when the connection was asked for
  uint64_t retire_ns_ = 0;    // of old age
  uint64_t received_ns_ = 0;  // when bytes last came
  uint64_t idle_since_ns_ = 0;
  uint64_t ping_sent_ns_ = 0;                   // 0: none is under way
  FailureKind lost_kind_ = FailureKind::reset;  // what attempts are told when it ends
  bool retiring_ = false;
  bool peer_ended_ = false;    // while receiving was paused
  bool room_changed_ = false;  // a stream ended during this input
};

}  // namespace flexd::origin
