#include <doctest/doctest.h>

#include <string>
#include <string_view>

#include "request_model_text.hpp"

namespace flexd::surface {
namespace {

using errors::Provider;

Reading read(std::string body, Provider provider = Provider::gemini, bool native = false) {
  return read_body(errors::Dialect::chat, std::move(body),
                   {.provider = provider, .native_parameters = native});
}

// with adds members to a request that is good without them.
std::string with(std::string_view members) {
  return R"({"model":"m","messages":[],)" + std::string(members) + "}";
}

std::string messages(std::string_view list) {
  return R"({"messages":[)" + std::string(list) + "]}";
}

TEST_CASE("chat reader: a conversation in order") {
  const Reading reading = read(messages(R"(
    {"role":"developer","content":"be \"brief\"","name":"x"},
    {"role":"user","content":[{"type":"text","text":"look"},
      {"type":"image_url","image_url":{"url":"data:image/png;base64,AA==","detail":"low"}},
      {"type":"image_url","image_url":{"url":"https:\/\/a.example/b.png","detail":null}},
      {"type":"file","file":{"file_data":"data:application/pdf;base64,QQ==","filename":"a.pdf"}},
      {"type":"file","file":{"file_data":"QQ=="}},
      {"type":"input_audio","input_audio":{"data":"UQ==","format":"wav"}}]},
    {"role":"assistant","content":"so","refusal":null,"annotations":[],"audio":null,"parsed":null,
      "x":{"y":1},"tool_calls":[
        {"id":"c1","type":"function","function":{"name":"f","arguments":"{\"a\":1}",
          "parsed_arguments":{}}},
        {"id":"c2","function":{"name":"g"}}]},
    {"role":"tool","tool_call_id":"c1","content":"one"},
    {"role":"tool","tool_call_id":"c2","content":[
      {"type":"text","text":"two"},{"type":"text","text":""}]},
    {"role":"system","content":[{"type":"text","text":"later"}]},
    {"role":"assistant","content":null,"refusal":"no"},
    {"role":"assistant","content":[{"type":"refusal","refusal":"never"},
      {"type":"text","text":"but"}]},
    {"role":"assistant","content":null},
    {"role":"user","content":""})"));
  CHECK(reading.items() ==
        R"(system: text "be \"brief\""
user: text "look"
  | image base64 image/png AA== detail "low"
  | image url https:\/\/a.example/b.png
  | file base64 application/pdf QQ== name "a.pdf"
  | file base64 QQ==
  | audio base64 audio/wav UQ==
assistant: text "so"
call "f" id "c1" arguments "{\"a\":1}"
call "g" id "c2"
result id "c1": text "one"
result id "c2": text "two"
  | text ""
system: text "later"
assistant: refusal "no"
assistant: refusal "never"
  | text "but"
user: text ""
)");
}

TEST_CASE("chat reader: wrapped thoughts come before what was said") {
  CHECK(read(messages(R"({"role":"assistant","content":"t","tool_calls":[
      {"id":"a","function":{"name":"f","arguments":""},
       "extra_content":{"flex":{"thought":["gw1.x.1","plain","gw1.x.2",7]}}},
      {"id":"b","function":{"name":"f","arguments":""},
       "extra_content":{"flex":{"thought":"gw1.x.3"},
       "google":{"thought_signature":"gw1.x.4"}}},
      {"id":"c","function":{"name":"f","arguments":""},
       "extra_content":{"google":{"thought_signature":"native"}}}]})"))
            .items() == R"(thought blob "gw1.x.1"
thought blob "gw1.x.2"
thought blob "gw1.x.3"
thought blob "gw1.x.4"
assistant: text "t"
call "f" id "a" arguments ""
call "f" id "b" arguments ""
call "f" id "c" arguments ""
)");
}

TEST_CASE("chat reader: the deprecated functions") {
  const Reading reading = read(R"({"functions":[{"name":"f","description":"d","parameters":{}}],
    "function_call":{"name":"f"},"messages":[
    {"role":"assistant","content":null,"function_call":{"name":"f","arguments":"{}"}},
    {"role":"function","name":"f","content":"1"},
    {"role":"assistant","function_call":{"name":"f","arguments":"{}"}},
    {"role":"assistant","tool_calls":[{"id":"x","function":{"name":"f","arguments":"{}"}}]},
    {"role":"function","name":"f","content":null}]})");
  CHECK(reading.items() == R"(call "f" arguments "{}"
result "f" of item 0: text "1"
call "f" arguments "{}"
call "f" id "x" arguments "{}"
result "f" of item 2
)");
  REQUIRE(reading.model->tools.size() == 1);
  CHECK(reading.model->tools[0].description.text == "\"d\"");
  CHECK(reading.model->tool_choice.kind == ToolChoice::Kind::one);
  CHECK(reading.model->tool_choice.name.text == "\"f\"");

