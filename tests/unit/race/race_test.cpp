#include "flexd/race/race.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "script.hpp"

namespace flexd::race {
namespace {

constexpr uint64_t kStartNs = 1'000 * kSecondNs;
constexpr uint64_t kMs = 1'000'000;

// Step is an event at a time after the start, and the actions it must lead to.
struct Step {
  uint64_t at_ms;
  const char* event;
  const char* actions;
};

struct Case {
  const char* id;
  Options options;
  std::vector<Step> steps;
  Decision decision;
  Reason reason;
};

Options overlap(uint64_t window_s, uint64_t lead_s = 0) {
  Options options;
  options.window_ns = window_s * kSecondNs;
  options.lead_ns = lead_s * kSecondNs;
  return options;
}

Options sequential(uint64_t window_s, uint64_t lead_s = 0) {
  Options options = overlap(window_s, lead_s);
  options.mode = Mode::sequential;
  return options;
}

Options conversation(uint64_t window_s) {
  Options options = overlap(window_s);
  options.conversation = true;
  return options;
}

Options no_slot(uint64_t window_s, bool with_conversation = false) {
  Options options = overlap(window_s);
  options.slot = false;
  options.conversation = with_conversation;
  return options;
}

void run(const Case& test) {
  CAPTURE(test.id);
  Race race(test.options, kStartNs);
  const Actions first = race.start(kStartNs);
  CHECK(words_of(first) == (test.options.slot ? "send-flex" : "send-standard"));
  for (const Step& step : test.steps) {
    CAPTURE(step.at_ms);
    CAPTURE(step.event);
    CHECK(words_of(apply(race, step.event, kStartNs + step.at_ms * kMs)) == step.actions);
  }
  CHECK(race.decision() == test.decision);
  if (test.decision != Decision::none && test.decision != Decision::client_gone) {
    CHECK(std::string(reason_word(race.reason())) == std::string(reason_word(test.reason)));
  }
  if (race.is_decided()) CHECK(race.wake_ns() == kNever);
}

TEST_CASE("race: flex starts or is lost inside its window") {
  const std::vector<Case> cases = {
      {"6.3-flex-starts-in-time",
       overlap(30),
       {{29'999, "flex started", "commit-flex"}},
       Decision::flex,
       Reason::flex_won},
      {"6.4-capacity-standard-at-once",
       overlap(30),
       {{100, "flex capacity", "send-standard"}, {900, "standard started", "commit-standard"}},
       Decision::standard,
       Reason::flex_capacity},
      {"6.4-upstream-error-standard-at-once",
       overlap(30),
       {{100, "flex error", "send-standard"}, {900, "standard started", "commit-standard"}},
       Decision::standard,
       Reason::flex_upstream_error},
      {"6.4-not-started-standard-at-once",
       overlap(30),
       {{100, "flex lost", "send-standard"}, {900, "standard started", "commit-standard"}},
       Decision::standard,
       Reason::flex_not_started},
      {"6.4-locked-flex-is-an-upstream-error",
       conversation(30),
       {{100, "flex locked", "send-standard"}, {900, "standard started", "commit-standard"}},
       Decision::standard,
       Reason::flex_upstream_error},
      {"6.4-reason-stays-past-the-window",
       overlap(5),
       {{100, "flex capacity", "send-standard"},
        {5'000, "time", ""},
        {9'000, "standard started", "commit-standard"}},
       Decision::standard,
       Reason::flex_capacity},
      {"6.4-never-processed-is-sent-again",
       overlap(30),
       {{1, "flex unprocessed", "send-flex"}, {200, "flex started", "commit-flex"}},
       Decision::flex,
       Reason::flex_won},
      {"6.4-never-processed-three-times",
       overlap(30),
       {{1, "flex unprocessed", "send-flex"},
        {2, "flex unprocessed", "send-flex"},
        {3, "flex unprocessed", "send-standard"},
        {9, "standard started", "commit-standard"}},
       Decision::standard,
       Reason::flex_not_started},
      {"6.4-never-processed-again-then-capacity",
       overlap(30),
       {{1, "flex unprocessed", "send-flex"},
        {2, "flex capacity", "send-standard"},
        {9, "standard started", "commit-standard"}},
       Decision::standard,
       Reason::flex_capacity},
      {"6.4-never-processed-standard-is-sent-again",
       overlap(30),
       {{1, "flex capacity", "send-standard"},
        {2, "standard unprocessed", "send-standard"},
        {3, "standard unprocessed", "send-standard"},
        {4, "standard unprocessed", "fail"}},
       Decision::unreachable,
       Reason::flex_capacity},
      {"6.4-never-processed-not-after-the-window",
       overlap(5),
       {{5'000, "time", "send-standard"},
        {5'100, "flex unprocessed", ""},
        {5'200, "standard started", "commit-standard"}},
       Decision::standard,
       Reason::flex_deadline},
      {"6.4-lost-as-the-window-closes",
       overlap(5),
       {{5'000, "flex capacity", "send-standard"}, {5'200, "standard started", "commit-standard"}},
       Decision::standard,
       Reason::flex_deadline},
  };
  for (const Case& test : cases) run(test);
}

TEST_CASE("race: the window closes, overlap") {
  const std::vector<Case> cases = {
      {"6.5-standard-goes-out-at-the-deadline",
       overlap(5),
       {{4'999, "time", ""},
        {5'000, "time", "send-standard"},
        {5'400, "standard started", "cancel-flex commit-standard"}},
       Decision::standard,
       Reason::flex_deadline},
      {"6.5-flex-wins-after-the-window",
       overlap(5),
       {{5'000, "time", "send-standard"}, {5'400, "flex started", "cancel-standard commit-flex"}},
       Decision::flex,
       Reason::flex_won},
      {"6.5-flex-starts-before-a-late-timer",
       overlap(5),
       {{5'003, "flex started", "commit-flex"}, {5'004, "time", ""}},
       Decision::flex,
       Reason::flex_won},
      {"6.5-flex-lost-later-keeps-the-reason",
       overlap(5),
       {{5'000, "time", "send-standard"},
        {5'100, "flex capacity", ""},
        {5'400, "standard started", "commit-standard"}},
       Decision::standard,
       Reason::flex_deadline},
      {"6.6-refusal-is-the-answer",
       overlap(5),
       {{5'000, "time", "send-standard"}, {5'100, "standard error", "cancel-flex answer-standard"}},
       Decision::refusal,
       Reason::flex_deadline},
      {"6.6-refusal-without-flex",
       overlap(5),
       {{100, "flex error", "send-standard"}, {200, "standard error", "answer-standard"}},
       Decision::refusal,
       Reason::flex_upstream_error},
      {"6.5-standard-unanswered-leaves-flex",
       overlap(5),
       {{5'000, "time", "send-standard"},
        {5'100, "standard lost", ""},
        {60'000, "time", ""},
        {70'000, "flex started", "commit-flex"}},
       Decision::flex,
       Reason::flex_won},
      {"6.5-both-unanswered",
       overlap(5),
       {{5'000, "time", "send-standard"},
        {5'100, "standard lost", ""},
        {6'000, "flex capacity", "fail"}},
       Decision::unreachable,
       Reason::flex_deadline},
      {"6.5-both-unanswered-flex-first",
       overlap(5),
       {{5'000, "time", "send-standard"},
        {5'100, "flex lost", ""},
        {6'000, "standard lost", "fail"}},
       Decision::unreachable,
       Reason::flex_deadline},
      {"6.6-refused-after-flex-was-lost",
       overlap(5),
       {{5'000, "time", "send-standard"},
        {5'100, "flex lost", ""},
        {6'000, "standard error", "answer-standard"}},
       Decision::refusal,
       Reason::flex_deadline},
  };
  for (const Case& test : cases) run(test);
}

TEST_CASE("race: standard goes out early (lead)") {
  const std::vector<Case> cases = {
      {"6.5-lead-opens-standard-early",
       overlap(20, 3),
       {{16'999, "time", ""},
        {17'000, "time", "send-standard"},
        {18'000, "standard started", "cancel-flex commit-standard"}},
       Decision::standard,
       Reason::flex_deadline},
      {"6.5-lead-flex-still-wins",
       overlap(20, 3),
       {{17'000, "time", "send-standard"}, {18'000, "flex started", "cancel-standard commit-flex"}},
       Decision::flex,
       Reason::flex_won},
      {"6.5-lead-is-at-most-half",
       overlap(20, 19),
       {{9'999, "time", ""}, {10'000, "time", "send-standard"}},
       Decision::none,
       Reason::flex_deadline},
      {"6.6-lead-refusal-is-held-flex-starts",
       overlap(20, 3),
       {{17'000, "time", "send-standard"},
        {17'500, "standard error", ""},
        {19'999, "time", ""},
        {19'999, "flex started", "commit-flex"}},
       Decision::flex,
       Reason::flex_won},
      {"6.6-lead-refusal-is-held-to-the-deadline",
       overlap(20, 3),
       {{17'000, "time", "send-standard"},
        {17'500, "standard error", ""},
        {20'000, "time", "cancel-flex answer-standard"}},
       Decision::refusal,
       Reason::flex_deadline},
      {"6.6-lead-refusal-is-held-flex-lost",
       overlap(20, 3),
       {{17'000, "time", "send-standard"},
        {17'500, "standard error", ""},
        {18'000, "flex capacity", "answer-standard"}},
       Decision::refusal,
       Reason::flex_deadline},
      {"6.6-lead-refusal-held-flex-sent-again",
       overlap(20, 3),
       {{17'000, "time", "send-standard"},
        {17'500, "standard error", ""},
        {18'000, "flex unprocessed", "send-flex"},
        {20'000, "time", "cancel-flex answer-standard"}},
       Decision::refusal,
       Reason::flex_deadline},
      {"6.6-lead-refusal-after-the-deadline",
       overlap(20, 3),
       {{17'000, "time", "send-standard"},
        {20'500, "standard error", "cancel-flex answer-standard"}},
       Decision::refusal,
       Reason::flex_deadline},
      {"6.4-lead-never-processed-flex-both-open",
       overlap(20, 3),
       {{17'000, "time", "send-standard"},
        {17'500, "flex unprocessed", "send-flex"},
        {18'000, "flex started", "cancel-standard commit-flex"}},
       Decision::flex,
       Reason::flex_won},
      {"6.5-lead-unanswered-then-flex-lost",
       overlap(20, 3),
       {{17'000, "time", "send-standard"},
        {17'500, "standard lost", ""},
        {18'000, "flex lost", "fail"}},
       Decision::unreachable,
       Reason::flex_deadline},
      {"6.4-lead-not-reached",
       overlap(20, 3),
       {{16'000, "flex capacity", "send-standard"},
        {17'000, "time", ""},
        {18'000, "standard started", "commit-standard"}},
       Decision::standard,
       Reason::flex_capacity},
  };
  for (const Case& test : cases) run(test);
}

TEST_CASE("race: sequential and conversation") {
  const std::vector<Case> cases = {
      {"6.5-sequential-cancels-first",
       sequential(5),
       {{5'000, "time", "cancel-flex send-standard"},
        {5'400, "flex started", ""},
        {5'500, "standard started", "commit-standard"}},
       Decision::standard,
       Reason::flex_deadline},
      {"6.5-sequential-lead",
       sequential(20, 3),
       {{17'000, "time", "cancel-flex send-standard"},
        {17'500, "standard error", "answer-standard"}},
       Decision::refusal,
       Reason::flex_deadline},
      {"6.4-sequential-never-processed-in-the-lead",
       sequential(20, 3),
       {{16'000, "flex unprocessed", "send-flex"},
        {17'000, "flex unprocessed", "send-standard"},
        {18'000, "standard started", "commit-standard"}},
       Decision::standard,
       Reason::flex_deadline},
      {"6.5-conversation-is-sequential",
       conversation(5),
       {{5'000, "time", "cancel-flex send-standard"},
        {5'400, "standard started", "commit-standard"}},
       Decision::standard,
       Reason::flex_deadline},
      {"6.5-conversation-locked-then-free",
       conversation(5),
       {{5'000, "time", "cancel-flex send-standard"},
        {5'100, "standard locked", ""},
        {5'349, "time", ""},
        {5'350, "time", "send-standard"},
        {5'400, "standard locked", ""},
        {5'650, "time", "send-standard"},
        {5'900, "standard started", "commit-standard"}},
       Decision::standard,
       Reason::flex_deadline},
      {"6.5-conversation-locked-for-three-seconds",
       conversation(5),
       {{5'000, "time", "cancel-flex send-standard"},
        {7'750, "standard locked", ""},
        {8'000, "time", "send-standard"},
        {8'001, "standard locked", "answer-standard"}},
       Decision::refusal,
       Reason::flex_deadline},
      {"6.5-conversation-locked-after-a-flex-refusal",
       conversation(5),
       {{1'000, "flex capacity", "send-standard"},
        {1'100, "standard locked", ""},
        {1'350, "time", "send-standard"},
        {1'400, "standard started", "commit-standard"}},
       Decision::standard,
       Reason::flex_capacity},
      {"6.5-conversation-other-refusal-is-final",
       conversation(5),
       {{5'000, "time", "cancel-flex send-standard"},
        {5'100, "standard locked", ""},
        {5'350, "time", "send-standard"},
        {5'400, "standard error", "answer-standard"}},
       Decision::refusal,
       Reason::flex_deadline},
      {"6.5-locked-by-somebody-else",
       no_slot(5, true),
       {{100, "standard locked", "answer-standard"}},
       Decision::refusal,
       Reason::flex_slots_full},
      {"6.5-locked-without-a-conversation",
       overlap(5),
       {{100, "flex capacity", "send-standard"}, {200, "standard locked", "answer-standard"}},
       Decision::refusal,
       Reason::flex_capacity},
  };
  for (const Case& test : cases) run(test);
}

TEST_CASE("race: no slot, and callers that leave") {
  const std::vector<Case> cases = {
      {"6-slots-full",
       no_slot(30),
       {{200, "standard started", "commit-standard"}},
       Decision::standard,
       Reason::flex_slots_full},
      {"6-slots-full-refused",
       no_slot(30),
       {{200, "standard error", "answer-standard"}},
       Decision::refusal,
       Reason::flex_slots_full},
      {"6-slots-full-unreachable",
       no_slot(30),
       {{200, "standard lost", "fail"}},
       Decision::unreachable,
       Reason::flex_slots_full},
      {"6.8-gone-with-flex-open",
       overlap(30),
       {{200, "gone", "cancel-flex"}, {201, "gone", ""}, {300, "flex started", ""}},
       Decision::client_gone,
       Reason::flex_won},
      {"6.8-gone-with-both-open",
       overlap(5),
       {{5'000, "time", "send-standard"}, {5'100, "gone", "cancel-flex cancel-standard"}},
       Decision::client_gone,
       Reason::flex_won},
      {"6.8-gone-with-a-held-refusal",
       overlap(20, 3),
       {{17'000, "time", "send-standard"},
        {17'100, "standard error", ""},
        {17'200, "gone", "cancel-flex"},
        {20'000, "time", ""}},
       Decision::client_gone,
       Reason::flex_won},
      {"6.8-gone-while-pausing",
       conversation(5),
       {{5'000, "time", "cancel-flex send-standard"},
        {5'100, "standard locked", ""},
        {5'200, "gone", ""},
        {5'350, "time", ""}},
       Decision::client_gone,
       Reason::flex_won},
      {"6.8-gone-after-commit-flex",
       overlap(5),
       {{100, "flex started", "commit-flex"}, {200, "gone", "cancel-flex"}, {201, "gone", ""}},
       Decision::flex,
       Reason::flex_won},
      {"6.8-gone-after-commit-standard",
       overlap(5),
       {{5'000, "time", "send-standard"},
        {5'100, "standard started", "cancel-flex commit-standard"},
        {5'200, "gone", "cancel-standard"}},
       Decision::standard,
       Reason::flex_deadline},
      {"6.7-nothing-after-commit",
       overlap(5),
       {{100, "flex started", "commit-flex"},
        {200, "flex lost", ""},
        {300, "standard started", ""},
        {5'000, "time", ""}},
       Decision::flex,
       Reason::flex_won},
  };
  for (const Case& test : cases) run(test);
}

TEST_CASE("race: the client's patience shortens the window and nothing else does") {
  const uint64_t s = kSecondNs;
  CHECK(window_ns(60 * s, 0) == 60 * s);
  CHECK(window_ns(60 * s, 600 * s) == 60 * s);
  CHECK(window_ns(60 * s, 90 * s) == 60 * s);
  CHECK(window_ns(60 * s, 89 * s) == 59 * s);
  CHECK(window_ns(600 * s, 60 * s) == 30 * s);
  CHECK(window_ns(60 * s, 35 * s) == 5 * s);
  CHECK(window_ns(60 * s, 34 * s) == 5 * s);
  CHECK(window_ns(60 * s, 30 * s) == 5 * s);
  CHECK(window_ns(60 * s, 1) == 5 * s);
  CHECK(window_ns(5 * s, 1) == 5 * s);
  CHECK(window_ns(600 * s, UINT64_MAX) == 600 * s);
}

TEST_CASE("race: when to wake") {
  Options options = overlap(60, 100);
  options.patience_ns = 50 * kSecondNs;  // a window of 20 s, a lead of 10 s
  Race race(options, kStartNs);
  race.start(kStartNs);
  CHECK(race.deadline_ns() == kStartNs + 20 * kSecondNs);
  CHECK(race.standard_ns() == kStartNs + 10 * kSecondNs);
  CHECK(race.wake_ns() == race.standard_ns());
  CHECK(race.keeps_window(race.deadline_ns() - 1));
  CHECK(!race.keeps_window(race.deadline_ns()));
  race.on_time(race.standard_ns());
  CHECK(race.wake_ns() == kNever);
  race.on_lost(Tier::standard, Loss::upstream_error, true, race.standard_ns() + 1);
  CHECK(race.wake_ns() == race.deadline_ns());
  CHECK(race.leg(Tier::standard) == Leg::refused);
  CHECK(race.tries(Tier::flex) == 1);
  race.on_time(race.deadline_ns());
  CHECK(race.wake_ns() == kNever);
  CHECK(!race.keeps_window(race.deadline_ns() - 1));
}

TEST_CASE("race: the words of the reasons") {
  CHECK(reason_word(Reason::tier_direct) == "tier_direct");
  CHECK(reason_word(Reason::flex_won) == "flex_won");
  CHECK(reason_word(Reason::flex_deadline) == "flex_deadline");
  CHECK(reason_word(Reason::flex_capacity) == "flex_capacity");
  CHECK(reason_word(Reason::flex_upstream_error) == "flex_upstream_error");
  CHECK(reason_word(Reason::flex_not_started) == "flex_not_started");
  CHECK(reason_word(Reason::flex_slots_full) == "flex_slots_full");
}

}  // namespace
}  // namespace flexd::race
