#include "flexd/surface/fold.hpp"

#include <doctest/doctest.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "flexd/base/block_pool.hpp"
#include "flexd/base/limits.hpp"
#include "flexd/json/finder.hpp"

namespace flexd::surface {
namespace {

constexpr auto kGemini = errors::Provider::gemini;
constexpr size_t kPoolBytes = size_t{256} << 20U;
constexpr std::string_view kEnd =
    R"({"interaction":{"id":"v1_1","status":"completed"},"event_type":"interaction.completed"})";
constexpr std::string_view kStart = R"({"id":"v1_1","status":"completed","steps":[)";

std::string start(int index, std::string_view step) {
  return R"({"index":)" + std::to_string(index) + R"(,"step":)" + std::string(step) +
         R"(,"event_type":"step.start"})";
}

std::string delta(int index, std::string_view delta) {
  return R"({"index":)" + std::to_string(index) + R"(,"delta":)" + std::string(delta) +
         R"(,"event_type":"step.delta"})";
}

std::string text(int index, std::string_view raw) {
  return delta(index, R"({"type":"text","text":")" + std::string(raw) + R"("})");
}

std::string arguments(int index, std::string_view raw) {
  return delta(index, R"({"type":"arguments_delta","arguments":")" + std::string(raw) + R"("})");
}

std::string summary(int index, std::string_view raw) {
  return delta(index, R"({"type":"thought_summary","content":{"type":"text","text":")" +
                          std::string(raw) + R"("}})");
}

// folded feeds all and gives what is written at `end`; nullopt if there was no room.
std::optional<std::string> folded(const std::vector<std::string>& events,
                                  std::string_view end = kEnd) {
  BlockPool pool(kPoolBytes);
  std::optional<std::string> result;
  {
    Fold fold(pool);
    Buffer out(pool);
    for (const std::string& data : events) {
      if (!fold.feed(read_event(kGemini, {}, data))) return std::nullopt;
    }
    const Event terminal = read_event(kGemini, {}, end);
    if (!fold.feed(terminal) || !fold.write(terminal, out)) return std::nullopt;
    result = std::string(out.view());
    if (!result->empty()) CHECK(json::validate(*result).has_value());
  }
  CHECK(pool.in_use_bytes() == 0);
  return result;
}

// steps is what is between the brackets of `steps`.
std::string steps(const std::vector<std::string>& events) {
  const std::string whole = folded(events).value_or("no room");
  if (!whole.starts_with(kStart) || !whole.ends_with("]}")) return whole;
  return whole.substr(kStart.size(), whole.size() - kStart.size() - 2);
}

TEST_CASE("fold: a whole interaction") {
  CHECK(folded({R"({"interaction":{"id":"v1_1"},"event_type":"interaction.created"})",
                start(0, R"({"type":"thought"})"), summary(0, "Hm"), summary(0, "m"),
                delta(0, R"({"type":"thought_signature","signature":"c2ln"})"),
                R"({"index":0,"event_type":"step.stop"})", start(1, R"({"type":"model_output"})"),
                text(1, "Hel"), text(1, "lo"),
                start(2, R"({"type":"function_call","id":"call_1","name":"f","arguments":{}})"),
                arguments(2, R"({\"city\":)"), arguments(2, R"(\"B\\u00e9\"})")},
               R"({"interaction":{ "id":"v1_1", "status":"requires_action","service_tier":"flex",)"
               R"("usage":{"total_tokens":1}},"event_type":"interaction.completed"})") ==
        R"({ "id":"v1_1", "status":"requires_action","service_tier":"flex",)"
        R"("usage":{"total_tokens":1},"steps":[)"
        R"({"type":"thought","summary":[{"type":"text","text":"Hmm"}],"signature":"c2ln"},)"
        R"({"type":"model_output","content":[{"type":"text","text":"Hello"}]},)"
        R"({"type":"function_call","id":"call_1","name":"f","arguments":{"city":"B\u00e9"}}]})");
}

TEST_CASE("fold: texts are as escaped as they came") {
  // The halves of a surrogate pair come in two deltas.
  CHECK(steps({start(0, R"({"type":"model_output"})"), text(0, R"(\ud83d)"), text(0, R"(\ude00\n)"),
               text(0, R"(\/é\u00e9\ud83d)")}) ==
        R"({"type":"model_output","content":[{"type":"text","text":)"
        R"("\ud83d\ude00\n\/é\u00e9\ud83d"}]})");
}

