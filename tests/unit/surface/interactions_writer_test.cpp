#include "interactions_writer.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>

#include "writer_runs.hpp"

namespace flexd::surface {
namespace {

using Run = WriterRun<InteractionsWriter>;

// interaction is an object as these tests expect it, up to where it may differ.
std::string interaction(std::string_view status, std::string_view rest = "",
                        std::string_view tier = "standard") {
  return R"({"id":"v1_gwAbCdEfGhIjKlMnOpQrStUvWx","object":"interaction","status":")" +
         std::string(status) +
         R"(","model":"gemini-9","created":"2026-09-21T14:13:20Z",)"
         R"("updated":"2026-09-21T14:13:20Z","service_tier":")" +
         std::string(tier) + "\"" + std::string(rest) + "}";
}

std::string completed(std::string_view interaction) {
  return R"(interaction.completed {"interaction":)" + std::string(interaction) +
         ",\"event_type\":\"interaction.completed\"}\ndone [DONE]\n";
}

std::string start(int index, std::string_view step) {
  return R"(step.start {"index":)" + std::to_string(index) + R"(,"step":)" + std::string(step) +
         ",\"event_type\":\"step.start\"}\n";
}

std::string delta(int index, std::string_view delta) {
  return R"(step.delta {"index":)" + std::to_string(index) + R"(,"delta":)" + std::string(delta) +
         ",\"event_type\":\"step.delta\"}\n";
}

std::string stop(int index) {
  return R"(step.stop {"index":)" + std::to_string(index) + ",\"event_type\":\"step.stop\"}\n";
}

void check_types(const std::vector<Frame>& frames) {
  for (const Frame& frame : frames) {
    const bool done = frame.event == "done" && frame.data == "[DONE]";
    CHECK((done || json::Value{frame.data}["event_type"].equals(frame.event)));
  }
}

// {"m":"gemini-9","t":"thought","d":"c2ln"}
constexpr std::string_view kBlob =
    "gw1.gemini.eyJtIjoiZ2VtaW5pLTkiLCJ0IjoidGhvdWdodCIsImQiOiJjMmxuIn0";

// tell_all tells an answer that has one of everything.
void tell_all(Run& run) {
  run.start();
  run.thought();
  run.writer.on_thought("Hm");
  run.writer.on_thought("m");
  run.writer.on_thought_blob({.type = "thought", .data = "c2ln", .model = {}, .text = {}});
  run.writer.on_item_end(true);
  run.message();
  run.writer.on_text("Hel");
  run.writer.on_text(R"(lo\n\ud83d)");
  run.writer.on_item_end(true);
  run.call("call_7", "f");
  run.writer.on_arguments(R"({\"city\":)");
  run.writer.on_arguments(R"(\"x\"})");
  run.writer.on_item_end(true);
  run.call("", "g");
  run.writer.on_item_end(true);
  run.writer.on_end({.service_tier = "flex",
                     .usage = {.known = true,
                               .input_tokens = 9,
                               .cached_tokens = 3,
                               .cache_write_tokens = 2,
                               .output_tokens = 7,
                               .reasoning_tokens = 3,
                               .total_tokens = 16}});
}

constexpr std::string_view kUsage =
    R"(,"usage":{"total_input_tokens":9,"total_cached_tokens":3,"total_output_tokens":4,)"
    R"("total_thought_tokens":3,"total_tool_use_tokens":0,"total_tokens":16})";

}  // namespace

