#include "exchange.hpp"

#include <algorithm>
#include <utility>

#include "access_log.hpp"
#include "ceiling_fields.hpp"
#include "flexd/base/limits.hpp"
#include "provider_fields.hpp"
#include "worker.hpp"

namespace flexd::front {

Exchange::Exchange(WorkerCore& worker, ClientStream& client)
    : worker_(worker),
      client_(&client),
      body_(worker.reactor().blocks()),
      translated_(worker.reactor().blocks()),
      upstream_fields_(worker.reactor().blocks()),
      standard_(*this, race::Tier::standard, worker.reactor().blocks()),
      race_timer_(timer_callback<Exchange, &Exchange::on_race_timer>, this),
      clock_timer_(timer_callback<Exchange, &Exchange::on_clock_timer>, this),
      tick_timer_(timer_callback<Exchange, &Exchange::on_tick_timer>, this) {
  begun_ns_ = now_ns();
  caller_ = client.peer();
}

Exchange::~Exchange() {
  FLEXD_ASSERT(state_ == State::over);
}

uint64_t Exchange::now_ns() const {
  return worker_.reactor().now_ns();
}

void Exchange::begin(const http::RequestHead& head) {
  read_client_facts(head);
  if (!check_head(head)) return;
  const Kept kept = keep_upstream_fields(head.fields, dialect_, upstream_fields_);
  if (kept == Kept::too_many) fail(errors::Code::headers_too_large);
  if (kept == Kept::no_memory) fail(errors::Code::service_unavailable);
}

void Exchange::begin_refused(errors::Code code, std::string_view detail) {
  request_id_ = make_request_id({}, worker_.reactor(), request_id_space_);
  fail(errors::Error{.code = code, .detail = detail});
}

void Exchange::on_body(std::string_view bytes) {
  if (state_ != State::receiving) return;
  bytes_in_ += bytes.size();
  if (body_.size() + bytes.size() > limits::kBodyBytesMax) {
    fail(errors::Code::request_too_large);
    return;
  }
  if (!body_.append(bytes)) fail(errors::Code::service_unavailable);
}

void Exchange::on_body_end() {
  if (state_ != State::receiving) return;
  complete_ns_ = now_ns();
  if (!check_body()) return;
  if (worker_.fault() == Fault::routing) {
    fail(errors::Code::internal_error);
    return;
  }
  route();
}

void Exchange::on_body_refused(errors::Code code, std::string_view detail) {
  if (state_ == State::receiving) {
    fail(errors::Error{.code = code, .detail = detail});
  } else {
    // The answer went out before the body turned bad: there is nothing left to say.
    on_client_gone();
  }
}

void Exchange::on_client_gone() {
  const bool told = is_told();
  client_ = nullptr;
  if (state_ == State::over || state_ == State::settling) return;
  if (told) {
    // It has all of its answer, and did not wait for the end of the stream. Nor does its attempt.
    Leg& leg = *answering_leg_;
    count_attempt(leg, metrics::AttemptResult::answered);
    log_access(leg.failed() ? metrics::Outcome::provider_error : metrics::Outcome::ok);
    worker_.count_answer();
    close();
    return;
  }
  note_client_closed();
  // Before the race is told, and with that decided: one that nobody has won has no reason.
  log_access(metrics::Outcome::client_closed);
  if (race_) {
    perform(race_->on_client_gone());
  }
  cancel_legs();
  close();
}

void Exchange::note_client_closed() {
  answer_status_ = errors::row(errors::Code::client_closed_request).status;
  error_code_ = errors::row(errors::Code::client_closed_request).name;
}

// is_told: everything up to the terminal event is with the caller's connection.
bool Exchange::is_told() const {
  return client_ != nullptr && state_ == State::answering && answer_ == AnswerKind::stream &&
         answering_leg_->has_terminal() && !answering_leg_->overflowed() && !client_->is_broken();
}

void Exchange::on_drained() {
  if (answering_leg_ != nullptr) answering_leg_->on_drained();
}

void Exchange::cut() {
  if (state_ == State::over) return;
  if (client_ == nullptr) {
    close();
    return;
  }
  if (state_ == State::answering) {
    // It is flexd that breaks the answer off, not the caller.
    error_code_ = errors::row(errors::Code::service_unavailable).name;
    abort_answer(metrics::Outcome::stream_failed);
    return;
  }
  fail(errors::Error{.code = errors::Code::service_unavailable,
                     .variant = errors::Variant::draining});
}

// fail answers with an error of flexd's own. Nothing may have been written to the caller.
void Exchange::fail(const errors::Error& error) {
  if (state_ == State::over || state_ == State::settling) return;
  FLEXD_ASSERT(client_ != nullptr && state_ != State::answering);
  cancel_legs();
  std::array<char, errors::kErrorBytesMax> space;
  const errors::Target target{.dialect = dialect_,
                              .request_id = request_id(),
                              .doc_url_base = worker_.settings().doc_url_base};
  const std::string_view body = errors::write_body(error, target, space);
  const errors::Headers extra(error, client_retry_count_);
  error_code_ = error.name();
  const bool close_after = error.code == errors::Code::request_too_large ||
                           error.code == errors::Code::request_timeout || worker_.is_draining();
  begin_own({.status = error.status(),
             .extra = extra.list(),
             .length = body.size(),
             .close = close_after});
  client_->write(body);
  finish_answer(metrics::Outcome::own_error);
}

// begin_own writes the head of an answer of flexd's own.
void Exchange::begin_own(const OwnAnswer& answer) {
  http::FieldList fields;
  const auto push = [&fields](std::string_view name, std::string_view value) {
    discard(fields.push(name, value), "a dozen fields fit");
  };
  push("content-type", "application/json");
  for (const errors::Header& header : answer.extra) push(header.name, header.value);
  push("x-request-id", request_id());
  if (dialect_ == errors::Dialect::messages) push("request-id", request_id());
  push("x-flexinference-request-id", request_id());
  if (is_decided()) push_routing_fields(fields);
  std::optional<CeilingFields> ceiling;
  if (ceiling_.resets_at_s != 0) {
    ceiling.emplace(key_->requests_per_minute, ceiling_).push(false, fields);
  }
  answer_status_ = answer.status;
  first_byte_ns_ = now_ns();
  bytes_out_ = answer.length;
  client_->begin_answer({.status = answer.status,
                         .fields = {fields.begin(), fields.size()},
                         .has_length = true,
                         .content_length = answer.length,
                         .close = answer.close});
}

// finish_answer: the last byte of the answer is written.
void Exchange::finish_answer(metrics::Outcome outcome) {
  if (client_->is_broken()) {
    // What was written last could not be kept: the caller gets no whole answer.
    note_client_closed();
    abort_answer(metrics::Outcome::client_closed);
    return;
  }
  log_access(outcome);
  ClientStream* const client = client_;
  client_ = nullptr;
  worker_.count_answer();
  const bool settle = answering_leg_ != nullptr && answering_leg_->is_open();
  if (settle) {
    // The provider has said all; only its end of stream is missing. Resetting the stream now would
    // count against the connection.
    state_ = State::settling;
    count_usage();
    tick_timer_.cancel();
    race_timer_.cancel();
    worker_.reactor().timers().set(clock_timer_, now_ns() + kSettleNs);
  } else {
    close();
  }
  client->finish();
}

// close gives everything back. The object itself is freed in a later turn.
void Exchange::close() {
  if (state_ == State::over) return;
  cancel_legs();
  count_usage();
  state_ = State::over;
  race_timer_.cancel();
  clock_timer_.cancel();
  tick_timer_.cancel();
  release_slot();
  body_.clear();
  translated_.clear();
  upstream_fields_.clear();
  if (flex_) flex_->release();
  standard_.release();
  answering_leg_ = nullptr;
  release_lease();
  worker_.release(*this);
}

void Exchange::release_slot() {
  if (!slot_taken_) return;
  slot_taken_ = false;
  organization_->cells->race_slots.release();
}

// release_lease: nothing of the snapshot is used any more.
void Exchange::release_lease() {
  if (lease_ == nullptr) return;
  key_ = nullptr;
  organization_ = nullptr;
  worker_.leases().leave(*std::exchange(lease_, nullptr));
}

// make_unique draws what the ids of a translated answer are made of.
void Exchange::make_unique() {
  constexpr std::string_view kDigits =
      "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
  std::array<uint8_t, kUniqueSize> random;
  worker_.reactor().random_bytes(random);
  // Some letters come more often than others, as 62 is no part of 256: over 5.9 bits each remain.
  for (size_t i = 0; i < kUniqueSize; ++i) unique_[i] = kDigits[random[i] * kDigits.size() / 256];
}

surface::AnswerContext Exchange::answer_context(const Leg& leg) const {
  return {.dialect = dialect_,
          .provider = provider(),
          .tier = surface::answered_tier_word(provider(), tier_of(leg)),
          .model = facts_.value(surface::kModel).contents(),
          .request_id = request_id(),
          .unique = {unique_.data(), unique_.size()},
          .created_at_s = leg.sent_at_s(),
          .stream = facts_.stream,
          .request = body_.view()};
}

void Exchange::log_access(metrics::Outcome outcome) {
  if (logged_) return;
  logged_ = true;
  outcome_ = outcome;
  had_reason_ = is_decided();
  metrics::Core& metrics = worker_.metrics();
  const auto reason = is_decided() ? static_cast<metrics::Reason>(reason_) : metrics::Reason::none;
  metrics.add(metrics::Counter::requests, metrics::at(outcome, reason));
  if (answer_status_ >= 200 && answer_status_ != 499) {
    metrics.add(metrics::Counter::responses, metrics::at(answer_status_ / 100 - 2));
  }
  const uint64_t now = now_ns();
  if (complete_ns_ != 0) {
    metrics.observe(metrics::Histogram::request_duration, metrics::at(reason), now - complete_ns_);
    if (first_byte_ns_ > complete_ns_) {
      metrics.observe(metrics::Histogram::first_byte, first_byte_ns_ - complete_ns_);
    }
  }
  const Leg* const leg = answering_leg_;
  write_access_line(
      worker_.log(), worker_.reactor().unix_ms(),
      {.request_id = request_id(),
       .client = caller_,
       .path = path_,
       .status = answer_status_,
       .outcome = metrics::kOutcomes[static_cast<size_t>(outcome)],
       .code = error_code_,
       .key_id = key_ != nullptr ? std::string_view(key_->id) : std::string_view(),
       .organization =
           organization_ != nullptr ? std::string_view(organization_->id) : std::string_view(),
       .model = facts_.model,
       .routing_reason = is_decided() ? race::reason_word(reason_) : std::string_view(),
       .provider = routed_ ? errors::provider_word(provider()) : std::string_view(),
       .tier = routed_ && leg != nullptr ? surface::tier_word(provider(), tier_of(*leg))
                                         : std::string_view(),
       .reported_tier = leg != nullptr ? leg->facts().service_tier() : std::string_view(),
       .flex_loss = flex_loss_,
       .upstream_request_id = leg != nullptr ? leg->provider_request_id() : std::string_view(),
       .stream = facts_.stream,
       .retry_count = client_retry_count_,
       .bytes_in = bytes_in_,
       .bytes_out = bytes_out_,
       .duration_ns = now - begun_ns_,
       .start_ns = started_ns_ > complete_ns_ ? started_ns_ - complete_ns_ : 0,
       .first_byte_ns = first_byte_ns_ > begun_ns_ ? first_byte_ns_ - begun_ns_ : 0,
       .usage = leg != nullptr ? leg->facts().usage() : surface::Usage{}});
}

}  // namespace flexd::front
