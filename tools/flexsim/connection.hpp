// connection.hpp: one client's connection: TLS or plain, then HTTP/2 or HTTP/1.1.
//
// Over TLS the protocol is that of ALPN. On a plain listener a connection that begins with the
// HTTP/2 preface speaks HTTP/2 (RFC 9113 3.3), any other HTTP/1.1.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "flexd/io/reactor.hpp"
#include "flexd/tls/session.hpp"
#include "protocol.hpp"

namespace flexd::flexsim {

class Server;

class Connection final : public io::SocketHandler, public tls::PlaintextSink {
 public:
  // `tls` is null on a plain listener.
  Connection(Server& server, io::SocketId socket, tls::ServerContext* tls, bool may_be_h2,
             uint64_t number);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // For the protocol.
  // put encrypts bytes and queues them for sending.
  void put(std::string_view bytes);
  // has_room: no more than the reactor's high mark is waiting to be sent.
  [[nodiscard]] bool has_room();
  // touch has flush called at the end of this turn.
  void touch();
  void pause();
  void resume();
  // end closes the connection after the flush of this turn. With Death::reset it is a proper end,
  // with close_notify.
  void end(Death how);
  Server& server() { return server_; }
  uint64_t number() const { return number_; }

  // drop ends the connection at once.
  void drop();

  void on_data(std::string_view bytes) override;
  void on_peer_closed() override;
  void on_flush() override;
  void on_drained() override;
  void on_closed(int error) override;
  void on_plaintext(std::string_view bytes) override;

  // index is this connection's place in its server's list.
  size_t index = 0;

 private:
  void choose_protocol(bool is_h2);
  void finish_end();

  Server& server_;
  io::SocketId socket_;
  bool may_be_h2_;
  uint64_t number_;
  std::optional<tls::Session> tls_;
  std::unique_ptr<Protocol> protocol_;
  std::string first_bytes_;  // of a plain connection, until it is clear what it speaks
  std::optional<Death> ending_;
  bool over_ = false;  // closed or aborted by us: only on_closed comes
};

}  // namespace flexd::flexsim
