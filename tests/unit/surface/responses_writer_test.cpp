#include "responses_writer.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>

#include "writer_runs.hpp"

namespace flexd::surface {
namespace {

using Run = WriterRun<ResponsesWriter>;

constexpr std::string_view kHead =
    R"("id":"resp_gwAbCdEfGhIjKlMnOpQrStUvWx","object":"response","created_at":1790000000,)"
    R"("completed_at":null,)";
// kEcho is what a request without any of it leads to.
constexpr std::string_view kEcho =
    R"("instructions":null,"max_output_tokens":null,"max_tool_calls":null,"metadata":{},)"
    R"("parallel_tool_calls":true,"reasoning":{"effort":null,"summary":null},)"
    R"("safety_identifier":null,"temperature":1.0,"text":{"format":{"type":"text"}},)"
    R"("tool_choice":"auto","tools":[],"top_logprobs":0,"top_p":1.0,"truncation":"disabled",)"
    R"("user":null)";

// response is a response object as these tests expect it.
std::string response(std::string_view status, std::string_view output,
                     std::string_view details = "null", std::string_view error = "null",
                     std::string_view tier = "standard", std::string_view usage = "null") {
  return "{" + std::string(kHead) + R"("status":")" + std::string(status) +
         R"(","background":false,"error":)" + std::string(error) + R"(,"incomplete_details":)" +
         std::string(details) + R"(,"model":"gemini-9","output":[)" + std::string(output) +
         R"(],"previous_response_id":null,"store":false,)" + std::string(kEcho) +
         R"(,"service_tier":")" + std::string(tier) + R"(","usage":)" + std::string(usage) + "}";
}

// Listing writes down the frames that are expected.
class Listing {
 public:
  explicit Listing(uint64_t number = 0) : number_(number) {}
  Listing& add(std::string_view event, std::string_view members) {
    text_ += std::string(event) + R"( {"type":")" + std::string(event) + R"(","sequence_number":)" +
             std::to_string(number_++) + "," + std::string(members) + "}\n";
    return *this;
  }
  const std::string& text() const { return text_; }

 private:
  uint64_t number_;
  std::string text_;
};

// check_numbers: they are dense, and each event's type is its name.
void check_numbers(const std::vector<Frame>& frames, uint64_t first = 0) {
  for (const Frame& frame : frames) {
    const json::Value data{frame.data};
    CHECK(data["type"].equals(frame.event));
    CHECK(data["sequence_number"].to_uint64() == first++);
    CHECK(!data["error"].exists());
  }
}

std::string id(std::string_view kind, int index) {
  return std::string(kind) + "_gwAbCdEfGhIjKlMnOpQrStUvWx_" + std::to_string(index);
}

// at is where an event of an item belongs.
std::string at(std::string_view kind, int index, std::string_view part = "") {
  std::string text =
      R"("item_id":")" + id(kind, index) + R"(","output_index":)" + std::to_string(index) + ",";
  if (!part.empty()) text += std::string(part) + ",";
  return text;
}

std::string item_at(int index, std::string_view item) {
  return R"("output_index":)" + std::to_string(index) + R"(,"item":)" + std::string(item);
}

std::string message(int index, std::string_view content, std::string_view status) {
  return R"({"id":")" + id("msg", index) + R"(","type":"message","role":"assistant","content":[)" +
         std::string(content) + R"(],"status":")" + std::string(status) + R"("})";
}

std::string text_part(std::string_view raw) {
  return R"({"type":"output_text","text":")" + std::string(raw) +
         R"(","annotations":[],"logprobs":[]})";
}

std::string call(int index, std::string_view call_id, std::string_view arguments,
                 std::string_view status) {
  return R"({"id":")" + id("fc", index) + R"(","type":"function_call","call_id":")" +
         std::string(call_id) + R"(","name":"f","arguments":")" + std::string(arguments) +
         R"(","status":")" + std::string(status) + R"("})";
}

constexpr std::string_view kPart0 = R"("content_index":0)";

}  // namespace

