#include "chat_writer.hpp"

#include <doctest/doctest.h>

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "flexd/surface/blob.hpp"
#include "writer_runs.hpp"

namespace flexd::surface {
namespace {

using Run = WriterRun<ChatWriter>;

constexpr std::string_view kId = "chatcmpl-gwAbCdEfGhIjKlMnOpQrStUvWx";
constexpr std::string_view kMinted = "call_AbCdEfGhIjKlMnOpQrStUvWx_";

constexpr Usage kUsage = {.known = true,
                          .input_tokens = 9,
                          .cached_tokens = 3,
                          .cache_write_tokens = 2,
                          .output_tokens = 7,
                          .reasoning_tokens = 4,
                          .total_tokens = 16};
constexpr std::string_view kUsageJson =
    R"({"prompt_tokens":9,"completion_tokens":7,"total_tokens":16,"prompt_tokens_details":)"
    R"({"cached_tokens":3,"cache_write_tokens":2,"audio_tokens":0},"completion_tokens_details":)"
    R"({"reasoning_tokens":4,"audio_tokens":0,"accepted_prediction_tokens":0,)"
    R"("rejected_prediction_tokens":0}})";

AnswerContext stream_with_usage() {
  AnswerContext context = Run::context(true);
  context.request = R"({"model":"m","stream_options":{"include_usage":true}})";
  return context;
}

// chunk is a chunk's line as these tests expect it; `choices` is the inside of that list.
std::string chunk(std::string_view choices, std::string_view usage = "",
                  std::string_view tier = R"("standard")") {
  return R"( {"id":")" + std::string(kId) +
         R"(","object":"chat.completion.chunk","created":1790000000,"model":"gemini-9",)"
         R"("service_tier":)" +
         std::string(tier) + R"(,"system_fingerprint":null,"choices":[)" + std::string(choices) +
         "]" + std::string(usage) + "}\n";
}

std::string choice(std::string_view delta, std::string_view finish = "null") {
  return R"({"index":0,"delta":{)" + std::string(delta) + R"(},"logprobs":null,"finish_reason":)" +
         std::string(finish) + "}";
}

std::string delta(std::string_view delta) {
  return chunk(choice(delta));
}
std::string finish(std::string_view reason, std::string_view tier = R"("standard")") {
  return chunk(choice("", reason), "", tier) + " [DONE]\n";
}

const std::string kTextRole = delta(R"("role":"assistant","content":"","refusal":null)");
const std::string kNullRole = delta(R"("role":"assistant","content":null,"refusal":null)");

// object is an answer that is not a stream: its message behind the role, and what follows.
std::string object(std::string_view message, std::string_view reason = "stop",
                   std::string_view usage = "null", std::string_view tier = R"("standard")") {
  return R"({"id":")" + std::string(kId) +
         R"(","object":"chat.completion","created":1790000000,"model":"gemini-9","service_tier":)" +
         std::string(tier) +
         R"(,"system_fingerprint":null,"choices":[{"index":0,"message":{"role":"assistant",)" +
         std::string(message) + R"(},"logprobs":null,"finish_reason":")" + std::string(reason) +
         R"("}],"usage":)" + std::string(usage) + "}";
}

std::string whole(Run& run) {
  std::string text = run.taken();
  CHECK_MESSAGE(json::validate(text), text);
  return text;
}

struct Opened {
  std::string type, data, model, text;
  bool operator==(const Opened&) const = default;
};
// open_blob unwraps what stands in extra_content.flex.thought, or in an element of it.
Opened open_blob(json::Value string) {
  BlockPool pool(size_t{64} << 20U);
  Buffer space(pool);
  const auto blob = unwrap_blob(string.contents(), errors::Provider::gemini, space);
  REQUIRE(blob);
  return {std::string(blob->type), std::string(blob->data), std::string(blob->model),
          std::string(blob->text)};
}

json::Value only_call(json::Value holder) {
  json::Elements calls(holder["tool_calls"]);
  REQUIRE(calls.next());
  const json::Value one = calls.element();
  CHECK(!calls.next());
  return one;
}

// first_choice is `member` of the first choice.
json::Value first_choice(std::string_view document, std::string_view member) {
  json::Elements choices(json::Value::value_in(document)["choices"]);
  REQUIRE(choices.next());
  return choices.element()[member];
}