TEST_CASE("an answer is told step by step") {
  Run run(Run::context(true));
  tell_all(run);
  CHECK(run.writer.ended());
  const auto frames = run.frames();
  check_types(frames);
  const std::string minted = "call_" + std::string(kUnique) + "_3";
  CHECK(
      lines_of(frames) ==
      R"(interaction.created {"interaction":)" + interaction("in_progress") +
          ",\"event_type\":\"interaction.created\"}\n" +
          R"(interaction.status_update {"interaction_id":"v1_gwAbCdEfGhIjKlMnOpQrStUvWx",)"
          "\"status\":\"in_progress\",\"event_type\":\"interaction.status_update\"}\n" +
          start(0, R"({"type":"thought"})") +
          delta(0, R"({"type":"thought_summary","content":{"type":"text","text":"Hm"}})") +
          delta(0, R"({"type":"thought_summary","content":{"type":"text","text":"m"}})") +
          delta(0, R"({"type":"thought_signature","signature":")" + std::string(kBlob) + R"("})") +
          stop(0) + start(1, R"({"type":"model_output"})") +
          delta(1, R"({"type":"text","text":"Hel"})") +
          delta(1, R"({"type":"text","text":"lo\n\ud83d"})") + stop(1) +
          start(2, R"({"type":"function_call","id":"call_7","name":"f","arguments":{}})") +
          delta(2, R"({"type":"arguments_delta","arguments":"{\"city\":"})") +
          delta(2, R"({"type":"arguments_delta","arguments":"\"x\"}"})") + stop(2) +
          start(3,
                R"({"type":"function_call","id":")" + minted + R"(","name":"g","arguments":{}})") +
          delta(3, R"({"type":"arguments_delta","arguments":"{}"})") + stop(3) +
          completed(interaction("requires_action", kUsage, "flex")));
  CHECK_FALSE(run.writer.failed());
}

TEST_CASE("an object has the whole steps") {
  Run run(Run::context(false));
  tell_all(run);
  CHECK(run.writer.ended());
  const std::string minted = "call_" + std::string(kUnique) + "_3";
  const std::string steps =
      R"(,"steps":[{"type":"thought","summary":[{"type":"text","text":"Hmm"}],"signature":")" +
      std::string(kBlob) +
      R"("},{"type":"model_output","content":[{"type":"text","text":"Hello\n\ud83d"}]},)"
      R"({"type":"function_call","id":"call_7","name":"f","arguments":{"city":"x"}},)"
      R"({"type":"function_call","id":")" +
      minted + R"(","name":"g","arguments":{}}])";
  const std::string text = run.taken();
  CHECK(text == interaction("requires_action", steps + std::string(kUsage), "flex"));
  CHECK(json::validate(text));
}

TEST_CASE("a thought may have a signature and no text, or a text and no signature") {
  for (const bool stream : {false, true}) {
    Run run(Run::context(stream));
    run.start();
    run.taken();
    run.thought();
    run.writer.on_thought_blob({.type = "thought", .data = "c2ln", .model = {}, .text = {}});
    run.writer.on_item_end(true);
    run.thought();
    run.writer.on_thought("Hm");
    run.writer.on_item_end(false);
    run.end();
    if (stream) {
      CHECK(lines_of(run.frames()) ==
            start(0, R"({"type":"thought"})") +
                delta(0, R"({"type":"thought_signature","signature":")" + std::string(kBlob) +
                             R"("})") +
                stop(0) + start(1, R"({"type":"thought"})") +
                delta(1, R"({"type":"thought_summary","content":{"type":"text","text":"Hm"}})") +
                stop(1) + completed(interaction("completed")));
    } else {
      CHECK(run.taken() ==
            interaction("completed",
                        R"(,"steps":[{"type":"thought","summary":[],"signature":")" +
                            std::string(kBlob) +
                            R"("},{"type":"thought","summary":[{"type":"text","text":"Hm"}]}])"));
    }
  }
}

TEST_CASE("a signature wraps the id of the item that had it") {
  const std::string wrapped =
      "gw1.gemini.eyJtIjoiZ2VtaW5pLTkiLCJ0IjoidGhvdWdodCIsImQiOiJ4IiwiaSI6InJzXzEifQ";
  for (const bool stream : {false, true}) {
    Run run(Run::context(stream));
    run.start();
    run.thought();
    run.writer.on_thought_blob(
        {.type = "thought", .data = "x", .model = {}, .id = "rs_1", .text = {}});
    run.writer.on_item_end(true);
    run.end();
    CHECK(run.taken().find("\"signature\":\"" + wrapped + "\"") != std::string::npos);
  }
}

