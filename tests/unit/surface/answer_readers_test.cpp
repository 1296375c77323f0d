#include <doctest/doctest.h>

#include <string>
#include <string_view>

#include "answer_runs.hpp"
#include "flexd/base/limits.hpp"

namespace flexd::surface {
namespace {

TEST_CASE("Gemini: a stream with everything") {
  Run run(Provider::gemini);
  run.with({kInteractionCreated,
            R"({"interaction_id":"v1_1","status":"in_progress","event_type":)"
            R"("interaction.status_update"})",
            step_start(0, R"({"type":"thought"})"),
            step_delta(0, R"({"type":"thought_summary","content":{"type":"text","text":"Hm"}})"),
            step_delta(0, R"({"type":"thought_signature","signature":"S0"})"),
            step_delta(0, R"({"type":"thought_signature","signature":"S1"})"),
            step_delta(0, R"({"type":"thought_summary","content":{"type":"text","text":"m"}})"),
            step_stop(0),
            step_start(1, R"({"type":"model_output"})"),
            text_delta(1, "Hel"),
            step_delta(1, R"({"type":"image","data":"AAAA"})"),
            text_delta(1, ""),
            text_delta(1, "lo"),
            step_stop(1),
            step_start(2, R"({"type":"google_search_call","id":"s"})"),
            step_delta(2, R"({"type":"google_search_call","arguments":{}})"),
            step_stop(2),
            step_start(3, R"({"type":"function_call","id":"c","name":"f","arguments":{"x":1}})"),
            arguments_delta(3, ""),
            arguments_delta(3, R"({\"a\":)"),
            arguments_delta(3, "2}"),
            step_stop(3),
            step_start(4, R"({"type":"function_call","id":"c","name":"f","arguments":)"
                          R"({"x":[1, "\n\"é"]}})"),
            arguments_delta(4, ""),
            step_stop(4),
            step_start(5, R"({"type":"function_call","id":"","name":"g","arguments":{ }})"),
            step_stop(5),
            step_start(6, R"({"type":"function_call","name":"g"})"),
            step_stop(6),
            interaction_completed("requires_action"),
            text_delta(1, "late")});
  CHECK(run.sink.told ==
        "start gemini-3\nthought\nthink: Hm\nthink: m\nblob thought: S1\n.\n"
        "message\ntext: Hel\ntext: lo\n.\n"
        "call c f\nargs: {\\\"a\\\":\nargs: 2}\n.\n"
        "call c_2 f\nargs: {\\\"x\\\":[1, \\\"\\\\n\\\\\\\"é\\\"]}\n.\n"
        "call  g\n.\ncall  g\n.\nend stop\n");
  CHECK(run.sink.service_tier == "flex");
  CHECK(run.sink.end.usage.output_tokens == 6);
  CHECK(run.sink.end.usage.reasoning_tokens == 2);
}

TEST_CASE("Gemini: steps that are whole at their start, and objects") {
  const std::string thought =
      R"({"type":"thought","signature":"S","summary":[{"type":"text","text":"One"},)"
      R"({"type":"image","data":"x"},{"type":"text","text":"Two"}]})";
  const std::string output =
      R"({"type":"model_output","content":[{"type":"text","text":"He","annotations":[]},)"
      R"({"type":"image"},{"type":"text","text":"llo"}]})";
  const std::string call = R"({"type":"function_call","id":"c","name":"f","arguments":{"a":1}})";
  const std::string expected =
      "start gemini-3\nthought\nthink: One\nthink: \\n\\n\nthink: Two\nblob thought: S\n.\n"
      "message\ntext: He\ntext: llo\n.\ncall c f\nargs: {\\\"a\\\":1}\n.\nend stop\n";
  CHECK(told(Provider::gemini, {kInteractionCreated, step_start(0, thought), step_stop(0),
                                step_start(1, output), step_stop(1), step_start(2, call),
                                step_stop(2), interaction_completed("requires_action")}) ==
        expected);
  // Without a single stop.
  CHECK(told(Provider::gemini, {kInteractionCreated, step_start(0, thought), step_start(1, output),
                                step_start(2, call), interaction_completed("completed")}) ==
        expected);
  const std::string user = R"({"type":"user_input","content":[{"type":"text","text":"Hi"}]})";
  const std::string steps = ",\"steps\":[" + user + "," + thought + "," + output + "," + call + "]";
  CHECK(told_of(Provider::gemini, interaction("requires_action", steps)) == expected);
  CHECK(told(Provider::gemini,
             {kInteractionCreated, interaction_completed("requires_action", steps)}) == expected);
  CHECK(told(Provider::gemini, {kInteractionCreated, step_start(0, output),
                                interaction_completed("completed", steps)}) ==
        "start gemini-3\nmessage\ntext: He\ntext: llo\n.\nend stop\n");
  // No start: the model comes with the end, too late if something was told.
  CHECK(told(Provider::gemini, {text_delta(0, "a"), interaction_completed("completed")}) ==
        "start \nmessage\ntext: a\n.\nend stop\n");
  CHECK(told(Provider::gemini, {interaction_completed("completed")}) ==
        "start gemini-3\nend stop\n");
}

