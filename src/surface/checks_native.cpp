// checks_native.cpp: what Interactions and Messages requests may not set, though their own
// providers could take it.
#include "checks.hpp"
#include "flexd/json/path.hpp"

namespace flexd::surface {

namespace {

using errors::Code;
using errors::Variant;
using json::Value;

errors::Error native_parameter(std::string_view param) {
  return {
      .code = Code::unsupported_parameter, .variant = Variant::native_parameter, .param = param};
}

// NativeScan looks through a Messages request for cache_control and for documents with citations.
// It walks the structure: the same words in a prompt, a tool's schema or its input mean nothing.
// The walk skips texts as a whole, and so costs less than a search of the body for the words.
class NativeScan {
 public:
  NativeScan(bool cache_control_too, const json::Outline& outline)
      : cache_control_too_(cache_control_too), outline_(outline) {}

  // Each gives the value at fault, or an absent one.
  Value in_tools(Value tools) const;
  Value in_messages(Value messages) const;
  Value in_content(Value content) const;

 private:
  Value in_block(Value block) const;
  bool is_at_fault(const json::Member& member) const {
    return cache_control_too_ && member.name.equals("cache_control") && !member.value.is_null();
  }

  bool cache_control_too_;
  const json::Outline& outline_;
};

Value NativeScan::in_tools(Value tools) const {
  for (const Value tool : json::Elements(tools, &outline_)) {
    for (const json::Member& member : json::Members(tool, &outline_)) {
      if (is_at_fault(member)) return member.value;
    }
  }
  return {};
}

Value NativeScan::in_messages(Value messages) const {
  for (const Value message : json::Elements(messages, &outline_)) {
    for (const json::Member& member : json::Members(message, &outline_)) {
      if (!member.name.equals("content")) continue;
      if (const Value found = in_content(member.value); found.exists()) return found;
    }
  }
  return {};
}

// in_content looks at blocks: a list of them, or one where a block holds another.
Value NativeScan::in_content(Value content) const {
  if (content.is(json::Type::kObject)) return in_block(content);
  for (const Value block : json::Elements(content, &outline_)) {
    if (const Value found = in_block(block); found.exists()) return found;
  }
  return {};
}

// in_block also looks at the blocks inside: the content of a tool's result, the source of a
// document that is made of blocks. Not deeper than the body is nested.
Value NativeScan::in_block(Value block) const {
  Value citations;
  bool is_document = false;
  for (const json::Member& member : json::Members(block, &outline_)) {
    if (is_at_fault(member)) return member.value;
    if (member.name.equals("type")) {
      is_document = member.value.equals("document") || member.value.equals("file");
    } else if (member.name.equals("citations")) {
      citations = member.value;
    } else if (member.name.equals("content")) {
      if (const Value found = in_content(member.value); found.exists()) return found;
    } else if (member.name.equals("source") && member.value.is(json::Type::kObject)) {
      const Value found = in_content(member.value["content"]);
      if (found.exists()) return found;
    }
  }
  return is_document && citations["enabled"].to_bool() == true ? citations : Value{};
}

}  // namespace

Refusal check_interactions(const RequestFacts& facts, bool native) {
  if (native && facts.is_own_dialect()) return std::nullopt;
  const auto refused = [](std::string_view param) {
    return errors::Error{.code = Code::unsupported_generation_config, .param = param};
  };
  // All members are looked at: of two with one name the provider may believe either.
  for (const json::Member& member : json::Members(facts.value(kGenerationConfig))) {
    if (member.value.is_null()) continue;
    if (member.name.equals("seed")) return refused("generation_config.seed");
    if (member.name.equals("stop_sequences") && !is_empty_list(member.value)) {
      return refused("generation_config.stop_sequences");
    }
  }
  return std::nullopt;
}

Refusal check_messages(RequestFacts& facts, bool native) {
  if (native && facts.is_own_dialect()) return std::nullopt;
  if (!is_unset(facts.value(kTopK))) return native_parameter("top_k");
  const Value stop = facts.value(kStopSequences);
  if (!is_unset(stop) && !is_empty_list(stop)) return native_parameter("stop_sequences");
  if (!native && !is_unset(facts.value(kCacheControl))) return native_parameter("cache_control");
  // Rarely is there a name to look for.
  const json::Fields& fields = facts.fields;
  const bool may_cache = !native && fields.may_have_inside("cache_control");
  if (!may_cache && !fields.may_have_inside("citations")) return std::nullopt;
  const NativeScan scan(!native, fields.outline());
  Value found = scan.in_tools(facts.value(kTools));
  if (!found.exists()) found = scan.in_content(facts.value(kSystem));
  if (!found.exists()) found = scan.in_messages(facts.value(kMessages));
  if (!found.exists()) return std::nullopt;
  return native_parameter(json::path_of(facts.body, &found.text.front(), facts.param_space));
}

}  // namespace flexd::surface