TEST_CASE("chat stream: text, raw as it came") {
  Run run(Run::context(true));
  run.start();
  CHECK(run.taken().empty());
  run.message();
  CHECK(run.taken().empty());
  run.writer.on_text("Hel");
  CHECK(lines_of(run.frames()) == kTextRole + delta(R"("content":"Hel")"));
  run.writer.on_text(R"(lo\n\ud83d)");
  run.writer.on_item_end(true);
  CHECK(lines_of(run.frames()) == delta(R"("content":"lo\n\ud83d")"));
  tell_text(run, "!");
  CHECK(lines_of(run.frames()) == delta(R"("content":"!")"));
  CHECK(!run.writer.ended());
  run.writer.on_end({.usage = kUsage});
  CHECK(lines_of(run.frames()) == finish(R"("stop")"));
  CHECK(run.writer.ended());
  CHECK(!run.writer.failed());
}

TEST_CASE("chat stream: usage only where it is asked for, and known") {
  const std::string_view null_usage = R"(,"usage":null)";
  {
    Run run(stream_with_usage());
    run.start();
    tell_text(run, "a");
    run.writer.on_end({.service_tier = "flex", .usage = kUsage});
    CHECK(lines_of(run.frames()) ==
          chunk(choice(R"("role":"assistant","content":"","refusal":null)"), null_usage) +
              chunk(choice(R"("content":"a")"), null_usage) +
              chunk(choice("", R"("stop")"), null_usage, R"("flex")") +
              chunk("", R"(,"usage":)" + std::string(kUsageJson), R"("flex")") + " [DONE]\n");
  }
  {
    Run run(stream_with_usage());
    run.start();
    run.end();
    CHECK(lines_of(run.frames()) ==
          chunk(choice(R"("role":"assistant","content":"","refusal":null)"), null_usage) +
              chunk(choice("", R"("stop")"), null_usage) + " [DONE]\n");
  }
  for (const std::string_view request :
       {R"({"stream_options":{"include_usage":false}})", R"({"stream_options":null})",
        R"({"stream_options":{"include_usage":null}})", R"({})", ""}) {
    AnswerContext context = Run::context(true);
    context.request = request;
    Run run(context);
    run.start();
    run.writer.on_end({.usage = kUsage});
    CHECK(lines_of(run.frames()) == kTextRole + finish(R"("stop")"));
  }
}

TEST_CASE("chat stream: an answer without items has a role and an end") {
  Run run(Run::context(true));
  run.start();
  run.end(FinishReason::content_filter);
  CHECK(lines_of(run.frames()) == kTextRole + finish(R"("content_filter")"));
}

TEST_CASE("chat stream: calls") {
  Run run(Run::context(true));
  run.start();
  run.call("call_7", "f");
  CHECK(lines_of(run.frames()) ==
        delta(R"("role":"assistant","content":null,"refusal":null,"tool_calls":[{"index":0,)"
              R"("id":"call_7","type":"function","function":{"name":"f","arguments":""}}])"));
  run.writer.on_arguments(R"({\"a\":)");
  run.writer.on_arguments("1}");
  run.writer.on_item_end(true);
  CHECK(lines_of(run.frames()) ==
        delta(R"("tool_calls":[{"index":0,"function":{"arguments":"{\"a\":"}}])") +
            delta(R"("tool_calls":[{"index":0,"function":{"arguments":"1}"}}])"));
  // Text in between, and a call without arguments or an id.
  tell_text(run, "and");
  tell_call(run, "", "g");
  CHECK(lines_of(run.frames()) ==
        delta(R"("content":"and")") +
            delta(R"("tool_calls":[{"index":1,"id":")" + std::string(kMinted) +
                  R"(1","type":"function","function":{"name":"g","arguments":""}}])") +
            delta(R"("tool_calls":[{"index":1,"function":{"arguments":"{}"}}])"));
  run.end();
  CHECK(lines_of(run.frames()) == finish(R"("tool_calls")"));
}

