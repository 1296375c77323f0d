// What the simulated providers refuse, as the real ones do.
#include <doctest/doctest.h>

#include <string>

#include "flexsim/anthropic_blocks.hpp"
#include "flexsim/check.hpp"
#include "flexsim/request.hpp"
#include "flexsim/seal.hpp"

using namespace flexd::flexsim;

namespace {

struct Case {
  const char* body;     // without the members that every request has
  const char* message;  // part of the refusal's; empty: good
  const char* param = "";
};

void hold(const RequestText& request, const Case& c) {
  CAPTURE(request.body);
  const auto facts = read_request(request);
  const std::string_view wanted = c.message;
  CHECK(facts.has_value() == wanted.empty());
  if (facts.has_value()) return;
  CAPTURE(facts.error().message);
  CHECK(facts.error().status == 400);
  CHECK((!wanted.empty() && facts.error().message.find(wanted) != std::string::npos));
  if (*c.param != 0) CHECK(facts.error().param == c.param);
}

void hold_openai(const Case& c) {
  hold({.body = R"({"model":"gpt-5.4",)" + std::string(c.body) + "}"}, c);
}
void hold_gemini(const Case& c) {
  hold({.vendor = Vendor::gemini, .body = R"({"model":"gemini-x",)" + std::string(c.body) + "}"},
       c);
}
void hold_anthropic(const Case& c, std::string_view model = "claude-sonnet-4-6",
                    std::string_view version = "2023-06-01") {
  hold({.vendor = Vendor::anthropic,
        .body = R"({"model":")" + std::string(model) + R"(","max_tokens":4096,)" +
                std::string(c.body) + "}",
        .version = version},
       c);
}
// hold_messages is for what stands in `messages` behind a first turn of the user's.
void hold_messages(const std::string& turns, const char* message,
                   std::string_view model = "claude-sonnet-4-6", const std::string& more = "") {
  const std::string body = R"("messages":[{"role":"user","content":"hi"},)" + turns + "]" + more;
  hold_anthropic({body.c_str(), message}, model);
}

}  // namespace

TEST_CASE("OpenAI: members and their types") {
  for (const Case& c : {
           Case{R"("input":"x")", ""},
           Case{R"("input":"x","client_metadata":{"thread_id":"t"})", ""},
           Case{R"("input":"x","start_within":"5s")", "Unknown parameter", "start_within"},
           Case{R"("messages":[])", "Unknown parameter", "messages"},
           Case{R"("max_tokens":5)", "Unknown parameter", "max_tokens"},
           Case{R"("input":5)", "expected a string or an array", "input"},
           Case{R"("temperature":"1")", "expected a number", "temperature"},
           Case{R"("metadata":{"a":1})", "expected a string", "metadata.a"},
           Case{R"("stream_options":{"include_usage":true})", "Unknown parameter",
                "stream_options.include_usage"},
           Case{R"("reasoning":{"effort":"huge"})", "Supported values", "reasoning.effort"},
           Case{R"("reasoning":{"effort":"xhigh","summary":"auto"})", ""},
           Case{R"("include":["everything"])", "Supported values", "include[0]"},
           Case{R"("text":{"format":{"type":"json_schema","schema":{}}})", "Missing required",
                "text.format.name"},
           Case{R"("text":{"format":{"type":"json_schema","name":"x","schema":{},"strict":null}})",
                ""},
           Case{R"("text":{"format":{"type":"json_schema","json_schema":{}}})", "Unknown",
                "text.format.json_schema"},
           Case{R"("tools":[{"type":"function","function":{"name":"f"}}])", "Unknown",
                "tools[0].function"},
           Case{R"("tools":[{"type":"function"}])", "Missing required", "tools[0].name"},
           Case{R"("tools":[{"name":"f"}])", "Missing required", "tools[0].type"},
           Case{R"("tools":[{"type":"function","name":"f","parameters":null,"strict":false}])", ""},
           Case{R"("tool_choice":"any")", "Supported values", "tool_choice"},
           Case{R"("tool_choice":{"type":"function","function":{"name":"f"}})", "Unknown",
                "tool_choice.function"},
           Case{R"("tool_choice":{"type":"allowed_tools","mode":"auto","tools":[]})", ""},
       }) {
    hold_openai(c);
  }
}

