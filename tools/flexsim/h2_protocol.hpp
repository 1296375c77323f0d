// h2_protocol.hpp: HTTP/2 on one connection of the simulated provider.
#pragma once

#include <string_view>

#include "flexd/http/h2_server.hpp"
#include "protocol.hpp"

namespace flexd::flexsim {

class Connection;
class Exchange;

class H2Protocol final : public Protocol, public http::h2::ServerHandler {
 public:
  explicit H2Protocol(Connection& connection);

  void receive(std::string_view bytes) override;
  void flush() override;
  void lost() override;

  void respond(int32_t stream, unsigned status, http::FieldList& fields,
               std::optional<uint64_t> length) override;
  void write(int32_t stream, std::string_view bytes) override;
  void finish(int32_t stream) override;
  size_t waiting_bytes(int32_t stream) const override;
  void die(int32_t stream, Death death, uint32_t code) override;
  void goaway_below(int32_t stream) override;
  void goaway_notice() override;
  void goaway() override;
  uint32_t streams_open() const override { return session_.streams_open(); }

  void on_request(int32_t stream, const http::RequestHead& head) override;
  void on_data(int32_t stream, std::string_view bytes) override;
  void on_end(int32_t stream) override;
  void on_drain(int32_t stream) override;
  void on_closed(int32_t stream, uint32_t code) override;

 private:
  Exchange* find(int32_t stream) const;

  Connection& connection_;
  bool lost_ = false;
  http::h2::ServerSession session_;
};

}  // namespace flexd::flexsim
