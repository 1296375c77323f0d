#include "messages_writer.hpp"

#include <doctest/doctest.h>

#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "flexd/surface/blob.hpp"
#include "writer_runs.hpp"

namespace flexd::surface {
namespace {

using Run = WriterRun<MessagesWriter>;

constexpr std::string_view kId = "msg_gwAbCdEfGhIjKlMnOpQrStUvWx";
constexpr std::string_view kMinted = "toolu_AbCdEfGhIjKlMnOpQrStUvWx_";
// {"m":"gemini-9","t":"thought","d":"c2ln"}
constexpr std::string_view kBlob =
    "gw1.gemini.eyJtIjoiZ2VtaW5pLTkiLCJ0IjoidGhvdWdodCIsImQiOiJjMmxuIn0";

constexpr Usage kUsage = {.known = true,
                          .input_tokens = 9,
                          .cached_tokens = 3,
                          .cache_write_tokens = 2,
                          .output_tokens = 7,
                          .reasoning_tokens = 4,
                          .total_tokens = 16};
constexpr std::string_view kUsageJson =
    R"("input_tokens":4,"cache_creation_input_tokens":2,"cache_read_input_tokens":3,)"
    R"("output_tokens":7,"output_tokens_details":{"thinking_tokens":4})";
constexpr std::string_view kNoUsageJson =
    R"("input_tokens":0,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,)"
    R"("output_tokens":0,"output_tokens_details":{"thinking_tokens":0})";
constexpr std::string_view kRefusalDetails =
    R"({"type":"refusal","category":null,"explanation":null})";

std::string started(std::string_view tier = R"("standard")") {
  return R"(message_start {"type":"message_start","message":{"id":")" + std::string(kId) +
         R"(","type":"message","role":"assistant","model":"gemini-9","content":[],)"
         R"("stop_reason":null,"stop_sequence":null,"stop_details":null,"container":null,)"
         R"("usage":{"input_tokens":0,"cache_creation_input_tokens":0,)"
         R"("cache_read_input_tokens":0,"cache_creation":null,"output_tokens":0,)"
         R"("output_tokens_details":null,"server_tool_use":null,"service_tier":)" +
         std::string(tier) + "}}}\n";
}

std::string block(int index, std::string_view block) {
  return R"(content_block_start {"type":"content_block_start","index":)" + std::to_string(index) +
         R"(,"content_block":)" + std::string(block) + "}\n";
}
std::string delta(int index, std::string_view type, std::string_view name, std::string_view raw) {
  return R"(content_block_delta {"type":"content_block_delta","index":)" + std::to_string(index) +
         R"(,"delta":{"type":")" + std::string(type) + R"(_delta",")" + std::string(name) +
         R"(":")" + std::string(raw) + "\"}}\n";
}
std::string text_delta(int index, std::string_view raw) {
  return delta(index, "text", "text", raw);
}
std::string json_delta(int index, std::string_view raw) {
  return delta(index, "input_json", "partial_json", raw);
}
std::string stop(int index) {
  return R"(content_block_stop {"type":"content_block_stop","index":)" + std::to_string(index) +
         "}\n";
}
std::string ended(std::string_view reason, std::string_view usage = kNoUsageJson,
                  std::string_view sequence = "null", std::string_view details = "null") {
  return R"(message_delta {"type":"message_delta","delta":{"stop_reason":")" + std::string(reason) +
         R"(","stop_sequence":)" + std::string(sequence) + R"(,"stop_details":)" +
         std::string(details) + R"(},"usage":{)" + std::string(usage) +
         "}}\nmessage_stop {\"type\":\"message_stop\"}\n";
}

constexpr std::string_view kTextBlock = R"({"type":"text","text":""})";
constexpr std::string_view kThinkingBlock = R"({"type":"thinking","thinking":"","signature":""})";
std::string tool_block(std::string_view id, std::string_view name) {
  return R"({"type":"tool_use","id":")" + std::string(id) + R"(","name":")" + std::string(name) +
         R"(","input":{}})";
}

// lines takes a stream apart and sees that each frame is named as its data.
std::string lines(Run& run) {
  const std::vector<Frame> frames = run.frames();
  for (const Frame& frame : frames) CHECK(json::Value{frame.data}["type"].equals(frame.event));
  return lines_of(frames);
}

std::string object(std::string_view content, std::string_view reason,
                   std::string_view usage = kNoUsageJson, std::string_view sequence = "null",
                   std::string_view details = "null", std::string_view tier = R"("standard")") {
  return R"({"id":")" + std::string(kId) +
         R"(","type":"message","role":"assistant","model":"gemini-9","content":[)" +
         std::string(content) + R"(],"stop_reason":")" + std::string(reason) +
         R"(","stop_sequence":)" + std::string(sequence) + R"(,"stop_details":)" +
         std::string(details) + R"(,"container":null,"usage":{)" + std::string(usage) +
         R"(,"cache_creation":null,"server_tool_use":null,"service_tier":)" + std::string(tier) +
         "}}";
}