TEST_CASE("fold: content and its parts") {
  struct Case {
    const char* id;
    std::vector<std::string> events;
    const char* content;
  };
  const std::string empty = start(0, R"({"type":"model_output"})");
  const std::string image = delta(0, R"({"type":"image","data":"aa","mime_type":"image/png"})");
  const auto note = [](const char* list) {
    return delta(0, std::string(R"({"type":"text_annotation_delta","annotations":)") + list + "}");
  };
  const Case cases[] = {
      {"text-image-text",
       {empty, text(0, "a"), image, text(0, "b"), text(0, "c")},
       R"([{"type":"text","text":"a"},{"type":"image","data":"aa","mime_type":"image/png"},)"
       R"({"type":"text","text":"bc"}])"},
      {"empty-text", {empty, text(0, "")}, R"([{"type":"text","text":""}])"},
      {"start-with-text",
       {start(0, R"({"type":"model_output","content":[{"type":"text","x":1,"text":"a"}]})"),
        text(0, "b")},
       R"([{"type":"text","x":1,"text":"ab"}])"},
      {"start-with-others",
       {start(0, R"({"content":[{"type":"text","text":"a"},{"type":"image"}],"type":"m"})"),
        text(0, "b")},
       R"([{"type":"text","text":"a"},{"type":"image"},{"type":"text","text":"b"}])"},
      {"start-with-text-then-image",
       {start(0, R"({"type":"m","content":[{"type":"text","text":"a"}]})"), image},
       R"([{"type":"text","text":"a"},{"type":"image","data":"aa","mime_type":"image/png"}])"},
      {"annotations",
       {empty, text(0, "a"), note("[{\"n\":1}]"), text(0, "b"), note("[{\"n\":2},{\"n\":3}]")},
       R"([{"type":"text","text":"ab","annotations":[{"n":1},{"n":2},{"n":3}]}])"},
      {"annotations-at-start",
       {start(0, R"({"content":[{"annotations":[{"n":0}],"type":"text","text":"a"}]})"),
        note("[{\"n\":1}]")},
       R"([{"annotations":[{"n":0},{"n":1}],"type":"text","text":"a"}])"},
      {"annotations-null-at-start",
       {start(0, R"({"content":[{"annotations":null,"type":"text"}]})"), note("[{\"n\":1}]")},
       R"([{"annotations":[{"n":1}],"type":"text","text":""}])"},
      {"annotations-inside-a-text",
       {empty, delta(0, R"({"type":"text","text":"a","annotations":[{"n":1}]})")},
       R"([{"type":"text","text":"a","annotations":[{"n":1}]}])"},
      {"annotations-first",
       {empty, note("[7]")},
       R"([{"type":"text","text":"","annotations":[7]}])"},
      {"annotations-empty", {empty, text(0, "a"), note("[]")}, R"([{"type":"text","text":"a"}])"},
      {"unknown-delta",
       {empty, delta(0, R"({"type":"new_thing","v":[1]})")},
       R"([{"type":"new_thing","v":[1]}])"},
  };
  for (const Case& test : cases) {
    CAPTURE(test.id);
    const std::string step = steps(test.events);
    const json::Value content = json::Value{step}["content"];
    CHECK(content.text == test.content);
  }
}

TEST_CASE("fold: steps that stand as they start") {
  constexpr std::string_view kCall =
      R"({"type":"function_call","id":"c","name":"f","arguments":{"a":1},"signature":"s"})";
  CHECK(steps({start(0, kCall)}) == kCall);
  CHECK(steps({start(0, kCall), arguments(0, "")}) == kCall);
  constexpr std::string_view kThought =
      R"({"type":"thought","signature":"old","summary":[{"type":"text","text":"a"}]})";
  CHECK(steps({start(0, kThought)}) == kThought);
  CHECK(steps({start(0, kThought), delta(0, R"({"type":"thought_signature","signature":"x"})"),
               delta(0, R"({"type":"thought_signature","signature":"new"})"), summary(0, "b"),
               delta(0, R"({"type":"thought_summary","content":{"type":"image","data":"i"}})")}) ==
        R"({"type":"thought","signature":"new","summary":[{"type":"text","text":"ab"},)"
        R"({"type":"image","data":"i"}]})");
  CHECK(steps({}).empty());
}

