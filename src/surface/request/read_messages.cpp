#include "message_blocks.hpp"

namespace flexd::surface {
namespace {

using json::Type;
using json::Value;

// The order of names is that of the bindings in MessagesReader::read.
constexpr json::Names kNames = {
    "model",  "max_tokens", "messages", "system",      "temperature", "top_p",
    "stream", "metadata",   "tools",    "tool_choice", "thinking",    "output_config",
};

// clears_nothing tells a context_management whose edits leave everything in its place. Claude Code
// sends one with every request.
bool clears_nothing(const Value& management) {
  for (const json::Member& member : json::Members(management)) {
    if (member.value.is_null()) continue;
    if (!member.name.equals("edits") || !member.value.is(Type::kArray)) return false;
    for (const Value edit : json::Elements(member.value)) {
      const bool clears_thinking = edit["type"].contents().starts_with("clear_thinking_");
      if (!clears_thinking || !edit["keep"].equals("all")) return false;
    }
  }
  return management.is(Type::kObject);
}

// is_neutral: check_request has refused stop sequences if there are any.
bool is_neutral(std::string_view name, const Value& value) {
  if (is_own_field(name)) return true;
  if (name == "context_management") return clears_nothing(value);
  if (name == "background") return value.to_bool() == false;
  if (name == "speed") return value.equals("standard");
  if (name != "stop_sequences" && name != "mcp_servers") return false;
  return value.is(Type::kArray) && !json::Elements(value).next();
}

// effort_of_budget is the effort that thinks about as much as a budget of tokens lets.
Effort effort_of_budget(uint64_t tokens) {
  if (tokens <= 2048) return Effort::low;
  if (tokens <= 12288) return Effort::medium;
  if (tokens <= 24576) return Effort::high;
  return Effort::xhigh;
}

class MessagesReader : public MessageBlocks {
 public:
  using MessageBlocks::MessageBlocks;

  bool read(const Value& body);

 private:
  bool read_metadata(const Value& metadata);
  bool read_tools(const Value& tools);
  bool read_tool_choice(const Value& choice);
  bool read_output_config(const Value& config);
  bool read_format(const Value& format);
  bool read_thinking_config(const Value& thinking);
  bool read_budget(const Value& thinking, const Value& budget);
};

bool MessagesReader::read(const Value& body) {
  std::array<Value, kNames.size()> found;
  if (!top_members(body, kNames, found, is_neutral)) return false;
  const auto& [model, max_tokens, messages, system, temperature, top_p, stream, metadata, tools,
               tool_choice, thinking, output_config] = found;
  if (!messages.exists()) {
    fault_ = {.code = errors::Code::invalid_value, .param = "messages", .detail = "an array"};
    return false;
  }
  return keep(model, Type::kString, model_.model) &&
         keep(max_tokens, Type::kNumber, model_.max_tokens) && read_system(system) &&
         read_messages(messages) && keep(temperature, Type::kNumber, model_.temperature) &&
         keep(top_p, Type::kNumber, model_.top_p) && read_stream(stream) &&
         read_metadata(metadata) && read_tools(tools) && read_tool_choice(tool_choice) &&
         read_output_config(output_config) && read_thinking_config(thinking) && finish();
}

bool MessagesReader::read_metadata(const Value& metadata) {
  if (!metadata.exists()) return true;
  static constexpr json::Names kMetadataNames = {"user_id"};
  std::array<Value, kMetadataNames.size()> found;
  return members(metadata, kMetadataNames, found) && keep(found[0], Type::kString, model_.user);
}

bool MessagesReader::read_tools(const Value& tools) {
  if (!wants(tools, Type::kArray)) return false;
  for (const Value tool : elements(tools)) {
    if (!tool.is(Type::kObject)) return refuse_value(tool, "an object");
    // Any other type is a tool that Anthropic runs.
    const Value type = type_of(tool);
    if (type.exists() && !type.equals("custom")) return refuse(type);
    if (!push_function(tool, tool)) return false;
  }
  return true;
}

bool MessagesReader::read_tool_choice(const Value& choice) {
  using Kind = ToolChoice::Kind;
  if (!choice.exists()) return true;
  static constexpr json::Names kChoiceNames = {"type", "name", "disable_parallel_tool_use"};
  std::array<Value, kChoiceNames.size()> found;
  if (!members(choice, kChoiceNames, found)) return false;
  const auto& [type, name, parallel_off] = found;
  ToolChoice& kept = model_.tool_choice;
  kept = {.whole = choice, .name = name};
  if (!wants(parallel_off, Type::kBool) || !wants(name, Type::kString)) return false;
  if (parallel_off.to_bool() == true) {
    model_.parallel_off = true;
    model_.parallel_tool_calls = parallel_off;
  }
  if (type.equals("tool")) {
    kept.kind = Kind::one;
    return needs(name, Type::kString, choice, "an object with the name of a tool");
  }
  if (type.equals("auto")) {
    kept.kind = Kind::automatic;
  } else if (type.equals("any")) {
    kept.kind = Kind::required;
  } else if (type.equals("none")) {
    kept.kind = Kind::none;
  } else {
    return refuse_value(type.exists() ? type : choice,
                        type.exists() ? "auto, any, tool or none" : "an object with a type");
  }
  return true;
}

bool MessagesReader::read_output_config(const Value& config) {
  if (!config.exists()) return true;
  static constexpr json::Names kConfigNames = {"effort", "format"};
  std::array<Value, kConfigNames.size()> found;
  return members(config, kConfigNames, found) && read_effort(found[0]) && read_format(found[1]);
}

bool MessagesReader::read_format(const Value& format) {
  if (!format.exists()) return true;
  if (!wants(format, Type::kObject)) return false;
  const Value type = type_of(format);
  if (!type.equals("json_schema")) return refuse(type.exists() ? type : format);
  return read_schema_format(format, format);
}

// read_thinking_config runs after read_output_config: an effort that is set counts more than a
// budget, and less than "disabled".
bool MessagesReader::read_thinking_config(const Value& thinking) {
  if (!thinking.exists()) return true;
  static constexpr json::Names kThinkingNames = {"type", "budget_tokens", "display"};
  std::array<Value, kThinkingNames.size()> found;
  if (!members(thinking, kThinkingNames, found)) return false;
  const auto& [type, budget, display] = found;
  if (display.equals("summarized")) {
    model_.summary = Summary::automatic;
  } else if (display.equals("omitted")) {
    model_.summary = Summary::none;
  } else if (display.exists()) {
    return refuse_value(display, "summarized or omitted");
  }
  if (type.equals("enabled")) return read_budget(thinking, budget);
  if (type.equals("disabled")) {
    model_.effort = Effort::none;
    model_.effort_at = type;
    return true;
  }
  // "adaptive" leaves the effort to the model.
  return type.equals("adaptive") || refuse(type.exists() ? type : thinking);
}

bool MessagesReader::read_budget(const Value& thinking, const Value& budget) {
  if (!needs(budget, Type::kNumber, thinking, "an object with budget_tokens")) return false;
  const auto tokens = budget.to_uint64();
  if (!tokens) return refuse_value(budget, "a whole number");
  if (model_.effort != Effort::absent) return true;
  model_.effort = effort_of_budget(*tokens);
  model_.effort_at = budget;
  return true;
}

}  // namespace

Result<void, Fault> read_messages(Value body, const ReadOptions& options, RequestModel& model) {
  MessagesReader reader(options, errors::Dialect::messages, model);
  if (!reader.read(body)) return fail(reader.fault());
  return {};
}

}  // namespace flexd::surface
