// exchange_race.cpp: attempts on their way: sending, the race's events and actions, the clocks.
#include "exchange.hpp"
#include "flexd/surface/edits.hpp"
#include "provider_fields.hpp"
#include "worker.hpp"

namespace flexd::front {
namespace {

constexpr uint8_t kDirectTriesMax = 3;

// variant_of says which text of upstream_unreachable or upstream_timeout fits a failure.
errors::Error error_of(origin::FailureKind kind) {
  using errors::Code;
  using errors::Variant;
  using origin::FailureKind;
  switch (kind) {
    case FailureKind::name:
      return {.code = Code::upstream_unreachable, .variant = Variant::name_resolution};
    case FailureKind::connect:
      return {.code = Code::upstream_unreachable};
    case FailureKind::tls:
      return {.code = Code::upstream_unreachable, .variant = Variant::tls_handshake};
    case FailureKind::certificate:
      return {.code = Code::upstream_unreachable, .variant = Variant::certificate};
    case FailureKind::protocol:
      return {.code = Code::upstream_unreachable, .variant = Variant::protocol};
    case FailureKind::connect_timeout:
    case FailureKind::tls_timeout:
      return {.code = Code::upstream_timeout, .variant = Variant::connect_timeout};
    case FailureKind::overloaded:
      return {.code = Code::service_unavailable};
    case FailureKind::reset:
    case FailureKind::truncated:
    case FailureKind::unanswered_ping:
      return {.code = Code::upstream_stream_failed};
  }
  return {.code = Code::upstream_unreachable};
}

// loss_word is a loss as the log spells it.
std::string_view loss_word(race::Loss loss) {
  switch (loss) {
    case race::Loss::capacity:
      return "capacity";
    case race::Loss::upstream_error:
      return "upstream_error";
    case race::Loss::not_started:
      return "not_started";
    case race::Loss::never_processed:
      return "never_processed";
    case race::Loss::conversation_locked:
      return "conversation_locked";
  }
  return "";
}

}  // namespace

// route sends the checked request on its way.
void Exchange::route() {
  state_ = State::routing;
  routed_ = true;
  if (facts_.races()) {
    start_race();
  } else {
    start_direct();
  }
}

void Exchange::start_direct() {
  reason_ = race::Reason::tier_direct;
  make_splices();
  send(race::Tier::standard);
}

// make_splices says how each attempt differs from the one body that is held for all.
void Exchange::make_splices() {
  using surface::Tier;
  if (is_translated()) {
    const bool stream = facts_.races() || facts_.stream;
    const Tier tier = facts_.races() ? Tier::standard : facts_.tier;
    if (facts_.races()) splices_[0] = surface::translated_edits(provider(), Tier::flex, stream);
    splices_[1] = surface::translated_edits(provider(), tier, stream);
  } else if (facts_.races()) {
    splices_[0] = surface::race_edits(facts_, Tier::flex);
    splices_[1] = surface::race_edits(facts_, Tier::standard);
  } else {
    splices_[1] = surface::direct_edits(facts_);
  }
}

void Exchange::start_race() {
  make_splices();
  const config::Settings& settings = worker_.settings();
  slot_taken_ = organization_->cells->race_slots.try_acquire(organization_->race_slots);
  if (!slot_taken_) {
    worker_.metrics().add(metrics::Counter::limited, metrics::at(metrics::Limit::race_slots));
  }
  const race::Options options{
      .window_ns = facts_.start_within.duration_ns,
      .patience_ns = patience_ns_,
      .lead_ns = settings.standard_lead_auto ? worker_.standard_starts().lead_ns(facts_.model)
                                             : settings.standard_lead_ns,
      .mode =
          settings.race == config::RaceMode::overlap ? race::Mode::overlap : race::Mode::sequential,
      .conversation = facts_.conversation,
      .slot = slot_taken_};
  race_.emplace(options, complete_ns_);
  flex_.emplace(*this, race::Tier::flex, worker_.reactor().blocks());
  worker_.metrics().change(metrics::Gauge::races_in_flight, 1);
  perform(race_->start(now_ns()));
}

origin::AttemptRequest Exchange::attempt_request(race::Tier tier) {
  const UpstreamFields how = upstream_how();
  upstream_list_.clear();
  list_upstream_fields(upstream_fields_, how, upstream_list_);
  return {.path = worker_.path(provider()),
          .fields = &upstream_list_,
          .body = SplicedReader(is_translated() ? translated_.view() : body_.view(),
                                splices_[tier == race::Tier::flex ? 0 : 1])};
}

void Exchange::send(race::Tier tier) {
  const bool streamed = race_.has_value() || facts_.stream;
  leg(tier).start(worker_.pool(provider()), attempt_request(tier), streamed);
  arm_clock();
}

// perform carries out what the race decided, in order.
void Exchange::perform(const race::Actions& actions) {
  for (const race::Action action : actions) {
    switch (action) {
      case race::Action::send_flex:
        send(race::Tier::flex);
        break;
      case race::Action::send_standard:
        send(race::Tier::standard);
        break;
      case race::Action::cancel_flex:
        cancel_leg(*flex_);
        flex_->release();
        break;
      case race::Action::cancel_standard:
        cancel_leg(standard_);
        standard_.release();
        break;
      case race::Action::commit_flex:
        commit(*flex_);
        break;
      case race::Action::commit_standard:
        commit(standard_);
        break;
      case race::Action::answer_standard:
        answer_refusal(standard_);
        break;
      case race::Action::fail_unreachable:
        fail_unreachable();
        break;
    }
    if (state_ == State::over || state_ == State::settling) return;
  }
  arm_race();
}

// end_race: it is decided; the slot and the timer are free again.
void Exchange::end_race() {
  if (!race_ || race_ended_) return;
  race_ended_ = true;
  reason_ = race_->reason();
  race_timer_.cancel();
  release_slot();
  worker_.metrics().change(metrics::Gauge::races_in_flight, -1);
}

void Exchange::commit(Leg& winner) {
  end_race();
  started_ns_ = now_ns();
  worker_.metrics().observe(metrics::Histogram::start_latency,
                            metrics::at(provider(), tier_of(winner)),
                            started_ns_ - winner.sent_ns());
  if (winner.tier() == race::Tier::standard) {
    worker_.standard_starts().record(facts_.model, started_ns_ - winner.sent_ns());
  }
  answering_leg_ = &winner;
  arm_clock();
  if (winner.is_stream() && facts_.stream) {
    begin_stream(winner);
  } else if (winner.is_stream() || is_translated()) {
    begin_folded(winner);
  } else {
    begin_plain(winner);
  }
}

// answer_refusal: the standard attempt was refused, and that is the answer as it came.
void Exchange::answer_refusal(Leg& refused) {
  end_race();
  answering_leg_ = &refused;
  arm_clock();
  // One that says that it is good, and holds nothing that could be translated, is no answer.
  const bool plain = !refused.is_stream() && !(is_translated() && refused.status() == 200);
  if (plain) {
    begin_plain(refused);
  } else if (refused.is_stream() && facts_.stream) {
    begin_stream(refused);
  } else if (refused.is_stream() && !refused.final_object().empty()) {
    answer_ = AnswerKind::folded;
    answer_final(refused);
  } else {
    fail(provider_error({.code = errors::Code::upstream_stream_failed}));
  }
}

void Exchange::fail_unreachable() {
  end_race();
  fail(provider_error(error_of(standard_.last_failure())));
}

// provider_error puts the provider's name into an error's text.
errors::Error Exchange::provider_error(errors::Error error) const {
  error.detail = errors::provider_name(provider());
  return error;
}

void Exchange::on_leg_started(Leg& leg) {
  if (!race_) return;
  perform(race_->on_started(leg.tier(), now_ns()));
}

void Exchange::on_leg_lost(Leg& leg, race::Loss loss, bool answered) {
  if (leg.last_failure() == origin::FailureKind::protocol) {
    worker_.metrics().add(metrics::Counter::protocol_errors, metrics::at(metrics::Side::origin));
  }
  const bool refused = loss == race::Loss::capacity || loss == race::Loss::upstream_error ||
                       loss == race::Loss::conversation_locked;
  count_attempt(leg, loss == race::Loss::never_processed ? metrics::AttemptResult::never_processed
                     : refused                           ? metrics::AttemptResult::refused
                                                         : metrics::AttemptResult::broken);
  if (loss == race::Loss::never_processed) {
    worker_.metrics().add(metrics::Counter::resent_attempts, metrics::at(provider()));
  }
  if (race_) {
    if (leg.tier() == race::Tier::flex) flex_loss_ = loss_word(loss);
    if (loss == race::Loss::not_started && may_be_billed(leg)) {
      (leg.tier() == race::Tier::flex ? flex_broke_ : standard_broke_) = true;
    }
    perform(race_->on_lost(leg.tier(), loss, answered, now_ns()));
    return;
  }
  if (loss == race::Loss::never_processed && ++direct_tries_ < kDirectTriesMax) {
    send(race::Tier::standard);
    return;
  }
  fail(provider_error(error_of(leg.last_failure())));
}

// may_be_billed: the provider may charge for an attempt that broke off. Gemini may finish what
// nobody listens to any more. OpenAI stops with the stream, and has done nothing before it started.
bool Exchange::may_be_billed(const Leg& leg) const {
  if (!leg.may_have_worked() || leg.has_terminal()) return false;
  return leg.has_started() || provider() == errors::Provider::gemini;
}

// count_broken_legs is for the end: only then is it known whether the attempt beside one that broke
// off was ever sent, and whether it was refused. Without it nobody pays twice.
void Exchange::count_broken_legs() {
  if (flex_broke_ && standard_.may_have_worked()) count_double_bill();
  if (standard_broke_ && flex_->may_have_worked()) count_double_bill();
  flex_broke_ = standard_broke_ = false;
}

void Exchange::count_double_bill() {
  worker_.metrics().add(metrics::Counter::possible_double_bills, metrics::at(provider()));
  ++possible_double_bills_;
}

void Exchange::cancel_leg(Leg& loser) {
  if (!loser.is_open()) return;
  // Gemini may finish and charge for what its caller gave up; OpenAI stops with the stream.
  // Of an answer that has come whole only the end of the stream is given up.
  if (loser.may_have_worked() && !loser.has_terminal() && provider() == errors::Provider::gemini) {
    count_double_bill();
  }
  count_attempt(loser, metrics::AttemptResult::cancelled);
  loser.cancel();
}

void Exchange::cancel_legs() {
  if (flex_) cancel_leg(*flex_);
  cancel_leg(standard_);
  if (race_ && !race_ended_) {
    race_ended_ = true;
    release_slot();
    worker_.metrics().change(metrics::Gauge::races_in_flight, -1);
  }
}

// count_attempt notes how an attempt ended; only the first word on a try counts.
void Exchange::count_attempt(Leg& leg, metrics::AttemptResult result) {
  if (!leg.take_count()) return;
  worker_.metrics().add(metrics::Counter::attempts, metrics::at(provider(), tier_of(leg), result));
}

void Exchange::arm_race() {
  if (!race_ || race_ended_) return;
  const uint64_t wake = race_->wake_ns();
  if (wake == race::kNever) {
    race_timer_.cancel();
  } else {
    worker_.reactor().timers().set(race_timer_, wake);
  }
}

void Exchange::on_race_timer() {
  if (!race_ || race_ended_) return;
  perform(race_->on_time(now_ns()));
}

// arm_clock sets the one clock that runs beside the window: for the first sign of an answer until
// there is one, then for the next meaningful event.
void Exchange::arm_clock() {
  const config::Settings& settings = worker_.settings();
  uint64_t from = now_ns();
  uint64_t allowed = settings.idle_timeout_ns;
  if (answering_leg_ == nullptr) {
    allowed = settings.first_byte_timeout_ns;
    // A flex attempt that still has its window is not under this clock.
    if (race_ && race_->keeps_window(from)) from = race_->deadline_ns();
  } else if (answering_leg_->has_terminal()) {
    // All of it had come before it was decided that it is the answer.
    allowed = kAfterTerminalNs;
  }
  worker_.reactor().timers().set(clock_timer_, from + allowed);
}

void Exchange::on_clock_timer() {
  if (state_ == State::settling) {
    close();
    return;
  }
  if (state_ == State::routing && answering_leg_ == nullptr) {
    fail(provider_error({.code = errors::Code::upstream_timeout}));
    return;
  }
  if (answering_leg_->has_terminal() && state_ == State::answering) {
    // All is said; only the provider's end of stream is missing.
    on_leg_done(*answering_leg_);
    return;
  }
  // The timer is not moved at each event but looked at when it fires.
  const uint64_t due = progress_ns_ + worker_.settings().idle_timeout_ns;
  if (now_ns() < due) {
    worker_.reactor().timers().set(clock_timer_, due);
    return;
  }
  fail_answer(errors::Code::upstream_timeout, errors::Variant::idle_timeout);
}

void Exchange::on_leg_progress(Leg& leg) {
  if (&leg != answering_leg_) return;
  progress_ns_ = now_ns();
  if (leg.has_terminal() && state_ == State::answering) {
    worker_.reactor().timers().set(clock_timer_, progress_ns_ + kAfterTerminalNs);
  }
}

// tier_of is the tier an attempt asks for.
surface::Tier Exchange::tier_of(const Leg& leg) const {
  if (!race_) return facts_.tier;
  return leg.tier() == race::Tier::flex ? surface::Tier::flex : surface::Tier::standard;
}

UpstreamFields Exchange::upstream_how() const {
  return {.provider = provider(),
          .dialect = dialect_,
          .authorization = organization_->authorization(provider()),
          .race = race_.has_value()};
}

}  // namespace flexd::front
