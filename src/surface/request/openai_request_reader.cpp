#include "openai_request_reader.hpp"

namespace flexd::surface {

using json::Type;
using json::Value;

void OpenaiRequestReader::read_data(Part& part, const Value& string) {
  set_url(part, string.contents());
  if (part.source == Part::Source::url) part.source = Part::Source::base64;
}

bool OpenaiRequestReader::read_file_id(Part& part, const Value& id) {
  if (options_.provider != errors::Provider::openai) return refuse(id);
  part.source = Part::Source::file_id;
  part.data = id.contents();
  return wants(id, Type::kString);
}

bool OpenaiRequestReader::read_word_choice(const Value& word) {
  using Kind = ToolChoice::Kind;
  model_.tool_choice.whole = word;
  if (word.equals("auto")) {
    model_.tool_choice.kind = Kind::automatic;
  } else if (word.equals("none")) {
    model_.tool_choice.kind = Kind::none;
  } else if (word.equals("required")) {
    model_.tool_choice.kind = Kind::required;
  } else {
    return refuse_value(word, "none, auto, required or an object");
  }
  return true;
}

Value OpenaiRequestReader::function_name(const Value& choice) {
  static constexpr json::Names kNames = {"type", "name", "function"};
  std::array<Value, kNames.size()> found;
  const Value kind = type_of(choice);
  if (choice.is(Type::kObject) && !kind.equals("function")) {
    refuse(kind.exists() ? kind : choice);
    return {};
  }
  if (!members(choice, kNames, found)) return {};
  const auto& [type, flat_name, function] = found;
  Value name = flat_name;
  if (function.exists()) {
    static constexpr json::Names kNestedNames = {"name"};
    std::array<Value, kNestedNames.size()> nested;
    if (!members(function, kNestedNames, nested)) return {};
    name = nested[0];
  }
  return needs(name, Type::kString, choice, "the name of a function") ? name : Value{};
}

bool OpenaiRequestReader::read_subset(const Value& subset) {
  static constexpr json::Names kNames = {"type", "mode", "tools"};
  std::array<Value, kNames.size()> found;
  if (!members(subset, kNames, found)) return false;
  const auto& [type, mode, tools] = found;
  model_.tool_choice.kind = ToolChoice::Kind::subset;
  model_.tool_choice.subset_required = mode.equals("required");
  if (mode.exists() && !mode.equals("auto") && !mode.equals("required")) {
    return refuse_value(mode, "auto or required");
  }
  if (!needs(tools, Type::kArray, subset, "an object with a list of tools")) return false;
  for (const Value tool : elements(tools)) {
    const Value name = function_name(tool);
    if (!name.exists()) return false;
    if (!model_.choice_names.push(name)) return refuse_for_room();
  }
  return true;
}

}  // namespace flexd::surface
