#include "interaction_steps.hpp"

namespace flexd::surface {

using json::Type;
using json::Value;

namespace {

constexpr json::Names kContentTypes = {"text", "image", "document", "audio", "video"};

bool is_content(const Value& type) {
  for (size_t i = 0; i < kContentTypes.size(); ++i) {
    if (type.equals(kContentTypes[i])) return true;
  }
  return false;
}

// What Google adds to steps and contents that it hands out.
bool is_step_hint(std::string_view name, const Value& /*value*/) {
  return name == "id" || name == "status" || name == "annotations";
}

bool starts_with_raw(std::string_view raw, std::string_view word) {
  for (const char c : word) {
    if (raw.starts_with("\\/")) raw.remove_prefix(1);
    if (!raw.starts_with(c)) return false;
    raw.remove_prefix(1);
  }
  return true;
}

// is_public tells of a URI that others than Google can fetch.
bool is_public(std::string_view raw) {
  constexpr std::string_view kGoogleFiles = "https://generativelanguage.googleapis.com/";
  if (starts_with_raw(raw, kGoogleFiles)) return false;
  return starts_with_raw(raw, "https://") || starts_with_raw(raw, "http://") ||
         starts_with_raw(raw, "data:");
}

}  // namespace

bool InteractionSteps::read_input(const Value& input) {
  if (input.is(Type::kString)) return push_text(Item::Role::user, input);
  if (input.is(Type::kArray)) return read_list(input);
  if (!input.is(Type::kObject)) {
    return refuse_value(input, "a string, an object or a list of contents or of steps");
  }
  Item item = begin(Item::Kind::message, input);
  return read_content(input, is_step_hint) && push_item(item);
}

bool InteractionSteps::read_list(const Value& input) {
  bool contents = false;
  bool first = true;
  Item message = begin(Item::Kind::message, input);
  for (const Value element : elements(input)) {
    if (!element.is(Type::kObject)) return refuse_value(element, "an object");
    const Value type = type_of(element);
    const bool is_this_content = is_content(type);
    if (first) contents = is_this_content;
    first = false;
    if (contents != is_this_content) {
      return refuse_value(input, "a list of contents alone or of steps alone");
    }
    const bool read = contents ? read_content(element, is_step_hint) : read_step(element, type);
    if (!read) return false;
  }
  return !contents || push_item(message);
}

bool InteractionSteps::read_step(const Value& step, const Value& type) {
  if (type.equals("user_input")) return read_said(step, Item::Role::user);
  if (type.equals("model_output")) return read_said(step, Item::Role::assistant);
  if (type.equals("thought")) return read_thought(step);
  if (type.equals("function_call")) return read_call(step);
  if (type.equals("function_result")) return read_result(step);
  return refuse(type.exists() ? type : step);
}

bool InteractionSteps::read_said(const Value& step, Item::Role role) {
  static constexpr json::Names kNames = {"type", "content"};
  std::array<Value, kNames.size()> found;
  const bool user = role == Item::Role::user;
  const MayDrop may_drop = user ? is_step_hint : drop_any;
  if (!members(step, kNames, found, may_drop)) return false;
  if (user && !found[1].exists()) return refuse_value(step, "a step with content");
  Item item = begin(Item::Kind::message, step, role);
  return read_contents(found[1], may_drop) && push_item(item);
}

bool InteractionSteps::read_thought(const Value& step) {
  static constexpr json::Names kNames = {"type", "signature", "summary"};
  std::array<Value, kNames.size()> found;
  if (!members(step, kNames, found, drop_any)) return false;
  Item item = begin(Item::Kind::reasoning, step);
  item.blob = found[1];
  return wants(item.blob, Type::kString) && push_texts(found[2], "text") && push_item(item);
}

bool InteractionSteps::read_call(const Value& step) {
  static constexpr json::Names kNames = {"type", "id", "name", "arguments"};
  std::array<Value, kNames.size()> found;
  if (!members(step, kNames, found, drop_any)) return false;
  const auto& [type, id, name, arguments] = found;
  Item item = begin(Item::Kind::call, step);
  item.call_id = id;
  item.name = name;
  item.arguments = arguments;
  return needs(id, Type::kString, step, "a step with an id") &&
         needs(name, Type::kString, step, "a step with a name") &&
         wants(arguments, Type::kObject) && push_item(item);
}

bool InteractionSteps::read_result(const Value& step) {
  static constexpr json::Names kNames = {"type", "call_id", "name", "result", "is_error"};
  std::array<Value, kNames.size()> found;
  if (!members(step, kNames, found, is_step_hint)) return false;
  const auto& [type, call_id, name, result, is_error] = found;
  Item item = begin(Item::Kind::result, step);
  item.call_id = call_id;
  item.name = name;
  item.is_error = is_error.to_bool().value_or(false);
  return wants(call_id, Type::kString) && wants(name, Type::kString) &&
         wants(is_error, Type::kBool) && find_result_call(item) && read_result_value(result) &&
         push_item(item);
}

// find_result_call notes which call is answered. A result that names only its function belongs to
// the nearest call of it that is still open.
bool InteractionSteps::find_result_call(Item& item) {
  if (!item.call_id.exists() && !item.name.exists()) {
    return refuse_value(item.whole, "a step with a call_id or a name");
  }
  const uint32_t call = answer_call(item.call_id, item.name);
  if (item.call_id.exists()) return true;
  if (call == kNoItem) return refuse_value(item.name, "the name of an earlier function_call");
  item.call_id = model_.items[call].call_id;
  return true;
}

// read_result_value takes any JSON that a function may have returned; a list of contents is told by
// its first.
bool InteractionSteps::read_result_value(const Value& result) {
  json::Elements elements(result);
  const bool is_list = elements.next();
  if (is_list ? is_content(elements.element()["type"])
              : !result.exists() || result.is(Type::kString) || result.is(Type::kArray)) {
    return read_contents(result, is_step_hint);
  }
  return push_part({.kind = Part::Kind::json, .whole = result, .content = result});
}

bool InteractionSteps::read_contents(const Value& contents, MayDrop may_drop) {
  if (!contents.exists()) return true;
  if (contents.is(Type::kString)) return push_part(text_part(contents, contents));
  if (contents.is(Type::kObject)) return read_content(contents, may_drop);
  if (!contents.is(Type::kArray)) return refuse_value(contents, "a string, an object or a list");
  for (const Value content : elements(contents)) {
    if (!read_content(content, may_drop)) return false;
  }
  return true;
}

bool InteractionSteps::read_content(const Value& content, MayDrop may_drop) {
  if (!content.is(Type::kObject)) return refuse_value(content, "an object");
  const Value type = type_of(content);
  if (type.equals("image")) return read_media(content, Part::Kind::image, may_drop);
  if (type.equals("document")) return read_media(content, Part::Kind::file, may_drop);
  // Audio and video are Gemini's alone.
  if (!type.equals("text")) return refuse(type.exists() ? type : content);
  static constexpr json::Names kNames = {"type", "text"};
  std::array<Value, kNames.size()> found;
  return members(content, kNames, found, may_drop) &&
         needs(found[1], Type::kString, content, "a content with a text") &&
         push_part(text_part(content, found[1]));
}

bool InteractionSteps::read_media(const Value& content, Part::Kind kind, MayDrop may_drop) {
  static constexpr json::Names kNames = {"type", "data", "uri", "mime_type", "resolution"};
  std::array<Value, kNames.size()> found;
  if (!members(content, kNames, found, may_drop)) return false;
  const auto& [type, data, uri, mime_type, resolution] = found;
  if (!wants(mime_type, Type::kString) || !wants(data, Type::kString) ||
      !wants(resolution, Type::kString)) {
    return false;
  }
  Part part{.kind = kind, .whole = content, .media_type = mime_type.contents()};
  // The two words that mean the same elsewhere; the others are left to the provider.
  if (resolution.equals("low") || resolution.equals("high")) part.detail = resolution;
  if (data.exists()) {
    if (uri.exists()) return refuse_value(uri, "nothing beside data");
    part.source = Part::Source::base64;
    part.data = data.contents();
    return push_part(part);
  }
  return needs(uri, Type::kString, content, "a content with data or a uri") &&
         read_uri(part, uri) && push_part(part);
}

bool InteractionSteps::read_uri(Part& part, const Value& uri) {
  if (!is_public(uri.contents())) return refuse(uri);
  const std::string_view stated = part.media_type;
  set_url(part, uri.contents());
  if (part.media_type.empty()) part.media_type = stated;
  return true;
}

}  // namespace flexd::surface