TEST_CASE("chat stream: a call that was cut is not repaired") {
  Run run(Run::context(true));
  run.start();
  run.call("c", "f");
  run.writer.on_arguments(R"({\"a)");
  run.writer.on_item_end(false);
  run.end(FinishReason::length);
  const std::vector<Frame> frames = run.frames();
  REQUIRE(frames.size() == 4);
  CHECK(frames[1].data.find(R"("arguments":"{\"a")") != std::string::npos);
  CHECK(lines_of({frames[2], frames[3]}) == finish(R"("length")"));
}

TEST_CASE("chat stream: a refusal") {
  Run run(Run::context(true));
  run.start();
  run.message();
  run.writer.on_refusal("No");
  run.writer.on_refusal(".");
  run.writer.on_item_end(true);
  run.end();
  CHECK(lines_of(run.frames()) ==
        kNullRole + delta(R"("refusal":"No")") + delta(R"("refusal":".")") + finish(R"("stop")"));
}

TEST_CASE("chat stream: thoughts travel with the next call") {
  Run run(Run::context(true));
  run.start();
  tell_thought(run, "not told", "");
  tell_thought(run, R"(Hm\n)", "c2ln");
  CHECK(run.taken().empty());
  tell_call(run, "c0", "f");
  std::vector<Frame> frames = run.frames();
  REQUIRE(frames.size() == 2);
  json::Value extra = only_call(first_choice(frames[0].data, "delta"))["extra_content"];
  CHECK(open_blob(extra["flex"]["thought"]) == Opened{"thought", "c2ln", "gemini-9", R"(Hm\n)"});
  CHECK(first_choice(frames[0].data, "delta")["content"].is_null());

  // Two before one call are a list, and the ones before are not repeated.
  tell_thought(run, "", "A");
  tell_text(run, "text");
  tell_thought(run, "more", "B");
  run.taken();
  tell_call(run, "c1", "f");
  frames = run.frames();
  REQUIRE(frames.size() == 2);
  extra = only_call(first_choice(frames[0].data, "delta"))["extra_content"];
  json::Elements list(extra["flex"]["thought"]);
  REQUIRE(list.next());
  CHECK(open_blob(list.element()) == Opened{"thought", "A", "gemini-9", ""});
  REQUIRE(list.next());
  CHECK(open_blob(list.element()) == Opened{"thought", "B", "gemini-9", "more"});
  CHECK(!list.next());

  // None without a thought; the last thought has no call to travel with.
  tell_call(run, "c2", "f");
  tell_thought(run, "last", "C");
  run.end();
  frames = run.frames();
  REQUIRE(frames.size() == 4);
  CHECK(frames[0].data.find("extra_content") == std::string::npos);
  CHECK(lines_of({frames[2], frames[3]}) == finish(R"("tool_calls")"));
}

TEST_CASE("chat: finish reasons") {
  const std::vector<std::pair<FinishReason, std::array<std::string_view, 2>>> cases = {
      {FinishReason::stop, {"stop", "tool_calls"}},
      {FinishReason::stop_sequence, {"stop", "tool_calls"}},
      {FinishReason::length, {"length", "length"}},
      {FinishReason::context_window, {"length", "length"}},
      {FinishReason::content_filter, {"content_filter", "content_filter"}},
      {FinishReason::pause, {"length", "length"}},
      {FinishReason::budget, {"length", "length"}},
  };
  for (const auto& [reason, words] : cases) {
    for (const size_t calls : {0U, 1U}) {
      Run object_run(Run::context(false));
      Run stream_run(Run::context(true));
      for (Run* const run : {&object_run, &stream_run}) {
        run->start();
        if (calls > 0) tell_call(*run, "c", "f");
        run->end(reason);
      }
      CHECK(first_choice(whole(object_run), "finish_reason").equals(words[calls]));
      const std::vector<Frame> frames = stream_run.frames();
      size_t told = 0;
      for (const Frame& frame : frames) {
        if (frame.data == "[DONE]") continue;
        const json::Value word = first_choice(frame.data, "finish_reason");
        if (word.is_null()) continue;
        ++told;
        CHECK(word.equals(words[calls]));
        CHECK(first_choice(frame.data, "delta").text == "{}");
      }
      CHECK(told == 1);
    }
  }
}

TEST_CASE("chat object: text") {
  Run run(Run::context(false));
  run.start();
  tell_thought(run, "Hm", "c2ln");
  run.message();
  run.writer.on_text("Hel");
  run.writer.on_text(R"(lo\n\ud83d)");
  run.writer.on_item_end(true);
  tell_text(run, "!");
  CHECK(run.taken().empty());
  run.writer.on_end({.service_tier = "flex", .usage = kUsage});
  CHECK(whole(run) == object(R"("content":"Hello\n\ud83d!","refusal":null,"annotations":[])",
                             "stop", kUsageJson, R"("flex")"));
}

TEST_CASE("chat object: content is null beside calls and a refusal alone") {
  {
    Run run(Run::context(false));
    run.start();
    tell_call(run, "c0", "f", R"({\"a\":1})");
    tell_call(run, "", "g");
    run.end();
    CHECK(whole(run) ==
          object(R"("content":null,"refusal":null,"annotations":[],"tool_calls":[)"
                 R"({"id":"c0","type":"function","function":{"name":"f",)"
                 R"("arguments":"{\"a\":1}"}},{"id":")" +
                     std::string(kMinted) +
                     R"(1","type":"function","function":{"name":"g","arguments":"{}"}}])",
                 "tool_calls"));
  }
  {
    Run run(Run::context(false));
    run.start();
    tell_text(run, "Let me see.");
    tell_call(run, "c0", "f");
    run.end();
    CHECK(whole(run) ==
          object(R"("content":"Let me see.","refusal":null,"annotations":[],"tool_calls":[)"
                 R"({"id":"c0","type":"function","function":{"name":"f","arguments":"{}"}}])",
                 "tool_calls"));
  }
  {
    Run run(Run::context(false));
    run.start();
    run.message();
    run.writer.on_refusal("No.");
    run.writer.on_item_end(true);
    run.end();
    CHECK(whole(run) == object(R"("content":null,"refusal":"No.","annotations":[])"));
  }
  {
    Run run(Run::context(false));
    run.start();
    run.end();
    CHECK(whole(run) == object(R"("content":"","refusal":null,"annotations":[])"));
  }
}

