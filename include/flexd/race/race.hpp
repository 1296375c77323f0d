// race.hpp: the start deadline as a pure state machine. Events and a time go in, actions come out.
//
// One Race decides for one request with a duration: when the flex attempt is given up, when the
// standard attempt goes out, which of them answers and why. It reads no clock, does no I/O and
// knows no provider: the owner (front/exchange) translates the attempts' progress into events,
// performs the actions in the order given, and wakes the race at `wake_ns`.
//
//   flex ──started──────────────────────────────> commit flex        (flex_won)
//    │ └─refused/broken─> standard at once ─────> commit standard    (flex_capacity, …)
//    └─window closes────> standard beside it ───> whoever starts first
//
// Where the attempts disagree, the rules are these:
// - The reason is fixed when the standard attempt first goes out. A flex attempt that is lost later
//   does not change it.
// - A standard attempt that is refused is the answer, unless a flex attempt still has a part of its
//   window: then the refusal is held until flex starts, is lost or the window closes.
// - A standard attempt that is lost without any answer leaves the field to a flex attempt that is
//   still open, also after the window: it may yet answer, and there is nothing better to tell the
//   caller. From then on only the owner's first-byte clock ends the wait.
// - An attempt that was never processed goes out again on its tier, kTriesMax times in all: flex
//   only while it has its window, standard always. After that it counts as not started.
// - In sequential mode only one attempt is open at any time. With a lead, flex is then cancelled
//   when the lead begins.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "flexd/base/assert.hpp"

namespace flexd::race {

inline constexpr uint64_t kSecondNs = 1'000'000'000;
// kNever is the wake time of a race that waits for events only.
inline constexpr uint64_t kNever = UINT64_MAX;
// kWindowMinNs: the client's own patience never shortens a window below this.
inline constexpr uint64_t kWindowMinNs = 5 * kSecondNs;
// kPatienceMarginNs is taken off the patience a client states.
inline constexpr uint64_t kPatienceMarginNs = 30 * kSecondNs;
// kConversationRetryNs: how long a standard attempt refused because the conversation is still
// locked by the flex attempt is repeated, counted from the first time it went out;
// kConversationPauseNs is the pause between tries.
inline constexpr uint64_t kConversationRetryNs = 3 * kSecondNs;
inline constexpr uint64_t kConversationPauseNs = kSecondNs / 4;
// kTriesMax is how often an attempt goes out because it was never processed, the first included.
inline constexpr uint32_t kTriesMax = 3;

// Tier is the tier of one attempt of a race.
enum class Tier : uint8_t { flex, standard };

// Reason is the routing reason of an answer (x-flexinference-routing-reason).
enum class Reason : uint8_t {
  tier_direct,          // no race was asked for
  flex_won,             // the flex attempt started first
  flex_deadline,        // standard answers: the window closed (or its lead began)
  flex_capacity,        // flex was refused for capacity
  flex_upstream_error,  // any other refusal or failure event of flex
  flex_not_started,     // no connection, or flex ended or was reset without an answer
  flex_slots_full,      // the organization is at its limit of concurrent races
};
inline constexpr size_t kReasonCount = 7;
// reason_word is the reason as the header, the log and the metrics spell it.
std::string_view reason_word(Reason reason);

// Loss says how an attempt ended before it started.
enum class Loss : uint8_t {
  capacity,             // refused: no flex capacity
  upstream_error,       // refused or failed otherwise, by the provider's word
  not_started,          // no connection, reset, timed out, or the end of the stream without a word
  never_processed,      // provably not processed (no byte written, REFUSED_STREAM, above GOAWAY)
  conversation_locked,  // refused because the conversation is still in use
};

// Mode says what happens to the flex attempt when the window closes.
enum class Mode : uint8_t { overlap, sequential };

struct Options {
  uint64_t window_ns = 0;     // the caller's duration
  uint64_t patience_ns = 0;   // what the client states, 0 if it does not
  uint64_t lead_ns = 0;       // --standard-lead, already resolved for `auto`
  Mode mode = Mode::overlap;  // always sequential with a conversation
  bool conversation = false;
  bool slot = true;  // false: no race slot was free; standard goes out at once
};

// window_ns is how long flex may take to start: the caller's duration, shortened (never lengthened)
// by the client's patience less kPatienceMarginNs, but not below kWindowMinNs.
uint64_t window_ns(uint64_t duration_ns, uint64_t patience_ns);

// Action is what the owner has to do.
enum class Action : uint8_t {
  send_flex,        // open the flex attempt (again)
  send_standard,    // open the standard attempt (again); a refusal of it kept so far is dropped
  cancel_flex,      // RST_STREAM(CANCEL); the attempt gives no further event
  cancel_standard,  // likewise
  commit_flex,      // flex answers: release its held events, relay the rest
  commit_standard,
  answer_standard,   // the standard attempt's refusal (or failure event) is the answer as it came
  fail_unreachable,  // nothing answered: the owner's own error for the standard attempt's failure
};

// Actions is a short list, to be performed in order.
inline constexpr size_t kActionsMax = 2;
class Actions {
 public:
  void add(Action action) {
    FLEXD_ASSERT(count_ < kActionsMax);
    items_[count_++] = action;
  }
  const Action* begin() const { return items_.data(); }
  const Action* end() const { return items_.data() + count_; }
  size_t size() const { return count_; }
  bool empty() const { return count_ == 0; }
  Action operator[](size_t index) const { return items_[index]; }

