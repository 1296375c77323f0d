#include "chat_messages.hpp"

namespace flexd::surface {

using json::Type;
using json::Value;

namespace {

// A wrapped blob begins so (blob.hpp). What Google's own clients put in the same place is of use to
// Google's own chat surface only.
constexpr std::string_view kWrapped = "gw1.";

// Members that say nothing to the model: a hint for OpenAI's cache, and what stored messages have.
bool is_message_hint(std::string_view name, const Value& /*value*/) {
  return name == "name" || name == "id" || name == "prompt_cache_breakpoint";
}

}  // namespace

bool ChatMessages::read_messages(const Value& messages) {
  if (!wants(messages, Type::kArray)) return false;
  for (const Value message : elements(messages)) {
    if (!read_message(message)) return false;
  }
  return true;
}

bool ChatMessages::read_message(const Value& message) {
  if (!message.is(Type::kObject)) return refuse_value(message, "an object");
  const Value role = member_of(message, "role");
  if (role.equals("user")) return read_user(message);
  if (role.equals("assistant")) return read_assistant(message);
  if (role.equals("system") || role.equals("developer")) return read_system(message);
  if (role.equals("tool")) return read_tool(message);
  if (role.equals("function")) return read_function(message);
  return refuse_value(
      role.exists() ? role : message,
      role.exists() ? "system, developer, user, assistant or tool" : "a message with a role");
}

bool ChatMessages::read_content(const Value& content, ReadPart read_part) {
  if (!content.exists()) return true;
  if (content.is(Type::kString)) return push_part(text_part(content, content));
  if (!content.is(Type::kArray)) return refuse_value(content, "a string or a list of parts");
  for (const Value part : elements(content)) {
    if (!part.is(Type::kObject)) return refuse_value(part, "an object");
    const Value type = type_of(part);
    if (!(this->*read_part)(part, type)) return false;
  }
  return true;
}

bool ChatMessages::read_user(const Value& message) {
  static constexpr json::Names kNames = {"role", "content"};
  std::array<Value, kNames.size()> found;
  if (!members(message, kNames, found, is_message_hint)) return false;
  if (!found[1].exists()) return refuse_value(message, "a message with content");
  Item item = begin(Item::Kind::message, message);
  return read_content(found[1], &ChatMessages::read_user_part) && push_item(item);
}

bool ChatMessages::read_system(const Value& message) {
  static constexpr json::Names kNames = {"role", "content"};
  std::array<Value, kNames.size()> found;
  if (!members(message, kNames, found, is_message_hint)) return false;
  if (!found[1].exists()) return refuse_value(message, "a message with content");
  Item item = begin(Item::Kind::message, message, Item::Role::system);
  return read_content(found[1], &ChatMessages::read_text) && push_item(item);
}

bool ChatMessages::read_assistant(const Value& message) {
  static constexpr json::Names kNames = {"content", "refusal", "tool_calls", "function_call"};
  std::array<Value, kNames.size()> found;
  if (!members(message, kNames, found, drop_any)) return false;
  const auto& [content, refusal, tool_calls, function_call] = found;
  if (!wants(refusal, Type::kString) || !wants(tool_calls, Type::kArray)) return false;
  // What the model thought came before what it said and called.
  for (const Value call : elements(tool_calls)) {
    if (!read_thoughts(call)) return false;
  }
  Item item = begin(Item::Kind::message, message, Item::Role::assistant);
  if (!read_content(content, &ChatMessages::read_said)) return false;
  if (refusal.exists()) {
    const Part part{.kind = Part::Kind::refusal, .whole = refusal, .content = refusal};
    if (!push_part(part)) return false;
  }
  if (content.exists() || refusal.exists()) {
    if (!push_item(item)) return false;
  }
  for (const Value call : elements(tool_calls)) {
    if (!read_call(call)) return false;
  }
  return !function_call.exists() || read_function_call(function_call);
}

bool ChatMessages::read_call(const Value& call) {
  static constexpr json::Names kNames = {"id", "type", "function"};
  std::array<Value, kNames.size()> found;
  if (!members(call, kNames, found, drop_any)) return false;
  const auto& [id, type, function] = found;
  if (type.exists() && !type.equals("function")) return refuse(type);
  if (!needs(id, Type::kString, call, "a call with an id") ||
      !needs(function, Type::kObject, call, "a call with a function")) {
    return false;
  }
  static constexpr json::Names kFunctionNames = {"name", "arguments"};
  std::array<Value, kFunctionNames.size()> parts;
  if (!members(function, kFunctionNames, parts, drop_any)) return false;
  Item item = begin(Item::Kind::call, call);
  item.call_id = id;
  item.name = parts[0];
  item.arguments = parts[1];
  return needs(item.name, Type::kString, function, "a function with a name") &&
         wants(item.arguments, Type::kString) && push_item(item);
}

bool ChatMessages::read_function_call(const Value& function_call) {
  static constexpr json::Names kNames = {"name", "arguments"};
  std::array<Value, kNames.size()> found;
  if (!members(function_call, kNames, found, drop_any)) return false;
  Item item = begin(Item::Kind::call, function_call);
  item.name = found[0];
  item.arguments = found[1];
  return needs(item.name, Type::kString, function_call, "a call with a name") &&
         wants(item.arguments, Type::kString) && push_item(item);
}

// read_thoughts looks where an answer put its wrapped blobs: extra_content.flex.thought, a string
// or a list of them. Google's chat surface has extra_content.google.thought_signature.
bool ChatMessages::read_thoughts(const Value& call) {
  const Value extra = call["extra_content"];
  const Value thought = extra["flex"]["thought"];
  if (thought.is(Type::kString) && !push_thought(thought)) return false;
  for (const Value one : elements(thought)) {
    if (!push_thought(one)) return false;
  }
  return push_thought(extra["google"]["thought_signature"]);
}

bool ChatMessages::push_thought(const Value& thought) {
  if (!thought.contents().starts_with(kWrapped)) return true;
  Item item = begin(Item::Kind::reasoning, thought);
  item.blob = thought;
  return push_item(item);
}

bool ChatMessages::read_tool(const Value& message) {
  static constexpr json::Names kNames = {"role", "content", "tool_call_id"};
  std::array<Value, kNames.size()> found;
  if (!members(message, kNames, found, is_message_hint)) return false;
  const auto& [role, content, id] = found;
  if (!needs(id, Type::kString, message, "a message with a tool_call_id")) return false;
  Item item = begin(Item::Kind::result, message);
  item.call_id = id;
  return read_content(content, &ChatMessages::read_text) && push_item(item);
}

bool ChatMessages::read_function(const Value& message) {
  static constexpr json::Names kNames = {"role", "content", "name"};
  std::array<Value, kNames.size()> found;
  if (!members(message, kNames, found, is_message_hint)) return false;
  const auto& [role, content, name] = found;
  if (!needs(name, Type::kString, message, "a message with a name")) return false;
  Item item = begin(Item::Kind::result, message);
  item.name = name;
  item.call = answer_call({}, name);
  if (item.call == kNoItem) return refuse_value(name, "the name of an earlier function_call");
  return read_content(content, &ChatMessages::read_text) && push_item(item);
}

bool ChatMessages::read_text(const Value& part, const Value& type) {
  if (!type.equals("text")) return refuse(type.exists() ? type : part);
  static constexpr json::Names kNames = {"type", "text"};
  std::array<Value, kNames.size()> found;
  return members(part, kNames, found, is_message_hint) &&
         needs(found[1], Type::kString, part, "a part with a text") &&
         push_part(text_part(part, found[1]));
}

bool ChatMessages::read_said(const Value& part, const Value& type) {
  static constexpr json::Names kNames = {"text", "refusal"};
  std::array<Value, kNames.size()> found;
  if (!members(part, kNames, found, drop_any)) return false;
  const bool refusal = type.equals("refusal");
  if (!refusal && !type.equals("text")) return refuse(type.exists() ? type : part);
  const Value& content = refusal ? found[1] : found[0];
  return needs(content, Type::kString, part, "a part with a text") &&
         push_part({.kind = refusal ? Part::Kind::refusal : Part::Kind::text,
                    .whole = part,
                    .content = content});
}

bool ChatMessages::read_user_part(const Value& part, const Value& type) {
  if (type.equals("text")) return read_text(part, type);
  static constexpr json::Names kNames = {"type", "image_url", "file", "input_audio"};
  std::array<Value, kNames.size()> found;
  if (!type.equals("image_url") && !type.equals("file") && !type.equals("input_audio")) {
    return refuse(type.exists() ? type : part);
  }
  if (!members(part, kNames, found, is_message_hint)) return false;
  const auto& [kind, image, file, audio] = found;
  if (type.equals("image_url")) return read_image(part, image);
  if (type.equals("file")) return read_file(part, file);
  return read_audio(part, audio, type);
}

bool ChatMessages::read_image(const Value& part, const Value& object) {
  if (!needs(object, Type::kObject, part, "a part with an image_url")) return false;
  static constexpr json::Names kNames = {"url", "detail"};
  std::array<Value, kNames.size()> found;
  if (!members(object, kNames, found)) return false;
  Part image{.kind = Part::Kind::image, .whole = part, .detail = found[1]};
  if (!needs(found[0], Type::kString, object, "an object with a url")) return false;
  set_url(image, found[0].contents());
  return wants(image.detail, Type::kString) && push_part(image);
}

bool ChatMessages::read_file(const Value& part, const Value& object) {
  if (!needs(object, Type::kObject, part, "a part with a file")) return false;
  static constexpr json::Names kNames = {"file_data", "filename", "file_id"};
  std::array<Value, kNames.size()> found;
  if (!members(object, kNames, found)) return false;
  const auto& [data, filename, id] = found;
  Part file{.kind = Part::Kind::file, .whole = part, .filename = filename};
  if (!wants(filename, Type::kString) || !wants(data, Type::kString)) return false;
  if (data.exists()) {
    read_data(file, data);
  } else if (!id.exists()) {
    return refuse_value(object, "an object with file_data");
  }
  if (id.exists() && !read_file_id(file, id)) return false;
  return push_part(file);
}

bool ChatMessages::read_audio(const Value& part, const Value& object, const Value& type) {
  if (options_.provider != errors::Provider::gemini) return refuse(type);
  if (!needs(object, Type::kObject, part, "a part with input_audio")) return false;
  static constexpr json::Names kNames = {"data", "format"};
  std::array<Value, kNames.size()> found;
  if (!members(object, kNames, found)) return false;
  const auto& [data, format] = found;
  Part audio{.kind = Part::Kind::audio, .source = Part::Source::base64, .whole = part};
  if (!needs(data, Type::kString, object, "an object with data")) return false;
  audio.data = data.contents();
  if (format.equals("wav")) {
    audio.media_type = "audio/wav";
  } else if (format.equals("mp3")) {
    audio.media_type = "audio/mp3";
  } else {
    return refuse_value(format.exists() ? format : object, "wav or mp3 as the format");
  }
  return push_part(audio);
}

}  // namespace flexd::surface
