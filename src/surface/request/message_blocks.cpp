#include "message_blocks.hpp"

namespace flexd::surface {

using json::Type;
using json::Value;

namespace {

// is_quote_hint: where a text was quoted from, as an SDK replays it.
bool is_quote_hint(std::string_view name, const Value& /*value*/) {
  return name == "citations";
}

}  // namespace

bool MessageBlocks::read_system(const Value& system) {
  if (!system.exists()) return true;
  if (system.is(Type::kString)) return push_text(Item::Role::system, system);
  if (!system.is(Type::kArray)) return refuse_value(system, "a string or a list of text blocks");
  Item item = begin(Item::Kind::message, system, Item::Role::system);
  return read_content(system, item) && flush(item);
}

bool MessageBlocks::read_messages(const Value& messages) {
  if (!wants(messages, Type::kArray)) return false;
  for (const Value message : elements(messages)) {
    if (!read_message(message)) return false;
  }
  return true;
}

bool MessageBlocks::read_message(const Value& message) {
  static constexpr json::Names kNames = {"role", "content"};
  std::array<Value, kNames.size()> found;
  if (!message.is(Type::kObject)) return refuse_value(message, "an object");
  const bool assistant = member_of(message, "role").equals("assistant");
  // An answer is replayed as it came, with its id, model, usage and so on.
  if (!members(message, kNames, found, assistant ? drop_any : drop_none)) return false;
  const auto& [role, content] = found;
  Item item = begin(Item::Kind::message, message);
  if (assistant) {
    item.role = Item::Role::assistant;
  } else if (role.equals("system")) {
    item.role = Item::Role::system;
  } else if (!role.equals("user")) {
    return refuse_value(role.exists() ? role : message,
                        role.exists() ? "user, assistant or system" : "a message with a role");
  }
  if (!content.exists()) return refuse_value(message, "a message with content");
  if (content.is(Type::kString)) {
    return push_part(text_part(content, content)) && push_item(item);
  }
  if (!content.is(Type::kArray)) return refuse_value(content, "a string or a list of blocks");
  return read_content(content, item) && flush(item);
}

bool MessageBlocks::read_content(const Value& content, Item& message) {
  for (const Value block : elements(content)) {
    if (!block.is(Type::kObject)) return refuse_value(block, "an object");
    if (!read_block(block, message)) return false;
  }
  return true;
}

bool MessageBlocks::flush(Item& message) {
  const bool has_parts = model_.parts.size() > message.first_part;
  if (has_parts && !push_item(message)) return false;
  message.first_part = static_cast<uint32_t>(model_.parts.size());
  return true;
}

bool MessageBlocks::read_block(const Value& block, Item& message) {
  const Value type = type_of(block);
  switch (message.role) {
    case Item::Role::assistant:
      return read_said(block, type, message);
    case Item::Role::user:
      if (!type.equals("tool_result")) return read_part(block, type);
      if (!flush(message) || !read_tool_result(block)) return false;
      message.first_part = static_cast<uint32_t>(model_.parts.size());
      return true;
    case Item::Role::system:
      if (!type.equals("text")) return refuse(type.exists() ? type : block);
      return read_text(block, is_quote_hint);
  }
  return false;
}

bool MessageBlocks::read_said(const Value& block, const Value& type, Item& message) {
  if (type.equals("text")) return read_text(block, drop_any);
  if (!flush(message)) return false;
  bool read = false;
  if (type.equals("thinking") || type.equals("redacted_thinking")) {
    read = read_thinking(block);
  } else if (type.equals("tool_use")) {
    read = read_tool_use(block);
  } else {
    return refuse(type.exists() ? type : block);
  }
  message.first_part = static_cast<uint32_t>(model_.parts.size());
  return read;
}

bool MessageBlocks::read_part(const Value& block, const Value& type) {
  if (type.equals("text")) return read_text(block, is_quote_hint);
  if (type.equals("image")) return read_image(block);
  if (type.equals("document")) return read_document(block);
  return refuse(type.exists() ? type : block);
}

bool MessageBlocks::read_text(const Value& block, MayDrop may_drop) {
  static constexpr json::Names kNames = {"type", "text"};
  std::array<Value, kNames.size()> found;
  return members(block, kNames, found, may_drop) &&
         needs(found[1], Type::kString, block, "a block with a text") &&
         push_part(text_part(block, found[1]));
}

bool MessageBlocks::read_image(const Value& block) {
  static constexpr json::Names kNames = {"type", "source"};
  std::array<Value, kNames.size()> found;
  if (!members(block, kNames, found)) return false;
  Part part{.kind = Part::Kind::image, .whole = block};
  return needs(found[1], Type::kObject, block, "a block with a source") &&
         read_source(found[1], part) && push_part(part);
}

bool MessageBlocks::read_document(const Value& block) {
  static constexpr json::Names kNames = {"type", "source", "title", "citations"};
  std::array<Value, kNames.size()> found;
  if (!members(block, kNames, found)) return false;
  const auto& [type, source, title, citations] = found;
  const Value enabled = present(citations["enabled"]);
  if (enabled.exists() && enabled.to_bool() != false) return refuse(enabled);
  Part part{.kind = Part::Kind::file, .whole = block, .filename = title};
  return wants(title, Type::kString) && wants(citations, Type::kObject) &&
         needs(source, Type::kObject, block, "a block with a source") &&
         read_source(source, part) && push_part(part);
}

bool MessageBlocks::read_source(const Value& source, Part& part) {
  static constexpr json::Names kNames = {"type", "media_type", "data", "url", "file_id", "content"};
  std::array<Value, kNames.size()> found;
  if (!members(source, kNames, found)) return false;
  const auto& [type, media_type, data, url, file_id, content] = found;
  if (file_id.exists()) return refuse(file_id);  // Anthropic keeps that file
  if (type.equals("url")) {
    part.source = Part::Source::url;
    if (!needs(url, Type::kString, source, "a source with a url")) return false;
    part.data = url.contents();
    return true;
  }
  const bool text = type.equals("text") && part.kind == Part::Kind::file;
  if (!text && !type.equals("base64")) return refuse(type.exists() ? type : source);
  part.source = text ? Part::Source::plain_text : Part::Source::base64;
  if (!needs(data, Type::kString, source, "a source with data") ||
      !needs(media_type, Type::kString, source, "a source with a media_type")) {
    return false;
  }
  part.data = data.contents();
  part.media_type = media_type.contents();
  return true;
}

bool MessageBlocks::read_thinking(const Value& block) {
  static constexpr json::Names kNames = {"type", "thinking", "signature", "data"};
  std::array<Value, kNames.size()> found;
  if (!members(block, kNames, found, drop_any)) return false;
  const auto& [type, thinking, signature, data] = found;
  if (!wants(thinking, Type::kString) || !wants(signature, Type::kString) ||
      !wants(data, Type::kString)) {
    return false;
  }
  Item item = begin(Item::Kind::reasoning, block);
  item.blob = type.equals("thinking") ? signature : data;
  if (thinking.exists() && !push_part(text_part(block, thinking))) return false;
  return push_item(item);
}

bool MessageBlocks::read_tool_use(const Value& block) {
  static constexpr json::Names kNames = {"type", "id", "name", "input"};
  std::array<Value, kNames.size()> found;
  if (!members(block, kNames, found, drop_any)) return false;
  const auto& [type, id, name, input] = found;
  Item item = begin(Item::Kind::call, block);
  item.call_id = id;
  item.name = name;
  item.arguments = input;
  return needs(id, Type::kString, block, "a block with an id") &&
         needs(name, Type::kString, block, "a block with a name") && wants(input, Type::kObject) &&
         push_item(item);
}

bool MessageBlocks::read_tool_result(const Value& block) {
  static constexpr json::Names kNames = {"type", "tool_use_id", "content", "is_error"};
  std::array<Value, kNames.size()> found;
  if (!members(block, kNames, found)) return false;
  const auto& [type, id, content, is_error] = found;
  if (!needs(id, Type::kString, block, "a block with a tool_use_id") ||
      !wants(is_error, Type::kBool)) {
    return false;
  }
  Item item = begin(Item::Kind::result, block);
  item.call_id = id;
  item.is_error = is_error.to_bool().value_or(false);
  if (content.is(Type::kString)) {
    if (!push_part(text_part(content, content))) return false;
  } else if (!wants(content, Type::kArray)) {
    return false;
  }
  for (const Value part : elements(content)) {
    if (!part.is(Type::kObject)) return refuse_value(part, "an object");
    if (!read_part(part, type_of(part))) return false;
  }
  return push_item(item);
}

}  // namespace flexd::surface