TEST_CASE("fold: arguments") {
  const std::string call = start(0, R"({"type":"function_call","arguments":{"old":1}})");
  const auto kept = [&](const char* raw) { return steps({call, arguments(0, raw)}); };
  CHECK(kept(R"({\"a\":\"\\\"\\u00e9\"})") ==
        R"({"type":"function_call","arguments":{"a":"\"\u00e9"}})");
  CHECK(kept(R"( {} )") == R"({"type":"function_call","arguments": {} })");
  CHECK(kept(R"({\"a\":\ud83d})") == R"({"type":"function_call","arguments":{"old":1}})");
  for (const char* bad : {R"({\"a\":)", "[1]", "7", R"({\"a\":1} x)", R"(\"s\")"}) {
    CAPTURE(bad);
    CHECK(kept(bad) == R"({"type":"function_call","arguments":{"old":1}})");
  }
  CHECK(steps({start(0, R"({"type":"function_call"})"), arguments(0, "{")}) ==
        R"({"type":"function_call","arguments":{}})");
  // A pair of surrogates that the provider cut in two.
  CHECK(steps({call, arguments(0, R"({\"a\":\"\ud83d)"), arguments(0, R"(\ude00\"})")}) ==
        "{\"type\":\"function_call\",\"arguments\":{\"a\":\"\xF0\x9F\x98\x80\"}}");
  CHECK(steps({call, delta(0, R"({"type":"arguments_delta","arguments":{"b":2}})")}) ==
        R"({"type":"function_call","arguments":{"b":2}})");
}

TEST_CASE("fold: hosted tools, whose deltas are of the step's own type") {
  CHECK(steps({start(0, R"({"type":"google_search_call","id":"g","arguments":{}})"),
               delta(0, R"({"type":"google_search_call","arguments":{"queries":["a"]}})"),
               delta(0, R"({"type":"google_search_call","signature":"s","arguments":null})")}) ==
        R"({"type":"google_search_call","id":"g","arguments":{"queries":["a"]},"signature":"s"})");
  CHECK(steps({start(0, R"({"type":"code_execution_result","call_id":"g"})"),
               delta(0, R"({"type":"code_execution_result","result":"4","is_error":false})")}) ==
        R"({"type":"code_execution_result","call_id":"g","result":"4","is_error":false})");
}

TEST_CASE("fold: steps out of order") {
  CHECK(steps({start(0, R"({"type":"model_output"})"), start(1, R"({"type":"thought"})"),
               text(0, "a"), summary(1, "x"), text(0, "b"), summary(1, "y")}) ==
        R"({"type":"model_output","content":[{"type":"text","text":"ab"}]},)"
        R"({"type":"thought","summary":[{"type":"text","text":"xy"}]})");
  // Deltas whose start never came say what they belong to.
  CHECK(steps({text(0, "a"), summary(1, "b"), arguments(2, "{}")}) ==
        R"({"type":"model_output","content":[{"type":"text","text":"a"}]},)"
        R"({"type":"thought","summary":[{"type":"text","text":"b"}]},)"
        R"({"type":"function_call","arguments":{}})");
  // Without numbers a delta belongs to the last step.
  CHECK(steps({R"({"step":{"type":"model_output"},"event_type":"step.start"})",
               R"({"delta":{"type":"text","text":"a"},"event_type":"step.delta"})"}) ==
        R"({"type":"model_output","content":[{"type":"text","text":"a"}]})");
  // A number that comes again begins a step of its own.
  CHECK(steps({start(0, R"({"type":"a"})"), start(0, R"({"type":"b"})"), text(0, "t")}) ==
        R"({"type":"a"},{"type":"b","content":[{"type":"text","text":"t"}]})");
}

TEST_CASE("fold: where the steps go") {
  const std::string one = start(0, R"({"type":"model_output"})");
  const auto with = [&](const std::string& interaction) {
    return folded({one},
                  R"({"event_type":"interaction.completed","interaction":)" + interaction + "}");
  };
  CHECK(with("{}") == R"({"steps":[{"type":"model_output"}]})");
  CHECK(with(R"({"id":"a" })") == R"({"id":"a" ,"steps":[{"type":"model_output"}]})");
  CHECK(with(R"({"steps":[ ],"id":"a"})") == R"({"steps":[{"type":"model_output"}],"id":"a"})");
  CHECK(with(R"({"steps":null})") == R"({"steps":[{"type":"model_output"}]})");
  CHECK(with(R"({"steps":[{"type":"x"}],"id":"a"})") == R"({"steps":[{"type":"x"}],"id":"a"})");
  CHECK(with(R"("x")") == "");
  CHECK(with(R"({"status":"failed"})") == "");
  CHECK(with(R"({"status":"incomplete"})") ==
        R"({"status":"incomplete","steps":[{"type":"model_output"}]})");
}

