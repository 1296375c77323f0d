// request_bodies.hpp: good requests of each dialect, and ways to break them, for fuzz targets.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

#include "flexd/errors/dialect.hpp"
#include "flexd/json/cursor.hpp"

namespace flexd::surface {

// Bodies that use most of what a reader knows.
inline constexpr std::array<std::string_view, errors::kDialectCount> kGoodBodies = {
    R"({"model":"m","instructions":"i","input":[{"role":"user","content":[{"type":"input_text",
"text":"t"},{"type":"input_image","image_url":"data:image/png;base64,AA=="},
{"type":"input_file","file_data":"QQ==","filename":"a"}]},{"type":"reasoning",
"summary":[{"type":"summary_text","text":"s"}],"encrypted_content":"gw1.x"},
{"type":"function_call","call_id":"c","name":"f","arguments":"{}"},
{"type":"function_call_output","call_id":"c","output":[{"type":"input_text","text":"r"}]},
{"type":"message","role":"assistant","content":[{"type":"refusal","refusal":"n"}]}],
"tools":[{"type":"function","name":"f","parameters":{}},{"type":"web_search"}],
"tool_choice":{"type":"allowed_tools","mode":"auto","tools":[{"type":"function","name":"f"}]},
"reasoning":{"effort":"low","summary":"auto"},"text":{"format":{"type":"json_schema",
"name":"n","schema":{}}},"include":["reasoning.encrypted_content"],"metadata":{"a":"b"}})",
    R"({"model":"m","messages":[{"role":"system","content":"s"},{"role":"user",
"content":[{"type":"text","text":"t"},{"type":"image_url","image_url":{"url":"https://x",
"detail":"low"}},{"type":"file","file":{"file_data":"QQ=="}}]},{"role":"assistant",
"content":null,"tool_calls":[{"id":"c","type":"function","function":{"name":"f",
"arguments":"{}"},"extra_content":{"flex":{"thought":["gw1.x"]}}}]},{"role":"tool",
"tool_call_id":"c","content":"r"},{"role":"assistant","function_call":{"name":"g",
"arguments":""}},{"role":"function","name":"g","content":""}],"max_tokens":1,"stream":true,
"stream_options":{"include_usage":true},"tools":[{"type":"function","function":{"name":"f"}}],
"functions":[{"name":"g"}],"tool_choice":{"type":"function","function":{"name":"f"}},
"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{}}},
"reasoning_effort":"high"})",
    R"({"model":"m","system_instruction":"s","input":[{"type":"user_input",
"content":[{"type":"text","text":"t"},{"type":"image","uri":"https://x","mime_type":"image/png"}]},
{"type":"thought","signature":"gw1.x","summary":[{"type":"text","text":"h"}]},
{"type":"function_call","id":"c","name":"f","arguments":{}},
{"type":"function_result","name":"f","result":{}},
{"type":"model_output","content":[{"type":"text","text":"m"}]}],"tools":[{"type":"function",
"name":"f"},{"type":"google_search"}],"generation_config":{"max_output_tokens":1,
"thinking_level":"low","tool_choice":{"allowed_tools":{"mode":"any","tools":["f"]}}},
"response_format":[{"type":"text","mime_type":"application/json","schema":{}}]})",
    R"({"model":"m","max_tokens":1,"system":[{"type":"text","text":"s"}],"messages":[{"role":"user",
"content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AA=="}},
{"type":"document","source":{"type":"url","url":"https://x"}}]},{"role":"assistant",
"content":[{"type":"thinking","thinking":"h","signature":"gw1.x"},{"type":"text","text":"t"},
{"type":"tool_use","id":"c","name":"f","input":{}}]},{"role":"user",
"content":[{"type":"tool_result","tool_use_id":"c","content":[{"type":"text","text":"r"}]},
{"type":"text","text":"u"}]}],"tools":[{"name":"f","input_schema":{}}],
"tool_choice":{"type":"any","disable_parallel_tool_use":true},"thinking":{"type":"enabled",
"budget_tokens":4096},"output_config":{"format":{"type":"json_schema","schema":{}}}})"};