TEST_CASE("Gemini: how an answer ends") {
  const std::string head = "start gemini-3\nmessage\ntext: a\n";
  const auto ends = [&](std::string_view status, std::string_view more = "") {
    return told(Provider::gemini,
                {kInteractionCreated, step_start(0, R"({"type":"model_output"})"),
                 text_delta(0, "a"), step_stop(0), interaction_completed(status, more)});
  };
  CHECK(ends("completed") == head + ".\nend stop\n");
  CHECK(ends("unheard_of") == head + ".\nend stop\n");
  CHECK(ends("incomplete") == head + "/\nend length\n");
  CHECK(ends("incomplete", R"(,"errors":[{"code":"safety"}])") == head + "/\nend content_filter\n");
  CHECK(ends("incomplete", R"(,"errors":[])") == head + "/\nend length\n");
  CHECK(ends("budget_exceeded") == head + "/\nend budget\n");
  CHECK(ends("requires_continuation") == head + ".\nend pause\n");
  CHECK(ends("failed", R"(,"errors":[{"code":"resource_exhausted","message":"m"}])") ==
        head + ".\nfailure 429 resource_exhausted: m\n");
  CHECK(ends("cancelled") == head + ".\nfailure 500 : \n");
  // A step that was blocked.
  CHECK(told(Provider::gemini,
             {kInteractionCreated,
              step_start(0, R"({"type":"model_output","error":{"code":"safety","message":"x"}})"),
              step_stop(0), interaction_completed("completed")}) ==
        "start gemini-3\nend content_filter\n");
  CHECK(told(Provider::gemini,
             {kInteractionCreated, step_start(0, R"({"type":"model_output"})"), text_delta(0, "a"),
              R"({"event_type":"error","error":{"code":"unavailable","message":"m"}})",
              step_stop(0)}) == head + "/\nfailure 500 unavailable: m\n");
  CHECK(told(Provider::gemini, {R"({"event_type":"error","error":{}})"}) ==
        "start \nfailure 500 : \n");
  CHECK(
      told_of(Provider::gemini,
              interaction("failed", R"(,"errors":[{"code":"invalid_argument","message":"m"}])")) ==
      "start gemini-3\nfailure 400 invalid_argument: m\n");
  CHECK(told_of(Provider::gemini,
                interaction("incomplete", R"(,"steps":[{"type":"model_output",)"
                                          R"("content":[{"type":"text","text":"a"}]}])")) ==
        head + "/\nend length\n");
}

TEST_CASE("Gemini: arguments that come as an object") {
  CHECK(told(Provider::gemini,
             {kInteractionCreated,
              step_start(0, R"({"type":"function_call","id":"c","name":"f","arguments":{}})"),
              step_delta(0, R"({"type":"arguments_delta","arguments":{"a":"b"}})"), step_stop(0),
              interaction_completed("requires_action")}) ==
        "start gemini-3\ncall c f\nargs: {\\\"a\\\":\\\"b\\\"}\n.\nend stop\n");
}

