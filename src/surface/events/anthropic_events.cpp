// https://docs.anthropic.com/en/docs/build-with-claude/streaming
#include "provider_events.hpp"

namespace flexd::surface {

namespace {

using json::Member;
using json::Members;
using json::Type;
using json::Value;

uint16_t status_of(std::string_view type) {
  if (type == "rate_limit_error") return kTooManyRequests;
  if (type == "invalid_request_error" || type == "request_too_large") return kInvalidRequest;
  return kServerError;
}

}  // namespace

EventKind anthropic_kind_of(std::string_view name) {
  if (name == "content_block_delta" || name == "content_block_start" ||
      name == "content_block_stop") {
    return EventKind::progress;
  }
  if (name == "ping") return EventKind::keepalive;
  if (name == "message_start") return EventKind::created;
  if (name == "message_delta") return EventKind::usage;
  if (name == "message_stop") return EventKind::completed;
  return EventKind::other;
}

EventFailure anthropic_failure(const Event& event) {
  return anthropic_failure_of(event.data["error"]);
}

EventFailure anthropic_failure_of(const Value& object) {
  if (!object.is(Type::kObject)) return {};
  const std::string_view type = object["type"].contents();
  return {.object = object.text,
          .code = type,
          .type = type,
          .message = object["message"].contents(),
          .status = status_of(type)};
}

void read_anthropic_usage(const Value& object, Usage& usage) {
  // Anthropic counts what caches held beside the input.
  uint64_t input = minus(minus(usage.input_tokens, usage.cached_tokens), usage.cache_write_tokens);
  Value total;
  for (const Member& member : Members(object)) {
    if (member.name.equals("input_tokens")) {
      usage.known |= take_count(member.value, input);
    } else if (member.name.equals("cache_read_input_tokens")) {
      take_count(member.value, usage.cached_tokens);
    } else if (member.name.equals("cache_creation_input_tokens")) {
      take_count(member.value, usage.cache_write_tokens);
    } else if (member.name.equals("output_tokens")) {
      usage.known |= take_count(member.value, usage.output_tokens);
    } else if (member.name.equals("output_tokens_details")) {
      take_count(member.value["thinking_tokens"], usage.reasoning_tokens);
    } else if (member.name.equals("total_tokens")) {
      total = member.value;
    }
  }
  usage.input_tokens = plus(input, plus(usage.cached_tokens, usage.cache_write_tokens));
  take_total(total, usage);
}

}  // namespace flexd::surface