std::string whole(Run& run) {
  std::string text = run.taken();
  CHECK_MESSAGE(json::validate(text), text);
  return text;
}

TEST_CASE("messages stream: text, raw as it came") {
  Run run(Run::context(true));
  run.start();
  CHECK(lines(run) == started());
  run.message();
  CHECK(run.taken().empty());  // a block opens with its first text
  run.writer.on_text("Hel");
  CHECK(lines(run) == block(0, kTextBlock) + text_delta(0, "Hel"));
  run.writer.on_text(R"(lo\n\ud83d)");
  CHECK(lines(run) == text_delta(0, R"(lo\n\ud83d)"));
  run.writer.on_item_end(true);
  CHECK(lines(run) == stop(0));
  tell_text(run, "!");
  CHECK(lines(run) == block(1, kTextBlock) + text_delta(1, "!") + stop(1));
  CHECK(!run.writer.ended());
  run.writer.on_end({.service_tier = "flex", .usage = kUsage});
  CHECK(lines(run) == ended("end_turn", kUsageJson));
  CHECK(run.writer.ended());
  CHECK(!run.writer.failed());
}

TEST_CASE("messages stream: an answer without items, and empty ones") {
  Run run(Run::context(true));
  run.start();
  run.message();
  run.writer.on_text("");
  run.writer.on_item_end(true);
  run.thought();
  run.writer.on_item_end(true);
  run.end();
  CHECK(lines(run) == started() + ended("end_turn"));
}

TEST_CASE("messages stream: calls") {
  Run run(Run::context(true));
  run.start();
  run.taken();
  run.call("call_7-A", "f");
  CHECK(lines(run) == block(0, tool_block("call_7-A", "f")));
  run.writer.on_arguments(R"({\"a\":)");
  run.writer.on_arguments("1}");
  run.writer.on_item_end(true);
  CHECK(lines(run) == json_delta(0, R"({\"a\":)") + json_delta(0, "1}") + stop(0));
  tell_call(run, "", "g");
  CHECK(lines(run) ==
        block(1, tool_block(std::string(kMinted) + "1", "g")) + json_delta(1, "{}") + stop(1));
  run.end();
  CHECK(lines(run) == ended("tool_use"));
}

TEST_CASE("messages: ids that Anthropic would refuse are replaced") {
  for (const std::string_view id : {"a.b", "a b", R"(a\u0062)", "call/1", "caf\xc3\xa9", ":", ""}) {
    Run run(Run::context(false));
    run.start();
    tell_text(run, "x");
    tell_call(run, id, "f");
    run.end();
    CHECK(whole(run).find("\"" + std::string(kMinted) + "1\"") != std::string::npos);
  }
  for (const std::string_view id : {"a", "AZaz09_-", "toolu_1"}) {
    Run run(Run::context(false));
    run.start();
    tell_call(run, id, "f");
    run.end();
    CHECK(whole(run).find(R"("id":")" + std::string(id) + "\"") != std::string::npos);
  }
}

TEST_CASE("messages stream: thoughts") {
  Run run(Run::context(true));
  run.start();
  run.taken();
  SUBCASE("text, then its signature in one delta") {
    run.thought();
    CHECK(run.taken().empty());
    run.writer.on_thought("Hm");
    CHECK(lines(run) == block(0, kThinkingBlock) + delta(0, "thinking", "thinking", "Hm"));
    run.writer.on_thought(R"(m\n)");
    run.writer.on_thought_blob({.type = "thought", .data = "c2ln", .model = {}, .text = {}});
    run.writer.on_item_end(true);
    CHECK(lines(run) == delta(0, "thinking", "thinking", R"(m\n)") +
                            delta(0, "signature", "signature", kBlob) + stop(0));
  }
  SUBCASE("text alone") {
    tell_thought(run, "Hm", "");
    CHECK(lines(run) ==
          block(0, kThinkingBlock) + delta(0, "thinking", "thinking", "Hm") + stop(0));
  }
  SUBCASE("blob alone") {
    tell_thought(run, "", "c2ln");
    CHECK(lines(run) ==
          block(0, R"({"type":"redacted_thinking","data":")" + std::string(kBlob) + R"("})") +
              stop(0));
  }
  tell_text(run, "x");
  CHECK(lines(run) == block(1, kTextBlock) + text_delta(1, "x") + stop(1));
}

