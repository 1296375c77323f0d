#include <doctest/doctest.h>

#include <string>
#include <string_view>

#include "request_model_text.hpp"

namespace flexd::surface {
namespace {

Reading read(std::string body) {
  return read_body(errors::Dialect::interactions, std::move(body),
                   {.provider = errors::Provider::openai, .native_parameters = false});
}

std::string with(std::string_view members) {
  return R"({"model":"m","input":"x",)" + std::string(members) + "}";
}

std::string input(std::string_view value) {
  return R"({"input":)" + std::string(value) + "}";
}

TEST_CASE("interactions reader: the shapes of input") {
  CHECK(read(input(R"("hi")")).items() == "user: text \"hi\"\n");
  CHECK(read(input(R"({"type":"text","text":"hi"})")).items() == "user: text \"hi\"\n");
  CHECK(read(input(R"([{"type":"text","text":"a"},
      {"type":"image","data":"AA==","mime_type":"image/png","resolution":"high"},
      {"type":"image","uri":"https://a.example/b","mime_type":"image/png",
        "resolution":"ultra_high"},
      {"type":"document","data":"QQ==","mime_type":"text/csv"},
      {"type":"document","uri":"data:text/plain,x"}])"))
            .items() ==
        R"(user: text "a"
  | image base64 image/png AA== detail "high"
  | image url image/png https://a.example/b
  | file base64 text/csv QQ==
  | file plain text/plain x
)");
  CHECK(read(input("[]")).items().empty());
  CHECK(read(R"({"system_instruction":"s","input":"u"})").items() ==
        "system: text \"s\"\nuser: text \"u\"\n");
}

TEST_CASE("interactions reader: steps in order") {
  CHECK(read(input(R"([
    {"type":"user_input","content":[{"type":"text","text":"u"}],"status":"done"},
    {"type":"thought","signature":"gw1.s","summary":[{"type":"text","text":"a"},
      {"type":"text","text":"b"}]},
    {"type":"thought"},
    {"type":"model_output","content":[{"type":"text","text":"m","annotations":[]}],
      "error":{"code":1},"new":1},
    {"type":"function_call","id":"c1","name":"f","arguments":{"a":1},"signature":"x"},
    {"type":"function_call","id":"c2","name":"f"},
    {"type":"function_call","id":"c3","name":"g","arguments":{}},
    {"type":"function_result","call_id":"c2","name":"f","result":{"type":"text","text":"json"}},
    {"type":"function_result","name":"f","result":"one","is_error":true},
    {"type":"function_result","call_id":"c3","result":[{"type":"text","text":"x"},
      {"type":"image","data":"AA==","mime_type":"image/png"}]},
    {"type":"function_result","call_id":"c9"},
    {"type":"user_input","content":"short"}])"))
            .items() == R"(user: text "u"
thought blob "gw1.s": text "a"
  | text "b"
thought
assistant: text "m"
call "f" id "c1" arguments {"a":1}
call "f" id "c2"
call "g" id "c3" arguments {}
result "f" id "c2": json {"type":"text","text":"json"}
result "f" id "c1" error: text "one"
result id "c3": text "x"
  | image base64 image/png AA==
result id "c9"
user: text "short"
)");
}

TEST_CASE("interactions reader: fields reach the model") {
  const Reading reading = read(with(R"("stream":true,"store":true,"labels":{"k":"v"},
    "background":false,"response_modalities":["TEXT"],
    "tools":[{"type":"function","name":"f","description":"d","parameters":{"p":1}},
             {"type":"google_search"}],
    "generation_config":{"max_output_tokens":5,"thinking_level":"minimal",
      "thinking_summaries":"auto","temperature":0,"top_p":1,"tool_choice":"any","stop_sequences":[],
      "seed":null,"speech_config":null},
    "response_format":[{"type":"text","mime_type":"application\/json","schema":{"s":1}}],
    "response_mime_type":"application/json")"));
  REQUIRE(reading.fault() == "none");
  const RequestModel& model = *reading.model;
  CHECK(model.dialect == errors::Dialect::interactions);
  CHECK(model.stream);
  CHECK(!model.store.exists());
  CHECK(model.metadata.text == "{\"k\":\"v\"}");
  REQUIRE(model.tools.size() == 2);
  CHECK(model.tools[0].parameters.text == "{\"p\":1}");
  CHECK(model.tools[1].kind == Tool::Kind::web_search);
  CHECK(model.max_tokens.text == "5");
  CHECK(model.effort == Effort::minimal);
  CHECK(model.summary == Summary::automatic);
  CHECK(model.temperature.text == "0");
  CHECK(model.top_p.text == "1");
  CHECK(model.tool_choice.kind == ToolChoice::Kind::required);
  CHECK(model.format.kind == Format::Kind::json_schema);
  CHECK(model.format.schema.text == "{\"s\":1}");
}

TEST_CASE("interactions reader: the choice of a tool") {
  struct Case {
    const char* choice;
    ToolChoice::Kind kind;
    bool required;
  };
  using Kind = ToolChoice::Kind;
  for (const Case& c : {
           Case{R"("auto")", Kind::automatic, false},
           Case{R"("validated")", Kind::automatic, false},
           Case{R"("none")", Kind::none, false},
           Case{R"({"allowed_tools":{"mode":"any","tools":["f"]}})", Kind::one, true},
           Case{R"({"allowed_tools":{"mode":"any","tools":["f","g"]}})", Kind::subset, true},
           Case{R"({"allowed_tools":{"mode":"validated","tools":["f"]}})", Kind::subset, false},
           Case{R"({"allowed_tools":{"tools":["f"]}})", Kind::subset, false},
           Case{R"({"allowed_tools":{"mode":"none","tools":["f"]}})", Kind::none, false},
           Case{R"({"allowed_tools":{"mode":"auto","tools":[]}})", Kind::none, false},
       }) {
    CAPTURE(c.choice);
    const Reading reading = read(with(R"("tools":[{"type":"function","name":"f"}],)"
                                      R"("generation_config":{"tool_choice":)" +
                                      std::string(c.choice) + "}"));
    REQUIRE(reading.fault() == "none");
    CHECK(reading.model->tool_choice.kind == c.kind);
    CHECK(reading.model->tool_choice.subset_required == c.required);
    CHECK(reading.model->tool_choice.name.text == (c.kind == Kind::one ? "\"f\"" : ""));
  }
}

TEST_CASE("interactions reader: the form of the answer") {
  struct Case {
    const char* members;
    Format::Kind kind;
  };
  using Kind = Format::Kind;
  for (const Case& c : {
           Case{R"("response_format":[])", Kind::text},
           Case{R"("response_format":{"type":"text"})", Kind::text},
           Case{R"("response_format":{"type":"text","mime_type":"text/plain"})", Kind::text},
           Case{R"("response_format":{"type":"text","mime_type":"application/json"})",
                Kind::json_object},
           Case{R"("response_format":{"type":"text","schema":{}})", Kind::json_schema},
           Case{R"("response_mime_type":"application/json")", Kind::json_object},
           Case{R"("response_mime_type":"text/plain")", Kind::text},
           Case{R"("response_modalities":null,"response_format":null)", Kind::text},
       }) {
    CAPTURE(c.members);
    const Reading reading = read(with(c.members));
    REQUIRE(reading.fault() == "none");
    CHECK(reading.model->format.kind == c.kind);
  }
  CHECK(read(with(R"("generation_config":{"thinking_summaries":"none"})")).model->summary ==
        Summary::none);
}

TEST_CASE("interactions reader: fields that are refused") {
  struct Case {
    const char* members;
    const char* fault;
  };
  for (const Case& c : {
           Case{R"("agent":"a")", "unsupported_parameter agent"},
           Case{R"("agent_config":{})", "unsupported_parameter agent_config"},
           Case{R"("background":true)", "unsupported_parameter background"},
           Case{R"("previous_interaction_id":"v1_x")",
                "unsupported_parameter previous_interaction_id"},
           Case{R"("continuation_token":"x")", "unsupported_parameter continuation_token"},
           Case{R"("environment":{})", "unsupported_parameter environment"},
           Case{R"("webhook_config":{})", "unsupported_parameter webhook_config"},
           Case{R"("cached_content":"x")", "unsupported_parameter cached_content"},
           Case{R"("safety_settings":[])", "unsupported_parameter safety_settings"},
           Case{R"("system_instruction":{})", "invalid_value system_instruction"},
           Case{R"("store":"no")", "invalid_value store"},
           Case{R"("labels":[])", "invalid_value labels"},
           Case{R"("generation_config":[])", "invalid_value generation_config"},
           Case{R"("generation_config":{"seed":1})",
                "unsupported_generation_config generation_config.seed"},
           Case{R"("generation_config":{"stop_sequences":["x"]})",
                "unsupported_generation_config generation_config.stop_sequences"},
           Case{R"("generation_config":{"speech_config":{}})",
                "unsupported_parameter generation_config.speech_config"},
           Case{R"("generation_config":{"max_output_tokens":"5"})",
                "invalid_value generation_config.max_output_tokens"},
           Case{R"("generation_config":{"thinking_level":"xhigh"})",
                "invalid_value generation_config.thinking_level"},
           Case{R"("generation_config":{"thinking_summaries":"all"})",
                "invalid_value generation_config.thinking_summaries"},
           Case{R"("generation_config":{"tool_choice":"any"})",
                "invalid_value generation_config.tool_choice"},
           Case{R"("generation_config":{"tool_choice":"some"})",
                "invalid_value generation_config.tool_choice"},
           Case{R"("generation_config":{"tool_choice":{}})",
                "invalid_value generation_config.tool_choice"},
           Case{R"("generation_config":{"tool_choice":{"allowed_tools":{"mode":"x","tools":[]}}})",
                "invalid_value generation_config.tool_choice.allowed_tools.mode"},
           Case{R"("generation_config":{"tool_choice":{"allowed_tools":{"tools":[{}]}}})",
                "invalid_value generation_config.tool_choice.allowed_tools.tools[0]"},
           Case{R"("tools":[{"type":"code_execution"}])", "unsupported_parameter tools[0].type"},
           Case{R"("tools":[{"name":"f"}])", "unsupported_parameter tools[0]"},
           Case{R"("tools":[{"type":"google_search","search_types":["x"]}])",
                "unsupported_parameter tools[0].search_types"},
           Case{R"("tools":[null])", "invalid_value tools[0]"},
           Case{R"("response_format":{"type":"audio"})",
                "unsupported_parameter response_format.type"},
           Case{R"("response_format":[{"type":"text"},{"type":"text"}])",
                "unsupported_parameter response_format[1]"},
           Case{R"("response_format":[{"type":"image"}])",
                "unsupported_parameter response_format[0].type"},
           Case{R"("response_format":{"type":"text","mime_type":"text/x.enum","schema":{}})",
                "unsupported_parameter response_format.mime_type"},
           Case{R"("response_format":{"type":"text","mime_type":"text/html"})",
                "unsupported_parameter response_format.mime_type"},
           Case{R"("response_mime_type":"text/html")", "unsupported_parameter response_mime_type"},
           Case{R"("response_modalities":["text","audio"])",
                "unsupported_parameter response_modalities[1]"},
       }) {
    CAPTURE(c.members);
    CHECK(read(with(c.members)).path() == c.fault);
  }
  CHECK(read("{}").path() == "invalid_value input");
  CHECK(read(input("null")).path() == "invalid_value input");
}

TEST_CASE("interactions reader: inputs that are refused") {
  struct Case {
    const char* value;
    const char* fault;
  };
  for (const Case& c : {
           Case{"7", "invalid_value input"},
           Case{"[7]", "invalid_value input[0]"},
           Case{"[{}]", "unsupported_parameter input[0]"},
           Case{R"([{"type":"text","text":"x"},{"type":"user_input","content":[]}])",
                "invalid_value input"},
           Case{R"([{"type":"user_input","content":[]},{"type":"text","text":"x"}])",
                "invalid_value input"},
           Case{R"({"type":"user_input","content":[]})", "unsupported_parameter input.type"},
           Case{R"([{"type":"audio","data":"","mime_type":"audio/wav"}])",
                "unsupported_parameter input[0].type"},
           Case{R"([{"type":"video","uri":"https://a.example"}])",
                "unsupported_parameter input[0].type"},
           Case{R"([{"type":"image","uri":"files/abc"}])", "unsupported_parameter input[0].uri"},
           Case{R"([{"type":"image","uri":"gs:\/\/b\/c"}])", "unsupported_parameter input[0].uri"},
           Case{
               R"([{"type":"image","uri":"https:\/\/generativelanguage.googleapis.com/v1beta/x"}])",
               "unsupported_parameter input[0].uri"},
           Case{R"([{"type":"image","uri":"https://a.example","data":""}])",
                "invalid_value input[0].uri"},
           Case{R"([{"type":"image"}])", "invalid_value input[0]"},
           Case{R"([{"type":"text","text":"x","y":1}])", "unsupported_parameter input[0].y"},
           Case{R"([{"type":"google_search_call"}])", "unsupported_parameter input[0].type"},
           Case{R"([{"type":"user_input"}])", "invalid_value input[0]"},
           Case{R"([{"type":"user_input","content":[{"type":"audio"}]}])",
                "unsupported_parameter input[0].content[0].type"},
           Case{R"([{"type":"thought","signature":1}])", "invalid_value input[0].signature"},
           Case{R"([{"type":"thought","summary":[{"type":"image"}]}])",
                "unsupported_parameter input[0].summary[0].type"},
           Case{R"([{"type":"function_call","name":"f"}])", "invalid_value input[0]"},
           Case{R"([{"type":"function_call","id":"c","name":"f","arguments":"{}"}])",
                "invalid_value input[0].arguments"},
           Case{R"([{"type":"function_result","result":"x"}])", "invalid_value input[0]"},
           Case{R"([{"type":"function_result","name":"f","result":"x"}])",
                "invalid_value input[0].name"},
           Case{R"([{"type":"function_result","call_id":"c","result":[{"type":"text"}]}])",
                "invalid_value input[0].result[0]"},
           Case{R"([{"type":"function_result","call_id":"c","result":[{"type":"video"}]}])",
                "unsupported_parameter input[0].result[0].type"},
           Case{R"([{"type":"function_result","call_id":"c","is_error":"x"}])",
                "invalid_value input[0].is_error"},
       }) {
    CAPTURE(c.value);
    CHECK(read(input(c.value)).path() == c.fault);
  }
}

}  // namespace
}  // namespace flexd::surface