TEST_CASE("Gemini: steps that interleave") {
  CHECK(told(Provider::gemini,
             {kInteractionCreated, step_start(0, R"({"type":"thought"})"),
              step_start(1, R"({"type":"function_call","id":"a","name":"f","arguments":{"x":1}})"),
              step_start(2, R"({"type":"function_call","id":"b","name":"g","arguments":{}})"),
              arguments_delta(2, "{}"), step_stop(1), step_stop(2),
              step_start(3, R"({"type":"thought","signature":"S3"})"), step_stop(3),
              step_delta(0, R"({"type":"thought_signature","signature":"S0"})"), step_stop(0),
              interaction_completed("requires_action")}) ==
        "start gemini-3\nthought\nblob thought: S0\n.\ncall a f\nargs: {\\\"x\\\":1}\n.\n"
        "call b g\nargs: {}\n.\nthought\nblob thought: S3\n.\nend stop\n");
}

TEST_CASE("Anthropic: a stream with everything") {
  Run run(Provider::anthropic);
  run.with(
      {kMessageStart,
       R"({"type":"ping"})",
       block_start(0, R"({"type":"thinking","thinking":"","signature":""})"),
       block_delta(0, "thinking_delta", "thinking", "Hm"),
       block_delta(0, "thinking_delta", "thinking", "m"),
       block_delta(0, "signature_delta", "signature", "OLD"),
       block_delta(0, "signature_delta", "signature", "SIG"),
       block_stop(0),
       block_start(1, R"({"type":"redacted_thinking","data":"RED"})"),
       block_stop(1),
       block_start(2, R"({"type":"text","text":""})"),
       block_delta(2, "text_delta", "text", "Hel"),
       R"({"type":"ping"})",
       R"({"type":"content_block_delta","index":2,"delta":{"type":"citations_delta",)"
       R"("citation":{}}})",
       block_delta(2, "text_delta", "text", R"(l\no)"),
       block_stop(2),
       block_start(3, R"({"type":"server_tool_use","id":"srv","name":"web_search","input":{}})"),
       block_delta(3, "input_json_delta", "partial_json", "{}"),
       block_stop(3),
       block_start(4, R"({"type":"tool_use","id":"toolu_1","name":"f","input":{}})"),
       block_delta(4, "input_json_delta", "partial_json", ""),
       block_delta(4, "input_json_delta", "partial_json", R"({\"a\":)"),
       block_delta(4, "input_json_delta", "partial_json", "1}"),
       block_stop(4),
       block_start(5, R"({"type":"tool_use","id":"toolu_2","name":"g","input":{"b":{}}})"),
       block_stop(5),
       message_delta("tool_use"),
       kMessageStop,
       block_start(6, R"({"type":"text","text":"late"})")});
  CHECK(run.sink.told ==
        "start claude-5\nthought\nthink: Hm\nthink: m\nblob thinking: SIG\n.\n"
        "thought\nblob redacted_thinking: RED\n.\n"
        "message\ntext: Hel\ntext: l\\no\n.\n"
        "call toolu_1 f\nargs: {\\\"a\\\":\nargs: 1}\n.\n"
        "call toolu_2 g\nargs: {\\\"b\\\":{}}\n.\nend stop\n");
  CHECK(run.sink.service_tier == "priority");
  CHECK(run.sink.end.usage.input_tokens == 21);
  CHECK(run.sink.end.usage.cached_tokens == 7);
  CHECK(run.sink.end.usage.output_tokens == 4);
}