TEST_CASE("messages: a blob comes back as it was") {
  Run run(Run::context(true));
  run.start();
  tell_thought(run, "Hm", R"(d\u00e9)");
  const std::vector<Frame> frames = run.frames();
  REQUIRE(frames.size() == 5);
  BlockPool pool(size_t{1} << 20U);
  Buffer space(pool);
  const auto blob = unwrap_blob(json::Value{frames[3].data}["delta"]["signature"].contents(),
                                errors::Provider::gemini, space);
  REQUIRE(blob);
  CHECK(blob->type == "thought");
  CHECK(blob->data == R"(d\u00e9)");
  CHECK(blob->model == "gemini-9");
  CHECK(blob->text.empty());  // the block has it
}

TEST_CASE("messages: a refusal") {
  const auto tell = [](Run& run) {
    run.start();
    run.message();
    run.writer.on_text("Well.");
    run.writer.on_refusal("No");
    run.writer.on_refusal(".");
    run.writer.on_item_end(true);
  };
  Run stream(Run::context(true));
  tell(stream);
  stream.end();
  CHECK(lines(stream) == started() + block(0, kTextBlock) + text_delta(0, "Well.") + stop(0) +
                             block(1, kTextBlock) + text_delta(1, "No") + text_delta(1, ".") +
                             stop(1) + ended("refusal", kNoUsageJson, "null", kRefusalDetails));
  Run one(Run::context(false));
  tell(one);
  one.end();
  CHECK(whole(one) == object(R"({"type":"text","text":"Well.","citations":null},)"
                             R"({"type":"text","text":"No.","citations":null})",
                             "refusal", kNoUsageJson, "null", kRefusalDetails));
}

TEST_CASE("messages: stop reasons") {
  struct Case {
    FinishReason reason;
    std::array<std::string_view, 3> words;  // plain, with a call, after a refusal
  };
  const std::vector<Case> cases = {
      {FinishReason::stop, {"end_turn", "tool_use", "refusal"}},
      {FinishReason::stop_sequence, {"stop_sequence", "tool_use", "refusal"}},
      {FinishReason::length, {"max_tokens", "max_tokens", "max_tokens"}},
      {FinishReason::context_window,
       {"model_context_window_exceeded", "model_context_window_exceeded",
        "model_context_window_exceeded"}},
      {FinishReason::content_filter, {"refusal", "refusal", "refusal"}},
      {FinishReason::pause, {"pause_turn", "pause_turn", "pause_turn"}},
      {FinishReason::budget, {"max_tokens", "max_tokens", "max_tokens"}},
  };
  for (const Case& each : cases) {
    for (size_t variant = 0; variant < 3; ++variant) {
      Run stream(Run::context(true));
      Run one(Run::context(false));
      for (Run* const run : {&stream, &one}) {
        run->start();
        if (variant == 1) tell_call(*run, "c", "f");
        if (variant == 2) {
          run->message();
          run->writer.on_refusal("No.");
          run->writer.on_item_end(true);
        }
        run->taken();
        run->writer.on_end({.reason = each.reason, .stop_sequence = R"(\n\n)"});
      }
      const std::string_view word = each.words[variant];
      const bool hit = word == "stop_sequence";
      const bool refused = word == "refusal";
      CHECK(lines(stream) == ended(word, kNoUsageJson, hit ? R"("\n\n")" : "null",
                                   refused ? kRefusalDetails : "null"));
      const std::string answer = whole(one);
      CHECK(json::Value{answer}["stop_reason"].equals(word));
      CHECK(json::Value{answer}["stop_sequence"].text == (hit ? R"("\n\n")" : "null"));
      CHECK(json::Value{answer}["stop_details"].text == (refused ? kRefusalDetails : "null"));
    }
  }
  Run run(Run::context(true));
  run.start();
  run.taken();
  run.end(FinishReason::stop_sequence);  // the provider does not say which
  CHECK(lines(run) == ended("stop_sequence"));
}

TEST_CASE("messages object: one of everything") {
  Run run(Run::context(false));
  run.start();
  tell_thought(run, R"(Hm\n)", "c2ln");
  tell_thought(run, "", "c2ln");
  tell_thought(run, "unsigned", "");
  run.message();
  run.writer.on_text("Hel");
  run.writer.on_text(R"(lo\n\ud83d)");
  run.writer.on_item_end(true);
  run.call("c0", "f");
  run.writer.on_arguments(R"({\"a\":[1,)");
  run.writer.on_arguments(R"(\"\\u00e9\\n\"]})");
  run.writer.on_item_end(true);
  tell_call(run, "c1", "g");
  CHECK(run.taken().empty());
  run.writer.on_end({.service_tier = "flex", .usage = kUsage});
  CHECK(whole(run) ==
        object(R"({"type":"thinking","thinking":"Hm\n","signature":")" + std::string(kBlob) +
                   R"("},{"type":"redacted_thinking","data":")" + std::string(kBlob) +
                   R"("},{"type":"thinking","thinking":"unsigned","signature":""},)"
                   R"({"type":"text","text":"Hello\n\ud83d","citations":null},)"
                   R"({"type":"tool_use","id":"c0","name":"f",)"
                   R"("input":{"a":[1,"\u00e9\n"]}},)"
                   R"({"type":"tool_use","id":"c1","name":"g","input":{}})",
               "tool_use", kUsageJson, "null", "null", R"("flex")"));
}

