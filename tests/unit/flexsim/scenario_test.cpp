#include "flexsim/scenario.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace flexd::flexsim;

namespace {

Scenario in_text(std::string_view text, bool is_flex) {
  return find_scenario(text, "", "ok", is_flex);
}

}  // namespace

TEST_CASE("a marker names a scenario and its arguments") {
  const Scenario scenario = in_text(
      R"({"input":"say [flexsim:queue 12s bytes=100 events=7 gap=3ms every=2s tier=default]"})",
      true);
  CHECK(scenario.kind == Kind::queue);
  CHECK(scenario.duration_ns == 12'000'000'000);
  CHECK(scenario.text_bytes == 100);
  CHECK(scenario.events == 7);
  CHECK(scenario.gap_ns == 3'000'000);
  CHECK(scenario.every_ns == 2'000'000'000);
  CHECK(scenario.tier == "default");
}

TEST_CASE("every scenario is found by its name") {
  for (size_t i = 0; i < static_cast<size_t>(Kind::unknown); i++) {
    const Kind kind = static_cast<Kind>(i);
    CAPTURE(kind_name(kind));
    Scope scope = Scope::any;
    CHECK(parse_marker(kind_name(kind), scope).kind == kind);
  }
  Scope scope = Scope::any;
  CHECK(parse_marker("no-such", scope).kind == Kind::unknown);
}

TEST_CASE("a marker for the tier comes before one for all") {
  const std::string_view text = "[flexsim:ok][flexsim:flex refuse][flexsim:standard error 503]";
  CHECK(in_text(text, true).kind == Kind::refuse);
  CHECK(in_text(text, false).kind == Kind::error);
  CHECK(in_text(text, false).number == 503);
}

TEST_CASE("some scenarios are for one tier unless it is named") {
  CHECK(in_text("[flexsim:refuse]", true).kind == Kind::refuse);
  CHECK(in_text("[flexsim:refuse]", false).kind == Kind::ok);
  CHECK(in_text("[flexsim:refuse all]", false).kind == Kind::refuse);
  CHECK(in_text("[flexsim:standard refuse]", false).kind == Kind::refuse);
  CHECK(in_text("[flexsim:queue-forever]", false).kind == Kind::ok);
  CHECK(in_text("[flexsim:slow-standard 2s]", true).kind == Kind::ok);
  CHECK(in_text("[flexsim:slow-standard 2s]", false).duration_ns == 2'000'000'000);
  CHECK(in_text("[flexsim:queue 1s][flexsim:slow-standard 2s]", false).kind == Kind::slow_standard);
}

TEST_CASE("the key holds markers, and the text comes before it") {
  const std::string_view key = "flex_queue_5s__standard_error_429_code=insufficient_quota";
  const Scenario flex = find_scenario("{}", key, "ok", true);
  CHECK(flex.kind == Kind::queue);
  CHECK(flex.duration_ns == 5'000'000'000);
  const Scenario standard = find_scenario("{}", key, "ok", false);
  CHECK(standard.kind == Kind::error);
  CHECK(standard.number == 429);
  CHECK(standard.word == "insufficient_quota");
  CHECK(find_scenario("[flexsim:reasoning]", key, "ok", true).kind == Kind::reasoning);
  CHECK(find_scenario("{}", "", "incomplete", true).kind == Kind::incomplete);
}

TEST_CASE("a marker in the last text comes first") {
  const std::string_view body = "[flexsim:tool-call] ... [flexsim:refusal]";
  CHECK(find_scenario(body, "", "ok", true).kind == Kind::tool_call);
  const Scenario last = find_scenario(body, "", "ok", true, "[flexsim:refusal input=8]");
  CHECK(last.kind == Kind::refusal);
  CHECK(last.in_last_text);
  CHECK(last.input_tokens == 8);
  const Scenario none = find_scenario(body, "", "ok", true, "thanks");
  CHECK(none.kind == Kind::tool_call);
  CHECK_FALSE(none.in_last_text);
  // One for another tier only is none.
  CHECK(find_scenario(body, "", "ok", true, "[flexsim:standard refusal]").kind == Kind::tool_call);
}

TEST_CASE("counted scenarios stop by themselves") {
  CHECK(in_text("[flexsim:refused-stream]", true).times == 1);
  CHECK(in_text("[flexsim:refused-stream 3]", true).times == 3);
  CHECK(in_text("[flexsim:conversation-locked 2]", false).times == 2);
  CHECK(in_text("[flexsim:goaway-before]", true).times == 1);
  CHECK(in_text("[flexsim:die-before-headers times=4 abort]", true).times == 4);
  CHECK(in_text("[flexsim:die-before-headers times=4 abort]", true).death == Death::abort);
  CHECK(in_text("[flexsim:error 500]", true).times == 0);
}

TEST_CASE("text that is no marker is none") {
  CHECK(in_text("[flexsim:error 500", true).kind == Kind::ok);
  CHECK(in_text("[flexsim:]", true).kind == Kind::ok);
  CHECK(in_text("flexsim:error 500]", true).kind == Kind::ok);
  CHECK(in_text("[flexsim:" + std::string(600, 'x') + "]", true).kind == Kind::ok);
}
