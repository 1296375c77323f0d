// leg_answer.cpp: what becomes of an attempt's answer: held, translated, made whole, relayed.
#include <functional>

#include "exchange.hpp"
#include "flexd/base/limits.hpp"
#include "flexd/surface/answer.hpp"
#include "leg.hpp"

namespace flexd::front {

// translate makes of an event what the caller gets of it.
void Leg::translate(const surface::Event& event) {
  if (overflowed_ || lost_ || !translation_.is_active()) return;
  if (!translation_.feed(event, translated_)) overflowed_ = true;
  if (mode_ == Mode::relaying) return;  // flushed after the delivery
  hold(translated_.view());
  translated_.clear();
}

// on_terminal keeps the object that a caller gets that did not ask to stream.
void Leg::on_terminal(const surface::Event& event) {
  failed_ = event.is_failure();
  if (exchange_.wants_stream()) return;
  final_.clear();
  if (failed_) {
    keep_failure(surface::read_failure(event));
    return;
  }
  final_status_ = 200;
  Buffer& whole = exchange_.is_translated() ? object_ : final_;
  bool kept = fold_.write(event, whole);
  if (kept && exchange_.is_translated() && !object_.empty()) {
    kept = translation_.is_active() && translation_.translate_object(object_.view(), final_);
    object_.clear();
  }
  if (!kept) overflowed_ = true;
}

// keep_failure makes the answer of the provider's own failure; of one without a word, nothing.
void Leg::keep_failure(const surface::EventFailure& failure) {
  if (failure.object.empty()) return;
  final_status_ = failure.status;
  if (!final_.append("{\"error\":") || !final_.append(failure.object) || !final_.append("}")) {
    overflowed_ = true;
  }
}

// collect keeps bytes of an object that has to be translated.
void Leg::collect(std::string_view bytes) {
  exchange_.on_leg_progress(*this);
  if (object_.size() + bytes.size() > limits::kFoldBytesMax || !object_.append(bytes)) {
    overflowed_ = true;
    break_off();
  }
}

// finish_collected translates an object that has come as a whole. Only one that the translation did
// not bring to a good end can be a failure of the provider's own.
void Leg::finish_collected() {
  final_.clear();
  final_status_ = 200;
  const bool translated =
      translation_.is_active() && translation_.translate_object(object_.view(), final_);
  const surface::AnswerEnd* const end = translated ? translation_.object_end() : nullptr;
  note_collected(end);
  surface::EventFailure failure;
  if (end == nullptr) {
    const json::Value object = json::Value::front_of(object_.view());
    failure = surface::read_object_failure(exchange_.provider(), object);
  }
  const bool failed = !failure.object.empty();
  const bool told_alone = failed && !exchange_.wants_stream();
  failed_ = failed && !told_alone;  // told in a stream
  if (told_alone) {
    final_.clear();
    keep_failure(failure);
  }
  object_.clear();
  if (told_alone ? overflowed_ : !translated || final_.empty()) {
    final_.clear();
    exchange_.on_leg_broken(*this);
    return;
  }
  exchange_.on_leg_final(*this);
}

// note_collected spares a second walk if the translation came to a good end.
void Leg::note_collected(const surface::AnswerEnd* end) {
  if (end != nullptr) {
    facts_.note_end(end->service_tier, end->usage);
  } else {
    facts_.note_object(exchange_.provider(), object_.view());
  }
}

void Leg::answer_stream() {
  mode_ = Mode::relaying;
  write_held();
  if (ended_ || !attempt_.is_open()) settle_ended();
}

void Leg::answer_folded() {
  mode_ = Mode::folding;
  if (is_stream_) return;
  while (!held_.empty() && !overflowed_) {
    const std::string_view front = held_.front();
    if (!object_.append(front)) overflowed_ = true;
    held_.consume(front.size());
  }
  if (overflowed_ || (!attempt_.is_open() && !ended_)) {
    exchange_.on_leg_broken(*this);
  } else if (ended_) {
    finish_collected();
  }
}

void Leg::answer_plain() {
  mode_ = Mode::plain;
  if (is_readable()) tap_.begin(exchange_.provider());
  write_held();
  if (ended_ || !attempt_.is_open()) settle_ended();
}

// note_passed takes what the tap has found in an answer that has passed whole.
void Leg::note_passed() {
  if (mode_ == Mode::plain && is_readable()) facts_.note_end(tap_.service_tier(), tap_.usage());
}

// settle_ended: everything had come before it was decided that it is the answer.
void Leg::settle_ended() {
  note_passed();
  if (!ended_ || overflowed_ || lost_ || (is_stream_ && !signal_.ended())) {
    exchange_.on_leg_broken(*this);
  } else {
    exchange_.on_leg_done(*this);
  }
}

errors::StreamPosition Leg::position() const {
  if (translation_.is_active()) return translation_.position();
  return {.id = facts_.id(),
          .model = facts_.model(),
          .sequence_number = facts_.next_sequence_number(),
          .created_at_s = facts_.created_at_s()};
}

void Leg::hold(std::string_view bytes) {
  if (held_.size() + bytes.size() > limits::kHeldEventBytesMax || !held_.append(bytes)) {
    overflowed_ = true;
  }
}

void Leg::write_held() {
  while (!held_.empty()) {
    const std::string_view front = held_.front();
    tap_.feed(front);
    if (!exchange_.relay(front)) writable_ = false;
    held_.consume(front.size());
  }
}

// relay gathers what is contiguous, so that a delivery of many events is written once.
void Leg::relay(std::string_view bytes) {
  const bool in_delivery = std::less_equal<>()(delivery_.data(), bytes.data()) &&
                           std::less<>()(bytes.data(), delivery_.data() + delivery_.size());
  if (!in_delivery) {
    // Collected by the scanner over several deliveries: gone after this call.
    flush_run();
    if (!bytes.empty() && !exchange_.relay(bytes)) writable_ = false;
    return;
  }
  if (!run_.empty() && run_.data() + run_.size() == bytes.data()) {
    run_ = {run_.data(), run_.size() + bytes.size()};
    return;
  }
  flush_run();
  run_ = bytes;
}

void Leg::flush_run() {
  if (run_.empty()) return;
  const std::string_view run = run_;
  run_ = {};
  if (!exchange_.relay(run)) writable_ = false;
}

// flush_translated writes what this delivery's events were translated into.
void Leg::flush_translated() {
  if (translated_.empty()) return;
  if (!exchange_.relay(translated_.view())) writable_ = false;
  translated_.clear();
}

void Leg::give_credit(size_t count) {
  if (writable_) {
    attempt_.consume(count);
  } else {
    withheld_bytes_ += count;
  }
}

void Leg::on_drained() {
  writable_ = true;
  attempt_.consume(withheld_bytes_);
  withheld_bytes_ = 0;
}

}  // namespace flexd::front
