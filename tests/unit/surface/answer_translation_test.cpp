#include "flexd/surface/answer_translation.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "answer_cases.hpp"
#include "answer_play.hpp"

namespace flexd::surface {
namespace {

using errors::Dialect;
using errors::Provider;

std::vector<AnswerCase> cases_of(const std::string& file) {
  const char* const directory = std::getenv("FLEXD_CONFORMANCE_DIR");
  REQUIRE(directory != nullptr);
  Words words;
  REQUIRE(read_answer_cases(directory, words, "answer_words.txt").empty());
  return read_answer_cases(directory, words, file);
}

std::string expected_of(const AnswerCase& one) {
  std::string expected;
  for (const AnswerStep& step : one.steps) expected += step.expected;
  return expected;
}

void check_end(const AnswerCase& one, const AnswerPlay& play) {
  CHECK(play.good() == !one.refused);
  if (one.refused) return;
  CHECK(play.ended() == !one.open.has_value());
  if (one.open && one.dialect == Dialect::responses) {
    CHECK(play.position().sequence_number == *one.open);
  }
}

void check_events(const AnswerCase& one) {
  AnswerPlay play(one);
  for (const AnswerStep& step : one.steps) {
    CAPTURE(step.event);
    CHECK(play.feed(step.event) == step.expected);
  }
  check_end(one, play);
}

// check_object: who did not ask for a stream is told the same.
void check_object(const AnswerCase& one) {
  AnswerPlay streamed(one);
  AnswerCase other = one;
  other.stream = false;
  AnswerPlay whole(other);
  for (const AnswerStep& step : one.steps) {
    streamed.feed(step.event);
    whole.feed(step.event);
  }
  CHECK(streamed.ended() == whole.ended());
  if (!streamed.ended()) return;
  if (one.dialect == Dialect::responses) {
    CHECK(streamed.caller().response() == whole.object());
  } else if (!streamed.caller().told().failed) {
    CHECK(streamed.caller().told() == told_by(one.dialect, json::Value{whole.object()}));
  }
}

// check_wire feeds the stream as it comes from a connection, `piece_bytes` at a time.
void check_wire(const AnswerCase& one, const std::string& wire, size_t piece_bytes) {
  CAPTURE(piece_bytes);
  AnswerPlay play(one);
  std::string got;
  for (size_t at = 0; at < wire.size(); at += piece_bytes) {
    got += play.feed_bytes(std::string_view(wire).substr(at, piece_bytes));
  }
  CHECK(got == expected_of(one));
  check_end(one, play);
}

TEST_CASE("conformance/translation/answer_streams.txt") {
  const std::vector<AnswerCase> cases = cases_of("answer_streams.txt");
  std::set<std::string> ids;
  std::map<std::pair<Dialect, Provider>, size_t> pairs;
  for (const AnswerCase& one : cases) {
    CAPTURE(one.id);
    CHECK_MESSAGE(ids.insert(one.id).second, "a second case of that id");
    REQUIRE(!one.whole);
    ++pairs[{one.dialect, one.provider}];
    check_events(one);
    if (one.stream) check_object(one);
    check_wire(one, wire_of(one, "\n"), std::string::npos / 2);
    check_wire(one, wire_of(one, "\n"), 1);
    check_wire(one, wire_of(one, "\r\n"), 7);
  }
  CHECK(cases.size() >= 100);
  CHECK(pairs.size() == 9);  // all but a dialect and its own provider
}

TEST_CASE("conformance/translation/answer_objects.txt") {
  const std::vector<AnswerCase> cases = cases_of("answer_objects.txt");
  std::set<std::string> ids;
  std::map<std::pair<Dialect, Provider>, size_t> pairs;
  for (const AnswerCase& one : cases) {
    CAPTURE(one.id);
    CHECK_MESSAGE(ids.insert(one.id).second, "a second case of that id");
    REQUIRE((one.whole && one.steps.size() == 1));
    ++pairs[{one.dialect, one.provider}];
    AnswerPlay play(one);
    CHECK(play.translate(one.steps[0].event) == one.steps[0].expected);
    check_end(one, play);
  }
  CHECK(cases.size() >= 100);
  CHECK(pairs.size() == 9);
}

}  // namespace
}  // namespace flexd::surface
