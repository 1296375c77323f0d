// h1_protocol.hpp: HTTP/1.1 on one connection of the simulated provider: one request at a time.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "flexd/http/h1_chunks.hpp"
#include "flexd/http/h1_parser.hpp"
#include "protocol.hpp"

namespace flexd::flexsim {

class Connection;
class Exchange;

class H1Protocol final : public Protocol {
 public:
  explicit H1Protocol(Connection& connection) : connection_(connection) {}
  ~H1Protocol() override;

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
  void goaway_notice() override {}
  void goaway() override {}
  uint32_t streams_open() const override { return exchange_ == nullptr ? 0 : 1; }

 private:
  void process();
  bool read_head();
  bool read_body();
  void end_exchange();

  Connection& connection_;
  Exchange* exchange_ = nullptr;
  std::string input_;
  size_t begin_ = 0;    // of what is not read yet
  size_t scanned_ = 0;  // of it, by the head parser
  std::string out_;
  http::RequestHead head_;
  http::ChunkDecoder chunks_;
  http::Framing answer_framing_ = http::Framing::none;
  uint64_t body_left_ = 0;
  bool answering_ = false;  // the request is whole
  bool done_ = false;       // the answer is too
  bool keep_alive_ = true;
  bool over_ = false;
  bool paused_ = false;
  bool processing_ = false;
};

}  // namespace flexd::flexsim