TEST_CASE("a refusal is text") {
  Run run(Run::context(true));
  run.start();
  run.message();
  run.taken();
  run.writer.on_text("a");
  run.writer.on_refusal("No.");
  CHECK(lines_of(run.frames()) ==
        delta(0, R"({"type":"text","text":"a"})") + delta(0, R"({"type":"text","text":"No."})"));
  Run object(Run::context(false));
  object.start();
  object.message();
  object.writer.on_text("a");
  object.writer.on_refusal("No.");
  object.writer.on_item_end(true);
  object.end();
  CHECK(object.taken().find(R"("content":[{"type":"text","text":"aNo."}]})") != std::string::npos);
}

TEST_CASE("arguments that are no object are an empty one at rest") {
  Run run(Run::context(false));
  run.start();
  run.call("a", "f");
  run.writer.on_arguments(R"({\"city\":)");
  run.writer.on_item_end(false);
  run.call("b", "f");
  run.writer.on_arguments("[]");
  run.writer.on_item_end(true);
  run.call("c", "f");
  run.writer.on_arguments(R"({\"b\":{}})");
  run.writer.on_item_end(true);
  run.end(FinishReason::length);
  CHECK(run.taken() ==
        interaction("incomplete",
                    R"(,"steps":[{"type":"function_call","id":"a","name":"f","arguments":{}},)"
                    R"({"type":"function_call","id":"b","name":"f","arguments":{}},)"
                    R"({"type":"function_call","id":"c","name":"f","arguments":{"b":{}}}])"));
}

TEST_CASE("every reason to end has its status") {
  const auto ended = [](FinishReason reason, bool calls, bool stream) {
    Run run(Run::context(stream));
    run.start();
    if (calls) {
      run.call("c", "f");
      run.writer.on_item_end(true);
    }
    run.taken();
    run.end(reason);
    return run.taken();
  };
  struct Case {
    FinishReason reason;
    std::string_view status;
    std::string_view with_calls;
    std::string_view errors;
  };
  const std::vector<Case> cases = {
      {FinishReason::stop, "completed", "requires_action", ""},
      {FinishReason::stop_sequence, "completed", "requires_action", ""},
      {FinishReason::length, "incomplete", "incomplete", ""},
      {FinishReason::context_window, "incomplete", "incomplete", ""},
      {FinishReason::content_filter, "incomplete", "incomplete",
       R"(,"errors":[{"code":"content_filter",)"
       R"("message":"The provider's filter cut the answer off."}])"},
      {FinishReason::pause, "incomplete", "incomplete", ""},
      {FinishReason::budget, "budget_exceeded", "budget_exceeded", ""},
  };
  for (const Case& c : cases) {
    CHECK(ended(c.reason, false, false) ==
          interaction(c.status, R"(,"steps":[])" + std::string(c.errors)));
    CHECK(lines_of(frames_of(ended(c.reason, false, true))) ==
          completed(interaction(c.status, c.errors)));
    CHECK(lines_of(frames_of(ended(c.reason, true, true))) ==
          completed(interaction(c.with_calls, c.errors)));
  }
}

TEST_CASE("a failure is an error event and nothing after it") {
  Run run(Run::context(true));
  run.start();
  run.message();
  run.writer.on_text("a");
  run.writer.on_item_end(false);
  run.taken();
  run.writer.on_failure({.code = "overloaded", .message = R"(So \"sorry\")", .status = 429});
  CHECK(run.writer.ended());
  CHECK(lines_of(run.frames()) ==
        "error {\"error\":{\"code\":\"overloaded\",\"message\":\"So \\\"sorry\\\"\"},"
        "\"event_type\":\"error\"}\n");
  run.message();
  run.writer.on_text("b");
  run.writer.on_item_end(true);
  run.end();
  run.writer.on_failure({});
  CHECK(run.taken().empty());
}

TEST_CASE("a failed object has what there is of the answer") {
  Run run(Run::context(false));
  run.start();
  run.message();
  run.writer.on_text("a");
  run.writer.on_item_end(false);
  run.writer.on_failure({.code = {}, .message = {}});
  CHECK(run.writer.ended());
  CHECK(run.taken() ==
        interaction("failed",
                    R"(,"steps":[{"type":"model_output","content":[{"type":"text","text":"a"}]}],)"
                    R"("errors":[{"code":"server_error","message":"The provider's answer )"
                    R"(failed, and the provider does not say why."}])"));
}