TEST_CASE("messages object: arguments that are no object") {
  for (const std::string_view raw :
       {R"({\"a\":)", "[]", "null", R"({\"a\":1}x)", R"(\"{}\")", " ", R"({\"a\":\"\u0000\"})"}) {
    Run run(Run::context(false));
    run.start();
    tell_call(run, "c", "f", raw);
    run.end(FinishReason::length);
    CHECK(whole(run) ==
          object(R"({"type":"tool_use","id":"c","name":"f","input":{}})", "max_tokens"));
  }
}

TEST_CASE("messages: usage counts no cached token twice, nor below none") {
  const auto usage_of = [](const Usage& usage) {
    Run run(Run::context(false));
    run.start();
    run.writer.on_end({.usage = usage});
    const std::string answer = whole(run);
    return std::string(json::Value{answer}["usage"]["input_tokens"].text);
  };
  CHECK(usage_of({.known = true, .input_tokens = 9, .cached_tokens = 9}) == "0");
  CHECK(usage_of({.known = true, .input_tokens = 9, .cached_tokens = 9, .cache_write_tokens = 1}) ==
        "0");
  CHECK(usage_of({.known = true, .input_tokens = UINT64_MAX}) == "18446744073709551615");
  CHECK(usage_of({.known = true,
                  .input_tokens = UINT64_MAX,
                  .cached_tokens = UINT64_MAX,
                  .cache_write_tokens = UINT64_MAX,
                  .output_tokens = UINT64_MAX,
                  .reasoning_tokens = UINT64_MAX}) == "0");
}

TEST_CASE("messages: tiers and positions") {
  const std::vector<std::pair<std::string_view, std::string_view>> cases = {
      {"default", R"("standard")"},
      {"standard", R"("standard")"},
      {"flex", R"("flex")"},
      {"priority", R"("priority")"},
      {"", "null"}};
  for (const auto& [tier, word] : cases) {
    AnswerContext context = Run::context(true);
    context.tier = tier;
    Run stream(context);
    stream.start();
    CHECK(lines(stream) == started(word));
    context.stream = false;
    Run one(context);
    one.start();
    one.end();
    CHECK(whole(one) == object("", "end_turn", kNoUsageJson, "null", "null", word));
  }
  Run run(Run::context(false));
  CHECK(run.writer.position().id == kId);
  run.start();
  CHECK(run.writer.position().model == "gemini-9");
  run.writer.on_end({.service_tier = "default"});
  CHECK(whole(run) == object("", "end_turn"));
}

TEST_CASE("messages: the longest ids and indices") {
  AnswerContext context = Run::context(true);
  const std::string unique(kUniqueBytesMax, 'u');
  context.unique = unique;
  Run run(context);
  run.start(std::string(256, 'm'));
  for (int i = 0; i < 2000; ++i) tell_call(run, "", "f");
  run.end();
  CHECK(run.frames().size() == 1 + 3 * 2000 + 2);
}

TEST_CASE("messages: a failure") {
  const AnswerFailure failure = {.code = "c", .message = R"(Too \"much\")", .status = 529};
  Run run(Run::context(true));
  run.start();
  tell_text(run, "a");
  run.taken();
  run.writer.on_failure(failure);
  CHECK(lines(run) == R"(error {"type":"error","error":{"type":"overloaded_error",)"
                      R"("message":"Too \"much\""},"request_id":"req_1"})"
                      "\n");
  CHECK(run.writer.ended());
  run.writer.on_text("late");
  run.end();
  run.writer.on_failure(failure);
  CHECK(run.taken().empty());

  const std::vector<std::pair<uint16_t, std::string_view>> types = {
      {400, "invalid_request_error"}, {429, "rate_limit_error"}, {500, "api_error"}};
  for (const auto& [status, type] : types) {
    Run one(Run::context(false));
    one.start();
    tell_text(one, "lost");
    one.writer.on_failure({.code = {}, .message = {}, .status = status});
    const std::string answer = whole(one);
    CHECK(json::Value{answer}["type"].equals("error"));
    CHECK(json::Value{answer}["error"]["type"].equals(type));
    CHECK(!json::Value{answer}["error"]["message"].contents().empty());
    CHECK(answer.find("lost") == std::string::npos);
  }
}

}  // namespace
}  // namespace flexd::surface
