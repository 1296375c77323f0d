#include <doctest/doctest.h>

#include <string>
#include <string_view>

#include "request_model_text.hpp"

namespace flexd::surface {
namespace {

using errors::Provider;

Reading read(std::string body, bool native = false) {
  return read_body(errors::Dialect::messages, std::move(body),
                   {.provider = Provider::openai, .native_parameters = native});
}

std::string with(std::string_view members) {
  return R"({"model":"m","messages":[],)" + std::string(members) + "}";
}

std::string messages(std::string_view list) {
  return R"({"messages":[)" + std::string(list) + "]}";
}

// content is one message with a list of blocks.
std::string content(std::string_view role, std::string_view blocks) {
  return messages(R"({"role":")" + std::string(role) + R"(","content":[)" + std::string(blocks) +
                  "]}");
}

TEST_CASE("messages reader: a conversation in order") {
  const Reading reading = read(R"({"system":[{"type":"text","text":"a"},{"type":"text","text":"b"}],
   "messages":[
    {"role":"user","content":[{"type":"text","text":"look","citations":null,"cache_control":null},
      {"type":"image","source":{"type":"base64","media_type":"image/jpeg","data":"AA=="}},
      {"type":"image","source":{"type":"url","url":"https://a.example/b.png"}},
      {"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"QQ=="},
       "title":"t","citations":{"enabled":false},"context":null},
      {"type":"document","source":{"type":"text","media_type":"text/plain","data":"pl\nain"}},
      {"type":"document","source":{"type":"url","url":"https://a.example/c.pdf"}}]},
    {"role":"assistant","id":"msg_1","type":"message","model":"x","usage":{},
     "stop_reason":"tool_use",
     "content":[
      {"type":"thinking","thinking":"hm","signature":"gw1.a"},
      {"type":"redacted_thinking","data":"gw1.b"},
      {"type":"text","text":"so","citations":[{"x":1}]},{"type":"text","text":"then"},
      {"type":"tool_use","id":"t1","name":"f","input":{"a":[1]},"caller":{"type":"direct"}},
      {"type":"text","text":"and"},
      {"type":"tool_use","id":"t2","name":"g","input":{}}]},
    {"role":"user","content":[
      {"type":"tool_result","tool_use_id":"t1","content":"one"},
      {"type":"text","text":"between"},
      {"type":"tool_result","tool_use_id":"t2","is_error":true,"content":[
        {"type":"text","text":"x"},
        {"type":"image","source":{"type":"base64","media_type":"image/png","data":"BB=="}}]},
      {"type":"tool_result","tool_use_id":"t3"},
      {"type":"text","text":"go on"}]},
    {"role":"system","content":"later"},
    {"role":"assistant","content":"pre"},
    {"role":"user","content":[]}]})");
  CHECK(reading.items() == R"(system: text "a"
  | text "b"
user: text "look"
  | image base64 image/jpeg AA==
  | image url https://a.example/b.png
  | file base64 application/pdf QQ== name "t"
  | file plain text/plain pl\nain
  | file url https://a.example/c.pdf
thought blob "gw1.a": text "hm"
thought blob "gw1.b"
assistant: text "so"
  | text "then"
call "f" id "t1" arguments {"a":[1]}
assistant: text "and"
call "g" id "t2" arguments {}
result id "t1": text "one"
user: text "between"
result id "t2" error: text "x"
  | image base64 image/png BB==
result id "t3"
user: text "go on"
system: text "later"
assistant: text "pre"
)");
}

TEST_CASE("messages reader: a system text") {
  CHECK(read(R"({"messages":[{"role":"user","content":"u"}],"system":"s"})").items() ==
        "system: text \"s\"\nuser: text \"u\"\n");
  CHECK(read(R"({"messages":[],"system":[]})").items().empty());
  CHECK(read(with(R"("system":null)")).items().empty());
}

TEST_CASE("messages reader: fields reach the model") {
  const Reading reading = read(with(R"("max_tokens":9,"temperature":1,"top_p":0.5,"stream":true,
    "metadata":{"user_id":"u"},"stop_sequences":[],
    "tools":[{"name":"f","input_schema":{"type":"object"},"description":"d","strict":true,
              "eager_input_streaming":true,"defer_loading":false,"input_examples":[{}]},
             {"type":"custom","name":"g","input_schema":{}}],
    "tool_choice":{"type":"any","disable_parallel_tool_use":true},
    "thinking":{"type":"adaptive","display":"summarized"},
    "output_config":{"effort":"max","format":{"type":"json_schema","schema":{"s":1}}})"));
  REQUIRE(reading.fault() == "none");
  const RequestModel& model = *reading.model;
  CHECK(model.dialect == errors::Dialect::messages);
  CHECK(model.max_tokens.text == "9");
  CHECK(model.temperature.text == "1");
  CHECK(model.top_p.text == "0.5");
  CHECK(model.stream);
  CHECK(model.user.text == "\"u\"");
  CHECK(!model.metadata.exists());
  REQUIRE(model.tools.size() == 2);
  CHECK(model.tools[0].parameters.text == "{\"type\":\"object\"}");
  CHECK(model.tools[0].description.text == "\"d\"");
  CHECK(model.tools[0].strict.text == "true");
  CHECK(model.tool_choice.kind == ToolChoice::Kind::required);
  CHECK(model.parallel_off);
  CHECK(model.parallel_tool_calls.text == "true");
  CHECK(model.summary == Summary::automatic);
  CHECK(model.effort == Effort::max);
  CHECK(model.format.kind == Format::Kind::json_schema);
  CHECK(model.format.schema.text == "{\"s\":1}");
  CHECK(!model.format.name.exists());
}

TEST_CASE("messages reader: the choice of a tool") {
  struct Case {
    const char* choice;
    ToolChoice::Kind kind;
    bool parallel_off;
  };
  using Kind = ToolChoice::Kind;
  for (const Case& c : {
           Case{R"({"type":"auto"})", Kind::automatic, false},
           Case{R"({"type":"auto","disable_parallel_tool_use":true})", Kind::automatic, true},
           Case{R"({"type":"any","disable_parallel_tool_use":false})", Kind::required, false},
           Case{R"({"type":"none"})", Kind::none, false},
           Case{R"({"type":"tool","name":"f"})", Kind::one, false},
           Case{"null", Kind::absent, false},
       }) {
    CAPTURE(c.choice);
    const Reading reading = read(
        with(R"("tools":[{"name":"f","input_schema":{}}],"tool_choice":)" + std::string(c.choice)));
    REQUIRE(reading.fault() == "none");
    CHECK(reading.model->tool_choice.kind == c.kind);
    CHECK(reading.model->parallel_off == c.parallel_off);
    CHECK(reading.model->tool_choice.name.exists() == (c.kind == Kind::one));
  }
  const Reading no_tools =
      read(with(R"("tool_choice":{"type":"auto","disable_parallel_tool_use":true})"));
  CHECK(no_tools.model->tool_choice.kind == Kind::absent);
  CHECK(!no_tools.model->parallel_off);
}

TEST_CASE("messages reader: how much to think") {
  struct Case {
    const char* members;
    Effort effort;
    const char* at;
  };
  for (const Case& c : {
           Case{R"("thinking":{"type":"enabled","budget_tokens":1024})", Effort::low, "1024"},
           Case{R"("thinking":{"type":"enabled","budget_tokens":2048})", Effort::low, "2048"},
           Case{R"("thinking":{"type":"enabled","budget_tokens":2049})", Effort::medium, "2049"},
           Case{R"("thinking":{"type":"enabled","budget_tokens":12288})", Effort::medium, "12288"},
           Case{R"("thinking":{"type":"enabled","budget_tokens":12289})", Effort::high, "12289"},
           Case{R"("thinking":{"type":"enabled","budget_tokens":24576})", Effort::high, "24576"},
           Case{R"("thinking":{"type":"enabled","budget_tokens":24577})", Effort::xhigh, "24577"},
           Case{R"("thinking":{"type":"enabled","budget_tokens":99},)"
                R"("output_config":{"effort":"high"})",
                Effort::high, "\"high\""},
           Case{R"("thinking":{"type":"disabled"})", Effort::none, "\"disabled\""},
           Case{R"("thinking":{"type":"disabled"},"output_config":{"effort":"low"})", Effort::none,
                "\"disabled\""},
           Case{R"("thinking":{"type":"adaptive"})", Effort::absent, ""},
           Case{R"("thinking":null,"output_config":{"effort":null,"format":null})", Effort::absent,
                ""},
       }) {
    CAPTURE(c.members);
    const Reading reading = read(with(c.members));
    REQUIRE(reading.fault() == "none");
    CHECK(reading.model->effort == c.effort);
    CHECK(reading.model->effort_at.text == c.at);
    CHECK(reading.model->summary == Summary::absent);
  }
  CHECK(read(with(R"("thinking":{"type":"adaptive","display":"omitted"})")).model->summary ==
        Summary::none);
}

TEST_CASE("messages reader: top-level fields that are refused") {
  struct Case {
    const char* members;
    const char* fault;
  };
  for (const Case& c : {
           Case{R"("speed":"fast")", "unsupported_parameter speed"},
           Case{R"("container":"c")", "unsupported_parameter container"},
           Case{R"("mcp_servers":[{}])", "unsupported_parameter mcp_servers"},
           Case{R"("context_management":[])", "unsupported_parameter context_management"},
           Case{R"("context_management":{"edits":[{"type":"clear_tool_uses_1","keep":"all"}]})",
                "unsupported_parameter context_management"},
           Case{R"("context_management":{"edits":[{"type":"clear_thinking_1","keep":1}]})",
                "unsupported_parameter context_management"},
           Case{R"("context_management":{"edits":[],"x":1})",
                "unsupported_parameter context_management"},
           Case{R"("diagnostics":{})", "unsupported_parameter diagnostics"},
           Case{R"("inference_geo":"eu")", "unsupported_parameter inference_geo"},
           Case{R"("top_k":5)", "unsupported_parameter top_k"},
           Case{R"("stop_sequences":["x"])", "unsupported_parameter stop_sequences"},
           Case{R"("cache_control":{"type":"ephemeral"})", "unsupported_parameter cache_control"},
           Case{R"("max_tokens":"9")", "invalid_value max_tokens"},
           Case{R"("system":7)", "invalid_value system"},
           Case{R"("system":[{"type":"image"}])", "unsupported_parameter system[0].type"},
           Case{R"("system":[{"type":"text","text":"","cache_control":{}}])",
                "unsupported_parameter system[0].cache_control"},
           Case{R"("metadata":{"user_id":7})", "invalid_value metadata.user_id"},
           Case{R"("metadata":{"other":"x"})", "unsupported_parameter metadata.other"},
           Case{R"("tools":[{"type":"web_search_20250305","name":"web_search"}])",
                "unsupported_parameter tools[0].type"},
           Case{R"("tools":[{"name":"f","input_schema":[]}])",
                "invalid_value tools[0].input_schema"},
           Case{R"("tools":[{"name":"f","parameters":{}}])",
                "unsupported_parameter tools[0].parameters"},
           Case{R"("tools":[{"name":"f","input_schema":{},"allowed_callers":["x"]}])",
                "unsupported_parameter tools[0].allowed_callers"},
           Case{R"("tools":[{"name":"f","input_schema":{},"cache_control":{}}])",
                "unsupported_parameter tools[0].cache_control"},
           Case{R"("tools":[{"input_schema":{}}])", "invalid_value tools[0]"},
           Case{R"("tool_choice":"auto")", "invalid_value tool_choice"},
           Case{R"("tool_choice":{"type":"all"})", "invalid_value tool_choice.type"},
           Case{R"("tool_choice":{})", "invalid_value tool_choice"},
           Case{R"("tool_choice":{"type":"tool"})", "invalid_value tool_choice"},
           Case{R"("tool_choice":{"type":"any"})", "invalid_value tool_choice"},
           Case{R"("thinking":{"type":"between_tools"})", "unsupported_parameter thinking.type"},
           Case{R"("thinking":{})", "unsupported_parameter thinking"},
           Case{R"("thinking":{"type":"enabled"})", "invalid_value thinking"},
           Case{R"("thinking":{"type":"enabled","budget_tokens":1e3})",
                "invalid_value thinking.budget_tokens"},
           Case{R"("thinking":{"type":"enabled","budget_tokens":-1})",
                "invalid_value thinking.budget_tokens"},
           Case{R"("thinking":{"type":"adaptive","display":"all"})",
                "invalid_value thinking.display"},
           Case{R"("output_config":{"effort":"huge"})", "invalid_value output_config.effort"},
           Case{R"("output_config":{"x":1})", "unsupported_parameter output_config.x"},
           Case{R"("output_config":{"format":{"type":"json_object"}})",
                "unsupported_parameter output_config.format.type"},
           Case{R"("output_config":{"format":{"type":"json_schema"}})",
                "invalid_value output_config.format"},
       }) {
    CAPTURE(c.members);
    CHECK(read(with(c.members)).path() == c.fault);
  }
  CHECK(read("{}").fault() == "invalid_value messages (an array)");
}

TEST_CASE("messages reader: messages that are refused") {
  struct Case {
    const char* message;
    const char* fault;
  };
  for (const Case& c : {
           Case{"[]", "invalid_value messages[0]"},
           Case{R"({"content":"x"})", "invalid_value messages[0]"},
           Case{R"({"role":"tool","content":"x"})", "invalid_value messages[0].role"},
           Case{R"({"role":"user"})", "invalid_value messages[0]"},
           Case{R"({"role":"user","content":5})", "invalid_value messages[0].content"},
           Case{R"({"role":"user","content":"x","id":"y"})",
                "unsupported_parameter messages[0].id"},
       }) {
    CAPTURE(c.message);
    CHECK(read(messages(c.message)).path() == c.fault);
  }
}

TEST_CASE("messages reader: blocks that are refused") {
  struct Case {
    const char* role;
    const char* block;
    const char* fault;  // code and what follows messages[0].content[0]
  };
  for (const Case& c : {
           Case{"user", "7", "invalid_value "},
           Case{"user", "{}", "unsupported_parameter "},
           Case{"user", R"({"type":"search_result"})", "unsupported_parameter .type"},
           Case{"user", R"({"type":"tool_use","id":"a","name":"f"})",
                "unsupported_parameter .type"},
           Case{"user", R"({"type":"thinking"})", "unsupported_parameter .type"},
           Case{"user", R"({"type":"text"})", "invalid_value "},
           Case{"user", R"({"type":"text","text":"x","cache_control":{}})",
                "unsupported_parameter .cache_control"},
           Case{"user", R"({"type":"image"})", "invalid_value "},
           Case{"user", R"({"type":"image","source":{"type":"file","file_id":"f"}})",
                "unsupported_parameter .source.file_id"},
           Case{"user", R"({"type":"image","source":{"type":"text","data":"x"}})",
                "unsupported_parameter .source.type"},
           Case{"user", R"({"type":"image","source":{"type":"base64","data":"x"}})",
                "invalid_value .source"},
           Case{"user", R"({"type":"image","source":{"type":"base64","media_type":"image/png"}})",
                "invalid_value .source"},
           Case{"user", R"({"type":"image","source":{"type":"url"}})", "invalid_value .source"},
           Case{"user", R"({"type":"document","source":{"type":"content","content":"x"}})",
                "unsupported_parameter .source.type"},
           Case{"user",
                R"({"type":"document","source":{"type":"url","url":"x"},)"
                R"("citations":{"enabled":true}})",
                "unsupported_parameter .citations.enabled"},
           Case{"user", R"({"type":"document","source":{"type":"url","url":"x"},"context":"c"})",
                "unsupported_parameter .context"},
           Case{"user", R"({"type":"tool_result"})", "invalid_value "},
           Case{"user", R"({"type":"tool_result","tool_use_id":"t","content":{}})",
                "invalid_value .content"},
           Case{"user", R"({"type":"tool_result","tool_use_id":"t","is_error":1})",
                "invalid_value .is_error"},
           Case{"user", R"({"type":"tool_result","tool_use_id":"t","content":[{"type":"x"}]})",
                "unsupported_parameter .content[0].type"},
           Case{"assistant", R"({"type":"image"})", "unsupported_parameter .type"},
           Case{"assistant", R"({"type":"server_tool_use"})", "unsupported_parameter .type"},
           Case{"assistant", R"({"type":"tool_use","name":"f","input":{}})", "invalid_value "},
           Case{"assistant", R"({"type":"tool_use","id":"a","input":{}})", "invalid_value "},
           Case{"assistant", R"({"type":"tool_use","id":"a","name":"f","input":"{}"})",
                "invalid_value .input"},
           Case{"assistant", R"({"type":"thinking","thinking":7})", "invalid_value .thinking"},
           Case{"system", R"({"type":"document"})", "unsupported_parameter .type"},
       }) {
    CAPTURE(c.block);
    std::string expected = c.fault;
    expected.insert(expected.find(' ') + 1, "messages[0].content[0]");
    CHECK(read(content(c.role, c.block)).path() == expected);
  }
}

TEST_CASE("messages reader: hints for caches are dropped if the operator says so") {
  CHECK(read(R"({"cache_control":{},"system":[{"type":"text","text":"s","cache_control":{}}],
      "tools":[{"name":"f","input_schema":{},"cache_control":{}}],"messages":[{"role":"user",
      "content":[{"type":"text","text":"u","cache_control":{"type":"ephemeral"}},
      {"type":"tool_result","tool_use_id":"t","cache_control":{},"content":[
       {"type":"text","text":"r","cache_control":{}}]}]}]})",
             true)
            .items() == "system: text \"s\"\nuser: text \"u\"\nresult id \"t\": text \"r\"\n");
  CHECK(!read(with(R"("top_k":5)"), true).result);
}

}  // namespace
}  // namespace flexd::surface
