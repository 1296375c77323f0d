#include <doctest/doctest.h>

#include <string>
#include <string_view>

#include "request_model_text.hpp"

namespace flexd::surface {
namespace {

Reading read(std::string body) {
  return read_body(errors::Dialect::responses, std::move(body),
                   {.provider = errors::Provider::gemini, .native_parameters = false});
}

std::string with(std::string_view members) {
  return R"({"model":"m","input":"x",)" + std::string(members) + "}";
}

std::string input(std::string_view value) {
  return R"({"input":)" + std::string(value) + "}";
}

TEST_CASE("responses reader: a conversation in order") {
  CHECK(read(input(R"("hi")")).items() == "user: text \"hi\"\n");
  CHECK(read(R"({"input":[],"instructions":"i"})").items() == "system: text \"i\"\n");
  CHECK(read(R"({"instructions":"first","input":[
    {"role":"developer","content":"second","name":"n"},
    {"role":"user","content":[{"type":"input_text","text":"look","prompt_cache_breakpoint":{}},
      {"type":"input_image","image_url":"data:image\/png;base64,AA==","detail":"auto"},
      {"type":"input_image","image_url":"https://a.example/b.png","file_id":null},
      {"type":"input_file","file_data":"data:application/pdf;base64,QQ==","filename":"a.pdf"},
      {"type":"input_file","file_url":"https://a.example/c.pdf","filename":null}]},
    {"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"hm"}],
      "encrypted_content":"gw1.x","content":[{"type":"reasoning_text","text":"raw"}],"status":null},
    {"type":"reasoning","summary":[]},
    {"type":"message","role":"assistant","id":"msg_1","status":"completed","phase":"commentary",
      "content":[{"type":"output_text","text":"so","annotations":[],"logprobs":[],"new":1},
                 {"type":"refusal","refusal":"no"}]},
    {"type":"function_call","id":"fc_1","call_id":"c1","name":"f","arguments":"{\"a\":1}",
      "status":"completed"},
    {"type":"function_call_output","call_id":"c1","output":"one","id":null,"status":"completed"},
    {"type":"function_call_output","call_id":"c2","output":[{"type":"input_text","text":"two"},
      {"type":"input_image","image_url":"data:image/png;base64,BB=="}]},
    {"type":"message","role":"system","content":[{"type":"input_text","text":"later"}]},
    {"role":"assistant","content":"easy"}]})")
            .items() == R"(system: text "first"
system: text "second"
user: text "look"
  | image base64 image\/png AA== detail "auto"
  | image url https://a.example/b.png
  | file base64 application/pdf QQ== name "a.pdf"
  | file url https://a.example/c.pdf
thought blob "gw1.x": text "hm"
thought
assistant: text "so"
  | refusal "no"
call "f" id "c1" arguments "{\"a\":1}"
result id "c1": text "one"
result id "c2": text "two"
  | image base64 image/png BB==
system: text "later"
assistant: text "easy"
)");
}

