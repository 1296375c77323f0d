#include "interaction_steps.hpp"

namespace flexd::surface {
namespace {

using json::Type;
using json::Value;

// The order of names is that of the bindings in InteractionsReader::read.
constexpr json::Names kNames = {"model",
                                "input",
                                "system_instruction",
                                "tools",
                                "generation_config",
                                "response_format",
                                "response_mime_type",
                                "response_modalities",
                                "stream",
                                "store",
                                "labels"};

// is_neutral: check_request has refused work in the background.
bool is_neutral(std::string_view name, const Value& value) {
  return is_own_field(name) || (name == "background" && value.to_bool() == false);
}

class InteractionsReader : public InteractionSteps {
 public:
  using InteractionSteps::InteractionSteps;

  bool read(const Value& body);

 private:
  bool read_tools(const Value& tools);
  bool read_tool(const Value& tool);
  bool read_config(const Value& config);
  bool read_unsupported_config(const Value& seed, const Value& stop_sequences);
  bool read_level(const Value& level);
  bool read_summaries(const Value& summaries);
  bool read_tool_choice(const Value& choice);
  bool read_allowed_tools(const Value& choice);
  bool read_formats(const Value& formats);
  bool read_format(const Value& format);
  bool read_mime_type(const Value& mime_type);
  bool read_modalities(const Value& modalities);
};

bool InteractionsReader::read(const Value& body) {
  std::array<Value, kNames.size()> found;
  if (!top_members(body, kNames, found, is_neutral)) return false;
  const auto& [model, input, system, tools, config, format, mime_type, modalities, stream, store,
               labels] = found;
  if (!input.exists()) {
    fault_ = {.code = errors::Code::invalid_value,
              .param = "input",
              .detail = "a string, an object or a list of contents or of steps"};
    return false;
  }
  if (!keep(model, Type::kString, model_.model) || !wants(system, Type::kString)) return false;
  if (system.exists() && !push_text(Item::Role::system, system)) return false;
  // To store is Google's default: it is no wish that another provider could disappoint.
  return read_input(input) && read_tools(tools) && read_config(config) && read_formats(format) &&
         read_mime_type(mime_type) && read_modalities(modalities) && read_stream(stream) &&
         wants(store, Type::kBool) && keep(labels, Type::kObject, model_.metadata) && finish();
}

bool InteractionsReader::read_tools(const Value& tools) {
  if (!wants(tools, Type::kArray)) return false;
  for (const Value tool : elements(tools)) {
    if (!read_tool(tool)) return false;
  }
  return true;
}

bool InteractionsReader::read_tool(const Value& tool) {
  if (!tool.is(Type::kObject)) return refuse_value(tool, "an object");
  const Value type = type_of(tool);
  if (type.equals("function")) return push_function(tool, tool);
  if (!type.equals("google_search")) return refuse(type.exists() ? type : tool);
  static constexpr json::Names kToolNames = {"type"};
  std::array<Value, kToolNames.size()> found;
  if (!members(tool, kToolNames, found)) return false;
  return model_.tools.push({.kind = Tool::Kind::web_search, .whole = tool}) || refuse_for_room();
}

bool InteractionsReader::read_config(const Value& config) {
  if (!config.exists()) return true;
  static constexpr json::Names kConfigNames = {"max_output_tokens",
                                               "thinking_level",
                                               "thinking_summaries",
                                               "tool_choice",
                                               "temperature",
                                               "top_p",
                                               "seed",
                                               "stop_sequences"};
  std::array<Value, kConfigNames.size()> found;
  if (!members(config, kConfigNames, found)) return false;
  const auto& [max_tokens, level, summaries, choice, temperature, top_p, seed, stop] = found;
  return keep(max_tokens, Type::kNumber, model_.max_tokens) && read_level(level) &&
         read_summaries(summaries) && read_tool_choice(choice) &&
         keep(temperature, Type::kNumber, model_.temperature) &&
         keep(top_p, Type::kNumber, model_.top_p) && read_unsupported_config(seed, stop);
}

bool InteractionsReader::read_unsupported_config(const Value& seed, const Value& stop_sequences) {
  const bool no_stops = stop_sequences.is(Type::kArray) && !json::Elements(stop_sequences).next();
  const Value at = !seed.exists() && !no_stops ? stop_sequences : seed;
  if (!at.exists()) return true;
  fault_ = {.code = errors::Code::unsupported_generation_config, .at = at.text};
  return false;
}

bool InteractionsReader::read_level(const Value& level) {
  if (!level.exists()) return true;
  static constexpr json::Names kLevels = {"minimal", "low", "medium", "high"};
  for (size_t i = 0; i < kLevels.size(); ++i) {
    if (level.equals(kLevels[i])) return read_effort(level);
  }
  return refuse_value(level, "minimal, low, medium or high");
}

bool InteractionsReader::read_summaries(const Value& summaries) {
  if (!summaries.equals("none")) return read_summary(summaries);
  model_.summary = Summary::none;
  return true;
}

bool InteractionsReader::read_tool_choice(const Value& choice) {
  using Kind = ToolChoice::Kind;
  if (!choice.exists()) return true;
  if (choice.is(Type::kObject)) return read_allowed_tools(choice);
  ToolChoice& kept = model_.tool_choice;
  kept.whole = choice;
  if (choice.equals("auto") || choice.equals("validated")) {
    kept.kind = Kind::automatic;
  } else if (choice.equals("any")) {
    kept.kind = Kind::required;
  } else if (choice.equals("none")) {
    kept.kind = Kind::none;
  } else {
    return refuse_value(choice, "auto, any, none, validated or an object");
  }
  return true;
}

// read_allowed_tools: one function that must be called is what others call a choice of that
// function.
bool InteractionsReader::read_allowed_tools(const Value& choice) {
  using Kind = ToolChoice::Kind;
  static constexpr json::Names kChoiceNames = {"allowed_tools"};
  static constexpr json::Names kAllowedNames = {"mode", "tools"};
  std::array<Value, kChoiceNames.size()> outer;
  std::array<Value, kAllowedNames.size()> found;
  if (!members(choice, kChoiceNames, outer)) return false;
  if (!needs(outer[0], Type::kObject, choice, "an object with allowed_tools")) return false;
  if (!members(outer[0], kAllowedNames, found)) return false;
  const auto& [mode, tools] = found;
  if (!needs(tools, Type::kArray, outer[0], "an object with a list of tools")) return false;
  for (const Value name : elements(tools)) {
    if (!wants(name, Type::kString)) return false;
    if (!model_.choice_names.push(name)) return refuse_for_room();
  }
  ToolChoice& kept = model_.tool_choice;
  kept = {.kind = Kind::subset, .subset_required = mode.equals("any"), .whole = choice};
  if (mode.equals("none")) {
    kept.kind = Kind::none;
  } else if (mode.equals("any") && model_.choice_names.size() == 1) {
    kept.kind = Kind::one;
    kept.name = model_.choice_names[0];
  }
  return !mode.exists() || mode.equals("any") || mode.equals("auto") || mode.equals("none") ||
         mode.equals("validated") || refuse_value(mode, "auto, any, none or validated");
}

bool InteractionsReader::read_formats(const Value& formats) {
  if (!formats.is(Type::kArray)) return !formats.exists() || read_format(formats);
  bool first = true;
  for (const Value format : elements(formats)) {
    if (!first) return refuse(format);  // others give one kind of answer at a time
    if (!read_format(format)) return false;
    first = false;
  }
  return true;
}

bool InteractionsReader::read_format(const Value& format) {
  static constexpr json::Names kFormatNames = {"type", "mime_type", "schema"};
  std::array<Value, kFormatNames.size()> found;
  if (!wants(format, Type::kObject)) return false;
  const Value kind = type_of(format);
  if (!kind.equals("text")) return refuse(kind.exists() ? kind : format);
  if (!members(format, kFormatNames, found)) return false;
  const auto& [type, mime_type, schema] = found;
  if (!wants(mime_type, Type::kString) || !wants(schema, Type::kObject)) return false;
  model_.format.whole = format;
  if (schema.exists()) {
    model_.format.kind = Format::Kind::json_schema;
    model_.format.schema = schema;
    const bool plain =
        mime_type.exists() && !is_media_type(mime_type.contents(), "application/json");
    return !plain || refuse(mime_type);
  }
  return read_mime_type(mime_type);
}

// read_mime_type also takes the deprecated response_mime_type, which may repeat what
// response_format says.
bool InteractionsReader::read_mime_type(const Value& mime_type) {
  if (!wants(mime_type, Type::kString)) return false;
  if (!mime_type.exists() || is_media_type(mime_type.contents(), "text/plain")) return true;
  if (!is_media_type(mime_type.contents(), "application/json")) return refuse(mime_type);
  if (model_.format.kind != Format::Kind::text) return true;
  model_.format.kind = Format::Kind::json_object;
  if (!model_.format.whole.exists()) model_.format.whole = mime_type;
  return true;
}

bool InteractionsReader::read_modalities(const Value& modalities) {
  if (!wants(modalities, Type::kArray)) return false;
  for (const Value modality : elements(modalities)) {
    if (!modality.equals("text") && !modality.equals("TEXT")) return refuse(modality);
  }
  return true;
}

}  // namespace

Result<void, Fault> read_interactions(Value body, const ReadOptions& options, RequestModel& model) {
  InteractionsReader reader(options, errors::Dialect::interactions, model);
  if (!reader.read(body)) return fail(reader.fault());
  return {};
}

}  // namespace flexd::surface