TEST_CASE("OpenAI: items") {
  for (const Case& c : {
           Case{R"("input":[{"role":"user","content":"x"}])", ""},
           Case{R"("input":[{"type":"message","role":"tool","content":"x"}])", "Supported",
                "input[0].role"},
           Case{R"("input":[{"role":"user","content":[{"type":"text","text":"x"}]}])", "Supported",
                "input[0].content[0].type"},
           Case{R"("input":[{"role":"user","content":"x","name":"me"}])", "Unknown",
                "input[0].name"},
           Case{R"("input":[{"role":"assistant","content":[{"type":"input_text","text":"x"}]}])",
                "Supported"},
           Case{R"("input":[{"role":"assistant","content":[{"type":"output_text","text":"x",)"
                R"("annotations":[]},{"type":"refusal","refusal":"no"}],"id":"msg_1"}])",
                ""},
           Case{R"("input":[{"type":"function_call","call_id":"c","name":"f","arguments":{}}])",
                "expected a string", "input[0].arguments"},
           Case{R"("input":[{"type":"function_call","call_id":"c","name":"f","arguments":"{}"}])",
                "No tool output found for function call c"},
           Case{R"("input":[{"type":"function_call_output","call_id":"c","output":"x"}])",
                "No tool call found for function call output with call_id c"},
           Case{R"("input":[{"type":"function_call_output","call_id":"c","output":"x"}],)"
                R"("previous_response_id":"resp_1")",
                ""},
           Case{R"("input":[{"type":"function_call","call_id":"c","name":"f","arguments":"{}"},)"
                R"({"type":"function_call_output","call_id":"c","output":[{"type":"input_text",)"
                R"("text":"x"}]}])",
                ""},
           Case{R"("input":[{"type":"reasoning","id":"rs_1","summary":[],)"
                R"("encrypted_content":"gw1.x"}])",
                "could not be verified"},
           Case{R"("input":[{"type":"reasoning","id":"rs_1","summary":[]}])", ""},
           Case{R"("input":[{"type":"tool_use"}])", "Supported values", "input[0].type"},
           Case{R"("input":[{"role":"user","content":[{"type":"input_image"}]}])",
                "Missing required", "input[0].content[0].image_url"},
           Case{R"("input":[{"role":"user","content":[{"type":"input_file","file_data":"AAAA"}]}])",
                "base64-encoded data URL"},
           Case{R"("input":["x"])", "expected an object", "input[0]"},
       }) {
    hold_openai(c);
  }
  const std::string own = R"("input":[{"type":"reasoning","id":"rs_1","summary":[],)"
                          R"("encrypted_content":")" +
                          seal(Vendor::openai, "ab") + "\"}]";
  hold_openai({own.c_str(), ""});
}

TEST_CASE("Gemini: members and their types") {
  for (const Case& c : {
           Case{R"("input":"x")", ""},
           Case{R"("input":"x","start_within":"5s")", "Unknown parameter: 'start_within'"},
           Case{R"("stream":true)", "Missing required parameter: 'input'"},
           Case{R"("input":"x","instructions":"y")", "Unknown"},
           Case{R"("input":"x","service_tier":"default")", "Supported values"},
           Case{R"("input":"x","service_tier":"deferred")", ""},
           Case{R"("input":"x","service_tier":null,"store":null,"generation_config":null)", ""},
           Case{R"("input":"x","metadata":{})", "Unknown"},
           Case{R"("input":"x","labels":{"a":1})", "Invalid type"},
           Case{R"("input":"x","temperature":1)", "Unknown"},
           Case{R"("input":"x","generation_config":{"temperature":0.5,"top_p":1,"seed":1})", ""},
           Case{R"("input":"x","generation_config":{"max_tokens":1})", "Unknown",
                "generation_config.max_tokens"},
           Case{R"("input":"x","generation_config":{"max_output_tokens":0})", "positive"},
           Case{R"("input":"x","generation_config":{"thinking_level":"xhigh"})", "Supported"},
           Case{R"("input":"x","generation_config":{"tool_choice":"required"})", "Supported"},
           Case{R"("input":"x","generation_config":{"tool_choice":{"allowed_tools":{"mode":"any",)"
                R"("tools":["f"]}}})",
                ""},
           Case{R"("input":"x","tools":[{"type":"function","name":"f","strict":true}])", "Unknown",
                "tools[0].strict"},
           Case{R"("input":"x","tools":[{"name":"f"}])", "Missing required"},
           Case{R"("input":"x","tools":[{"type":"web_search"}])", "Supported"},
           Case{R"("input":"x","response_format":{"type":"text","schema":{}})", "mime_type"},
           Case{R"("input":"x","system_instruction":[])", "expected a string"},
           Case{R"("input":"x","store":"no")", "expected a boolean"},
       }) {
    hold_gemini(c);
  }
}

