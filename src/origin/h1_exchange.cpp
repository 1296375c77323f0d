#include "h1_exchange.hpp"

#include "connection.hpp"
#include "flexd/http/h1_writer.hpp"

namespace flexd::origin {
namespace {

// kBodyPieceBytes is how much of a request body is written at a time: a TLS record.
constexpr size_t kBodyPieceBytes = 16384;

}  // namespace

H1Exchange::H1Exchange(Connection& connection, BlockPool& pool)
    : connection_(connection), input_(pool) {}

void H1Exchange::place(Attempt& attempt) {
  FLEXD_ASSERT(is_idle());
  attempt_ = &attempt;
  body_ = attempt.request_.body;
  head_written_ = head_read_ = false;
  scanned_ = 0;
  chunks_.reset();
  unread_bytes_ = 0;
}

void H1Exchange::cancel() {
  attempt_ = nullptr;
  reusable_ = false;
}

void H1Exchange::consume(size_t count) {
  unread_bytes_ -= std::min(unread_bytes_, count);
  if (paused_ && unread_bytes_ <= kUnreadLowBytes) {
    paused_ = false;
    connection_.on_resumed();
  }
}

void H1Exchange::write_head() {
  std::array<char, http::kHeadBytesMax> space;
  http::SpanSink sink(space);
  const http::FieldList& fields = *attempt_->request_.fields;
  const bool written = http::write_request_head(sink, {.method = "POST",
                                                       .path = attempt_->request_.path,
                                                       .authority = connection_.pool_.authority_,
                                                       .fields = {fields.begin(), fields.size()},
                                                       .framing = http::Framing::length,
                                                       .content_length = body_.size_left()});
  head_written_ = true;
  if (!written || !connection_.send(sink.view())) connection_.abort();
}

void H1Exchange::flush() {
  if (attempt_ == nullptr) return;
  if (!head_written_) write_head();
  const ByteChain& out = connection_.pool_.reactor_.out(connection_.socket_);
  while (body_.size_left() > 0 && out.size() <= io::kOutHighBytes) {
    if (!connection_.send(body_.next(kBodyPieceBytes))) {
      connection_.abort();
      return;
    }
  }
}

bool H1Exchange::receive(std::string_view bytes) {
  while (!bytes.empty() && reusable_) {
    if (attempt_ == nullptr || !head_written_) {
      // An answer to nothing.
      if (attempt_ != nullptr) fail(FailureKind::protocol);
      reusable_ = false;
      return false;
    }
    if (head_read_) {
      bytes = receive_body(bytes);
      continue;
    }
    if (!input_.append(bytes)) {
      fail(FailureKind::overloaded);
      return false;
    }
    bytes = {};
    if (!receive_head()) return reusable_;
  }
  return reusable_;
}

// receive_head reads a head from `input_`, and the beginning of the body behind it.
bool H1Exchange::receive_head() {
  size_t consumed = 0;  // of `input_`: interim heads
  http::ResponseHead head;
  http::HeadResult result;
  do {
    const std::string_view left = input_.view().substr(consumed);
    result = http::parse_response_head(left, scanned_, http::Method::post, head);
    if (result.incomplete()) {
      input_.consume(consumed);
      scanned_ = input_.size();
      return false;
    }
    scanned_ = 0;
    if (result.refused()) {
      fail(FailureKind::protocol);
      return false;
    }
    consumed += result.consumed;
  } while (head.informational());
  head_read_ = true;
  framing_ = head.framing;
  body_left_ = head.content_length;
  keep_alive_ = head.keep_alive && framing_ != http::Framing::until_close;
  Attempt* const attempt = attempt_;
  attempt->on_head(head);
  if (attempt_ != attempt) return false;  // cancelled by its owner
  Buffer rest = std::move(input_);
  input_ = Buffer(connection_.pool_.reactor_.blocks());
  const std::string_view body = rest.view().substr(consumed);
  if (framing_ == http::Framing::none || (framing_ == http::Framing::length && body_left_ == 0)) {
    end(body.size());
    return false;
  }
  if (!body.empty()) return receive(body);
  return false;
}

std::string_view H1Exchange::receive_body(std::string_view bytes) {
  std::string_view data;
  bool done = false;
  if (framing_ == http::Framing::chunked) {
    const http::ChunkEvent event = chunks_.next(bytes);
    if (event.kind == http::ChunkEvent::Kind::refused) {
      fail(FailureKind::protocol);
      return {};
    }
    data = event.data;
    done = event.kind == http::ChunkEvent::Kind::done;
  } else if (framing_ == http::Framing::length) {
    data = bytes.substr(0, std::min<uint64_t>(bytes.size(), body_left_));
    bytes.remove_prefix(data.size());
    body_left_ -= data.size();
    done = body_left_ == 0;
  } else {
    data = bytes;
    bytes = {};
  }
  if (!data.empty()) deliver(data);
  if (done && attempt_ != nullptr) end(bytes.size());
  return bytes;
}

void H1Exchange::deliver(std::string_view data) {
  unread_bytes_ += data.size();
  if (!paused_ && unread_bytes_ > kUnreadHighBytes) {
    paused_ = true;
    connection_.pool_.reactor_.pause(connection_.socket_);
  }
  attempt_->on_data(data);
}

// end: the answer is whole, and `extra_bytes` came behind it.
void H1Exchange::end(size_t extra_bytes) {
  Attempt* const attempt = attempt_;
  // An answer that came before the request was sent leaves the rest of it unsent: not reusable. Nor
  // is a connection on which more came than was asked for: its owner may start the next attempt
  // from on_end, which must not take that for its answer.
  if (!keep_alive_ || body_.size_left() > 0 || extra_bytes > 0) {
    reusable_ = false;
    connection_.retiring_ = true;
  }
  attempt_ = nullptr;
  consume(unread_bytes_);
  connection_.room_changed_ = true;
  attempt->on_end();
}

void H1Exchange::receive_end(FailureKind kind) {
  if (attempt_ == nullptr) return;
  if (head_read_ && framing_ == http::Framing::until_close && kind == FailureKind::truncated) {
    end(0);
    return;
  }
  fail(kind);
}

void H1Exchange::fail(FailureKind kind) {
  reusable_ = false;
  Attempt* const attempt = attempt_;
  attempt_ = nullptr;
  attempt->fail(
      {.kind = kind, .never_processed = !head_written_, .head_seen = attempt->head_seen_});
}

}  // namespace flexd::origin
