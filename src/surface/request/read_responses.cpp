#include "response_items.hpp"

namespace flexd::surface {
namespace {

using json::Type;
using json::Value;

// The order of names is that of the bindings in ResponsesReader::read.
constexpr json::Names kNames = {"model",
                                "input",
                                "instructions",
                                "max_output_tokens",
                                "temperature",
                                "top_p",
                                "stream",
                                "stream_options",
                                "store",
                                "tools",
                                "tool_choice",
                                "parallel_tool_calls",
                                "reasoning",
                                "text",
                                "include",
                                "metadata",
                                "user",
                                "safety_identifier",
                                "prompt_cache_key",
                                "prompt_cache_options",
                                "prompt_cache_retention"};

// is_neutral tells of fields that only OpenAI has whether they change nothing.
bool is_neutral(std::string_view name, const Value& value) {
  if (is_own_field(name)) return true;
  if (name == "client_metadata") return true;  // a hint of Codex's, like metadata
  if (name == "background") return value.to_bool() == false;
  if (name == "top_logprobs") return is_zero(value);
  return name == "truncation" && value.equals("disabled");
}

// is_reasoning_default: how OpenAI thinks when nothing is said.
bool is_reasoning_default(std::string_view name, const Value& value) {
  if (name == "context") return value.equals("auto");
  return name == "mode" && value.equals("standard");
}

class ResponsesReader : public ResponseItems {
 public:
  using ResponseItems::ResponseItems;

  bool read(const Value& body);