TEST_CASE("Gemini: contents and steps") {
  for (const Case& c : {
           Case{R"("input":[])", "must not be empty"},
           Case{R"("input":{"type":"text","text":"x"})", ""},
           Case{R"("input":[{"type":"text","text":"x"},{"type":"user_input","content":[]}])",
                "Supported values", "input[1].type"},
           Case{R"("input":[{"role":"user","content":"x"}])", "Missing required", "input[0].type"},
           Case{R"("input":[{"type":"user_input","content":"x"}])", "expected an array"},
           Case{R"("input":[{"type":"image","mime_type":"image/png"}])", "Exactly one"},
           Case{R"("input":[{"type":"image","data":"AAAA"}])", "mime_type"},
           Case{R"("input":[{"type":"function_call","id":"a","name":"f","arguments":"{}"}])",
                "expected an object", "input[0].arguments"},
           Case{R"("input":[{"type":"function_result","call_id":"a","name":"f","result":"x"}])",
                "comes immediately after"},
           Case{R"("input":[{"type":"function_result","call_id":"a","result":"x"}],)"
                R"("previous_interaction_id":"v1_1")",
                ""},
           Case{R"("input":[{"type":"function_call","id":"a","name":"f","arguments":{}},)"
                R"({"type":"function_result","name":"f","result":[{"type":"text","text":"x"}]}])",
                ""},
           Case{R"("input":[{"type":"function_call","id":"a","name":"f","arguments":{}},)"
                R"({"type":"function_result","call_id":"a","name":"g","result":"x"}])",
                "name of a function result"},
           Case{R"("input":[{"type":"function_call","id":"a","name":"f","arguments":{}},)"
                R"({"type":"function_result","result":"x"}])",
                "Missing required", "input[1].call_id"},
           Case{R"("input":[{"type":"thought","signature":"EqFlexsi"}])", "Corrupted"},
           Case{R"("input":[{"type":"model_output","content":[{"type":"output_text"}]}])",
                "Supported"},
           Case{R"("input":[{"type":"google_search_call","id":"1"}])", ""},
       }) {
    hold_gemini(c);
  }
}