TEST_CASE("Anthropic: how an answer ends") {
  const std::string head = "start claude-5\nmessage\ntext: a\n";
  const auto ends = [&](std::string_view reason) {
    return told(Provider::anthropic,
                {kMessageStart, block_start(0, R"({"type":"text","text":"a"})"), block_stop(0),
                 message_delta(reason), kMessageStop});
  };
  CHECK(ends("end_turn") == head + ".\nend stop\n");
  CHECK(ends("max_tokens") == head + "/\nend length\n");
  CHECK(ends("model_context_window_exceeded") == head + "/\nend context_window\n");
  CHECK(ends("refusal") == head + "/\nend content_filter\n");
  CHECK(ends("pause_turn") == head + ".\nend pause\n");
  CHECK(ends("new_reason") == head + ".\nend stop\n");
  CHECK(told(Provider::anthropic, {kMessageStart, kMessageStop}) == "start claude-5\nend stop\n");
  Run run(Provider::anthropic);
  run.with({kMessageStart, message_delta("stop_sequence", R"("\n\nE")"), kMessageStop});
  CHECK(run.sink.told == "start claude-5\nend stop_sequence\n");
  CHECK(run.sink.stop_sequence == "\\n\\nE");
  // A stop sequence of 256 bytes is kept, one of more is not.
  for (const size_t bytes : {256, 257}) {
    Run longer(Provider::anthropic);
    const std::string sequence(bytes, 'x');
    longer.with(
        {kMessageStart, message_delta("stop_sequence", "\"" + sequence + "\""), kMessageStop});
    CHECK(longer.sink.stop_sequence.size() == (bytes == 256 ? 256 : 0));
  }
  // Cut: only the last block is not whole. A failure makes no stopped block incomplete.
  CHECK(told(Provider::anthropic,
             {kMessageStart, block_start(0, R"({"type":"text","text":"a"})"), block_stop(0),
              block_start(1, R"({"type":"tool_use","id":"t","name":"f","input":{}})"),
              block_delta(1, "input_json_delta", "partial_json", R"({\"a)"), block_stop(1),
              message_delta("max_tokens"), kMessageStop}) ==
        head + ".\ncall t f\nargs: {\\\"a\n/\nend length\n");
  CHECK(told(Provider::anthropic,
             {kMessageStart, block_start(0, R"({"type":"text","text":"a"})"), block_stop(0),
              R"({"type":"error","error":{"type":"overloaded_error","message":"m"}})",
              kMessageStop}) == head + ".\nfailure 500 overloaded_error: m\n");
  CHECK(told(Provider::anthropic,
             {kMessageStart, block_start(0, R"({"type":"text","text":"a"})"),
              block_start(1, R"({"type":"text","text":"b"})"), block_stop(1),
              R"({"type":"error","error":{"type":"api_error","message":"m"}})"}) ==
        head + "/\nmessage\ntext: b\n.\nfailure 500 api_error: m\n");
}

TEST_CASE("Anthropic: a message object") {
  const std::string object =
      R"({"id":"msg_1","type":"message","model":"claude-5","content":[)"
      R"({"type":"thinking","thinking":"Hm","signature":"S"},)"
      R"({"type":"redacted_thinking","data":"R"},{"type":"text","text":"Hello","citations":null},)"
      R"({"type":"web_search_tool_result","content":[]},)"
      R"({"type":"tool_use","id":"t","name":"f","input":{"a":[]}},)"
      R"({"type":"tool_use","id":"u","name":"g","input":{}}],"stop_reason":"tool_use",)"
      R"("stop_sequence":null,"usage":{"input_tokens":9,"output_tokens":4,"service_tier":)"
      R"("standard"}})";
  Run run(Provider::anthropic);
  REQUIRE(run.read(object));
  CHECK(run.sink.told ==
        "start claude-5\nthought\nthink: Hm\nblob thinking: S\n.\n"
        "thought\nblob redacted_thinking: R\n.\nmessage\ntext: Hello\n.\n"
        "call t f\nargs: {\\\"a\\\":[]}\n.\ncall u g\n.\nend stop\n");
  CHECK(run.sink.service_tier == "standard");
  CHECK(run.sink.end.usage.total_tokens == 13);
}

TEST_CASE("what is no answer is refused") {
  for (const Provider provider : {Provider::openai, Provider::gemini, Provider::anthropic}) {
    for (const std::string_view object :
         {"", "null", "[]", "{}", R"({"error":{"message":"m"}})", R"({"status":"in_progress"})",
          R"({"status":"queued","output":[],"steps":[]})", R"({"status":"completed","output":[)",
          R"({"status":7,"output":[]})", R"({"content":[{"type":"text"})"}) {
      Run run(provider);
      CAPTURE(object);
      CHECK_FALSE(run.read(object));
      CHECK_FALSE(run.sink.ended);
    }
  }
}

