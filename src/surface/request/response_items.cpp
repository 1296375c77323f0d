#include "response_items.hpp"

namespace flexd::surface {

using json::Type;
using json::Value;

namespace {

// What OpenAI adds to items and parts that it hands out, and hints for its cache.
bool is_item_hint(std::string_view name, const Value& /*value*/) {
  static constexpr json::Names kHints = {
      "id", "status", "phase", "name", "logprobs", "annotations", "prompt_cache_breakpoint"};
  return kHints.field_of(name) < kHints.size();
}

}  // namespace

bool ResponseItems::read_input(const Value& input) {
  if (input.is(Type::kString)) return push_text(Item::Role::user, input);
  if (!input.is(Type::kArray)) return refuse_value(input, "a string or a list of items");
  for (const Value item : elements(input)) {
    if (!read_item(item)) return false;
  }
  return true;
}

bool ResponseItems::read_item(const Value& item) {
  if (!item.is(Type::kObject)) return refuse_value(item, "an object");
  const Value type = type_of(item);
  if (type.equals("message")) return read_message(item);
  if (type.equals("function_call")) return read_call(item);
  if (type.equals("function_call_output")) return read_result(item);
  if (type.equals("reasoning")) return read_reasoning(item);
  // A message may do without its type.
  if (!type.exists() && member_of(item, "role").exists()) return read_message(item);
  return refuse(type.exists() ? type : item);
}

bool ResponseItems::read_message(const Value& message) {
  static constexpr json::Names kNames = {"type", "role", "content"};
  std::array<Value, kNames.size()> found;
  const bool assistant = member_of(message, "role").equals("assistant");
  if (!members(message, kNames, found, assistant ? drop_any : is_item_hint)) return false;
  const auto& [type, role, content] = found;
  Item item = begin(Item::Kind::message, message);
  if (assistant) {
    item.role = Item::Role::assistant;
  } else if (role.equals("system") || role.equals("developer")) {
    item.role = Item::Role::system;
  } else if (!role.equals("user")) {
    return refuse_value(role.exists() ? role : message, role.exists()
                                                            ? "user, assistant, system or developer"
                                                            : "a message with a role");
  }
  if (!content.exists()) return refuse_value(message, "a message with content");
  return read_parts(content, item.role) && push_item(item);
}

bool ResponseItems::read_call(const Value& call) {
  static constexpr json::Names kNames = {"call_id", "name", "arguments"};
  std::array<Value, kNames.size()> found;
  if (!members(call, kNames, found, drop_any)) return false;
  Item item = begin(Item::Kind::call, call);
  item.call_id = found[0];
  item.name = found[1];
  item.arguments = found[2];
  return needs(item.call_id, Type::kString, call, "a call with a call_id") &&
         needs(item.name, Type::kString, call, "a call with a name") &&
         wants(item.arguments, Type::kString) && push_item(item);
}

bool ResponseItems::read_result(const Value& result) {
  static constexpr json::Names kNames = {"type", "call_id", "output"};
  std::array<Value, kNames.size()> found;
  if (!members(result, kNames, found, is_item_hint)) return false;
  const auto& [type, call_id, output] = found;
  Item item = begin(Item::Kind::result, result);
  item.call_id = call_id;
  if (!needs(call_id, Type::kString, result, "an output with a call_id")) return false;
  return (!output.exists() || read_parts(output, Item::Role::user)) && push_item(item);
}

bool ResponseItems::read_reasoning(const Value& reasoning) {
  static constexpr json::Names kNames = {"summary", "encrypted_content"};
  std::array<Value, kNames.size()> found;
  if (!members(reasoning, kNames, found, drop_any)) return false;
  Item item = begin(Item::Kind::reasoning, reasoning);
  item.blob = found[1];
  return wants(item.blob, Type::kString) && push_texts(found[0], "summary_text") && push_item(item);
}

bool ResponseItems::read_parts(const Value& content, Item::Role role) {
  if (content.is(Type::kString)) return push_part(text_part(content, content));
  if (!content.is(Type::kArray)) return refuse_value(content, "a string or a list of parts");
  for (const Value part : elements(content)) {
    if (!part.is(Type::kObject)) return refuse_value(part, "an object");
    if (!read_part(part, role)) return false;
  }
  return true;
}

bool ResponseItems::read_part(const Value& part, Item::Role role) {
  const Value type = type_of(part);
  const bool assistant = role == Item::Role::assistant;
  const MayDrop may_drop = assistant ? drop_any : is_item_hint;
  if (type.equals("input_text") || type.equals("output_text")) {
    return read_said(part, false, may_drop);
  }
  if (assistant && type.equals("refusal")) return read_said(part, true, may_drop);
  if (role == Item::Role::user) {
    if (type.equals("input_image")) return read_image(part);
    if (type.equals("input_file")) return read_file(part);
  }
  return refuse(type.exists() ? type : part);
}

bool ResponseItems::read_said(const Value& part, bool refusal, MayDrop may_drop) {
  static constexpr json::Names kTextNames = {"type", "text"};
  static constexpr json::Names kRefusalNames = {"type", "refusal"};
  std::array<Value, kTextNames.size()> found;
  return members(part, refusal ? kRefusalNames : kTextNames, found, may_drop) &&
         needs(found[1], Type::kString, part, "a part with a text") &&
         push_part({.kind = refusal ? Part::Kind::refusal : Part::Kind::text,
                    .whole = part,
                    .content = found[1]});
}

bool ResponseItems::read_image(const Value& part) {
  static constexpr json::Names kNames = {"type", "image_url", "file_id", "detail"};
  std::array<Value, kNames.size()> found;
  if (!members(part, kNames, found, is_item_hint)) return false;
  const auto& [type, url, file_id, detail] = found;
  Part image{.kind = Part::Kind::image, .whole = part, .detail = detail};
  if (!wants(detail, Type::kString)) return false;
  if (file_id.exists()) return read_file_id(image, file_id) && push_part(image);
  if (!needs(url, Type::kString, part, "a part with an image_url")) return false;
  set_url(image, url.contents());
  return push_part(image);
}

bool ResponseItems::read_file(const Value& part) {
  static constexpr json::Names kNames = {"type",    "file_data", "file_url",
                                         "file_id", "filename",  "detail"};
  std::array<Value, kNames.size()> found;
  if (!members(part, kNames, found, is_item_hint)) return false;
  const auto& [type, data, url, file_id, filename, detail] = found;
  Part file{.kind = Part::Kind::file, .whole = part, .filename = filename, .detail = detail};
  if (!wants(filename, Type::kString) || !wants(detail, Type::kString) ||
      !wants(data, Type::kString)) {
    return false;
  }
  if (file_id.exists()) return read_file_id(file, file_id) && push_part(file);
  if (data.exists()) {
    read_data(file, data);
    return push_part(file);
  }
  if (!needs(url, Type::kString, part, "a part with file_data or a file_url")) return false;
  set_url(file, url.contents());
  return push_part(file);
}

}  // namespace flexd::surface