TEST_CASE("without a tier there is none, and without a model the one asked for") {
  AnswerContext context = Run::context(false);
  context.tier = {};
  Run run(context);
  run.start("");
  run.end();
  const std::string text = run.taken();
  CHECK(json::validate(text));
  CHECK(text.find("service_tier") == std::string::npos);
  CHECK(text.find("usage") == std::string::npos);
  CHECK(text.find(R"("model":"gemini-asked")") != std::string::npos);
}

TEST_CASE("thoughts beyond all output leave no tokens of it") {
  Run run(Run::context(false));
  run.start();
  run.writer.on_end({.usage = {.known = true, .output_tokens = 2, .reasoning_tokens = 3}});
  CHECK(run.taken().find(R"("total_output_tokens":0,"total_thought_tokens":2,)") !=
        std::string::npos);
}

TEST_CASE("the position has no numbers") {
  Run run(Run::context(true));
  run.start();
  const errors::StreamPosition position = run.writer.position();
  CHECK(position.id == "v1_gw" + std::string(kUnique));
  CHECK(position.model == "gemini-9");
  CHECK(position.sequence_number == 0);
}

TEST_CASE("an object's steps are bounded, a stream is not") {
  const std::string mebibyte(limits::kMebibyte, 'a');
  const auto told = [&](bool stream, ItemKind kind) {
    Run run(Run::context(stream));
    run.start();
    run.writer.on_item_start({.kind = kind, .call_id = "c", .name = "f"});
    size_t count = 0;
    while (!run.writer.failed() && count < 64) {
      if (kind == ItemKind::message) run.writer.on_text(mebibyte);
      if (kind == ItemKind::call) run.writer.on_arguments(mebibyte);
      if (!run.writer.failed()) ++count;
      run.taken();
    }
    run.writer.on_item_end(true);
    run.end();
    CHECK(run.writer.ended() == stream);
    CHECK(run.taken().empty() == !stream);
    return count;
  };
  constexpr size_t kMax = limits::kFoldBytesMax / limits::kMebibyte - 1;
  CHECK(told(false, ItemKind::message) == kMax);
  CHECK(told(false, ItemKind::call) == kMax);
  CHECK(told(true, ItemKind::message) == 64);
  CHECK(told(true, ItemKind::call) == 64);
}

TEST_CASE("a signature that does not fit ends the answer") {
  const std::string data(limits::kFoldBytesMax, 'd');
  for (const bool stream : {false, true}) {
    Run run(Run::context(stream));
    run.start();
    run.thought();
    run.taken();
    run.writer.on_thought_blob({.type = "thought", .data = data, .model = {}, .text = {}});
    CHECK(run.writer.failed());
    CHECK(run.taken().empty());
  }
}

TEST_CASE("without room for a frame none of it is written") {
  BlockPool out_pool(24 * 1024);
  BlockPool pool(0);
  Buffer out(out_pool);
  InteractionsWriter writer(Run::context(true), pool);
  writer.set_output(out);
  writer.on_start({.model = "m"});
  int told = 0;
  for (; !writer.failed() && told < 1000; ++told) {
    writer.on_item_start({.kind = ItemKind::call, .call_id = "c", .name = "f"});
    writer.on_arguments("{}");
    writer.on_item_end(true);
  }
  CHECK(told > 10);
  CHECK(told < 1000);
  check_types(frames_of(out.view()));
}

TEST_CASE("an end is written whole or not at all") {
  size_t failed = 0;
  for (size_t filled = 0; filled + kBufferPadding < kBlockBytesMin; ++filled) {
    BlockPool small(kBlockBytesMin);
    Buffer out(small);
    REQUIRE(out.append(std::string(filled, 'f')));
    Run run(Run::context(true));
    run.start();
    run.writer.set_output(out);
    run.end();
    const std::string_view told = out.view().substr(filled);
    CHECK(run.writer.ended() == !run.writer.failed());
    CHECK(told.empty() == run.writer.failed());
    if (run.writer.failed()) ++failed;
  }
  CHECK(failed > 10);
}

TEST_CASE("without room for a step of an object the answer fails") {
  Run run(Run::context(false), 0);
  run.start();
  CHECK_FALSE(run.writer.failed());
  run.message();
  CHECK(run.writer.failed());
}

}  // namespace flexd::surface
