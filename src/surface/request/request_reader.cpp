#include "request_reader.hpp"

#include <algorithm>
#include <bit>

namespace flexd::surface {
namespace {

using json::Type;
using json::Value;

// kLookBackItemsMax bounds the search for the call of a result that lacks an id, so that no body
// makes it a loop over all pairs.
constexpr size_t kLookBackItemsMax = 1024;

constexpr json::Names kOwnFields = {"start_within", "service_tier", "provider",
                                    "retry",        "include_cost", "cache",
                                    "pii_mask",     "moderate",     "trace_storage"};

std::string_view word_of(Type type) {
  switch (type) {
    case Type::kNull:
      return "null";
    case Type::kBool:
      return "true or false";
    case Type::kNumber:
      return "a number";
    case Type::kString:
      return "a string";
    case Type::kObject:
      return "an object";
    case Type::kArray:
      return "an array";
  }
  return "";
}

bool is_empty(const Value& object) {
  return !json::Members(object).next();
}

// is_tool_hint: how a tool reaches the model, not what it is.
bool is_tool_hint(std::string_view name, const Value& /*value*/) {
  return name == "defer_loading" || name == "eager_input_streaming" || name == "input_examples";
}

// is_same_string compares strings as they are escaped; absent is equal to nothing.
bool is_same_string(const Value& left, const Value& right) {
  return left.exists() && left.text == right.text;
}

}  // namespace

bool drop_none(std::string_view /*name*/, const Value& /*value*/) {
  return false;
}

bool drop_any(std::string_view /*name*/, const Value& /*value*/) {
  return true;
}

bool is_own_field(std::string_view name) {
  return kOwnFields.field_of(name) < kOwnFields.size();
}

std::optional<Effort> effort_of(const Value& word) {
  struct Word {
    std::string_view name;
    Effort effort;
  };
  static constexpr std::array<Word, 7> kWords = {{{"none", Effort::none},
                                                  {"minimal", Effort::minimal},
                                                  {"low", Effort::low},
                                                  {"medium", Effort::medium},
                                                  {"high", Effort::high},
                                                  {"xhigh", Effort::xhigh},
                                                  {"max", Effort::max}}};
  for (const Word& known : kWords) {
    if (word.equals(known.name)) return known.effort;
  }
  return std::nullopt;
}

std::optional<Summary> summary_of(const Value& word) {
  if (word.equals("auto")) return Summary::automatic;
  if (word.equals("concise")) return Summary::concise;
  if (word.equals("detailed")) return Summary::detailed;
  return std::nullopt;
}

bool RequestReader::refuse(const Value& at) {
  fault_ = unsupported(at).error();
  return false;
}

bool RequestReader::refuse_value(const Value& at, std::string_view expected) {
  fault_ = invalid(at, expected).error();
  return false;
}

bool RequestReader::refuse_for_room() {
  fault_ = no_room().error();
  return false;
}

bool RequestReader::refuse_duplicate(const Value& at, std::string_view name) {
  fault_ = {.code = errors::Code::invalid_json,
            .variant = errors::Variant::duplicate_field,
            .at = at.text,
            .detail = name};
  return false;
}

bool RequestReader::may_leave_out(const json::Member& member, MayDrop may_drop) const {
  std::array<char, json::kNameBytesMax + 1> unescaped;
  const std::string_view name = json::decode(member.name, unescaped).value_or("");
  return may_drop(name, member.value) || (name == "cache_control" && options_.native_parameters);
}

bool RequestReader::find_members(const Value& object, const json::Names& names,
                                 std::span<Value> found, MayDrop may_drop) {
  json::FieldWalk walk(object, names, found, options_.outline);
  if (!object.is(Type::kObject)) return refuse_value(object, word_of(Type::kObject));
  while (walk.next()) {
    const json::Member& member = walk.member();
    if (walk.field() < names.size()) return refuse_duplicate(member.value, names[walk.field()]);
    if (!member.value.is_null() && !may_leave_out(member, may_drop)) return refuse(member.value);
  }
  for (Value& value : found) {
    if (value.is_null()) value = {};
  }
  return true;
}

bool RequestReader::take_noted(const json::Names& names, std::span<Value> found,
                               MayDrop may_drop) const {
  if (options_.facts == nullptr) return false;
  const RequestFacts& facts = *options_.facts;
  const json::Names& noted = request_fields(facts.dialect);
  const uint32_t present = facts.fields.present();
  if (static_cast<uint32_t>(std::popcount(present)) != facts.fields.member_count()) return false;
  std::ranges::fill(found, Value{});
  for (uint32_t left = present; left != 0; left &= left - 1) {
    const auto place = static_cast<size_t>(std::countr_zero(left));
    const Value value = facts.value(place);
    if (value.is_null()) continue;
    const size_t field = names.field_of(noted[place]);
    if (field < names.size()) {
      found[field] = value;
    } else if (!may_drop(noted[place], value)) {
      return false;
    }
  }
  return true;
}

bool RequestReader::wants(const Value& value, Type type) {
  return !value.exists() || value.is(type) || refuse_value(value, word_of(type));
}

bool RequestReader::needs(const Value& value, Type type, const Value& whole,
                          std::string_view expected) {
  return value.exists() ? wants(value, type) : refuse_value(whole, expected);
}

bool RequestReader::keep(const Value& value, Type type, Value& place) {
  place = value;
  return wants(value, type);
}

Item RequestReader::begin(Item::Kind kind, const Value& whole, Item::Role role) const {
  return {.kind = kind,
          .role = role,
          .whole = whole,
          .first_part = static_cast<uint32_t>(model_.parts.size())};
}

bool RequestReader::push_part(const Part& part) {
  return model_.parts.push(part) || refuse_for_room();
}

bool RequestReader::push_item(Item& item) {
  item.part_count = static_cast<uint32_t>(model_.parts.size()) - item.first_part;
  return model_.items.push(item) || refuse_for_room();
}

bool RequestReader::push_text(Item::Role role, const Value& string) {
  Item item = begin(Item::Kind::message, string, role);
  return push_part(text_part(string, string)) && push_item(item);
}

bool RequestReader::push_texts(const Value& list, std::string_view type) {
  if (!wants(list, Type::kArray)) return false;
  for (const Value part : elements(list)) {
    static constexpr json::Names kNames = {"type", "text"};
    std::array<Value, kNames.size()> found;
    if (!members(part, kNames, found, drop_any)) return false;
    const auto& [kind, text] = found;
    if (!kind.equals(type)) return refuse(kind.exists() ? kind : part);
    if (!needs(text, Type::kString, part, "a part with a text")) return false;
    if (!push_part(text_part(part, text))) return false;
  }
  return true;
}

bool RequestReader::push_function(const Value& whole, const Value& function) {
  static constexpr json::Names kNames = {"type", "name", "description", "parameters", "strict"};
  static constexpr json::Names kMessagesNames = {"type", "name", "description", "input_schema",
                                                 "strict"};
  const bool messages = model_.dialect == errors::Dialect::messages;
  std::array<Value, kNames.size()> found;
  if (!members(function, messages ? kMessagesNames : kNames, found, is_tool_hint)) return false;
  const auto& [type, name, description, parameters, strict] = found;
  if (!needs(name, Type::kString, function, "an object with a name") ||
      !wants(description, Type::kString) || !wants(parameters, Type::kObject) ||
      !wants(strict, Type::kBool)) {
    return false;
  }
  return model_.tools.push({.whole = whole,
                            .name = name,
                            .description = description,
                            .parameters = parameters,
                            .strict = strict}) ||
         refuse_for_room();
}

bool RequestReader::push_web_search(const Value& tool) {
  static constexpr json::Names kNames = {"type", "search_context_size"};
  std::array<Value, kNames.size()> found;
  if (!members(tool, kNames, found)) return false;
  const Value& size = found[1];
  if (size.exists() && !size.equals("medium")) return refuse(size);
  return model_.tools.push({.kind = Tool::Kind::web_search, .whole = tool}) || refuse_for_room();
}

bool RequestReader::read_schema_format(const Value& whole, const Value& object) {
  static constexpr json::Names kNames = {"type", "name", "description", "schema", "strict"};
  std::array<Value, kNames.size()> found;
  if (!members(object, kNames, found)) return false;
  const auto& [type, name, description, schema, strict] = found;
  model_.format = {.kind = Format::Kind::json_schema,
                   .whole = whole,
                   .name = name,
                   .description = description,
                   .schema = schema,
                   .strict = strict};
  return wants(name, Type::kString) && wants(description, Type::kString) &&
         needs(schema, Type::kObject, object, "an object with a schema") &&
         wants(strict, Type::kBool);
}

bool RequestReader::read_effort(const Value& word) {
  if (!word.exists()) return true;
  const auto effort = effort_of(word);
  if (!effort) return refuse_value(word, "none, minimal, low, medium, high, xhigh or max");
  model_.effort = *effort;
  model_.effort_at = word;
  return true;
}

bool RequestReader::read_summary(const Value& word) {
  if (!word.exists()) return true;
  const auto summary = summary_of(word);
  if (!summary) return refuse_value(word, "auto, concise or detailed");
  model_.summary = *summary;
  return true;
}

bool RequestReader::read_stream(const Value& value) {
  model_.stream = value.to_bool().value_or(false);
  return wants(value, Type::kBool);
}

bool RequestReader::read_audience(const Value& metadata, const Value& user,
                                  const Value& safety_identifier) {
  return keep(metadata, Type::kObject, model_.metadata) && keep(user, Type::kString, model_.user) &&
         keep(safety_identifier, Type::kString, model_.safety_identifier);
}

bool RequestReader::read_cache_hints(const Value& key, const Value& options,
                                     const Value& retention) {
  return keep(key, Type::kString, model_.prompt_cache_key) &&
         keep(options, Type::kObject, model_.prompt_cache_options) &&
         keep(retention, Type::kString, model_.prompt_cache_retention);
}

uint32_t RequestReader::answer_call(const Value& call_id, const Value& name) {
  const size_t count = model_.items.size();
  const size_t stop = count - std::min(count, kLookBackItemsMax);
  const bool is_chat = model_.dialect == errors::Dialect::chat;
  for (size_t index = count; index > stop; --index) {
    Item& item = model_.items[index - 1];
    if (item.kind != Item::Kind::call || item.answered) continue;
    // Chat's call with an id is answered by that id alone.
    if (is_chat && item.call_id.exists()) continue;
    const bool found =
        call_id.exists() ? is_same_string(item.call_id, call_id) : is_same_string(item.name, name);
    if (!found) continue;
    item.answered = true;
    return static_cast<uint32_t>(index - 1);
  }
  return kNoItem;
}

bool RequestReader::finish() {
  using Kind = ToolChoice::Kind;
  if (model_.metadata.exists() && is_empty(model_.metadata)) model_.metadata = {};
  ToolChoice& choice = model_.tool_choice;
  if (choice.kind == Kind::subset && model_.choice_names.empty()) {
    if (choice.subset_required) return refuse_value(choice.whole, "the name of at least one tool");
    choice.kind = Kind::none;
  }
  if (!model_.tools.empty()) return true;
  // Without tools there is nothing to choose, and providers refuse to be told how.
  if (choice.kind != Kind::absent && choice.kind != Kind::automatic && choice.kind != Kind::none) {
    return refuse_value(choice.whole, "a choice that can be met: there are no tools");
  }
  choice.kind = Kind::absent;
  model_.parallel_tool_calls = {};
  model_.parallel_off = false;
  return true;
}

}  // namespace flexd::surface
