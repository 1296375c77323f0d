#include "flexd/race/race.hpp"

#include <algorithm>

namespace flexd::race {

std::string_view reason_word(Reason reason) {
  switch (reason) {
    case Reason::tier_direct:
      return "tier_direct";
    case Reason::flex_won:
      return "flex_won";
    case Reason::flex_deadline:
      return "flex_deadline";
    case Reason::flex_capacity:
      return "flex_capacity";
    case Reason::flex_upstream_error:
      return "flex_upstream_error";
    case Reason::flex_not_started:
      return "flex_not_started";
    case Reason::flex_slots_full:
      return "flex_slots_full";
  }
  return "";
}

uint64_t window_ns(uint64_t duration_ns, uint64_t patience_ns) {
  if (patience_ns == 0) return duration_ns;
  const uint64_t patience_left_ns =
      patience_ns > kPatienceMarginNs ? patience_ns - kPatienceMarginNs : 0;
  return std::min(duration_ns, std::max(patience_left_ns, kWindowMinNs));
}

namespace {

Reason reason_of(Loss loss) {
  switch (loss) {
    case Loss::capacity:
      return Reason::flex_capacity;
    case Loss::upstream_error:
    case Loss::conversation_locked:
      return Reason::flex_upstream_error;
    case Loss::not_started:
    case Loss::never_processed:
      return Reason::flex_not_started;
  }
  return Reason::flex_not_started;
}

}  // namespace

Race::Race(const Options& options, uint64_t start_ns) : options_(options) {
  const uint64_t window = window_ns(options.window_ns, options.patience_ns);
  deadline_ns_ = start_ns + window;
  standard_ns_ = deadline_ns_ - std::min(options.lead_ns, window / 2);
}

Actions Race::start(uint64_t now_ns) {
  FLEXD_ASSERT(flex_ == Leg::absent && standard_ == Leg::absent && !is_decided());
  Actions actions;
  if (options_.slot) {
    send_flex(actions);
  } else {
    reason_ = Reason::flex_slots_full;
    send_standard(actions, now_ns);
  }
  return actions;
}

Actions Race::on_started(Tier tier, uint64_t /*now_ns*/) {
  Actions actions;
  if (is_decided() || leg(tier) != Leg::open) return actions;
  if (tier == Tier::flex) {
    cancel_standard(actions);
    flex_ = Leg::started;
    reason_ = Reason::flex_won;
    decision_ = Decision::flex;
    actions.add(Action::commit_flex);
  } else {
    cancel_flex(actions);
    standard_ = Leg::started;
    decision_ = Decision::standard;
    actions.add(Action::commit_standard);
  }
  return actions;
}

Actions Race::on_lost(Tier tier, Loss loss, bool answered, uint64_t now_ns) {
  Actions actions;
  if (is_decided() || leg(tier) != Leg::open) return actions;
  if (tier == Tier::flex) {
    on_flex_lost(actions, loss, now_ns);
  } else {
    on_standard_lost(actions, loss, answered, now_ns);
  }
  return actions;
}

void Race::on_flex_lost(Actions& actions, Loss loss, uint64_t now_ns) {
  if (loss == Loss::never_processed && now_ns < flex_limit_ns() &&
      ++flex_unprocessed_ < kTriesMax) {
    send_flex(actions);
    return;
  }
  flex_ = Leg::lost;
  switch (standard_) {
    case Leg::absent:
      reason_ = now_ns < standard_ns_ ? reason_of(loss) : Reason::flex_deadline;
      send_standard(actions, now_ns);
      break;
    case Leg::refused:
      answer_refusal(actions);
      break;
    case Leg::lost:
      fail(actions);
      break;
    default:
      break;  // standard is on its way
  }
}

void Race::on_standard_lost(Actions& actions, Loss loss, bool answered, uint64_t now_ns) {
  if (loss == Loss::never_processed && ++standard_unprocessed_ < kTriesMax) {
    send_standard(actions, now_ns);
    return;
  }
  // Only a lock that a flex attempt of this race may have left behind is worth waiting for.
  if (loss == Loss::conversation_locked && options_.conversation && flex_ != Leg::absent &&
      now_ns + kConversationPauseNs <= locked_until_ns_) {
    standard_ = Leg::pausing;
    retry_ns_ = now_ns + kConversationPauseNs;
    return;
  }
  const bool refused = answered || loss == Loss::conversation_locked;
  standard_ = refused ? Leg::refused : Leg::lost;
  if (flex_ != Leg::open) {
    refused ? answer_refusal(actions) : fail(actions);
  } else if (refused && now_ns >= deadline_ns_) {
    cancel_flex(actions);
    answer_refusal(actions);
  }
}

Actions Race::on_time(uint64_t now_ns) {
  Actions actions;
  if (now_ns < wake_ns()) return actions;
  switch (standard_) {
    case Leg::absent:
      if (sequential()) cancel_flex(actions);
      reason_ = Reason::flex_deadline;
      send_standard(actions, now_ns);
      break;
    case Leg::pausing:
      send_standard(actions, now_ns);
      break;
    case Leg::refused:
      cancel_flex(actions);
      answer_refusal(actions);
      break;
    default:
      break;  // at kNever itself
  }
  return actions;
}

Actions Race::on_client_gone() {
  Actions actions;
  if (flex_ == Leg::started) flex_ = Leg::open;
  if (standard_ == Leg::started) standard_ = Leg::open;
  cancel_flex(actions);
  cancel_standard(actions);
  if (!is_decided()) decision_ = Decision::client_gone;
  return actions;
}

uint64_t Race::wake_ns() const {
  if (is_decided()) return kNever;
  switch (standard_) {
    case Leg::absent:
      return flex_ == Leg::open ? standard_ns_ : kNever;
    case Leg::pausing:
      return retry_ns_;
    case Leg::refused:
      return deadline_ns_;
    default:
      return kNever;
  }
}

void Race::send_flex(Actions& actions) {
  flex_ = Leg::open;
  ++flex_tries_;
  actions.add(Action::send_flex);
}

void Race::send_standard(Actions& actions, uint64_t now_ns) {
  if (standard_tries_ == 0) locked_until_ns_ = now_ns + kConversationRetryNs;
  standard_ = Leg::open;
  ++standard_tries_;
  actions.add(Action::send_standard);
}

void Race::cancel_flex(Actions& actions) {
  if (flex_ != Leg::open) return;
  flex_ = Leg::cancelled;
  actions.add(Action::cancel_flex);
}

void Race::cancel_standard(Actions& actions) {
  if (standard_ != Leg::open) return;
  standard_ = Leg::cancelled;
  actions.add(Action::cancel_standard);
}

void Race::answer_refusal(Actions& actions) {
  decision_ = Decision::refusal;
  actions.add(Action::answer_standard);
}

void Race::fail(Actions& actions) {
  decision_ = Decision::unreachable;
  actions.add(Action::fail_unreachable);
}

}  // namespace flexd::race