inline constexpr std::array<std::string_view, 35> kWords = {"null",
                                                            "true",
                                                            "false",
                                                            "0",
                                                            "1",
                                                            "-1.5e3",
                                                            "\"\"",
                                                            "\"text\"",
                                                            "\"type\"",
                                                            "\"user\"",
                                                            "\"system\"",
                                                            "\"assistant\"",
                                                            "\"tool\"",
                                                            "\"any\"",
                                                            "\"none\"",
                                                            "\"auto\"",
                                                            "\"function\"",
                                                            "\"image\"",
                                                            "\"file\"",
                                                            "\"gw1.a.b\"",
                                                            "\"data:,\"",
                                                            "\"data:a;base64,b\"",
                                                            "\"\\u0066\"",
                                                            "\"\\/\\\"\"",
                                                            "\"https://x\"",
                                                            "\"document\"",
                                                            "\"function_result\"",
                                                            "\"thinking\"",
                                                            "\"json_object\"",
                                                            "\"message\"",
                                                            "\"json_schema\"",
                                                            "\"low\"",
                                                            "\"zqx\"",
                                                            "\"\\\",\\\"zqx\\\":\\\"\"",
                                                            "\"{\\\"zqx\\\":1}\""};
inline constexpr std::array<std::string_view, 20> kNames = {
    "type",   "text",       "role",          "content", "name",    "id",        "call_id",
    "tools",  "tool_calls", "mode",          "data",    "url",     "uri",       "source",
    "schema", "effort",     "cache_control", "x",       "file_id", "t\\u0079pe"};

class Entropy {
 public:
  explicit Entropy(std::string_view bytes) : bytes_(bytes) {}
  bool empty() const { return bytes_.empty(); }
  size_t next(size_t bound) {
    if (bytes_.empty()) return 0;
    const auto byte = static_cast<unsigned char>(bytes_.front());
    bytes_.remove_prefix(1);
    return byte % bound;
  }

 private:
  std::string_view bytes_;
};

inline void append_tree(Entropy& entropy, std::string& out, size_t depth) {
  const size_t kind = entropy.next(6);
  if (kind < 3 || depth == 4) {
    out += kWords[entropy.next(kWords.size())];
    return;
  }
  const bool object = kind < 5;
  out += object ? '{' : '[';
  const size_t count = entropy.next(4);
  for (size_t i = 0; i < count; ++i) {
    if (i > 0) out += ',';
    if (object) out += '"' + std::string(kNames[entropy.next(kNames.size())]) + "\":";
    append_tree(entropy, out, depth + 1);
  }
  out += object ? '}' : ']';
}

// nth_value walks down to a value below the outermost object.
inline json::Value nth_value(json::Value value, Entropy& entropy) {
  for (;;) {
    size_t count = 0;
    for (json::Members walk(value); walk.next();) ++count;
    for (json::Elements walk(value); walk.next();) ++count;
    if (count == 0) return value;
    size_t wanted = entropy.next(count);
    json::Value inner;
    for (const json::Member& member : json::Members(value)) {
      if (wanted-- == 0) inner = member.value;
    }
    for (const json::Value element : json::Elements(value)) {
      if (wanted-- == 0) inner = element;
    }
    value = inner;
    if (entropy.next(4) == 0) return value;
  }
}

inline std::string mutated(std::string_view good, Entropy entropy) {
  std::string body(good);
  for (size_t round = 0; round < 4 && !entropy.empty(); ++round) {
    const json::Value value = nth_value(json::Value{body}, entropy);
    std::string tree;
    append_tree(entropy, tree, 0);
    if (value.text.data() == body.data()) continue;  // nothing is left in it
    body.replace(static_cast<size_t>(value.text.data() - body.data()), value.text.size(), tree);
  }
  return body;
}

}  // namespace flexd::surface
