#include "chat_messages.hpp"

namespace flexd::surface {
namespace {

using errors::Provider;
using json::Type;
using json::Value;

// The order of names is that of the bindings in ChatReader::read.
constexpr json::Names kNames = {"model",
                                "messages",
                                "max_completion_tokens",
                                "max_tokens",
                                "temperature",
                                "top_p",
                                "stream",
                                "stream_options",
                                "tools",
                                "tool_choice",
                                "parallel_tool_calls",
                                "functions",
                                "function_call",
                                "response_format",
                                "reasoning_effort",
                                "verbosity",
                                "metadata",
                                "user",
                                "safety_identifier",
                                "store",
                                "moderation",
                                "prompt_cache_key",
                                "prompt_cache_options",
                                "prompt_cache_retention"};

bool is_text_alone(const Value& modalities) {
  json::Elements elements(modalities);
  return elements.next() && elements.element().equals("text") && !elements.next();
}

// is_neutral tells of fields that no provider has whether they stand where they change nothing;
// check_request has refused them otherwise.
bool is_neutral(std::string_view name, const Value& value) {
  static constexpr json::Names kZero = {"presence_penalty", "frequency_penalty", "top_logprobs"};
  if (is_own_field(name)) return true;
  if (kZero.field_of(name) < kZero.size()) return is_zero(value);
  if (name == "n") return is_one(value);
  if (name == "logprobs" || name == "background") return value.to_bool() == false;
  if (name == "logit_bias") return value.is(Type::kObject) && !json::Members(value).next();
  if (name == "stop") return value.is(Type::kArray) && !json::Elements(value).next();
  if (name == "modalities") return is_text_alone(value);
  return false;
}

class ChatReader : public ChatMessages {
 public:
  using ChatMessages::ChatMessages;

  bool read(const Value& body);

