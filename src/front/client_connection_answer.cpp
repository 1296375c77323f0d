// client_connection_answer.cpp: how a ClientConnection writes an answer, and waits for a caller
// that reads slowly.
#include <array>

#include "client_connection.hpp"
#include "exchange.hpp"
#include "flexd/base/limits.hpp"
#include "flexd/http/h1_writer.hpp"
#include "worker.hpp"

namespace flexd::front {
namespace {

// kHeadSpace holds nearly every response head.
constexpr size_t kHeadSpace = 8192;

}  // namespace

void ClientConnection::begin_answer(const AnswerHead& head) {
  if (head.close) keep_alive_ = false;
  http::Persistence persistence = http::Persistence::implied;
  const bool old = version_ == http::Version::h1_0;
  answer_framing_ = head.no_body      ? http::Framing::none
                    : head.has_length ? http::Framing::length
                    : old             ? http::Framing::until_close
                                      : http::Framing::chunked;
  if (answer_framing_ == http::Framing::until_close || draining_) keep_alive_ = false;
  if (expects_continue_ && state_ == State::body) {
    // The caller may or may not send the body now; only closing is unambiguous (RFC 9110 10.1.1).
    keep_alive_ = false;
  }
  if (!keep_alive_) {
    persistence = http::Persistence::close;
  } else if (old) {
    persistence = http::Persistence::keep_alive;
  }
  // Put together beside the queue and appended once. A head that is too large for that is a rare
  // one.
  std::array<char, kHeadSpace> space;
  http::SpanSink sink(space);
  ByteChain& out = worker_.reactor().out(socket_);
  const bool written = write_head(sink, head, persistence) ? out.append(sink.view())
                                                           : write_head(out, head, persistence);
  if (!written) worker_.reactor().abort(socket_);
  worker_.reactor().touch(socket_);
}

template <typename Sink>
bool ClientConnection::write_head(Sink& sink, const AnswerHead& head,
                                  http::Persistence persistence) {
  http::HeadWriter<Sink> writer(sink);
  writer.status_line(head.status);
  // Flexd's own fields are made of plain text, and the provider's were checked when they were kept.
  for (const http::Field& field : head.fields) writer.checked_field(field.name, field.value);
  writer.checked_field("date", worker_.date());
  writer.framing(answer_framing_, head.content_length);
  writer.persistence(persistence);
  return writer.end();
}

void ClientConnection::put(std::string_view bytes) {
  if (!worker_.reactor().out(socket_).append(bytes)) worker_.reactor().abort(socket_);
  worker_.reactor().touch(socket_);
}

bool ClientConnection::write(std::string_view bytes) {
  if (bytes.empty() || is_head_ || answer_framing_ == http::Framing::none) return true;
  if (!worker_.reactor().is_open(socket_)) {
    broken_ = true;
    return true;
  }
  ByteChain& out = worker_.reactor().out(socket_);
  bool fits = true;
  if (answer_framing_ == http::Framing::chunked) {
    const http::ChunkHead head(bytes.size());
    fits = out.append(head.view()) && out.append(bytes) && out.append(http::kChunkEnd);
  } else {
    fits = out.append(bytes);
  }
  // Without memory the answer cannot be whole: cut it visibly.
  if (!fits) {
    broken_ = true;
    worker_.reactor().abort(socket_);
  }
  worker_.reactor().touch(socket_);
  if (out.size() > io::kOutHighBytes) writer_waits_ = true;
  return !writer_waits_;
}

void ClientConnection::finish() {
  if (answer_framing_ == http::Framing::chunked && !is_head_) put(http::kLastChunk);
  exchange_ = nullptr;
  answered_ = true;
  if (state_ == State::busy) {
    next_request();
    return;
  }
  // Answered before the request was read: read the rest away, so that the caller sees the answer.
  // One that asked for leave to send its body does not send it now.
  if (framing_ == http::Framing::until_close || (!keep_alive_ && expects_continue_)) {
    close(limits::kDrainNs);
    return;
  }
  state_ = State::discard;
  arm(limits::kDrainNs);
}

void ClientConnection::abort_answer() {
  exchange_ = nullptr;
  worker_.reactor().abort(socket_);
  state_ = State::closing;
}

// on_flush: what made a write report a slow caller may have been sent in the same turn. The reactor
// then sees nothing above its mark and will not call on_drained.
void ClientConnection::on_flush() {
  if (writer_waits_ && worker_.reactor().out(socket_).size() <= io::kOutHighBytes) on_drained();
}

void ClientConnection::on_drained() {
  writer_waits_ = false;
  if (exchange_ != nullptr) exchange_->on_drained();
  if (!slow_ || state_ == State::closing) return;
  slow_ = false;
  if (state_ == State::busy) return;
  if (paused_) {
    paused_ = false;
    worker_.reactor().resume(socket_);
  }
  if (!input_.empty()) process_kept();
}

}  // namespace flexd::front