TEST_CASE("Anthropic: members and their types") {
  const std::string hi = R"("messages":[{"role":"user","content":"hi"}])";
  for (const Case& c : {
           Case{"", ""},
           Case{R"(,"start_within":"default")", "start_within: Extra inputs are not permitted"},
           Case{R"(,"metadata":{"trace":"x"})", "metadata.trace: Extra inputs"},
           Case{R"(,"service_tier":"flex")", "service_tier: Input should be 'auto'"},
           Case{R"(,"tool_choice":"auto")", "tool_choice: Input should be a valid dictionary"},
           Case{R"(,"tool_choice":{"type":"auto"})", "while providing tools"},
           Case{R"(,"tools":[{"name":"f"}])", "tools.0.input_schema: Field required"},
           Case{R"(,"tools":[{"name":"f","input_schema":{}}])", "tools.0.input_schema.type"},
           Case{R"(,"tools":[{"name":"f","input_schema":{"type":"object"}}],)"
                R"("tool_choice":{"type":"tool"})",
                "tool_choice.name: Field required"},
           Case{R"(,"tools":[{"type":"function","name":"f","input_schema":{"type":"object"}}])",
                "tools.0: Input tag"},
           Case{R"(,"tools":[{"type":"web_search_20250305","name":"web_search"}])", ""},
           Case{R"(,"temperature":1.0,"top_p":0.5)", ""},
           Case{R"(,"temperature":1.5)", "temperature: range: 0..1"},
           Case{R"(,"temperature":null)", "temperature: Input should be a valid number"},
           Case{R"(,"output_config":{"format":{"type":"json_object","schema":{}}})", "json_schema"},
           Case{R"(,"output_config":{"effort":"minimal"})", "output_config.effort"},
           Case{R"(,"system":[{"type":"text","text":""}])", "non-empty"},
           Case{R"(,"thinking":{"type":"enabled","budget_tokens":1023})", "1024"},
           Case{R"(,"thinking":{"type":"enabled","budget_tokens":4096})", "max_tokens: must be"},
           Case{R"(,"thinking":{"type":"enabled","budget_tokens":4095})", ""},
           Case{R"(,"thinking":{"type":"enabled"})", "budget_tokens: Field required"},
       }) {
    const std::string body = hi + c.body;
    hold_anthropic({body.c_str(), c.message});
  }
  hold({.vendor = Vendor::anthropic,
        .body = "{\"model\":\"m\"," + hi + "}",
        .version = "2023-06-01"},
       {"", "max_tokens: Field required"});
  hold_anthropic({hi.c_str(), "header is required"}, "claude-sonnet-4-6", "");
  hold_anthropic({hi.c_str(), "not a valid version"}, "claude-sonnet-4-6", "2024-01-01");
}

TEST_CASE("Anthropic: what depends on the model and the version") {
  const std::string hi = R"("messages":[{"role":"user","content":"hi"}])";
  const auto with = [&](const char* more, const char* message, const char* model,
                        const char* version = "2023-06-01") {
    const std::string body = hi + more;
    hold_anthropic({body.c_str(), message}, model, version);
  };
  for (const char* sampling : {R"(,"temperature":1)", R"(,"top_p":1)", R"(,"top_k":5)"}) {
    with(sampling, "", "claude-opus-4-6");
    with(sampling, "deprecated", "claude-opus-4-7");
    with(sampling, "Extra inputs", "claude-opus-4-6", "2026-10-21");
  }
  with(R"(,"thinking":{"type":"adaptive"})", "not supported", "claude-sonnet-4-5-20250929");
  with(R"(,"thinking":{"type":"adaptive"})", "", "claude-opus-4-6");
  with(R"(,"thinking":{"type":"enabled","budget_tokens":1024})", "adaptive", "claude-opus-5");
  with(R"(,"output_config":{"effort":"low"})", "effort", "claude-3-7-sonnet-20250219");
  with(R"(,"output_config":{"effort":"low"})", "", "claude-opus-4-5");
  CHECK(traits_of("claude-3-7-sonnet-20250219").takes_prefill);
  CHECK(traits_of("claude-sonnet-4-20250514").takes_prefill);
  CHECK_FALSE(traits_of("claude-haiku-4-6").takes_prefill);
  CHECK_FALSE(traits_of("claude-opus-10-1").takes_sampling);
  CHECK(traits_of("something").takes_sampling);
  hold_messages(R"({"role":"assistant","content":"I"})", "", "claude-sonnet-4-5");
  hold_messages(R"({"role":"assistant","content":"I"})", "prefill", "claude-opus-4-7");
  hold_messages(R"({"role":"system","content":"Be brief."})", "", "claude-opus-4-8");
  hold_messages(R"({"role":"system","content":"Be brief."})", "role", "claude-opus-4-7");
}