TEST_CASE("chat object: thoughts travel with the next call") {
  Run run(Run::context(false));
  run.start();
  tell_thought(run, "Hm", "c2ln");
  tell_call(run, "c0", "f");
  tell_call(run, "c1", "f");
  run.end();
  const std::string answer = whole(run);
  json::Elements calls(first_choice(answer, "message")["tool_calls"]);
  REQUIRE(calls.next());
  CHECK(open_blob(calls.element()["extra_content"]["flex"]["thought"]) ==
        Opened{"thought", "c2ln", "gemini-9", "Hm"});
  REQUIRE(calls.next());
  CHECK(!calls.element()["extra_content"].exists());
}

TEST_CASE("chat: tiers, models and positions") {
  AnswerContext context = Run::context(true);
  SUBCASE("no tier is null") {
    context.tier = {};
    Run run(context);
    run.start();
    tell_text(run, "a");
    CHECK(run.frames()[0].data.find(R"("service_tier":null,)") != std::string::npos);
    run.end();
    CHECK(lines_of(run.frames()) == finish(R"("stop")", "null"));
  }
  SUBCASE("the longest tier that chunks repeat") {
    for (const size_t bytes : {64U, 65U}) {
      const std::string tier(bytes, 't');
      context.tier = tier;
      Run run(context);
      run.start();
      tell_text(run, "a");
      CHECK(run.frames()[0].data.find(bytes == 64 ? "\"service_tier\":\"" + tier + "\""
                                                  : "\"service_tier\":null") != std::string::npos);
      run.end();
      CHECK(lines_of(run.frames()) == finish(R"("stop")", "\"" + tier + "\""));
    }
  }
  SUBCASE("the longest of everything fits a chunk's head") {
    const std::string unique(kUniqueBytesMax, 'u');
    const std::string tier(64, 't');
    const std::string model(256, 'm');
    context.unique = unique;
    context.tier = tier;
    context.created_at_s = UINT64_MAX;
    Run run(context);
    run.start(model);
    tell_call(run, "", "f");
    run.end();
    CHECK(run.frames().size() == 4);
    CHECK(run.writer.position().model == model);
  }
  SUBCASE("a longer model gives way to the one asked for") {
    Run run(context);
    run.start(std::string(257, 'm'));
    tell_text(run, "a");
    CHECK(run.frames()[0].data.find(R"("model":"gemini-asked")") != std::string::npos);
  }
  SUBCASE("position") {
    Run run(context);
    CHECK(run.writer.position().id == kId);
    run.start();
    CHECK(run.writer.position().model == "gemini-9");
    CHECK(run.writer.position().created_at_s == kCreatedAtS);
  }
}

TEST_CASE("chat: a failure") {
  const AnswerFailure failure = {.code = "overloaded", .message = R"(Too \"much\")", .status = 503};
  Run run(Run::context(true));
  run.start();
  tell_text(run, "a");
  run.taken();
  run.writer.on_failure(failure);
  CHECK(lines_of(run.frames()) ==
        R"( {"error":{"message":"Too \"much\"","type":"server_error","param":null,)"
        R"("code":"overloaded"}})"
        "\n");
  CHECK(run.writer.ended());
  run.writer.on_text("late");
  run.end();
  run.writer.on_failure(failure);
  CHECK(run.taken().empty());

  const std::vector<std::pair<uint16_t, std::string_view>> types = {
      {400, "invalid_request_error"}, {401, "authentication_error"},  {402, "billing_error"},
      {403, "permission_error"},      {404, "invalid_request_error"}, {408, "server_error"},
      {429, "rate_limit_error"},      {499, "invalid_request_error"}, {500, "server_error"},
      {529, "server_error"}};
  for (const auto& [status, type] : types) {
    Run object_run(Run::context(false));
    object_run.start();
    tell_text(object_run, "lost");
    object_run.writer.on_failure({.code = {}, .message = {}, .status = status});
    const std::string answer = whole(object_run);
    const json::Value error = json::Value{answer}["error"];
    CHECK(error["type"].equals(type));
    CHECK(!error["message"].contents().empty());
    CHECK(error["param"].is_null());
    CHECK(!error["code"].contents().empty());
    CHECK(answer.find("lost") == std::string::npos);
  }
}

}  // namespace
}  // namespace flexd::surface