  // One call is answered once, and a call with an id by its id alone.
  CHECK(read(messages(R"({"role":"assistant","function_call":{"name":"f"}},
    {"role":"function","name":"f","content":""},{"role":"function","name":"f","content":""})"))
            .path() == "invalid_value messages[2].name");
  CHECK(read(messages(R"({"role":"assistant","tool_calls":[{"id":"x","function":{"name":"f"}}]},
    {"role":"function","name":"f","content":""})"))
            .path() == "invalid_value messages[1].name");
  CHECK(read(with(R"("functions":[{"name":"f"}],"tool_choice":"auto","function_call":"auto")"))
            .fault() == "unsupported_parameter function_call");
}

TEST_CASE("chat reader: a call is looked for among the last 1024 items") {
  const auto body = [](size_t between) {
    std::string list = R"({"role":"assistant","function_call":{"name":"f"}})";
    for (size_t i = 0; i < between; ++i) list += R"(,{"role":"user","content":"x"})";
    return messages(list + R"(,{"role":"function","name":"f","content":""})");
  };
  CHECK(read(body(1023)).result);
  CHECK(read(body(1024)).path() == "invalid_value messages[1025].name");
}

TEST_CASE("chat reader: fields reach the model") {
  const Reading reading = read(with(R"("max_completion_tokens":10,"max_tokens":10,
    "temperature":0.50,"top_p":1e0,"stream":true,"stream_options":{"include_usage":true,
    "include_obfuscation":false},"parallel_tool_calls":false,"reasoning_effort":"xhigh",
    "verbosity":"low","metadata":{"a":"b"},"user":"u","safety_identifier":"s","store":false,
    "prompt_cache_key":"k","prompt_cache_options":{},"prompt_cache_retention":"24h",
    "tools":[{"type":"function","function":{"name":"f","parameters":{"q":1},"strict":true}},
             {"type":"function","function":{"name":"g","strict":null,"parameters":null}},
             {"type":"web_search","search_context_size":"medium"}],
    "tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"required","tools":[
      {"type":"function","function":{"name":"f"}},{"type":"function","name":"g"}]}},
    "response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"x":1},
      "strict":false,"description":"d"}})"));
  REQUIRE(reading.fault() == "none");
  const RequestModel& model = *reading.model;
  CHECK(model.dialect == errors::Dialect::chat);
  CHECK(model.model.text == "\"m\"");
  CHECK(model.max_tokens.text == "10");
  CHECK(model.temperature.text == "0.50");
  CHECK(model.top_p.text == "1e0");
  CHECK(model.stream);
  CHECK(model.parallel_tool_calls.text == "false");
  CHECK(!model.parallel_off);
  CHECK(model.effort == Effort::xhigh);
  CHECK(model.effort_at.text == "\"xhigh\"");
  CHECK(model.verbosity.text == "\"low\"");
  CHECK(model.metadata.text == "{\"a\":\"b\"}");
  CHECK(model.user.text == "\"u\"");
  CHECK(model.safety_identifier.text == "\"s\"");
  CHECK(model.store.text == "false");
  CHECK(model.prompt_cache_key.text == "\"k\"");
  CHECK(model.prompt_cache_options.text == "{}");
  CHECK(model.prompt_cache_retention.text == "\"24h\"");
  REQUIRE(model.tools.size() == 3);
  CHECK(model.tools[0].parameters.text == "{\"q\":1}");
  CHECK(model.tools[0].strict.text == "true");
  CHECK(!model.tools[1].strict.exists());
  CHECK(!model.tools[1].parameters.exists());
  CHECK(model.tools[2].kind == Tool::Kind::web_search);
  CHECK(model.tool_choice.kind == ToolChoice::Kind::subset);
  CHECK(model.tool_choice.subset_required);
  REQUIRE(model.choice_names.size() == 2);
  CHECK(model.choice_names[1].text == "\"g\"");
  CHECK(model.format.kind == Format::Kind::json_schema);
  CHECK(model.format.name.text == "\"n\"");
  CHECK(model.format.schema.text == "{\"x\":1}");
  CHECK(model.format.strict.text == "false");
  CHECK(model.format.description.text == "\"d\"");
}

