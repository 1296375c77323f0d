#include "flexd/origin/attempt.hpp"

#include "connection.hpp"
#include "flexd/origin/pool.hpp"

namespace flexd::origin {

void Attempt::start(Pool& pool, const AttemptRequest& request) {
  FLEXD_ASSERT(state_ == State::idle);
  request_ = request;
  pool_ = &pool;
  was_sent_ = head_seen_ = false;
  state_ = State::waiting;
  pool.add(*this);
}

void Attempt::cancel() {
  if (state_ == State::idle) return;
  const State was = state_;
  state_ = State::idle;
  if (was == State::sent) {
    connection_->cancel(*this);
  } else {
    pool_->forget(*this);
  }
}

void Attempt::consume(size_t count) {
  if (state_ == State::sent && count > 0) connection_->consume(*this, count);
}

void Attempt::on_head(const http::ResponseHead& head) {
  head_seen_ = true;
  handler_->on_head(head);
}

void Attempt::on_data(std::string_view bytes) {
  handler_->on_body(bytes);
}

void Attempt::on_end() {
  // The owner may start anew from on_end, or destroy this: the stream must know it no more.
  state_ = State::idle;
  connection_->release(*this);
  handler_->on_end();
}

void Attempt::on_closed(http::h2::Reset reset) {
  using http::h2::ResetKind;
  AttemptFailure failure{.kind = FailureKind::reset, .head_seen = head_seen_};
  switch (reset.kind) {
    case ResetKind::ok:
      return;
    case ResetKind::refused:
      failure.never_processed = true;
      pool_->count_refused();
      break;
    case ResetKind::reset:
      break;
    case ResetKind::protocol_error:
      failure.kind = FailureKind::protocol;
      break;
    case ResetKind::connection_lost:
      failure.kind = connection_->lost_kind();
      break;
  }
  fail(failure);
}

void Attempt::fail(const AttemptFailure& failure) {
  state_ = State::idle;
  handler_->on_failure(failure);
}

}  // namespace flexd::origin