TEST_CASE("responses reader: fields reach the model") {
  const Reading reading = read(with(R"("max_output_tokens":5,"temperature":0.1,"top_p":0.2,
    "stream":true,"stream_options":{"include_obfuscation":true},"store":true,
    "tools":[{"type":"function","name":"f","parameters":{"p":1},"strict":true,"defer_loading":true},
             {"type":"web_search","filters":null}],
    "tool_choice":{"type":"function","name":"f"},"parallel_tool_calls":false,
    "reasoning":{"effort":"none","summary":"detailed","context":"auto","mode":"standard"},
    "text":{"format":{"type":"json_schema","name":"n","schema":{"s":1}},"verbosity":"high"},
    "include":["reasoning.encrypted_content","file_search_call.results"],
    "metadata":{"a":"b"},"user":"u","safety_identifier":"s","prompt_cache_key":"k",
    "prompt_cache_options":{"mode":"implicit"},"prompt_cache_retention":"24h",
    "background":false,"truncation":"disabled","top_logprobs":0,"previous_response_id":null,
    "conversation":null,"prompt":null,"max_tool_calls":null)"));
  REQUIRE(reading.fault() == "none");
  const RequestModel& model = *reading.model;
  CHECK(model.dialect == errors::Dialect::responses);
  CHECK(model.max_tokens.text == "5");
  CHECK(model.temperature.text == "0.1");
  CHECK(model.top_p.text == "0.2");
  CHECK(model.stream);
  CHECK(!model.store.exists());
  REQUIRE(model.tools.size() == 2);
  CHECK(model.tools[0].strict.text == "true");
  CHECK(model.tools[1].kind == Tool::Kind::web_search);
  CHECK(model.tool_choice.kind == ToolChoice::Kind::one);
  CHECK(model.tool_choice.name.text == "\"f\"");
  CHECK(model.parallel_tool_calls.text == "false");
  CHECK(model.effort == Effort::none);
  CHECK(model.summary == Summary::detailed);
  CHECK(model.format.kind == Format::Kind::json_schema);
  CHECK(model.format.name.text == "\"n\"");
  CHECK(!model.format.strict.exists());
  CHECK(model.verbosity.text == "\"high\"");
  CHECK(model.metadata.text == "{\"a\":\"b\"}");
  CHECK(model.user.text == "\"u\"");
  CHECK(model.safety_identifier.text == "\"s\"");
  CHECK(model.prompt_cache_key.text == "\"k\"");
  CHECK(model.prompt_cache_options.text == "{\"mode\":\"implicit\"}");
  CHECK(model.prompt_cache_retention.text == "\"24h\"");
}

TEST_CASE("responses reader: words of the same meaning") {
  CHECK(read(with(R"("reasoning":{"generate_summary":"concise"})")).model->summary ==
        Summary::concise);
  CHECK(read(with(R"("text":{"format":{"type":"json_object"}})")).model->format.kind ==
        Format::Kind::json_object);
  CHECK(read(with(R"("text":{"format":{"type":"text"}})")).model->format.kind ==
        Format::Kind::text);
  const Reading subset = read(with(R"("tools":[{"type":"function","name":"f"}],
    "tool_choice":{"type":"allowed_tools","mode":"auto","tools":[
      {"type":"function","name":"f"}]})"));
  REQUIRE(subset.fault() == "none");
  CHECK(subset.model->tool_choice.kind == ToolChoice::Kind::subset);
  CHECK(!subset.model->tool_choice.subset_required);
  REQUIRE(subset.model->choice_names.size() == 1);
  CHECK(subset.model->choice_names[0].text == "\"f\"");
}

TEST_CASE("responses reader: fields that are refused") {
  struct Case {
    const char* members;
    const char* fault;
  };
  for (const Case& c : {
           Case{R"("messages":[])", "unsupported_parameter messages"},
           Case{R"("previous_response_id":"r")", "unsupported_parameter previous_response_id"},
           Case{R"("conversation":"c")", "unsupported_parameter conversation"},
           Case{R"("prompt":{"id":"p"})", "unsupported_parameter prompt"},
           Case{R"("background":true)", "unsupported_parameter background"},
           Case{R"("max_tool_calls":3)", "unsupported_parameter max_tool_calls"},
           Case{R"("top_logprobs":1)", "unsupported_parameter top_logprobs"},
           Case{R"("truncation":"auto")", "unsupported_parameter truncation"},
           Case{R"("moderation":{})", "unsupported_parameter moderation"},
           Case{R"("context_management":[])", "unsupported_parameter context_management"},
           Case{R"("image":{})", "unsupported_parameter image"},
           Case{R"("access_programs":{})", "unsupported_parameter access_programs"},
           Case{R"("instructions":[])", "invalid_value instructions"},
           Case{R"("store":0)", "invalid_value store"},
           Case{R"("stream_options":{"include_usage":true})",
                "unsupported_parameter stream_options.include_usage"},
           Case{R"("tools":[{"type":"custom","name":"x"}])", "unsupported_parameter tools[0].type"},
           Case{R"("tools":[{"type":"function","name":"f"},{"type":"mcp"}])",
                "unsupported_parameter tools[1].type"},
           Case{R"("tools":[{"type":"function","name":"f","output_schema":{}}])",
                "unsupported_parameter tools[0].output_schema"},
           Case{R"("tools":[{"type":"web_search","user_location":{}}])",
                "unsupported_parameter tools[0].user_location"},
           Case{R"("tool_choice":{"type":"web_search"})", "unsupported_parameter tool_choice.type"},
           Case{R"("tool_choice":{"type":"mcp","server_label":"x"})",
                "unsupported_parameter tool_choice.type"},
           Case{R"("tool_choice":{"type":"function","name":"f"})", "invalid_value tool_choice"},
           Case{R"("tool_choice":7)", "invalid_value tool_choice"},
           Case{R"("parallel_tool_calls":"no")", "invalid_value parallel_tool_calls"},
           Case{R"("reasoning":"high")", "invalid_value reasoning"},
           Case{R"("reasoning":{"effort":"much"})", "invalid_value reasoning.effort"},
           Case{R"("reasoning":{"summary":"long"})", "invalid_value reasoning.summary"},
           Case{R"("reasoning":{"context":"all_turns"})",
                "unsupported_parameter reasoning.context"},
           Case{R"("reasoning":{"mode":"pro"})", "unsupported_parameter reasoning.mode"},
           Case{R"("text":{"format":{"type":"grammar"}})",
                "unsupported_parameter text.format.type"},
           Case{R"("text":{"format":{"type":"json_schema","name":"n"}})",
                "invalid_value text.format"},
           Case{R"("text":{"format":{"type":"text","x":1}})",
                "unsupported_parameter text.format.x"},
           Case{R"("text":{"x":1})", "unsupported_parameter text.x"},
           Case{R"("include":["message.output_text.logprobs"])",
                "unsupported_parameter include[0]"},
           Case{R"("include":["reasoning.encrypted_content",1])", "invalid_value include[1]"},
           Case{R"("include":["web_search_call.results"],"tools":[{"type":"web_search"}])",
                "unsupported_parameter include[0]"},
       }) {
    CAPTURE(c.members);
    CHECK(read(with(c.members)).path() == c.fault);
  }
  CHECK(read(with(R"("include":["web_search_call.results"])")).result);
  CHECK(read("{}").path() == "invalid_value input");
}

TEST_CASE("responses reader: items that are refused") {
  struct Case {
    const char* item;
    const char* fault;  // code and what follows input[0]
  };
  for (const Case& c : {
           Case{"7", "invalid_value "},
           Case{"{}", "unsupported_parameter "},
           Case{R"({"type":"item_reference","id":"x"})", "unsupported_parameter .type"},
           Case{R"({"type":"web_search_call"})", "unsupported_parameter .type"},
           Case{R"({"type":"message","content":"x"})", "invalid_value "},
           Case{R"({"role":"tool","content":"x"})", "invalid_value .role"},
           Case{R"({"role":"user"})", "invalid_value "},
           Case{R"({"role":"user","content":7})", "invalid_value .content"},
           Case{R"({"role":"user","content":"x","extra":1})", "unsupported_parameter .extra"},
           Case{R"({"role":"user","content":[7]})", "invalid_value .content[0]"},
           Case{R"({"role":"user","content":[{"type":"text","text":"x"}]})",
                "unsupported_parameter .content[0].type"},
           Case{R"({"role":"user","content":[{"type":"input_text"}]})",
                "invalid_value .content[0]"},
           Case{R"({"role":"user","content":[{"type":"input_image","file_id":"f"}]})",
                "unsupported_parameter .content[0].file_id"},
           Case{R"({"role":"user","content":[{"type":"input_image"}]})",
                "invalid_value .content[0]"},
           Case{R"({"role":"user","content":[{"type":"input_image","image_url":{"url":"x"}}]})",
                "invalid_value .content[0].image_url"},
           Case{R"({"role":"user","content":[{"type":"input_file","file_id":"f"}]})",
                "unsupported_parameter .content[0].file_id"},
           Case{R"({"role":"user","content":[{"type":"input_file","filename":"f"}]})",
                "invalid_value .content[0]"},
           Case{R"({"role":"user","content":[{"type":"refusal","refusal":"x"}]})",
                "unsupported_parameter .content[0].type"},
           Case{R"({"role":"system","content":[{"type":"input_image","image_url":"x"}]})",
                "unsupported_parameter .content[0].type"},
           Case{R"({"role":"assistant","content":[{"type":"input_image","image_url":"x"}]})",
                "unsupported_parameter .content[0].type"},
           Case{R"({"type":"function_call","name":"f","arguments":"{}"})", "invalid_value "},
           Case{R"({"type":"function_call","call_id":"c","arguments":"{}"})", "invalid_value "},
           Case{R"({"type":"function_call","call_id":"c","name":"f","arguments":{}})",
                "invalid_value .arguments"},
           Case{R"({"type":"function_call_output","output":"x"})", "invalid_value "},
           Case{R"({"type":"function_call_output","call_id":"c","output":{}})",
                "invalid_value .output"},
           Case{R"({"type":"reasoning","encrypted_content":1})",
                "invalid_value .encrypted_content"},
           Case{R"({"type":"reasoning","summary":"x"})", "invalid_value .summary"},
           Case{R"({"type":"reasoning","summary":[{"type":"summary_text"}]})",
                "invalid_value .summary[0]"},
       }) {
    CAPTURE(c.item);
    std::string expected = c.fault;
    expected.insert(expected.find(' ') + 1, "input[0]");
    CHECK(read(input("[" + std::string(c.item) + "]")).path() == expected);
  }
  CHECK(read(input("7")).path() == "invalid_value input");
}

}  // namespace
}  // namespace flexd::surface