TEST_CASE("chat reader: null and neutral values are absent") {
  const Reading reading = read(with(R"("max_completion_tokens":null,"max_tokens":7,"n":1.0,
    "temperature":null,"stream":null,"stream_options":null,"tools":[],"tool_choice":"none",
    "parallel_tool_calls":false,"functions":null,"response_format":{"type":"text"},
    "reasoning_effort":null,"verbosity":null,"metadata":{},"user":null,"store":null,
    "moderation":null,"presence_penalty":-0.0,"frequency_penalty":0,"logit_bias":{},
    "logprobs":false,"top_logprobs":0,"seed":null,"stop":[],"prediction":null,"audio":null,
    "modalities":["text"],"web_search_options":null,"start_within":"default","service_tier":null,
    "provider":null,"retry":false,"include_cost":false,"cache":null,"pii_mask":false,
    "moderate":false,"trace_storage":null,"something_new":null)"));
  REQUIRE(reading.fault() == "none");
  const RequestModel& model = *reading.model;
  CHECK(model.max_tokens.text == "7");
  CHECK(!model.temperature.exists());
  CHECK(!model.stream);
  CHECK(model.tool_choice.kind == ToolChoice::Kind::absent);
  CHECK(!model.parallel_tool_calls.exists());
  CHECK(!model.metadata.exists());
  CHECK(!model.store.exists());
  CHECK(model.format.kind == Format::Kind::text);
  CHECK(model.effort == Effort::absent);
}

TEST_CASE("chat reader: top-level fields that are refused") {
  struct Case {
    const char* members;
    const char* fault;
  };
  for (const Case& c : {
           Case{R"("something_new":0)", "unsupported_parameter something_new"},
           Case{R"("input":"x")", "unsupported_parameter input"},
           Case{R"("n":2)", "unsupported_parameter n"},
           Case{R"("presence_penalty":0.1)", "unsupported_parameter presence_penalty"},
           Case{R"("frequency_penalty":-1)", "unsupported_parameter frequency_penalty"},
           Case{R"("logit_bias":{"1":2})", "unsupported_parameter logit_bias"},
           Case{R"("logprobs":true)", "unsupported_parameter logprobs"},
           Case{R"("top_logprobs":1)", "unsupported_parameter top_logprobs"},
           Case{R"("seed":0)", "unsupported_parameter seed"},
           Case{R"("stop":"x")", "unsupported_parameter stop"},
           Case{R"("prediction":{})", "unsupported_parameter prediction"},
           Case{R"("audio":{})", "unsupported_parameter audio"},
           Case{R"("modalities":["text","audio"])", "unsupported_parameter modalities"},
           Case{R"("modalities":[])", "unsupported_parameter modalities"},
           Case{R"("web_search_options":{})", "unsupported_parameter web_search_options"},
           Case{R"("store":true)", "unsupported_parameter store"},
           Case{R"("moderation":{})", "unsupported_parameter moderation"},
           Case{R"("stream_options":{"include_usage":true})",
                "unsupported_parameter stream_options"},
           Case{R"("stream":true,"stream_options":{"x":1})",
                "unsupported_parameter stream_options.x"},
           Case{R"("stream":"yes")", "invalid_value stream"},
           Case{R"("max_tokens":1,"max_completion_tokens":2)", "invalid_value max_tokens"},
           Case{R"("max_tokens":"1")", "invalid_value max_tokens"},
           Case{R"("temperature":"1")", "invalid_value temperature"},
           Case{R"("top_p":[])", "invalid_value top_p"},
           Case{R"("user":1)", "invalid_value user"},
           Case{R"("metadata":[])", "invalid_value metadata"},
           Case{R"("store":1)", "invalid_value store"},
           Case{R"("verbosity":1)", "invalid_value verbosity"},
           Case{R"("reasoning_effort":"lots")", "invalid_value reasoning_effort"},
       }) {
    CAPTURE(c.members);
    CHECK(read(with(c.members)).path() == c.fault);
  }
}

TEST_CASE("chat reader: tools and formats that are refused") {
  struct Case {
    const char* members;
    const char* fault;
  };
  for (const Case& c : {
           Case{R"("tools":{})", "invalid_value tools"},
           Case{R"("tools":[1])", "invalid_value tools[0]"},
           Case{R"("tools":[{}])", "unsupported_parameter tools[0]"},
           Case{R"("tools":[{"type":"custom","custom":{"name":"x"}}])",
                "unsupported_parameter tools[0].type"},
           Case{R"("tools":[{"type":"function","name":"f"}])",
                "unsupported_parameter tools[0].name"},
           Case{R"("tools":[{"type":"function"}])", "invalid_value tools[0]"},
           Case{R"("tools":[{"type":"function","function":{}}])",
                "invalid_value tools[0].function"},
           Case{R"("tools":[{"type":"function","function":{"name":"f","async":true}}])",
                "unsupported_parameter tools[0].function.async"},
           Case{R"("tools":[{"type":"function","function":{"name":"f","parameters":"x"}}])",
                "invalid_value tools[0].function.parameters"},
           Case{R"("tools":[{"type":"web_search","filters":{}}])",
                "unsupported_parameter tools[0].filters"},
           Case{R"("tools":[{"type":"web_search","search_context_size":"high"}])",
                "unsupported_parameter tools[0].search_context_size"},
           Case{R"("tool_choice":"required")", "invalid_value tool_choice"},
           Case{R"("tool_choice":"sometimes")", "invalid_value tool_choice"},
           Case{R"("tool_choice":{"type":"custom","custom":{"name":"x"}})",
                "unsupported_parameter tool_choice.type"},
           Case{R"("tool_choice":{"type":"mcp"})", "unsupported_parameter tool_choice.type"},
           Case{R"("tool_choice":{"type":"function"})", "invalid_value tool_choice"},
           Case{R"("tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"x","tools":[]}})",
                "invalid_value tool_choice.allowed_tools.mode"},
           Case{
               R"("tool_choice":{"type":"allowed_tools","allowed_tools":{"tools":[{"type":"x"}]}})",
               "unsupported_parameter tool_choice.allowed_tools.tools[0].type"},
           Case{R"("tools":[{"type":"web_search"}],"tool_choice":{"type":"allowed_tools",)"
                R"("allowed_tools":{"mode":"required","tools":[]}})",
                "invalid_value tool_choice"},
           Case{R"("function_call":{})", "invalid_value function_call"},
           Case{R"("response_format":{"type":"grammar"})",
                "unsupported_parameter response_format.type"},
           Case{R"("response_format":{})", "unsupported_parameter response_format"},
           Case{R"("response_format":"json")", "invalid_value response_format"},
           Case{R"("response_format":{"type":"json_schema"})", "invalid_value response_format"},
           Case{R"("response_format":{"type":"json_schema","json_schema":{"name":"n"}})",
                "invalid_value response_format.json_schema"},
           Case{R"("response_format":{"type":"text","json_schema":{}})",
                "unsupported_parameter response_format.json_schema"},
       }) {
    CAPTURE(c.members);
    CHECK(read(with(c.members)).path() == c.fault);
  }
}