TEST_CASE("broken texts end the answer before they reach the sink") {
  for (const std::string& bad :
       {std::string("a\nb"), std::string("\\x"), std::string("\xff"), std::string("\\u12")}) {
    CAPTURE(bad);
    Run openai(Provider::openai);
    openai.with({kCreated, added(0, kMessageAdded), delta("output_text", 0, "good")});
    CHECK_FALSE(openai.feed(delta("output_text", 0, bad)));
    CHECK_FALSE(openai.feed(terminal("completed", "")));
    CHECK(openai.sink.told == "start gpt-5.4-2026\nmessage\ntext: good\n");
    Run anthropic(Provider::anthropic);
    anthropic.with({kMessageStart});
    CHECK_FALSE(anthropic.feed(
        block_start(0, R"({"type":"tool_use","id":"t","name":")" + bad + R"(","input":{}})")));
    CHECK(anthropic.sink.told == "start claude-5\n");
    // What an answer can do without is left out.
    CHECK(told(Provider::openai, {R"({"type":"response.failed","response":{"error":{"code":"c",)"
                                  R"("message":")" +
                                  bad + "\"}}}"}) == "start \nfailure 500 : \n");
    CHECK(told(Provider::anthropic,
               {R"({"type":"message_start","message":{"model":")" + bad + "\"}}", kMessageStop}) ==
          "start \nend stop\n");
  }
  Run gemini(Provider::gemini);
  gemini.with({kInteractionCreated});
  const std::string broken = R"({"type":"function_call","name":"f","arguments":{"a":}})";
  CHECK_FALSE(gemini.feed(step_start(0, broken)));
}

TEST_CASE("a whole object that is broken anywhere is no answer, told or not") {
  const std::string item =
      R"({"type":"function_call","id":"fc_1","call_id":"call_1","name":"f","arguments":"{}"})";
  const std::pair<Provider, std::string> objects[] = {
      {Provider::openai, response("completed", item + "," + item, R"(,"metadata":{"k":[1,"v"]})")},
      {Provider::gemini, R"({"id":"i","status":"completed","model":"gemini-3","x":[1],"steps":[)"
                         R"({"type":"model_output","content":[{"type":"text","text":"one"},)"
                         R"({"type":"text","text":"two"}]}],"usage":{"total_input_tokens":3}})"},
      {Provider::anthropic,
       R"({"type":"message","model":"claude-5","content":[{"type":"text","text":"one"},)"
       R"({"type":"tool_use","id":"t","name":"n","input":{"city":"Paris"}}],"x":1,)"
       R"("stop_reason":"tool_use","usage":{"input_tokens":9,"output_tokens":2}})"},
  };
  for (const auto& [provider, object] : objects) {
    CHECK(Run(provider).read(object));
    size_t broken = 0;
    for (size_t at = 0; at < object.size(); ++at) {
      for (const std::string_view in_place : {"", "\x01", "}", "]", "\"", ",", " 1"}) {
        std::string other = object;
        other.replace(at, 1, in_place);
        if (json::validate(other)) continue;
        CAPTURE(other);
        Run run(provider);
        CHECK_FALSE(run.read(other));
        CHECK_FALSE(run.sink.ended);
        ++broken;
      }
    }
    CHECK(broken > 3 * object.size());
  }
  // A name that stands there twice is anybody's guess.
  CHECK_FALSE(Run(Provider::openai).read(response("completed", item, R"(,"output":[])")));
}

TEST_CASE("events without an index belong to the last item") {
  CHECK(told(Provider::anthropic,
             {kMessageStart,
              R"({"type":"content_block_start","content_block":{"type":"text","text":"a"}})",
              R"({"type":"content_block_delta","delta":{"type":"text_delta","text":"b"}})",
              R"({"type":"content_block_stop"})",
              R"({"type":"content_block_start","content_block":{"type":"text","text":"c"}})",
              kMessageStop}) ==
        "start claude-5\nmessage\ntext: a\ntext: b\n.\nmessage\ntext: c\n.\nend stop\n");
  // An index used again while it is open is the new item's.
  CHECK(told(Provider::anthropic, {kMessageStart, block_start(0, R"({"type":"text","text":"a"})"),
                                   block_start(0, R"({"type":"text","text":"b"})"),
                                   block_delta(0, "text_delta", "text", "c"),
                                   block_start(0, R"({"type":"server_tool_use"})"),
                                   block_delta(0, "text_delta", "text", "d"), kMessageStop}) ==
        "start claude-5\nmessage\ntext: a\n.\nmessage\ntext: b\ntext: c\n.\nend stop\n");
  // A stop of nothing, an index beyond any sense.
  CHECK(told(Provider::anthropic, {kMessageStart, block_stop(3),
                                   R"({"type":"content_block_start","index":18446744073709551615,)"
                                   R"("content_block":{"type":"text","text":"a"}})",
                                   R"({"type":"content_block_start","index":18446744073709551615,)"
                                   R"("content_block":{"type":"text","text":"b"}})",
                                   kMessageStop}) ==
        "start claude-5\nmessage\ntext: a\n.\nmessage\ntext: b\n.\nend stop\n");
}

