// exchange_answer.cpp: what is written to the caller once it is decided who answers.
#include "ceiling_fields.hpp"
#include "exchange.hpp"
#include "provider_fields.hpp"
#include "worker.hpp"

#include "flexd/base/ascii.hpp"

namespace flexd::front {
namespace {

// kSpaceNs is the pause between the spaces that keep an early-headed answer alive.
constexpr uint64_t kSpaceNs = 15 * config::kSecondNs;
constexpr std::string_view kJson = "application/json";
constexpr std::string_view kEventStream = "text/event-stream; charset=utf-8";
constexpr std::string_view kComment = ": keep-alive\n\n";

}  // namespace

// push_routing_fields says how the request was routed.
void Exchange::push_routing_fields(http::FieldList& fields) const {
  const auto push = [&fields](std::string_view name, std::string_view value) {
    discard(fields.push(name, value), "provider fields are bounded far below the list");
  };
  push("x-flexinference-served-provider", errors::provider_word(provider()));
  const Leg& leg = answering_leg_ != nullptr ? *answering_leg_ : standard_;
  push("x-flexinference-served-tier", surface::tier_word(provider(), tier_of(leg)));
  push("x-flexinference-routing-reason", race::reason_word(reason_));
}

// push_request_ids gives each vendor's SDK an id to show: the provider's own fields, which are in
// `fields`, stay, and where the caller's SDK looks into another one, it finds the gateway's.
void Exchange::push_request_ids(http::FieldList& fields) const {
  const auto push = [&fields](std::string_view name, std::string_view value) {
    discard(fields.push(name, value), "provider fields are bounded far below the list");
  };
  if (fields.find("x-request-id") == nullptr) push("x-request-id", request_id());
  const bool wants_plain = is_translated() || dialect_ == errors::Dialect::messages;
  if (wants_plain && fields.find("request-id") == nullptr) push("request-id", request_id());
  push("x-flexinference-request-id", request_id());
}

// begin_routed writes the head of an answer that comes from a provider.
void Exchange::begin_routed(const Leg& leg, const AnswerShape& shape) {
  http::FieldList fields;
  const auto push = [&fields](std::string_view name, std::string_view value) {
    discard(fields.push(name, value), "provider fields are bounded far below the list");
  };
  // The gateway's own entity replaces theirs where it makes a new body of their events.
  const bool own_entity = !shape.content_type.empty();
  leg.fields().for_each([&](std::string_view name, std::string_view value) {
    const bool replaced =
        own_entity && (iequals(name, "content-type") || iequals(name, "content-encoding"));
    if (!replaced) push(name, value);
  });
  if (own_entity) push("content-type", shape.content_type);
  if (shape.stream) {
    push("cache-control", "no-cache, no-transform");
    push("x-accel-buffering", "no");
  }
  push_request_ids(fields);
  push_routing_fields(fields);
  std::optional<CeilingFields> ceiling;
  if (ceiling_.resets_at_s != 0) {
    ceiling.emplace(key_->requests_per_minute, ceiling_).push(true, fields);
  }
  CostText cost;
  push_cost(cost, fields);
  answer_status_ = shape.status;
  state_ = State::answering;
  first_byte_ns_ = now_ns();
  last_written_ns_ = first_byte_ns_;
  client_->begin_answer({.status = shape.status,
                         .fields = {fields.begin(), fields.size()},
                         .has_length = shape.has_length,
                         .content_length = shape.length,
                         .no_body = shape.no_body,
                         .close = worker_.is_draining()});
}

// begin_stream relays events to a caller that asked for them.
void Exchange::begin_stream(Leg& leg) {
  answer_ = AnswerKind::stream;
  // A translation is flexd's own text, whatever theirs was.
  begin_routed(leg, {.status = leg.status(),
                     .stream = true,
                     .content_type = is_translated() ? kEventStream : std::string_view()});
  leg.answer_stream();
  if (state_ == State::answering) arm_tick();
}

// begin_folded waits for an answer that can only be given as a whole, unless it is there already.
void Exchange::begin_folded(Leg& leg) {
  answer_ = AnswerKind::folded;
  leg.answer_folded();
  if (state_ != State::routing) return;  // it broke
  if (!leg.final_object().empty()) {
    answer_final(leg);
  } else {
    arm_tick();
  }
}

// begin_plain passes a body on as it comes: an error, or the JSON of a direct request. Its head is
// held until there is a first byte of it or its end, so that a failure in between can be told.
void Exchange::begin_plain(Leg& leg) {
  answer_ = AnswerKind::plain;
  if (leg.overflowed()) {
    // A refusal that was held and then broke off: nothing of it is out, so that it can be told.
    fail_answer(errors::Code::upstream_stream_failed, errors::Variant::none);
    return;
  }
  if (leg.held_bytes() == 0 && !leg.ended()) {
    leg.answer_plain();
    return;
  }
  begin_plain_head(leg);
  leg.answer_plain();
}

void Exchange::begin_plain_head(Leg& leg) {
  // Those never have a body, nor a length of one (RFC 9110 8.6).
  const bool no_body = leg.status() == 204 || leg.status() == 304;
  begin_routed(leg, {.status = leg.status(),
                     .has_length = !no_body && (leg.has_length() || leg.ended()),
                     .length = leg.has_length() ? leg.content_length() : leg.held_bytes(),
                     .no_body = no_body});
}

// relay writes a piece of the provider's answer.
bool Exchange::relay(std::string_view bytes) {
  if (client_ == nullptr) return true;
  if (state_ == State::routing) begin_plain_head(*answering_leg_);
  bytes_out_ += bytes.size();
  last_written_ns_ = now_ns();
  return client_->write(bytes);
}

// on_leg_head: the answer to a direct request begins.
void Exchange::on_leg_head(Leg& leg) {
  if (race_) return;
  answering_leg_ = &leg;
  started_ns_ = now_ns();
  arm_clock();
  if (leg.is_stream()) {
    begin_stream(leg);
  } else if (is_translated() && leg.status() == 200) {
    begin_folded(leg);
  } else {
    begin_plain(leg);
  }
}

void Exchange::on_leg_final(Leg& leg) {
  // The answer may be out already, if it was whole when it was decided for: Gemini's stream says
  // something more at its end.
  if (state_ != State::routing && state_ != State::answering) return;
  if (&leg == answering_leg_ && answer_ == AnswerKind::folded) answer_final(leg);
}

// answer_final gives the caller an answer that was made as a whole.
void Exchange::answer_final(Leg& leg) {
  const std::string_view object = leg.final_object();
  const bool good = leg.final_status() == 200;
  count_attempt(leg, good ? metrics::AttemptResult::answered : metrics::AttemptResult::refused);
  if (state_ == State::answering) {
    // The head went out early: 200. A failure can only be shown by cutting the connection.
    if (!good) {
      abort_answer(metrics::Outcome::provider_error);
      return;
    }
    relay(object);
    finish_answer(metrics::Outcome::ok);
    return;
  }
  // An object that a provider gave in place of a stream was made into one.
  const bool stream = good && facts_.stream;
  begin_routed(leg, {.status = leg.final_status(),
                     .stream = stream,
                     .content_type = stream ? kEventStream : kJson,
                     .has_length = true,
                     .length = object.size()});
  relay(object);
  finish_answer(good && !leg.failed() ? metrics::Outcome::ok : metrics::Outcome::provider_error);
}

// on_leg_done: the provider ended its answer as it should.
void Exchange::on_leg_done(Leg& leg) {
  if (&leg != answering_leg_) return;
  if (state_ == State::settling) {
    close();
    return;
  }
  if (answer_ == AnswerKind::folded) {
    // A terminal event without an object in it: the provider failed without a word of its own.
    on_leg_broken(leg);
    return;
  }
  if (state_ == State::routing) begin_plain_head(leg);
  count_attempt(
      leg, leg.status() < 300 ? metrics::AttemptResult::answered : metrics::AttemptResult::refused);
  const bool failed = leg.status() >= 300 || leg.failed();
  finish_answer(failed ? metrics::Outcome::provider_error : metrics::Outcome::ok);
}

// on_leg_broken: the answer that was decided for is cut short.
void Exchange::on_leg_broken(Leg& leg) {
  if (&leg != answering_leg_) return;
  if (state_ == State::settling) {
    close();
    return;
  }
  count_attempt(leg, metrics::AttemptResult::broken);
  // To whom streams already, nobody says to stream.
  const bool too_large = leg.overflowed() && !facts_.stream;
  fail_answer(errors::Code::upstream_stream_failed,
              too_large ? errors::Variant::answer_too_large : errors::Variant::none);
}

// fail_answer ends a decided answer with a failure, as visibly as can still be done.
void Exchange::fail_answer(errors::Code code, errors::Variant variant) {
  const errors::Error error = provider_error({.code = code, .variant = variant});
  error_code_ = error.name();
  if (state_ != State::answering) {
    fail(error);
    return;
  }
  Leg& leg = *answering_leg_;
  if (answer_ == AnswerKind::stream && leg.status() == 200 && leg.between_frames()) {
    std::array<char, errors::kErrorBytesMax> space;
    const errors::Target target{.dialect = dialect_,
                                .request_id = request_id(),
                                .doc_url_base = worker_.settings().doc_url_base};
    relay(errors::write_stream_failure(error, target, leg.position(), space));
    cancel_legs();
    finish_answer(metrics::Outcome::stream_failed);
    return;
  }
  abort_answer(metrics::Outcome::stream_failed);
}

// abort_answer cuts the connection, so that the answer cannot look whole.
void Exchange::abort_answer(metrics::Outcome outcome) {
  log_access(outcome);
  ClientStream* const client = client_;
  client_ = nullptr;
  worker_.count_answer();
  close();
  client->abort_answer();
}

// arm_tick sets the timer of keep-alive comments and of early headers.
void Exchange::arm_tick() {
  const config::Settings& settings = worker_.settings();
  uint64_t at = race::kNever;
  if (answer_ == AnswerKind::stream) {
    if (settings.sse_keepalive_ns == 0) return;
    at = last_written_ns_ + settings.sse_keepalive_ns;
  } else if (answer_ == AnswerKind::folded && state_ == State::answering) {
    at = last_written_ns_ + kSpaceNs;
  } else if (answer_ == AnswerKind::folded && race_ && settings.early_headers_ns != 0) {
    at = race_->deadline_ns() + settings.early_headers_ns;
  }
  if (at != race::kNever) worker_.reactor().timers().set(tick_timer_, at);
}

void Exchange::on_tick_timer() {
  if (client_ == nullptr) return;
  const uint64_t now = now_ns();
  if (answer_ == AnswerKind::stream) {
    if (now >= last_written_ns_ + worker_.settings().sse_keepalive_ns &&
        answering_leg_->between_frames()) {
      worker_.metrics().add(metrics::Counter::keepalive_comments);
      relay(kComment);
    } else if (now >= last_written_ns_ + worker_.settings().sse_keepalive_ns) {
      last_written_ns_ = now;  // in the middle of a frame: look again after the same time
    }
  } else if (answer_ == AnswerKind::folded) {
    if (state_ != State::answering) {
      worker_.metrics().add(metrics::Counter::early_headers);
      begin_routed(*answering_leg_, {.status = 200, .content_type = kJson});
    }
    if (now >= last_written_ns_ + kSpaceNs || last_written_ns_ == now) relay(" ");
  }
  if (state_ == State::answering) arm_tick();
}

}  // namespace flexd::front