TEST_CASE("Anthropic: turns and blocks") {
  hold_anthropic({R"("messages":[])", "at least one message"});
  hold_anthropic({R"("messages":[{"role":"assistant","content":"x"}])", "first message"});
  hold_anthropic({R"("messages":[{"role":"system","content":"x"}])", "messages.0.role"});
  hold_anthropic({R"("messages":[{"role":"user","content":""}])", "non-empty"});
  hold_anthropic({R"("messages":[{"role":"user","content":[{"type":"text","text":""}]}])",
                  "messages.0.content.0: text content blocks must be non-empty"});
  hold_anthropic({R"("messages":[{"role":"user","content":[{"type":"image","source":)"
                  R"({"type":"base64","media_type":"image/tiff","data":"AAAA"}}]}])",
                  "media_type"});
  hold_anthropic({R"("messages":[{"role":"user","content":[{"type":"input_text","text":"x"}]}])",
                  "messages.0.content.0.type"});
  const std::string use =
      R"({"role":"assistant","content":[{"type":"tool_use","id":"t1","name":"f","input":{}},)"
      R"({"type":"tool_use","id":"t2","name":"f","input":{}}]})";
  const std::string one = R"({"type":"tool_result","tool_use_id":"t1","content":"x"})";
  const std::string two = R"({"type":"tool_result","tool_use_id":"t2","content":[]})";
  const auto answered = [&](const std::string& blocks) {
    return use + R"(,{"role":"user","content":[)" + blocks + "]}";
  };
  hold_messages(answered(one + "," + two), "");
  hold_messages(answered(one + "," + two + R"(,{"type":"text","text":"so?"})"), "");
  hold_messages(answered(two + R"(,{"type":"text","text":"so?"},)" + one), "come first");
  hold_messages(answered(one), "without `tool_result` blocks immediately after: t2");
  hold_messages(use, "without `tool_result`");
  hold_messages(use + R"(,{"role":"user","content":"hm"})", "without `tool_result`");
  hold_messages(answered(one + R"(,{"type":"tool_result","tool_use_id":"t3"})"), "unexpected");
  hold_messages(answered(one + "," + one), "unexpected");
  hold_messages(R"({"role":"user","content":[)" + one + "]}", "unexpected");
  hold_messages(R"({"role":"assistant","content":[{"type":"tool_use","id":"a.b","name":"f",)"
                R"("input":{}}]})",
                "should match pattern");
  hold_messages(R"({"role":"assistant","content":[{"type":"tool_use","id":"a","name":"f",)"
                R"("input":"{}"}]})",
                "valid dictionary");
}

TEST_CASE("Anthropic: thoughts") {
  const auto turns = [](const std::string& thought) {
    return R"({"role":"assistant","content":[)" + thought +
           R"({"type":"tool_use","id":"t","name":"f","input":{}}]},{"role":"user","content":)" +
           R"([{"type":"tool_result","tool_use_id":"t","content":"x"}]})";
  };
  const auto thinking = [](const std::string& signature) {
    return R"({"type":"thinking","thinking":"","signature":")" + signature + "\"},";
  };
  const std::string budget = R"(,"thinking":{"type":"enabled","budget_tokens":2048})";
  const std::string own = seal(Vendor::anthropic, "0123");
  for (const char* model : {"claude-3-7-sonnet-20250219", "claude-sonnet-4-5"}) {
    hold_messages(turns(""), "Expected `thinking`", model, budget);
    hold_messages(turns(""), "", model);
    hold_messages(turns(thinking(own)), "", model, budget);
    hold_messages(turns(R"({"type":"redacted_thinking","data":")" + own + "\"},"), "", model,
                  budget);
  }
  hold_messages(turns(""), "", "claude-sonnet-4-6", budget);
  hold_messages(turns(thinking("")), "Invalid `signature`");
  hold_messages(turns(thinking(seal(Vendor::gemini, "0123"))), "Invalid `signature`");
  hold_messages(turns(R"({"type":"redacted_thinking","data":"x"},)"), "Invalid `data`");
}

TEST_CASE("bodies that are not JSON objects are refused in each provider's words") {
  for (const Vendor vendor : {Vendor::openai, Vendor::gemini, Vendor::anthropic}) {
    for (const char* body : {"", "[]", "{", "\"x\""}) {
      hold({.vendor = vendor, .body = body, .version = "2023-06-01"}, {"", "parse"});
    }
  }
}
