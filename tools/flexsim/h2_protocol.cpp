#include "h2_protocol.hpp"

#include "connection.hpp"
#include "exchange.hpp"
#include "flexd/base/ascii.hpp"
#include "flexd/base/assert.hpp"
#include "server.hpp"

namespace flexd::flexsim {
namespace {

// The provider allows this many streams on a connection.
constexpr uint32_t kStreamsMax = 128;
// A client that cancels thousands of attempts on one connection is what this server is for.
constexpr uint32_t kGlitchesMax = 1'000'000;

}  // namespace

H2Protocol::H2Protocol(Connection& connection)
    : connection_(connection),
      session_(connection.server().h2_resources(), connection.server().reactor().blocks(), *this,
               {.streams_max = kStreamsMax, .glitches_max = kGlitchesMax}) {
  connection_.touch();
}

void H2Protocol::receive(std::string_view bytes) {
  session_.receive(bytes);
  connection_.touch();
}

void H2Protocol::flush() {
  while (connection_.has_room()) {
    const std::string_view piece = session_.pull();
    if (piece.empty()) break;
    connection_.put(piece);
  }
  if (session_.is_failed() || session_.is_done()) connection_.end(Death::reset);
}

void H2Protocol::lost() {
  if (lost_) return;
  lost_ = true;
  session_.connection_lost();
}

void H2Protocol::respond(int32_t stream, unsigned status, http::FieldList& fields,
                         std::optional<uint64_t> length) {
  const DecimalText digits(length.value_or(0));
  if (length) FLEXD_ASSERT(fields.push("content-length", digits.view()));
  session_.respond(stream, status, fields, length.value_or(1) > 0);
  connection_.touch();
}

void H2Protocol::write(int32_t stream, std::string_view bytes) {
  // Bytes for a stream that is gone are of no use to anyone; without memory it is cut off.
  if (!session_.send_data(stream, bytes)) session_.reset(stream, 2);
  connection_.touch();
}

void H2Protocol::finish(int32_t stream) {
  session_.finish(stream);
  connection_.touch();
}

size_t H2Protocol::waiting_bytes(int32_t stream) const {
  return session_.queued_bytes(stream);
}

void H2Protocol::die(int32_t stream, Death death, uint32_t code) {
  if (death == Death::reset) {
    session_.reset(stream, code);
    connection_.touch();
  } else {
    connection_.end(death);
  }
}

void H2Protocol::goaway_below(int32_t stream) {
  session_.goaway(stream >= 2 ? stream - 2 : 0, 0);
  connection_.touch();
}

void H2Protocol::goaway_notice() {
  session_.shutdown_notice();
  connection_.touch();
}

void H2Protocol::goaway() {
  session_.goaway(session_.last_stream(), 0);
  connection_.touch();
}

Exchange* H2Protocol::find(int32_t stream) const {
  return static_cast<Exchange*>(session_.user(stream));
}

void H2Protocol::on_request(int32_t stream, const http::RequestHead& head) {
  Exchange* exchange = connection_.server().take_exchange();
  session_.set_user(stream, exchange);
  exchange->begin(*this, stream, connection_.number(), head);
}

void H2Protocol::on_data(int32_t stream, std::string_view bytes) {
  if (Exchange* exchange = find(stream)) exchange->body(bytes);
  session_.consume(stream, bytes.size());
}

void H2Protocol::on_end(int32_t stream) {
  if (Exchange* exchange = find(stream)) exchange->complete();
}

void H2Protocol::on_drain(int32_t stream) {
  if (Exchange* exchange = find(stream)) exchange->resume();
}

void H2Protocol::on_closed(int32_t stream, uint32_t code) {
  Exchange* exchange = find(stream);
  if (exchange == nullptr) return;
  session_.set_user(stream, nullptr);
  connection_.server().give_exchange(exchange, code, lost_);
}

}  // namespace flexd::flexsim