TEST_CASE("chat reader: messages that are refused") {
  struct Case {
    const char* message;
    const char* fault;  // inside messages[0]
  };
  for (const Case& c : {
           Case{"1", "invalid_value messages[0]"},
           Case{"{}", "invalid_value messages[0]"},
           Case{R"({"role":null,"content":"x"})", "invalid_value messages[0]"},
           Case{R"({"role":"bot","content":"x"})", "invalid_value messages[0].role"},
           Case{R"({"role":7,"content":"x"})", "invalid_value messages[0].role"},
           Case{R"({"role":"user"})", "invalid_value messages[0]"},
           Case{R"({"role":"user","content":{}})", "invalid_value messages[0].content"},
           Case{R"({"role":"user","content":["x"]})", "invalid_value messages[0].content[0]"},
           Case{R"({"role":"user","content":"x","extra":1})",
                "unsupported_parameter messages[0].extra"},
           Case{R"({"role":"user","content":[{"type":"text","text":"","cache_control":{}}]})",
                "unsupported_parameter messages[0].content[0].cache_control"},
           Case{R"({"role":"user","content":[{"type":"text"}]})",
                "invalid_value messages[0].content[0]"},
           Case{R"({"role":"user","content":[{"text":"x"}]})",
                "unsupported_parameter messages[0].content[0]"},
           Case{R"({"role":"user","content":[{"type":"text","text":""},{"type":"video"}]})",
                "unsupported_parameter messages[0].content[1].type"},
           Case{R"({"role":"user","content":[{"type":"image_url","image_url":"x"}]})",
                "invalid_value messages[0].content[0].image_url"},
           Case{R"({"role":"user","content":[{"type":"image_url","image_url":{}}]})",
                "invalid_value messages[0].content[0].image_url"},
           Case{R"({"role":"user","content":[{"type":"file","file":{"file_id":"f"}}]})",
                "unsupported_parameter messages[0].content[0].file.file_id"},
           Case{R"({"role":"user","content":[{"type":"file","file":{}}]})",
                "invalid_value messages[0].content[0].file"},
           Case{R"({"role":"user","content":[{"type":"input_audio","input_audio":{"data":"",)"
                R"("format":"ogg"}}]})",
                "invalid_value messages[0].content[0].input_audio.format"},
           Case{R"({"role":"system","content":[{"type":"image_url","image_url":{"url":"x"}}]})",
                "unsupported_parameter messages[0].content[0].type"},
           Case{R"({"role":"assistant","content":[{"type":"image_url"}]})",
                "unsupported_parameter messages[0].content[0].type"},
           Case{R"({"role":"assistant","refusal":1})", "invalid_value messages[0].refusal"},
           Case{R"({"role":"assistant","tool_calls":[{"id":"c","type":"custom","custom":{}}]})",
                "unsupported_parameter messages[0].tool_calls[0].type"},
           Case{R"({"role":"assistant","tool_calls":[{"function":{"name":"f"}}]})",
                "invalid_value messages[0].tool_calls[0]"},
           Case{R"({"role":"assistant","tool_calls":[{"id":"c","function":{}}]})",
                "invalid_value messages[0].tool_calls[0].function"},
           Case{R"({"role":"assistant","tool_calls":[{"id":"c","function":{"name":"f",)"
                R"("arguments":{}}}]})",
                "invalid_value messages[0].tool_calls[0].function.arguments"},
           Case{R"({"role":"tool","content":"x"})", "invalid_value messages[0]"},
           Case{R"({"role":"function","content":"x"})", "invalid_value messages[0]"},
       }) {
    CAPTURE(c.message);
    CHECK(read(messages(c.message)).path() == c.fault);
  }
  CHECK(read(R"({"messages":null})").fault() == "invalid_value messages (an array)");
  CHECK(read(R"({})").fault() == "invalid_value messages (an array)");
  CHECK(read(R"({"messages":"hi"})").fault() == "invalid_value messages (an array)");
}