 private:
  std::array<Action, kActionsMax> items_{};
  size_t count_ = 0;
};

// Leg is the state of an attempt as the race sees it.
enum class Leg : uint8_t {
  absent,     // never sent
  open,       // sent, not started
  pausing,    // standard only: refused with a locked conversation, to be sent again
  refused,    // standard only: its refusal is held, or was the answer
  started,    // committed
  lost,       // over, without an answer that is of use
  cancelled,  // by the race
};

// Decision is how a race ended.
enum class Decision : uint8_t {
  none,         // still running
  flex,         // commit_flex
  standard,     // commit_standard
  refusal,      // answer_standard
  unreachable,  // fail_unreachable
  client_gone,  // the caller left before anything was decided
};

class Race {
 public:
  // A race whose request was complete at `start_ns`: the clock starts there.
  Race(const Options& options, uint64_t start_ns);

  // start gives the first action. Called once.
  Actions start(uint64_t now_ns);

  // The three events below are for attempts that are open; others, and any after the decision, are
  // ignored. `now_ns` never goes back.

  // on_started: the provider's events prove that the attempt's work has begun.
  Actions on_started(Tier tier, uint64_t now_ns);
  // on_lost: the attempt ended before it started. `answered` says that the provider said what is
  // wrong, by an HTTP error or a failure event, so that it can be the answer; it matters for
  // standard only, and the owner keeps that answer until answer_standard or send_standard.
  Actions on_lost(Tier tier, Loss loss, bool answered, uint64_t now_ns);
  // on_time: the time `wake_ns` asked for has come (calling early does nothing).
  Actions on_time(uint64_t now_ns);

  // on_client_gone: every open attempt is cancelled, a committed one too; the race is over. For use
  // until the answer is complete; a second call does nothing.
  Actions on_client_gone();

  // wake_ns is when on_time must next be called, kNever if only events matter.
  uint64_t wake_ns() const;
  // deadline_ns is when the window closes; standard_ns when the standard attempt is due at the
  // latest (the deadline less the lead).
  uint64_t deadline_ns() const { return deadline_ns_; }
  uint64_t standard_ns() const { return standard_ns_; }
  // keeps_window tells whether the flex attempt may still use a part of its window at `now_ns`: the
  // owner's first-byte clock does not run for it then.
  bool keeps_window(uint64_t now_ns) const {
    return flex_ == Leg::open && now_ns < flex_limit_ns();
  }

  bool is_decided() const { return decision_ != Decision::none; }
  Decision decision() const { return decision_; }
  // reason of the answer; meaningful once decided, except for client_gone.
  Reason reason() const { return reason_; }
  Leg leg(Tier tier) const { return tier == Tier::flex ? flex_ : standard_; }
  // tries is how often an attempt of that tier was sent.
  uint32_t tries(Tier tier) const { return tier == Tier::flex ? flex_tries_ : standard_tries_; }

 private:
  bool sequential() const { return options_.conversation || options_.mode == Mode::sequential; }
  // flex_limit_ns is when flex is given up at the latest, if standard answers at all.
  uint64_t flex_limit_ns() const { return sequential() ? standard_ns_ : deadline_ns_; }
  void send_flex(Actions& actions);
  void send_standard(Actions& actions, uint64_t now_ns);
  void cancel_flex(Actions& actions);
  void cancel_standard(Actions& actions);
  void answer_refusal(Actions& actions);
  void fail(Actions& actions);
  void on_flex_lost(Actions& actions, Loss loss, uint64_t now_ns);
  void on_standard_lost(Actions& actions, Loss loss, bool answered, uint64_t now_ns);

  Options options_;
  uint64_t deadline_ns_;
  uint64_t standard_ns_;
  uint64_t locked_until_ns_ = 0;  // the end of the tries against a locked conversation
  uint64_t retry_ns_ = kNever;    // when a pausing standard attempt goes out again
  uint32_t flex_tries_ = 0;
  uint32_t standard_tries_ = 0;
  uint32_t flex_unprocessed_ = 0;
  uint32_t standard_unprocessed_ = 0;
  Leg flex_ = Leg::absent;
  Leg standard_ = Leg::absent;
  Reason reason_ = Reason::flex_won;
  Decision decision_ = Decision::none;
};

}  // namespace flexd::race