 private:
  bool read_stream_options(const Value& options);
  bool read_tools(const Value& tools);
  bool read_tool(const Value& tool);
  bool read_tool_choice(const Value& choice);
  bool read_reasoning_config(const Value& reasoning);
  bool read_text_config(const Value& text);
  bool read_format(const Value& format);
  bool read_include(const Value& include);
  bool has_web_search() const;
};

bool ResponsesReader::read(const Value& body) {
  std::array<Value, kNames.size()> found;
  if (!top_members(body, kNames, found, is_neutral)) return false;
  const auto& [model, input, instructions, max_tokens, temperature, top_p, stream, stream_options,
               store, tools, tool_choice, parallel, reasoning, text, include, metadata, user,
               safety_identifier, cache_key, cache_options, cache_retention] = found;
  if (!input.exists()) {
    fault_ = {.code = errors::Code::invalid_value,
              .param = "input",
              .detail = "a string or a list of items"};
    return false;
  }
  if (!keep(model, Type::kString, model_.model) || !wants(instructions, Type::kString)) {
    return false;
  }
  if (instructions.exists() && !push_text(Item::Role::system, instructions)) return false;
  // To store is OpenAI's default: it is no wish that another provider could disappoint.
  return read_input(input) && keep(max_tokens, Type::kNumber, model_.max_tokens) &&
         keep(temperature, Type::kNumber, model_.temperature) &&
         keep(top_p, Type::kNumber, model_.top_p) && read_stream(stream) &&
         read_stream_options(stream_options) && wants(store, Type::kBool) && read_tools(tools) &&
         read_tool_choice(tool_choice) && keep(parallel, Type::kBool, model_.parallel_tool_calls) &&
         read_reasoning_config(reasoning) && read_text_config(text) && read_include(include) &&
         read_audience(metadata, user, safety_identifier) &&
         read_cache_hints(cache_key, cache_options, cache_retention) && finish();
}

bool ResponsesReader::read_stream_options(const Value& options) {
  if (!options.exists()) return true;
  static constexpr json::Names kOptionNames = {"include_obfuscation"};
  std::array<Value, kOptionNames.size()> found;
  return members(options, kOptionNames, found);
}

bool ResponsesReader::read_tools(const Value& tools) {
  if (!wants(tools, Type::kArray)) return false;
  for (const Value tool : elements(tools)) {
    if (!read_tool(tool)) return false;
  }
  return true;
}

bool ResponsesReader::read_tool(const Value& tool) {
  if (!tool.is(Type::kObject)) return refuse_value(tool, "an object");
  const Value type = type_of(tool);
  if (type.equals("function")) return push_function(tool, tool);
  if (type.equals("web_search")) return push_web_search(tool);
  return refuse(type.exists() ? type : tool);
}

bool ResponsesReader::read_tool_choice(const Value& choice) {
  if (!choice.exists()) return true;
  if (!choice.is(Type::kObject)) return read_word_choice(choice);
  model_.tool_choice.whole = choice;
  if (type_of(choice).equals("allowed_tools")) return read_subset(choice);
  model_.tool_choice.kind = ToolChoice::Kind::one;
  model_.tool_choice.name = function_name(choice);
  return model_.tool_choice.name.exists();
}

bool ResponsesReader::read_reasoning_config(const Value& reasoning) {
  if (!reasoning.exists()) return true;
  static constexpr json::Names kReasoningNames = {"effort", "summary", "generate_summary"};
  std::array<Value, kReasoningNames.size()> found;
  if (!members(reasoning, kReasoningNames, found, is_reasoning_default)) return false;
  const auto& [effort, summary, older_summary] = found;
  return read_effort(effort) && read_summary(older_summary) && read_summary(summary);
}

bool ResponsesReader::read_text_config(const Value& text) {
  if (!text.exists()) return true;
  static constexpr json::Names kTextNames = {"format", "verbosity"};
  std::array<Value, kTextNames.size()> found;
  return members(text, kTextNames, found) && read_format(found[0]) &&
         keep(found[1], Type::kString, model_.verbosity);
}

bool ResponsesReader::read_format(const Value& format) {
  if (!format.exists()) return true;
  if (!wants(format, Type::kObject)) return false;
  const Value type = type_of(format);
  if (type.equals("json_schema")) return read_schema_format(format, format);
  static constexpr json::Names kFormatNames = {"type"};
  std::array<Value, kFormatNames.size()> found;
  const bool object = type.equals("json_object");
  if (!object && !type.equals("text")) return refuse(type.exists() ? type : format);
  if (!members(format, kFormatNames, found)) return false;
  model_.format = {.kind = object ? Format::Kind::json_object : Format::Kind::text,
                   .whole = format};
  return true;
}

bool ResponsesReader::has_web_search() const {
  for (const Tool& tool : model_.tools.items()) {
    if (tool.kind == Tool::Kind::web_search) return true;
  }
  return false;
}

// read_include: reasoning always comes with what is needed to send it back. What a tool would have
// brought is nothing where the tool cannot be; of the only one that can be, no such report comes
// from another provider.
bool ResponsesReader::read_include(const Value& include) {
  static constexpr json::Names kIgnored = {
      "reasoning.encrypted_content", "file_search_call.results", "code_interpreter_call.outputs",
      "computer_call_output.output.image_url", "message.input_image.image_url"};
  static constexpr json::Names kOfWebSearch = {"web_search_call.results",
                                               "web_search_call.action.sources"};
  if (!wants(include, Type::kArray)) return false;
  for (const Value one : elements(include)) {
    if (!one.is(Type::kString)) return refuse_value(one, "a string");
    std::array<char, json::kNameBytesMax + 1> space;
    const std::string_view word = json::decode(one, space).value_or("");
    if (kIgnored.field_of(word) < kIgnored.size()) continue;
    if (kOfWebSearch.field_of(word) < kOfWebSearch.size() && !has_web_search()) continue;
    return refuse(one);
  }
  return true;
}

}  // namespace

Result<void, Fault> read_responses(Value body, const ReadOptions& options, RequestModel& model) {
  ResponsesReader reader(options, errors::Dialect::responses, model);
  if (!reader.read(body)) return fail(reader.fault());
  return {};
}

}  // namespace flexd::surface
