#include <doctest/doctest.h>

#include <string>
#include <string_view>

#include "answer_runs.hpp"

namespace flexd::surface {
namespace {

const std::string kWholeOpenai =
    "start gpt-5.4-2026\n"
    "thought\nthink: One\nthink: \\n\\n\nthink: Two\nblob encrypted_content: ENC\n.\n"
    "message\ntext: Hel\\u00e9lo\nrefusal: No.\n.\n"
    "call call_1 f\nargs: {\\\"a\\\":1}\n.\n"
    "end stop\n";

TEST_CASE("OpenAI: a stream with everything") {
  Run run(Provider::openai);
  run.with(
      {kCreated,
       R"({"type":"response.in_progress","response":{"id":"resp_1"}})",
       R"({"type":"keepalive","sequence_number":2})",
       added(0, kReasoningAdded),
       delta("reasoning_summary_text", 0, "On", 0),
       delta("reasoning_summary_text", 0, "e", 0),
       text_event("reasoning_summary_text.done", 0, "text", "One", 0),
       delta("reasoning_summary_text", 0, "Two", 1),
       delta("reasoning_text", 0, "raw"),
       done(0, kReasoningItem),
       added(1, kMessageAdded),
       R"({"type":"response.content_part.added","output_index":1,"content_index":0,"part":{}})",
       delta("output_text", 1, "Hel"),
       delta("output_text", 1, ""),
       delta("output_text", 1, R"(\ud83d)"),
       delta("output_text", 1, R"(\ude00)"),
       text_event("output_text.done", 1, "text", "Hel"),
       delta("refusal", 1, "No.", 1),
       text_event("refusal.done", 1, "refusal", "No.", 1),
       done(1, kMessageItem),
       added(2, kCallAdded),
       delta("function_call_arguments", 2, R"({\"a\")"),
       delta("function_call_arguments", 2, ":1}"),
       text_event("function_call_arguments.done", 2, "arguments", "x"),
       done(2, kCallItem),
       terminal("completed", kReasoningItem + "," + kMessageItem + "," + kCallItem),
       delta("output_text", 1, "late"),
       terminal("failed", "")});
  CHECK(run.sink.told ==
        "start gpt-5.4-2026\n"
        "thought\nthink: On\nthink: e\nthink: \\n\\n\nthink: Two\nblob encrypted_content: ENC\n.\n"
        "message\ntext: Hel\ntext: \\ud83d\ntext: \\ude00\nrefusal: No.\n.\n"
        "call call_1 f\nargs: {\\\"a\\\"\nargs: :1}\n.\n"
        "end stop\n");
  CHECK(run.sink.service_tier == "flex");
  CHECK(run.sink.end.usage.known);
  CHECK(run.sink.end.usage.input_tokens == 9);
  CHECK(run.sink.end.usage.cached_tokens == 2);
  CHECK(run.sink.end.usage.reasoning_tokens == 3);
}

TEST_CASE("OpenAI: an object, and streams that bring as much in other ways") {
  const std::string items = kReasoningItem + "," + kMessageItem + "," + kCallItem;
  CHECK(told_of(Provider::openai, response("completed", items)) == kWholeOpenai);
  // No deltas, only wholes.
  CHECK(
      told(Provider::openai, {kCreated, added(0, kReasoningAdded), done(0, kReasoningItem),
                              added(1, kMessageAdded), done(1, kMessageItem), added(2, kCallAdded),
                              done(2, kCallItem), terminal("completed", items)}) == kWholeOpenai);
  // No beginnings either; and no events of items at all.
  CHECK(told(Provider::openai, {kCreated, done(0, kReasoningItem), done(1, kMessageItem),
                                done(2, kCallItem), terminal("completed", "")}) == kWholeOpenai);
  CHECK(told(Provider::openai, {kCreated, terminal("completed", items)}) == kWholeOpenai);
  CHECK(told(Provider::openai, {terminal("completed", items)}) == kWholeOpenai);
  // Some items with events, the last without; items that only the terminal response ends.
  CHECK(told(Provider::openai, {kCreated, added(0, kReasoningAdded), done(0, kReasoningItem),
                                added(1, kMessageAdded), terminal("completed", items)}) ==
        kWholeOpenai);
  // `.done` of texts alone.
  CHECK(told(Provider::openai,
             {kCreated, added(0, kReasoningAdded), done(0, kReasoningItem), added(1, kMessageAdded),
              text_event("output_text.done", 1, "text", R"(Hel\u00e9lo)"),
              text_event("refusal.done", 1, "refusal", "No.", 1), added(2, kCallAdded),
              text_event("function_call_arguments.done", 2, "arguments", R"({\"a\":1})"),
              terminal("completed", "")}) == kWholeOpenai);
  // A provider that numbers all its items 0 gets nothing told twice.
  CHECK(
      told(Provider::openai, {kCreated, added(0, kReasoningAdded), done(0, kReasoningItem),
                              added(0, kMessageAdded), done(0, kMessageItem), added(0, kCallAdded),
                              done(0, kCallItem), terminal("completed", items)}) == kWholeOpenai);
}

TEST_CASE("OpenAI: reasoning without a summary") {
  const auto end = terminal("completed", "");
  const std::string raw =
      R"({"type":"reasoning","summary":[],"content":[{"type":"reasoning_text","text":"a"},)"
      R"({"type":"reasoning_text","text":"b"}]})";
  CHECK(told(Provider::openai, {kCreated, added(0, kReasoningAdded),
                                delta("reasoning_text", 0, "a"), done(0, raw), end}) ==
        "start gpt-5.4-2026\nthought\nthink: a\nthink: \\n\\n\nthink: b\n.\nend stop\n");
  // More raw parts than there are of the summary: none of them is told.
  const std::string both =
      R"({"type":"reasoning","summary":[{"type":"summary_text","text":"s"}],"content":)"
      R"([{"type":"reasoning_text","text":"a"},{"type":"reasoning_text","text":"b"}]})";
  CHECK(told(Provider::openai, {kCreated, done(0, both), end}) ==
        "start gpt-5.4-2026\nthought\nthink: s\n.\nend stop\n");
  const std::string sealed = R"({"type":"reasoning","summary":[],"encrypted_content":"E"})";
  CHECK(told(Provider::openai, {kCreated, added(0, kReasoningAdded), done(0, sealed), end}) ==
        "start gpt-5.4-2026\nthought\nblob encrypted_content: E\n.\nend stop\n");
  // Nothing to tell: no item.
  CHECK(told(Provider::openai,
             {kCreated, added(0, kReasoningAdded),
              done(0, R"({"type":"reasoning","summary":[],"encrypted_content":null})"),
              added(1, kMessageAdded), done(1, kMessageAdded), end}) ==
        "start gpt-5.4-2026\nend stop\n");
}

TEST_CASE("OpenAI: calls that interleave come one after the other") {
  const std::string second =
      R"({"type":"function_call","call_id":"call_2","name":"g","arguments":""})";
  const std::string third = R"({"type":"function_call","call_id":"call_1","name":"h"})";
  CHECK(told(Provider::openai,
             {kCreated, added(0, kCallAdded), added(1, second), added(2, kMessageAdded),
              added(3, third), delta("function_call_arguments", 1, "b1"),
              delta("function_call_arguments", 0, "a1"), delta("output_text", 2, "t1"),
              delta("function_call_arguments", 1, "b2"), done(1, second),
              delta("function_call_arguments", 0, "a2"), done(0, kCallItem),
              delta("output_text", 2, "t2"), delta("function_call_arguments", 3, "c1"),
              terminal("completed", "")}) ==
        "start gpt-5.4-2026\ncall call_1 f\nargs: a1\nargs: a2\n.\n"
        "call call_2 g\nargs: b1\nargs: b2\n.\n"
        "message\ntext: t1\ntext: t2\n.\n"
        "call call_1_3 h\nargs: c1\n.\nend stop\n");
}

TEST_CASE("OpenAI: an item that waits ends as its provider says") {
  const std::string cut = R"({"type":"function_call","status":"incomplete","arguments":"{"})";
  CHECK(told(Provider::openai,
             {kCreated, added(0, kMessageAdded), delta("output_text", 0, "a"), added(1, kCallAdded),
              done(1, cut), done(0, kMessageAdded), terminal("incomplete", "")}) ==
        "start gpt-5.4-2026\nmessage\ntext: a\n.\ncall call_1 f\nargs: {\n/\nend length\n");
}

TEST_CASE("OpenAI: how an answer ends") {
  const std::string cut = R"({"type":"message","status":"incomplete","content":[]})";
  const std::string head = "start gpt-5.4-2026\nmessage\ntext: a\n";
  const auto ends = [&](std::string_view details) {
    return told(Provider::openai, {kCreated, added(0, kMessageAdded), delta("output_text", 0, "a"),
                                   done(0, cut), terminal("incomplete", cut, details)});
  };
  CHECK(ends(R"(,"incomplete_details":{"reason":"max_output_tokens"})") ==
        head + "/\nend length\n");
  CHECK(ends(R"(,"incomplete_details":{"reason":"content_filter"})") ==
        head + "/\nend content_filter\n");
  CHECK(ends("") == head + "/\nend length\n");
  // Never closed.
  CHECK(told(Provider::openai, {kCreated, added(0, kMessageAdded), delta("output_text", 0, "a"),
                                terminal("incomplete", "")}) == head + "/\nend length\n");
  CHECK(told(Provider::openai, {kCreated, added(0, kMessageAdded), delta("output_text", 0, "a"),
                                terminal("completed", "")}) == head + ".\nend stop\n");
  CHECK(told(Provider::openai,
             {kCreated, added(0, kMessageAdded), delta("output_text", 0, "a"),
              R"({"type":"response.failed","response":{"status":"failed","error":)"
              R"({"code":"server_error","message":"The \"server\""},"output":[]}})"}) ==
        head + "/\nfailure 500 server_error: The \\\"server\\\"\n");
  CHECK(told(Provider::openai, {R"({"type":"error","code":"rate_limit_exceeded","message":"slow"})",
                                kCreated}) == "start \nfailure 429 rate_limit_exceeded: slow\n");
  CHECK(
      told_of(Provider::openai,
              R"({"status":"failed","model":"m","error":{"code":"server_error","message":"x"}})") ==
      "start m\nfailure 500 server_error: x\n");
  CHECK(told_of(
            Provider::openai,
            response("incomplete", cut, R"(,"incomplete_details":{"reason":"content_filter"})")) ==
        "start gpt-5.4-2026\nend content_filter\n");
}

TEST_CASE("OpenAI: what is not told") {
  const std::string search = R"({"type":"web_search_call","id":"ws_1","status":"completed"})";
  CHECK(told(Provider::openai,
             {kCreated, added(0, search), delta("output_text", 0, "no"), done(0, search),
              added(1, R"({"type":"custom_tool_call","input":"x"})"),
              text_event("custom_tool_call_input.delta", 1, "delta", "x"), added(2, kMessageAdded),
              delta("function_call_arguments", 2, "wrong kind"), delta("output_text", 2, "a"),
              R"({"type":"response.output_text.delta","output_index":2,"delta":7})",
              R"({"type":"response.output_text.delta","output_index":2,"delta":null})",
              R"({"type":"response.output_text.annotation.added","output_index":2})",
              done(2, kMessageAdded), delta("output_text", 2, "late"),
              delta("function_call_arguments", 9, "no name"),
              terminal("completed", search + "," + search + "," + kMessageItem)}) ==
        "start gpt-5.4-2026\nmessage\ntext: a\n.\nend stop\n");
  // Texts whose item never began make one.
  CHECK(told(Provider::openai, {delta("output_text", 0, "a"), delta("output_text", 0, "b"),
                                terminal("completed", kMessageItem)}) ==
        "start \nmessage\ntext: a\ntext: b\nrefusal: No.\n.\nend stop\n");
}

}  // namespace
}  // namespace flexd::surface