 private:
  bool read_limits(const Value& completion_tokens, const Value& tokens);
  bool read_stream_options(const Value& options);
  bool read_tools(const Value& tools);
  bool read_tool(const Value& tool);
  bool read_functions(const Value& functions);
  bool read_tool_choice(const Value& choice);
  bool read_function_choice(const Value& choice);
  bool read_format(const Value& format);
  bool read_own(const Value& store, const Value& moderation);
};

bool ChatReader::read(const Value& body) {
  std::array<Value, kNames.size()> found;
  if (!top_members(body, kNames, found, is_neutral)) return false;
  const auto& [model, messages, completion_tokens, tokens, temperature, top_p, stream,
               stream_options, tools, tool_choice, parallel, functions, function_call, format,
               effort, verbosity, metadata, user, safety_identifier, store, moderation, cache_key,
               cache_options, cache_retention] = found;
  if (!messages.exists()) {
    fault_ = {.code = errors::Code::invalid_value, .param = "messages", .detail = "an array"};
    return false;
  }
  return keep(model, Type::kString, model_.model) && read_messages(messages) &&
         read_limits(completion_tokens, tokens) &&
         keep(temperature, Type::kNumber, model_.temperature) &&
         keep(top_p, Type::kNumber, model_.top_p) && read_stream(stream) &&
         read_stream_options(stream_options) && read_tools(tools) && read_functions(functions) &&
         read_tool_choice(tool_choice) && read_function_choice(function_call) &&
         keep(parallel, Type::kBool, model_.parallel_tool_calls) && read_format(format) &&
         read_effort(effort) && keep(verbosity, Type::kString, model_.verbosity) &&
         read_audience(metadata, user, safety_identifier) && read_own(store, moderation) &&
         read_cache_hints(cache_key, cache_options, cache_retention) && finish();
}

// read_limits takes the newer name and the older one; both may stand if they agree.
bool ChatReader::read_limits(const Value& completion_tokens, const Value& tokens) {
  if (!wants(completion_tokens, Type::kNumber) || !wants(tokens, Type::kNumber)) return false;
  if (completion_tokens.exists() && tokens.exists() && completion_tokens.text != tokens.text) {
    return refuse_value(tokens, "the number that max_completion_tokens has");
  }
  model_.max_tokens = completion_tokens.exists() ? completion_tokens : tokens;
  return true;
}

// read_stream_options: what is asked for concerns the answer (answer_translation.hpp).
bool ChatReader::read_stream_options(const Value& options) {
  if (!options.exists()) return true;
  if (!model_.stream) return refuse(options);
  static constexpr json::Names kOptionNames = {"include_usage", "include_obfuscation"};
  std::array<Value, kOptionNames.size()> found;
  return members(options, kOptionNames, found) && wants(found[0], Type::kBool);
}

bool ChatReader::read_tools(const Value& tools) {
  if (!wants(tools, Type::kArray)) return false;
  for (const Value tool : elements(tools)) {
    if (!read_tool(tool)) return false;
  }
  return true;
}

bool ChatReader::read_tool(const Value& tool) {
  if (!tool.is(Type::kObject)) return refuse_value(tool, "an object");
  const Value type = type_of(tool);
  if (type.equals("web_search")) return push_web_search(tool);
  // A custom tool takes any text instead of an object. Only OpenAI has such, and the model of a
  // request has no place for it.
  if (!type.equals("function")) return refuse(type.exists() ? type : tool);
  static constexpr json::Names kToolNames = {"type", "function"};
  std::array<Value, kToolNames.size()> found;
  return members(tool, kToolNames, found) &&
         needs(found[1], Type::kObject, tool, "a tool with a function") &&
         push_function(tool, found[1]);
}

bool ChatReader::read_functions(const Value& functions) {
  if (!wants(functions, Type::kArray)) return false;
  for (const Value function : elements(functions)) {
    if (!push_function(function, function)) return false;
  }
  return true;
}

bool ChatReader::read_tool_choice(const Value& choice) {
  if (!choice.exists()) return true;
  if (!choice.is(Type::kObject)) return read_word_choice(choice);
  model_.tool_choice.whole = choice;
  if (type_of(choice).equals("allowed_tools")) {
    static constexpr json::Names kChoiceNames = {"type", "allowed_tools"};
    std::array<Value, kChoiceNames.size()> found;
    return members(choice, kChoiceNames, found) &&
           needs(found[1], Type::kObject, choice, "an object with allowed_tools") &&
           read_subset(found[1]);
  }
  model_.tool_choice.kind = ToolChoice::Kind::one;
  model_.tool_choice.name = function_name(choice);
  return model_.tool_choice.name.exists();
}

// read_function_choice takes the older name of tool_choice; only one of the two may be set.
bool ChatReader::read_function_choice(const Value& choice) {
  if (!choice.exists()) return true;
  if (model_.tool_choice.kind != ToolChoice::Kind::absent) return refuse(choice);
  if (!choice.is(Type::kObject)) return read_word_choice(choice);
  static constexpr json::Names kChoiceNames = {"name"};
  std::array<Value, kChoiceNames.size()> found;
  if (!members(choice, kChoiceNames, found)) return false;
  model_.tool_choice = {.kind = ToolChoice::Kind::one, .whole = choice, .name = found[0]};
  return needs(found[0], Type::kString, choice, "the name of a function");
}

bool ChatReader::read_format(const Value& format) {
  if (!format.exists()) return true;
  static constexpr json::Names kFormatNames = {"type", "json_schema"};
  std::array<Value, kFormatNames.size()> found;
  if (!members(format, kFormatNames, found)) return false;
  const auto& [type, schema] = found;
  if (type.equals("json_schema")) {
    return needs(schema, Type::kObject, format, "an object with a json_schema") &&
           read_schema_format(format, schema);
  }
  if (schema.exists()) return refuse(schema);
  model_.format.whole = format;
  if (type.equals("json_object")) model_.format.kind = Format::Kind::json_object;
  if (type.equals("json_object") || type.equals("text")) return true;
  return refuse(type.exists() ? type : format);
}

bool ChatReader::read_own(const Value& store, const Value& moderation) {
  if (!keep(store, Type::kBool, model_.store)) return false;
  if (options_.provider == Provider::openai) {
    model_.moderation = moderation;
    return true;
  }
  // A request to be kept is kept by nobody else.
  if (store.to_bool() == true) return refuse(store);
  return !moderation.exists() || refuse(moderation);
}

}  // namespace

Result<void, Fault> read_chat(Value body, const ReadOptions& options, RequestModel& model) {
  ChatReader reader(options, errors::Dialect::chat, model);
  if (!reader.read(body)) return fail(reader.fault());
  return {};
}

}  // namespace flexd::surface