TEST_CASE("fold: reset forgets") {
  BlockPool pool(kPoolBytes);
  Fold fold(pool);
  Buffer out(pool);
  CHECK(fold.feed(read_event(kGemini, {}, text(0, "a"))));
  fold.reset();
  CHECK(pool.in_use_bytes() == 0);
  CHECK(fold.write(read_event(kGemini, {}, kEnd), out));
  CHECK(out.view() == R"({"id":"v1_1","status":"completed","steps":[]})");
}

TEST_CASE("fold: bounds") {
  BlockPool pool(kPoolBytes);
  Fold fold(pool);
  Buffer out(pool);
  CHECK(out.append("before"));
  const std::string long_text = text(0, std::string(size_t{1} << 20U, 'x'));
  size_t fed = 0;
  while (fold.feed(read_event(kGemini, {}, long_text))) ++fed;
  // One megabyte less for what else there is to keep.
  CHECK(fed == (limits::kFoldBytesMax >> 20U) - 1);
  CHECK(pool.in_use_bytes() <= limits::kFoldBytesMax + (size_t{1} << 20U));
  // Lost is lost, also for what would fit.
  CHECK(!fold.feed(read_event(kGemini, {}, text(0, "a"))));
  CHECK(!fold.write(read_event(kGemini, {}, kEnd), out));
  CHECK(out.view() == "before");
}

TEST_CASE("fold: the bound of what is written") {
  // Each escape stands for less than it needs; braces and names add to what was collected.
  BlockPool pool(kPoolBytes);
  Fold fold(pool);
  Buffer out(pool);
  CHECK(out.append("before"));
  const std::string part =
      delta(0, "{\"type\":\"image\",\"data\":\"" + std::string(100, 'x') + "\"}");
  const std::string end = R"({"interaction":{"x":")" + std::string(limits::kFoldBytesMax / 2, 'x') +
                          R"("},"event_type":"interaction.completed"})";
  for (size_t bytes = 0; bytes < limits::kFoldBytesMax / 2; bytes += 100) {
    CHECK(fold.feed(read_event(kGemini, {}, part)));
  }
  CHECK(!fold.write(read_event(kGemini, {}, end), out));
  CHECK(out.view() == "before");
}

TEST_CASE("fold: the number of steps is bounded") {
  BlockPool pool(kPoolBytes);
  Fold fold(pool);
  size_t count = 0;
  while (count <= kFoldStepsMax &&
         fold.feed(read_event(kGemini, {}, start(static_cast<int>(count), R"({"type":"x"})")))) {
    ++count;
  }
  CHECK(count == kFoldStepsMax);
}

TEST_CASE("fold: a pool without room") {
  const std::string whole = text(0, std::string(3000, 'x'));
  for (size_t budget = 0; budget < 80'000; budget += 4096) {
    CAPTURE(budget);
    BlockPool pool(budget);
    Fold fold(pool);
    Buffer out(pool);
    bool good = true;
    for (int i = 0; i < 8; ++i) good = fold.feed(read_event(kGemini, {}, whole)) && good;
    good = fold.feed(read_event(kGemini, {}, arguments(1, "{}"))) && good;
    const bool written = fold.write(read_event(kGemini, {}, kEnd), out);
    CHECK((good || !written));
    CHECK(written == !out.empty());
  }
}

// Whatever prefix of its events comes, an answer is good JSON.
TEST_CASE("fold: cut events") {
  const std::string whole =
      delta(0, R"({"type":"text","text":"a\n","annotations":[{"n":[1,{"m":"\"]"}]}]})");
  for (size_t size = 0; size <= whole.size(); ++size) {
    CHECK(folded({start(0, R"({"type":"model_output"})"), whole.substr(0, size)}).has_value());
  }
}

}  // namespace
}  // namespace flexd::surface
