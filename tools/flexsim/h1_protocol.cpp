#include "h1_protocol.hpp"

#include <algorithm>

#include "connection.hpp"
#include "exchange.hpp"
#include "flexd/base/assert.hpp"
#include "flexd/http/h1_writer.hpp"
#include "server.hpp"

namespace flexd::flexsim {
namespace {

// kInputMax is how many bytes of requests behind the present one are taken.
constexpr size_t kInputMax = size_t{1} << 20U;
// kOutMax is how much of an answer is written at a time.
constexpr size_t kOutMax = size_t{128} << 10U;

}  // namespace

H1Protocol::~H1Protocol() {
  lost();
}

void H1Protocol::receive(std::string_view bytes) {
  input_.append(bytes);
  process();
  if (answering_ && !paused_ && input_.size() - begin_ > kInputMax) {
    paused_ = true;
    connection_.pause();
  }
}

// process goes as far as the input and the present answer allow.
void H1Protocol::process() {
  if (processing_) return;
  processing_ = true;
  while (!over_) {
    if (done_) end_exchange();
    if (over_ || answering_) break;
    if (exchange_ == nullptr && !read_head()) break;
    if (!read_body()) break;
    answering_ = true;
    exchange_->complete();
  }
  processing_ = false;
  input_.erase(0, begin_);
  begin_ = 0;
}

bool H1Protocol::read_head() {
  const std::string_view rest = std::string_view(input_).substr(begin_);
  if (rest.empty()) return false;
  const http::HeadResult result = http::parse_request_head(rest, scanned_, head_);
  if (result.refused()) {
    const unsigned status = http::status_of(http::refusal_of(result.verdict));
    FLEXD_ASSERT(http::write_response_head(out_, {.status = status,
                                                  .framing = http::Framing::length,
                                                  .persistence = http::Persistence::close}));
    over_ = true;
    connection_.end(Death::reset);
    return false;
  }
  scanned_ = result.incomplete() ? rest.size() : 0;
  if (result.incomplete()) return false;
  begin_ += result.consumed;
  keep_alive_ = head_.keep_alive;
  body_left_ = head_.content_length;
  chunks_.reset();
  if (head_.expect_continue) out_.append("HTTP/1.1 100 Continue\r\n\r\n");
  exchange_ = connection_.server().take_exchange();
  exchange_->begin(*this, 0, connection_.number(), head_);
  return true;
}

// read_body is true when the request is whole.
bool H1Protocol::read_body() {
  std::string_view rest = std::string_view(input_).substr(begin_);
  if (head_.framing == http::Framing::length) {
    const size_t count = std::min<uint64_t>(rest.size(), body_left_);
    exchange_->body(rest.substr(0, count));
    begin_ += count;
    body_left_ -= count;
    return body_left_ == 0;
  }
  if (head_.framing != http::Framing::chunked) return true;
  for (;;) {
    const http::ChunkEvent event = chunks_.next(rest);
    begin_ = input_.size() - rest.size();
    if (event.kind == http::ChunkEvent::Kind::data) {
      exchange_->body(event.data);
      continue;
    }
    if (event.kind == http::ChunkEvent::Kind::refused) {
      over_ = true;
      connection_.end(Death::abort);
    }
    return event.kind == http::ChunkEvent::Kind::done;
  }
}

void H1Protocol::end_exchange() {
  connection_.server().give_exchange(exchange_, 0, false);
  exchange_ = nullptr;
  answering_ = done_ = false;
  if (!keep_alive_) {
    over_ = true;
    connection_.end(Death::reset);
  }
  if (paused_) {
    paused_ = false;
    connection_.resume();
  }
}

void H1Protocol::flush() {
  do {
    process();
    connection_.put(out_);
    out_.clear();
    if (!connection_.has_room()) return;
    if (exchange_ != nullptr) exchange_->resume();
  } while (!out_.empty());
}

void H1Protocol::lost() {
  over_ = true;
  if (exchange_ == nullptr) return;
  connection_.server().give_exchange(exchange_, 0, !done_);
  exchange_ = nullptr;
}

void H1Protocol::respond(int32_t /*stream*/, unsigned status, http::FieldList& fields,
                         std::optional<uint64_t> length) {
  using http::Framing;
  answer_framing_ = length ? Framing::length : Framing::chunked;
  if (!length && head_.version == http::Version::h1_0) {
    answer_framing_ = Framing::until_close;
    keep_alive_ = false;
  }
  const bool written = http::write_response_head(
      out_, {.status = status,
             .fields = {fields.begin(), fields.size()},
             .framing = answer_framing_,
             .content_length = length.value_or(0),
             .persistence = keep_alive_ ? http::Persistence::implied : http::Persistence::close});
  FLEXD_ASSERT(written);
  connection_.touch();
}

void H1Protocol::write(int32_t /*stream*/, std::string_view bytes) {
  if (bytes.empty()) return;
  if (answer_framing_ == http::Framing::chunked) {
    out_.append(http::ChunkHead(bytes.size()).view());
    out_.append(bytes).append(http::kChunkEnd);
  } else {
    out_.append(bytes);
  }
  connection_.touch();
}

void H1Protocol::finish(int32_t /*stream*/) {
  if (answer_framing_ == http::Framing::chunked) out_.append(http::kLastChunk);
  done_ = true;
  connection_.touch();
}

size_t H1Protocol::waiting_bytes(int32_t /*stream*/) const {
  return out_.size() > kOutMax ? out_.size() : 0;
}

void H1Protocol::die(int32_t /*stream*/, Death death, uint32_t /*code*/) {
  over_ = true;
  connection_.end(death == Death::abort ? Death::abort : Death::close);
}

void H1Protocol::goaway_below(int32_t stream) {
  die(stream, Death::close, 0);
}

}  // namespace flexd::flexsim