TEST_CASE("chat reader: what depends on the provider") {
  const std::string audio = messages(
      R"({"role":"user","content":[{"type":"input_audio",
      "input_audio":{"data":"","format":"mp3"}}]})");
  CHECK(read(audio).items() == "user: audio base64 audio/mp3 \n");
  for (const Provider provider : {Provider::openai, Provider::anthropic}) {
    CHECK(read(audio, provider).path() == "unsupported_parameter messages[0].content[0].type");
  }
  const std::string file =
      messages(R"({"role":"user","content":[{"type":"file","file":{"file_id":"f-1"}}]})");
  CHECK(read(file, Provider::openai).items() == "user: file file_id f-1\n");
  CHECK(!read(file, Provider::anthropic).result);
  const Reading kept = read(with(R"("store":true,"moderation":{"model":"x"})"), Provider::openai);
  REQUIRE(kept.result);
  CHECK(kept.model->store.text == "true");
  CHECK(kept.model->moderation.text == "{\"model\":\"x\"}");
  const std::string cached =
      messages(R"({"role":"user","content":"x","cache_control":{"type":"ephemeral"}})");
  CHECK(!read(cached, Provider::gemini, false).result);
  CHECK(read(cached, Provider::gemini, true).items() == "user: text \"x\"\n");
}

TEST_CASE("chat reader: two members of a name are refused, for receivers differ in which counts") {
  CHECK(read(messages(R"({"role":"user","content":"a","content":"b"})")).fault() ==
        "invalid_json messages[0].content (content)");
  CHECK(read(messages(R"({"role":"user","content":"a","content":null})")).fault() ==
        "invalid_json messages[0].content (content)");
  CHECK(read(R"({"messages":[],"user":"a","us\u0065r":"b"})").fault() ==
        "invalid_json us\\u0065r (user)");
  // What nobody reads may stand twice.
  CHECK(read(messages(R"({"role":"assistant","content":"a","parsed":1,"parsed":2})")).result);
}

TEST_CASE("chat reader: no room") {
  const std::string one = messages(R"({"role":"user","content":"x"})");
  CHECK(read_body(errors::Dialect::chat, one, {}, 0).fault() == "service_unavailable ");
  // Room for the parts, and none for the items.
  CHECK(read_body(errors::Dialect::chat, one, {}, 4096).fault() == "service_unavailable ");
  CHECK(read_body(errors::Dialect::chat, one, {}, 8192).result);
  const std::string tools = with(R"("tools":[{"type":"function","function":{"name":"f"}}])");
  CHECK(read_body(errors::Dialect::chat, tools, {}, 0).fault() == "service_unavailable ");
}

}  // namespace
}  // namespace flexd::surface