TEST_CASE("a text is told, repeated when it is done and again at the end") {
  Run run(Run::context(true));
  run.start();
  run.message();
  run.writer.on_text("Hel");
  run.writer.on_text(R"(lo\n\ud83d)");
  run.writer.on_item_end(true);
  CHECK_FALSE(run.writer.ended());
  run.writer.on_end({.service_tier = "flex",
                     .usage = {.known = true,
                               .input_tokens = 9,
                               .cached_tokens = 3,
                               .cache_write_tokens = 2,
                               .output_tokens = 5'000'000'000,
                               .reasoning_tokens = 1,
                               .total_tokens = 5'000'000'009}});
  CHECK(run.writer.ended());
  const std::string whole = text_part(R"(Hello\n\ud83d)");
  Listing expected;
  expected.add("response.created", R"("response":)" + response("in_progress", ""))
      .add("response.in_progress", R"("response":)" + response("in_progress", ""))
      .add("response.output_item.added", item_at(0, message(0, "", "in_progress")))
      .add("response.content_part.added", at("msg", 0, kPart0) + R"("part":)" + text_part(""))
      .add("response.output_text.delta", at("msg", 0, kPart0) + R"("delta":"Hel","logprobs":[])")
      .add("response.output_text.delta",
           at("msg", 0, kPart0) + R"("delta":"lo\n\ud83d","logprobs":[])")
      .add("response.output_text.done",
           at("msg", 0, kPart0) + R"("text":"Hello\n\ud83d","logprobs":[])")
      .add("response.content_part.done", at("msg", 0, kPart0) + R"("part":)" + whole)
      .add("response.output_item.done", item_at(0, message(0, whole, "completed")))
      .add("response.completed",
           R"("response":)" +
               response("completed", message(0, whole, "completed"), "null", "null", "flex",
                        R"({"input_tokens":9,"input_tokens_details":{"cached_tokens":3,)"
                        R"("cache_write_tokens":2},"output_tokens":5000000000,)"
                        R"("output_tokens_details":{"reasoning_tokens":1},)"
                        R"("total_tokens":5000000009})"));
  const auto frames = run.frames();
  CHECK(lines_of(frames) == expected.text());
  check_numbers(frames);
  CHECK_FALSE(run.writer.failed());
}

TEST_CASE("a call is told with its arguments, and one without any has an empty object") {
  Run run(Run::context(true));
  run.start();
  run.taken();
  run.call("call_7", "f");
  run.writer.on_arguments(R"({\"city\":)");
  run.writer.on_arguments(R"(\"x\"})");
  run.writer.on_item_end(true);
  run.call("", "f");
  run.writer.on_item_end(true);
  run.end();
  const std::string first = call(0, "call_7", R"({\"city\":\"x\"})", "completed");
  const std::string minted = "call_" + std::string(kUnique) + "_1";
  const std::string second = call(1, minted, "{}", "completed");
  Listing expected(2);
  expected.add("response.output_item.added", item_at(0, call(0, "call_7", "", "in_progress")))
      .add("response.function_call_arguments.delta", at("fc", 0) + R"("delta":"{\"city\":")")
      .add("response.function_call_arguments.delta", at("fc", 0) + R"("delta":"\"x\"}")")
      .add("response.function_call_arguments.done",
           at("fc", 0) + R"("name":"f","arguments":"{\"city\":\"x\"}")")
      .add("response.output_item.done", item_at(0, first))
      .add("response.output_item.added", item_at(1, call(1, minted, "", "in_progress")))
      .add("response.function_call_arguments.delta", at("fc", 1) + R"("delta":"{}")")
      .add("response.function_call_arguments.done", at("fc", 1) + R"("name":"f","arguments":"{}")")
      .add("response.output_item.done", item_at(1, second))
      .add("response.completed", R"("response":)" + response("completed", first + "," + second));
  const auto frames = run.frames();
  CHECK(lines_of(frames) == expected.text());
  check_numbers(frames, 2);
}

TEST_CASE("a thought is a reasoning item with its wrapped blob") {
  Run run(Run::context(true));
  run.start();
  run.taken();
  run.thought();
  run.writer.on_thought("Hm");
  run.writer.on_thought("m");
  run.writer.on_thought_blob({.type = "thought", .data = "c2ln", .model = {}, .text = {}});
  run.writer.on_item_end(true);
  // {"m":"gemini-9","t":"thought","d":"c2ln"}
  const std::string blob = "gw1.gemini.eyJtIjoiZ2VtaW5pLTkiLCJ0IjoidGhvdWdodCIsImQiOiJjMmxuIn0";
  const std::string part = R"({"type":"summary_text","text":"Hmm"})";
  const std::string begun =
      R"({"id":")" + id("rs", 0) + R"(","type":"reasoning","summary":[],"encrypted_content":null})";
  const std::string whole = R"({"id":")" + id("rs", 0) + R"(","type":"reasoning","summary":[)" +
                            part + R"(],"encrypted_content":")" + blob + R"("})";
  const std::string in_part = at("rs", 0, R"("summary_index":0)");
  Listing expected(2);
  expected.add("response.output_item.added", item_at(0, begun))
      .add("response.reasoning_summary_part.added",
           in_part + R"("part":{"type":"summary_text","text":""})")
      .add("response.reasoning_summary_text.delta", in_part + R"("delta":"Hm")")
      .add("response.reasoning_summary_text.delta", in_part + R"("delta":"m")")
      .add("response.reasoning_summary_text.done", in_part + R"("text":"Hmm")")
      .add("response.reasoning_summary_part.done", in_part + R"("part":)" + part)
      .add("response.output_item.done", item_at(0, whole));
  CHECK(lines_of(run.frames()) == expected.text());
  run.end();
  CHECK(run.taken().find("\"output\":[" + whole + "]") != std::string::npos);
}

TEST_CASE("a thought may have a blob and no text, a text and no blob, or be cut short") {
  Run run(Run::context(false));
  run.start();
  run.thought();
  run.writer.on_thought_blob(
      {.type = "thinking", .data = "x", .model = {}, .id = "rs_1", .text = {}});
  run.writer.on_item_end(true);
  run.thought();
  run.writer.on_thought("Hm");
  run.writer.on_item_end(true);
  run.thought();
  run.writer.on_thought("H");
  run.writer.on_item_end(false);
  run.end(FinishReason::length);
  const auto reasoning = [](int index, std::string_view rest) {
    return R"({"id":")" + id("rs", index) + R"(","type":"reasoning","summary":[)" +
           std::string(rest) + "}";
  };
  // {"m":"gemini-9","t":"thinking","d":"x","i":"rs_1"}
  const std::string output =
      reasoning(0, R"(],"encrypted_content":"gw1.gemini.)"
                   R"(eyJtIjoiZ2VtaW5pLTkiLCJ0IjoidGhpbmtpbmciLCJkIjoieCIsImkiOiJyc18xIn0")") +
      "," + reasoning(1, R"({"type":"summary_text","text":"Hm"}],"encrypted_content":null)") + "," +
      reasoning(2, R"({"type":"summary_text","text":"H"}],"encrypted_content":null,)"
                   R"("status":"incomplete")");
  CHECK(run.taken() == response("incomplete", output, R"({"reason":"max_output_tokens"})"));
}

TEST_CASE("a message has a part for each run of text or refusal") {
  Run run(Run::context(true));
  run.start();
  run.message();
  run.writer.on_text("a");
  run.taken();
  run.writer.on_refusal("No");
  run.writer.on_refusal(".");
  run.writer.on_text("b");
  run.writer.on_item_end(true);
  const std::string refusal = R"({"type":"refusal","refusal":"No."})";
  const std::string part1 = R"("content_index":1)";
  const std::string part2 = R"("content_index":2)";
  Listing expected(5);
  expected.add("response.output_text.done", at("msg", 0, kPart0) + R"("text":"a","logprobs":[])")
      .add("response.content_part.done", at("msg", 0, kPart0) + R"("part":)" + text_part("a"))
      .add("response.content_part.added",
           at("msg", 0, part1) + R"("part":{"type":"refusal","refusal":""})")
      .add("response.refusal.delta", at("msg", 0, part1) + R"("delta":"No")")
      .add("response.refusal.delta", at("msg", 0, part1) + R"("delta":".")")
      .add("response.refusal.done", at("msg", 0, part1) + R"("refusal":"No.")")
      .add("response.content_part.done", at("msg", 0, part1) + R"("part":)" + refusal)
      .add("response.content_part.added", at("msg", 0, part2) + R"("part":)" + text_part(""))
      .add("response.output_text.delta", at("msg", 0, part2) + R"("delta":"b","logprobs":[])")
      .add("response.output_text.done", at("msg", 0, part2) + R"("text":"b","logprobs":[])")
      .add("response.content_part.done", at("msg", 0, part2) + R"("part":)" + text_part("b"))
      .add("response.output_item.done",
           item_at(0,
                   message(0, text_part("a") + "," + refusal + "," + text_part("b"), "completed")));
  CHECK(lines_of(run.frames()) == expected.text());
  run.writer.on_end({});
  CHECK(run.frames().back().event == "response.completed");
}

TEST_CASE("items that were cut short are incomplete") {
  Run run(Run::context(true));
  run.start();
  run.message();
  run.writer.on_text("a");
  run.writer.on_item_end(false);
  run.call("c", "f");
  run.writer.on_arguments(R"({\"a)");
  run.writer.on_item_end(false);
  run.end(FinishReason::length);
  const auto frames = run.frames();
  check_numbers(frames);
  CHECK(frames.back().event == "response.incomplete");
  CHECK(json::Value{frames.back().data}["response"].text ==
        response(
            "incomplete",
            message(0, text_part("a"), "incomplete") + "," + call(1, "c", R"({\"a)", "incomplete"),
            R"({"reason":"max_output_tokens"})"));
}

TEST_CASE("every reason to end has its status and details") {
  const auto ended = [](FinishReason reason, bool stream) {
    Run run(Run::context(stream));
    run.start();
    run.taken();
    run.call("c", "f");  // that there are calls does not matter
    run.writer.on_item_end(true);
    run.taken();
    run.end(reason);
    return run.taken();
  };
  struct Case {
    FinishReason reason;
    std::string_view status;
    std::string_view details;
  };
  const std::vector<Case> cases = {
      {FinishReason::stop, "completed", "null"},
      {FinishReason::stop_sequence, "completed", "null"},
      {FinishReason::length, "incomplete", R"({"reason":"max_output_tokens"})"},
      {FinishReason::context_window, "incomplete", R"({"reason":"max_output_tokens"})"},
      {FinishReason::content_filter, "incomplete", R"({"reason":"content_filter"})"},
      {FinishReason::pause, "incomplete", "{}"},
      {FinishReason::budget, "incomplete", R"({"reason":"max_output_tokens"})"},
  };
  for (const Case& c : cases) {
    const std::string object = response(c.status, call(0, "c", "{}", "completed"), c.details);
    CHECK(ended(c.reason, false) == object);
    const auto frames = frames_of(ended(c.reason, true));
    REQUIRE(frames.size() == 1);
    CHECK(frames[0].event == "response." + std::string(c.status));
    CHECK(json::Value{frames[0].data}["response"].text == object);
  }
}

TEST_CASE("a failure is response.failed with what there is of the answer") {
  Run run(Run::context(true));
  run.start();
  run.message();
  run.writer.on_text("a");
  run.writer.on_item_end(false);
  run.taken();
  run.writer.on_failure({.code = "rate_limit_exceeded", .message = R"(So \"sorry\")"});
  CHECK(run.writer.ended());
  const auto frames = run.frames();
  REQUIRE(frames.size() == 1);
  CHECK(frames[0].event == "response.failed");
  check_numbers(frames, 8);
  CHECK(json::Value{frames[0].data}["response"].text ==
        response("failed", message(0, text_part("a"), "incomplete"), "null",
                 R"({"code":"rate_limit_exceeded","message":"So \"sorry\""})"));
  // Nothing follows.
  run.message();
  run.writer.on_text("b");
  run.writer.on_item_end(true);
  run.end();
  run.writer.on_failure({});
  CHECK(run.taken().empty());
}

TEST_CASE("a failure without words gets some, by its status") {
  const auto error_of = [](uint16_t status) {
    Run run(Run::context(false));
    run.start();
    run.writer.on_failure({.code = {}, .message = {}, .status = status});
    return run.taken();
  };
  constexpr std::string_view kWhy =
      R"(","message":"The provider's answer failed, and the provider does not say why."})";
  const auto expected = [&](std::string_view code) {
    return response("failed", "", "null", R"({"code":")" + std::string(code) + std::string(kWhy));
  };
  CHECK(error_of(500) == expected("server_error"));
  CHECK(error_of(429) == expected("rate_limit_exceeded"));
  CHECK(error_of(400) == expected("invalid_request"));
}

TEST_CASE("a response repeats its request, on one line") {
  constexpr std::string_view kRequest =
      "{\n \"model\": \"m\",\r\n \"instructions\": \"Be \\n brief\",\n \"tools\": [\n  {\r\n"
      "   \"type\": \"function\", \"name\": \"f\"}\n ], \"temperature\": 0.50,\r"
      " \"metadata\": {\"a\": \"b\"}, \"top_p\": null, \"tool_choice\": \"required\",\n"
      " \"previous_response_id\": \"resp_1\", \"store\": true\n}";
  for (const bool stream : {false, true}) {
    AnswerContext context = Run::context(stream);
    context.request = kRequest;
    Run run(context);
    run.start();
    run.taken();
    run.end();
    const std::string text = run.taken();
    CHECK(text.find("\"instructions\":\"Be \\n brief\",") != std::string::npos);
    CHECK(text.find(R"("tools":[  {   "type": "function", "name": "f"} ],)") != std::string::npos);
    CHECK(text.find(R"("temperature":0.50,)") != std::string::npos);
    CHECK(text.find(R"("metadata":{"a": "b"},)") != std::string::npos);
    CHECK(text.find(R"("top_p":1.0,)") != std::string::npos);
    CHECK(text.find(R"("tool_choice":"required",)") != std::string::npos);
    CHECK(text.find(R"("previous_response_id":null,"store":false,)") != std::string::npos);
    if (stream) {
      CHECK(frames_of(text).size() == 1);
    } else {
      CHECK(json::validate(text));
    }
  }
}

TEST_CASE("an answer without a model or a tier is a response all the same") {
  AnswerContext context = Run::context(false);
  context.tier = {};
  context.request = {};
  Run run(context);
  run.start("");
  run.end();
  const std::string text = run.taken();
  CHECK(json::validate(text));
  CHECK(text.find(R"("model":"gemini-asked","output":[],)") != std::string::npos);
  CHECK(text.find(R"("service_tier":null,)") != std::string::npos);
  CHECK(text.find(kEcho) != std::string::npos);
}

TEST_CASE("the position is that of a failure that follows") {
  Run run(Run::context(true));
  run.start();
  run.message();
  run.writer.on_text("a");
  const errors::StreamPosition position = run.writer.position();
  CHECK(position.id == "resp_gw" + std::string(kUnique));
  CHECK(position.model == "gemini-9");
  CHECK(position.sequence_number == 5);
  CHECK(position.created_at_s == kCreatedAtS);
  // A position's texts are no raw JSON, and a name beyond any sense is not kept.
  Run escaped(Run::context(true));
  escaped.start(R"(a\"b)");
  CHECK(escaped.writer.position().model.empty());
  CHECK(escaped.taken().find(R"("model":"a\"b")") != std::string::npos);
  Run longest(Run::context(true));
  longest.start(std::string(256, 'm'));
  CHECK(longest.writer.position().model.size() == 256);
  Run longer(Run::context(true));
  longer.start(std::string(257, 'm'));
  CHECK(longer.writer.position().model == "gemini-asked");
}

TEST_CASE("the items are bounded") {
  const std::string mebibyte(limits::kMebibyte, 'a');
  for (const bool stream : {false, true}) {
    Run run(Run::context(stream));
    run.start();
    run.message();
    size_t told = 0;
    while (!run.writer.failed() && told < 64) {
      run.writer.on_text(mebibyte);
      if (!run.writer.failed()) ++told;
      run.taken();
    }
    CHECK(told == limits::kFoldBytesMax / limits::kMebibyte - 1);
    const uint64_t number = run.writer.position().sequence_number;
    run.writer.on_item_end(false);
    run.end();
    CHECK(run.taken().empty());
    CHECK_FALSE(run.writer.ended());
    CHECK(run.writer.position().sequence_number == number);
  }
}

TEST_CASE("a blob that does not fit ends the answer") {
  Run run(Run::context(true));
  run.start();
  run.thought();
  run.taken();
  const std::string data(limits::kFoldBytesMax, 'd');
  run.writer.on_thought_blob({.type = "thought", .data = data, .model = {}, .text = {}});
  CHECK(run.writer.failed());
  CHECK(run.taken().empty());
}

TEST_CASE("without room for a frame none of it is written") {
  // The output has one block of each of two sizes at most, so that some frame is the first that
  // does not fit.
  BlockPool out_pool(24 * 1024);
  BlockPool pool(Run::kPoolBytes);
  Buffer out(out_pool);
  ResponsesWriter writer(Run::context(true), pool);
  writer.set_output(out);
  writer.on_start({.model = "m"});
  writer.on_item_start({.kind = ItemKind::message});
  const std::string text(100, 'x');
  int told = 0;
  for (; !writer.failed() && told < 1000; ++told) writer.on_text(text);
  CHECK(told > 10);
  CHECK(told < 1000);
  const auto frames = frames_of(out.view());
  check_numbers(frames);
  CHECK(writer.position().sequence_number == frames.size());
}

TEST_CASE("without room for an item the answer fails") {
  Run run(Run::context(true), 0);
  run.start();
  CHECK_FALSE(run.writer.failed());
  run.taken();
  run.message();
  CHECK(run.writer.failed());
  CHECK(run.taken().empty());
}

}  // namespace flexd::surface
