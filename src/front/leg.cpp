#include "leg.hpp"

#include <array>

#include "exchange.hpp"
#include "flexd/base/ascii.hpp"
#include "flexd/base/limits.hpp"
#include "provider_fields.hpp"
#include "worker.hpp"

namespace flexd::front {
namespace {

// is_event_stream and is_json judge a content-type, parameters aside.
bool has_media_type(std::string_view value, std::string_view type) {
  const std::string_view media = value.substr(0, value.find(';'));
  size_t end = media.size();
  while (end > 0 && (media[end - 1] == ' ' || media[end - 1] == '\t')) --end;
  return iequals(media.substr(0, end), type);
}

// is_encoded: the body is not the text that its type says. flexd asks for none such.
bool is_encoded(const http::FieldList& fields) {
  const std::string_view coding = fields.value("content-encoding");
  return !coding.empty() && !iequals(coding, "identity");
}

race::Loss loss_of(surface::Refusal refusal) {
  switch (refusal) {
    case surface::Refusal::capacity:
      return race::Loss::capacity;
    case surface::Refusal::conversation_locked:
      return race::Loss::conversation_locked;
    case surface::Refusal::upstream_error:
      return race::Loss::upstream_error;
  }
  return race::Loss::upstream_error;
}

}  // namespace

Leg::Leg(Exchange& exchange, race::Tier tier, BlockPool& pool)
    : exchange_(exchange),
      tier_(tier),
      pool_(pool),
      attempt_(*this),
      scanner_(pool, {.frame_bytes_max = limits::kFoldBytesMax}),
      tap_(pool),
      fold_(pool),
      translation_(pool),
      fields_(pool),
      held_(pool),
      translated_(pool),
      object_(pool),
      final_(pool) {}

void Leg::start(origin::Pool& pool, const origin::AttemptRequest& request, bool streamed) {
  attempt_.cancel();
  release();
  signal_.reset();
  facts_ = {};
  judgement_ = Judgement::none;
  status_ = final_status_ = 0;
  last_failure_ = origin::FailureKind::reset;
  withheld_bytes_ = 0;
  streamed_ = streamed;
  is_stream_ = is_json_ = is_encoded_ = has_length_ = ended_ = failed_ = false;
  part_open_ = overflowed_ = lost_ = reported_ = reported_final_ = counted_ = false;
  writable_ = true;
  mode_ = Mode::judging;
  const account::Clock now = exchange_.clock();
  sent_ns_ = now.monotonic_ns;
  sent_at_s_ = now.unix_s;
  attempt_.start(pool, request);
}

void Leg::cancel() {
  attempt_.cancel();
  mode_ = Mode::over;
}

void Leg::release() {
  fields_.clear();
  tap_.stop();
  fold_.reset();
  translation_.release();
  held_.clear();
  translated_.clear();
  object_.clear();
  final_.clear();
  scanner_ = sse::Scanner(pool_, {.frame_bytes_max = limits::kFoldBytesMax});
}

void Leg::on_head(const http::ResponseHead& head) {
  status_ = head.status;
  has_length_ = head.framing == http::Framing::length;
  content_length_ = head.content_length;
  const std::string_view type = head.fields.value("content-type");
  is_stream_ = streamed_ && status_ == 200 && has_media_type(type, "text/event-stream");
  is_json_ = has_media_type(type, "application/json");
  is_encoded_ = is_json_ && is_encoded(head.fields);
  keep_downstream_fields(head.fields, exchange_.provider(), fields_);
  // Not before: memory that lies idle while the provider works is no longer in a cache.
  if (exchange_.is_translated() && !translation_.begin(exchange_.answer_context(*this))) {
    overflowed_ = true;  // told at the first byte of the answer
  }
  if (mode_ != Mode::judging) return;
  if (exchange_.is_race()) {
    // A refusal of the standard attempt is the answer; no more of it is needed to know that, unless
    // it may be a conversation that is still locked.
    if (!is_stream_ && status_ != 200 && tier_ == race::Tier::standard &&
        !exchange_.has_conversation()) {
      report_lost(race::Loss::upstream_error, true);
    }
    return;
  }
  exchange_.on_leg_head(*this);
}

void Leg::on_body(std::string_view bytes) {
  if (mode_ == Mode::over) {
    attempt_.consume(bytes.size());
    return;
  }
  const size_t count = bytes.size();
  if (is_stream_) {
    on_stream_bytes(bytes);
  } else {
    on_plain_bytes(bytes);
  }
  give_credit(count);
}

void Leg::on_stream_bytes(std::string_view bytes) {
  run_ = {};
  delivery_ = bytes;
  progressed_ = false;
  const auto fed = scanner_.feed(bytes, *this);
  flush_run();
  flush_translated();
  if (!fed) overflowed_ = true;
  if (progressed_) exchange_.on_leg_progress(*this);
  if (overflowed_ || lost_) {
    break_off();
    return;
  }
  if (mode_ == Mode::judging) {
    report_judgement();
    // An event that has not ended counts among what is held before the commit.
    if (mode_ == Mode::judging && !reported_ &&
        held_.size() + scanner_.held_bytes() > limits::kHeldEventBytesMax) {
      overflowed_ = true;
      break_off();
    }
  } else if (mode_ == Mode::folding && !final_.empty() && !reported_final_) {
    reported_final_ = true;
    exchange_.on_leg_final(*this);
  }
}

// report_judgement tells the race what the frames so far prove.
void Leg::report_judgement() {
  if (reported_ || judgement_ == Judgement::none) return;
  if (judgement_ == Judgement::refused) {
    report_lost(loss_, true);
    return;
  }
  reported_ = true;
  exchange_.on_leg_started(*this);
}

// report_lost tells the race that this attempt is over before it started. A flex attempt's refusal
// is of no further use; a standard one's may be the answer and goes on being held.
void Leg::report_lost(race::Loss loss, bool answered) {
  reported_ = true;
  if (tier_ == race::Tier::flex) {
    attempt_.cancel();
    release();
    mode_ = Mode::over;
  }
  exchange_.on_leg_lost(*this, loss, answered);
}

void Leg::frame(const sse::Frame& frame) {
  // A frame that was cut short is nothing to a reader, and a failure event must not follow half of
  // one. After the terminal event nothing can go wrong any more.
  if (!frame.terminated && !signal_.ended()) return;
  part_open_ = false;
  if (frame.in_parts || passes_by_name(frame)) {
    progressed_ = true;
    facts_.note_passing();
  } else if (frame.has_data && frame.terminated) {
    const surface::Event event = surface::read_event(exchange_.provider(), frame.event, frame.data);
    const bool unreadable = event.kind == surface::EventKind::none && !event.data.exists() &&
                            !frame.data.empty() && frame.data != "[DONE]";
    if (unreadable && !signal_.ended() && needs_every_event()) lost_ = true;
    judge(event);
  }
  if (exchange_.is_translated()) return;
  if (mode_ == Mode::relaying) {
    relay(frame.raw);
  } else if (mode_ == Mode::judging && exchange_.wants_stream()) {
    hold(frame.raw);
  }
}

// needs_every_event: the answer is put together of what the events bring. Where their bytes are
// relayed, the caller sees for itself; OpenAI's last event has all of an answer.
bool Leg::needs_every_event() const {
  if (exchange_.wants_stream()) return exchange_.is_translated();
  return exchange_.provider() == errors::Provider::gemini;
}

// is_inconsequential tells by an event's name that its data is of no use to anybody here.
bool Leg::is_inconsequential(std::string_view event) const {
  if (exchange_.is_translated()) return false;
  const surface::EventKind kind = surface::kind_of(exchange_.provider(), event);
  return kind == surface::EventKind::progress || kind == surface::EventKind::other;
}

// passes_by_name: once it is decided who answers, an event whose name says that nothing ends with
// it is relayed without a look at its data.
bool Leg::passes_by_name(const sse::Frame& frame) const {
  if (mode_ != Mode::relaying || frame.event.empty() || !frame.has_data) return false;
  return is_inconsequential(frame.event);
}

// judge takes in what an event says, whether or not it is still needed for the race.
void Leg::judge(const surface::Event& event) {
  const bool had_ended = signal_.ended();
  const surface::Signal signal = signal_.feed(event);
  if (translation_.is_active() && event.kind == surface::EventKind::progress) {
    facts_.note_passing();  // its own stream counts its events itself
  } else {
    facts_.note(event);
  }
  if (event.is_meaningful()) progressed_ = true;
  if (judgement_ == Judgement::none) {
    if (signal == surface::Signal::started || signal == surface::Signal::finished) {
      judgement_ = Judgement::started;
    } else if (signal == surface::Signal::failed) {
      judgement_ = Judgement::refused;
      loss_ = loss_of(surface::judge_event(event));
    }
  }
  if (had_ended) return;
  if (!exchange_.wants_stream()) {
    if (!fold_.feed(event)) overflowed_ = true;
  } else if (exchange_.is_translated()) {
    translate(event);
  }
  if (signal_.ended()) on_terminal(event);
}

bool Leg::wants_data(std::string_view event) {
  // While the race is open every event is judged. Afterwards a long event of no consequence may
  // pass in parts; without its name it could be the terminal one.
  if (mode_ != Mode::relaying || event.empty()) return true;
  return !is_inconsequential(event);
}

void Leg::part(std::string_view bytes) {
  part_open_ = true;
  progressed_ = true;
  if (mode_ == Mode::relaying) relay(bytes);
}

void Leg::on_plain_bytes(std::string_view bytes) {
  if (mode_ == Mode::folding) {
    collect(bytes);
    return;
  }
  if (mode_ == Mode::plain) {
    exchange_.on_leg_progress(*this);
    tap_.feed(bytes);
    if (!exchange_.relay(bytes)) writable_ = false;
    return;
  }
  hold(bytes);
  if (overflowed_) {
    break_off();
    return;
  }
  // Enough of a refusal of flex to say what it means; the rest is nobody's.
  if (mode_ == Mode::judging && !reported_ && tier_ == race::Tier::flex && status_ != 200 &&
      held_.size() >= kRefusalReadMax) {
    judge_refusal();
  }
}

// judge_refusal classifies an HTTP refusal by its status and the beginning of its body.
void Leg::judge_refusal() {
  std::array<char, 4096> space;
  const std::string_view body = held_view(space);
  report_lost(loss_of(surface::judge_response(exchange_.provider(), status_, body)), true);
}

void Leg::on_end() {
  ended_ = true;
  if (mode_ == Mode::over) return;
  if (is_stream_) {
    run_ = delivery_ = {};
    discard(scanner_.finish(*this), "the stream has ended; what it could not read is broken");
    flush_run();
    flush_translated();
  }
  if (mode_ == Mode::judging && !reported_) {
    end_of_judging();
    return;
  }
  if (mode_ == Mode::judging) return;  // a held refusal, now whole
  if (mode_ == Mode::folding && !is_stream_) {
    finish_collected();
    return;
  }
  note_passed();
  if (is_stream_ && !signal_.ended()) {
    exchange_.on_leg_broken(*this);
  } else {
    exchange_.on_leg_done(*this);
  }
}

// end_of_judging: the attempt ended while the race had not heard of it.
void Leg::end_of_judging() {
  if (is_stream_) {
    report_judgement();
    if (!reported_) report_lost(race::Loss::not_started, false);
    return;
  }
  if (status_ == 200 && is_json_) {
    // An answer in one piece, though a stream was asked for: it proves its own start.
    reported_ = true;
    exchange_.on_leg_started(*this);
    return;
  }
  if (status_ == 200) {
    report_lost(race::Loss::upstream_error, true);
  } else {
    judge_refusal();
  }
}

void Leg::on_failure(const origin::AttemptFailure& failure) {
  last_failure_ = failure.kind;
  if (mode_ == Mode::over) return;
  if (mode_ == Mode::judging && reported_ && exchange_.is_race()) {
    // A held refusal that broke before it was whole: what is there is not the whole answer.
    if (has_terminal()) {
      ended_ = true;
    } else {
      overflowed_ = true;
    }
    return;
  }
  if (mode_ == Mode::judging) {
    if (failure.never_processed) judgement_ = Judgement::refused;
    report_lost(failure.never_processed ? race::Loss::never_processed : race::Loss::not_started,
                false);
    return;
  }
  if (is_stream_ && signal_.ended()) {
    exchange_.on_leg_done(*this);
  } else {
    exchange_.on_leg_broken(*this);
  }
}

// break_off: a bound was met or something is lost. The attempt counts as broken by the provider.
void Leg::break_off() {
  attempt_.cancel();
  last_failure_ = origin::FailureKind::truncated;
  if (mode_ == Mode::judging && !reported_) {
    report_lost(race::Loss::not_started, false);
  } else {
    exchange_.on_leg_broken(*this);
  }
}

std::string_view Leg::held_view(std::span<char> space) const {
  const std::string_view front = held_.front();
  if (front.size() == held_.size()) return front;
  return {space.data(), held_.copy_out(0, space)};
}

std::string_view Leg::provider_request_id_view() const {
  std::string_view x_request_id;
  std::string_view request_id;
  const auto keep_first = [](std::string_view& first, std::string_view value) {
    if (first.data() == nullptr) first = value;
  };
  fields_.for_each([&](std::string_view name, std::string_view value) {
    if (iequals(name, "x-request-id")) keep_first(x_request_id, value);
    if (iequals(name, "request-id")) keep_first(request_id, value);
  });
  return x_request_id.data() != nullptr ? x_request_id : request_id;
}

}  // namespace flexd::front