TEST_CASE("what waits is bounded") {
  const std::string piece(size_t{1} << 20U, 'x');
  Run run(Provider::openai);
  run.with({kCreated, added(0, kMessageAdded), added(1, kMessageAdded)});
  CHECK(run.feed(delta("output_text", 0, "first")));
  for (int i = 0; i < 3; ++i) CHECK(run.feed(delta("output_text", 1, piece)));
  CHECK(run.sink.texts == "first");
  SUBCASE("up to the bound") {
    const std::string rest(limits::kHeldEventBytesMax - 3 * piece.size() - 4 * 16, 'y');
    CHECK(run.feed(delta("output_text", 1, rest)));
    CHECK(run.feed(done(0, kMessageAdded)));
    CHECK(run.sink.texts.size() == 5 + 3 * piece.size() + rest.size());
    CHECK(run.feed(terminal("completed", "")));
    CHECK(run.sink.ended);
  }
  SUBCASE("a byte more") {
    const std::string rest(limits::kHeldEventBytesMax - 3 * piece.size() - 4 * 16 + 1, 'y');
    CHECK_FALSE(run.feed(delta("output_text", 1, rest)));
    CHECK_FALSE(run.feed(done(0, kMessageAdded)));
    CHECK(run.sink.texts == "first");
  }
}

TEST_CASE("the open items are bounded") {
  Run run(Provider::gemini);
  for (size_t i = 0; i <= kOpenItemsMax; ++i) {
    CHECK(run.feed(text_delta(static_cast<int>(i), "x")));
  }
  CHECK(run.sink.texts == "x");
  SUBCASE("all are told in the end") {
    CHECK(run.feed(interaction_completed("completed")));
    CHECK(run.sink.texts.size() == kOpenItemsMax + 1);
    CHECK(run.sink.ended);
  }
  SUBCASE("one more") {
    CHECK_FALSE(run.feed(text_delta(kOpenItemsMax + 1, "x")));
  }
}

TEST_CASE("the ids of calls are bounded and differ") {
  const auto call = [](const std::string& id) {
    return block_start(0, R"({"type":"tool_use","id":")" + id + R"(","name":"f","input":{}})");
  };
  CHECK(told(Provider::anthropic, {kMessageStart, call("a"), call("a_2"), call("a"), call("a"),
                                   call("b"), call("aa"), call("a_2"), call("_2"), kMessageStop}) ==
        "start claude-5\ncall a f\n.\ncall a_2 f\n.\ncall a_3 f\n.\ncall a_4 f\n.\ncall b f\n.\n"
        "call aa f\n.\ncall a_2_7 f\n.\ncall _2 f\n.\nend stop\n");
  Run run(Provider::anthropic);
  CHECK(run.feed(call(std::string(kCallIdsBytesMax - 4, 'a'))));
  SUBCASE("up to the bound") {
    CHECK(run.feed(call("bb")));
  }
  SUBCASE("a byte more") {
    CHECK_FALSE(run.feed(call("bbb")));
  }
}

TEST_CASE("a pool without room ends the answer") {
  Run run(Provider::openai, 4096);
  run.with(
      {kCreated, added(0, kMessageAdded), delta("output_text", 0, "a"), added(1, kMessageAdded)});
  CHECK_FALSE(run.feed(delta("output_text", 1, "b")));
  CHECK_FALSE(run.feed(terminal("completed", "")));
  CHECK(run.sink.told == "start gpt-5.4-2026\nmessage\ntext: a\n");
  Run calls(Provider::openai, 0);
  CHECK_FALSE(calls.with({kCreated}).feed(added(0, kCallAdded)));
}

}  // namespace
}  // namespace flexd::surface
