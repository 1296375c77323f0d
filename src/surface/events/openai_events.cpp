// https://platform.openai.com/docs/api-reference/responses-streaming
#include <algorithm>
#include <array>

#include "plain_counts.hpp"
#include "provider_events.hpp"

namespace flexd::surface {

namespace {

using json::Type;
using json::Value;

constexpr std::string_view kResponsePrefix = "response.";

// kInvalidRequestCodes are the codes of `response.error` and of `error` events that blame the
// request (the list of ResponseError, and the common ones of the API beside it).
constexpr std::string_view kInvalidRequestCodes[] = {
    "invalid_prompt",
    "invalid_request",
    "invalid_request_error",
    "invalid_value",
    "invalid_type",
    "invalid_image",
    "invalid_image_format",
    "invalid_base64_image",
    "invalid_image_url",
    "invalid_image_mode",
    "image_too_large",
    "image_too_small",
    "image_parse_error",
    "image_content_policy_violation",
    "image_file_too_large",
    "image_file_not_found",
    "unsupported_image_media_type",
    "empty_image_file",
    "failed_to_download_image",
    "context_length_exceeded",
    "string_above_max_length",
    "content_policy_violation",
    "missing_required_parameter",
    "unknown_parameter",
    "unsupported_parameter",
    "unsupported_value",
    "service_tier_not_supported",
    "unsupported_service_tier",
    "conversation_locked",
};

// OpenAiCounts are the counts of a usage object; each may come once.
struct OpenAiCounts {
  enum Bit : uint8_t {
    kInput = 1,
    kOutput = 2,
    kCached = 4,
    kWrite = 8,
    kReasoning = 16,
    kTotal = 32
  };
  Usage usage;
  unsigned seen = 0;

  bool take(Bit bit, uint64_t& place, uint64_t number) {
    if ((seen & bit) != 0) return false;
    seen |= bit;
    place = number;
    return true;
  }
  bool operator()(std::string_view outer, std::string_view name, uint64_t number) {
    if (is(outer, "input_tokens_details")) {
      if (is(name, "cached_tokens")) return take(kCached, usage.cached_tokens, number);
      if (is(name, "cache_write_tokens")) return take(kWrite, usage.cache_write_tokens, number);
    } else if (is(outer, "output_tokens_details")) {
      if (is(name, "reasoning_tokens")) return take(kReasoning, usage.reasoning_tokens, number);
    } else if (outer.empty()) {
      if (is(name, "input_tokens")) return take(kInput, usage.input_tokens, number);
      if (is(name, "output_tokens")) return take(kOutput, usage.output_tokens, number);
      if (is(name, "total_tokens")) return take(kTotal, usage.total_tokens, number);
    }
    return true;
  }
};

bool is_invalid_request_code(std::string_view code) {
  return std::find(std::begin(kInvalidRequestCodes), std::end(kInvalidRequestCodes), code) !=
         std::end(kInvalidRequestCodes);
}

uint16_t status_of(std::string_view code, std::string_view type) {
  if (code == "flex_unavailable" || is_quota_code(code) || is_quota_code(type)) {
    return kTooManyRequests;
  }
  if (is_invalid_request_code(code)) return kInvalidRequest;
  if (code == "server_error" || type == "server_error") return kServerError;
  if (type == "rate_limit_error" || type == "too_many_requests") return kTooManyRequests;
  return type == "invalid_request_error" ? kInvalidRequest : kServerError;
}

}  // namespace

bool is_quota_code(std::string_view code) {
  return code == "rate_limit_exceeded" || code == "insufficient_quota" ||
         code == "credit_balance_exhausted" || code == "slow_down" ||
         code.ends_with("_spend_limit_exceeded");
}

EventKind openai_kind_of(std::string_view name) {
  if (name == "keepalive") return EventKind::keepalive;
  if (name.starts_with(kResponsePrefix)) {
    const std::string_view rest = name.substr(kResponsePrefix.size());
    if (rest == "created") return EventKind::created;
    if (rest == "queued") return EventKind::queued;
    if (rest == "in_progress") return EventKind::in_progress;
    if (rest == "completed") return EventKind::completed;
    if (rest == "incomplete") return EventKind::incomplete;
    if (rest == "failed" || rest == "cancelled") return EventKind::failed;
  }
  return name.ends_with(".failed") ? EventKind::part_failed : EventKind::progress;
}

EventFailure openai_failure(const Event& event) {
  Value object;
  if (event.kind == EventKind::failed) {
    object = event.data["response"]["error"];
  } else {
    object = event.data["error"];
    if (!object.is(Type::kObject)) object = event.data;  // a flat event
  }
  return openai_failure_of(object);
}

EventFailure openai_failure_of(const Value& object) {
  if (!object.is(Type::kObject)) return {};
  EventFailure failure{.object = object.text,
                       .code = object["code"].contents(),
                       .type = object["type"].contents(),
                       .message = object["message"].contents()};
  failure.status = status_of(failure.code, failure.type);
  return failure;
}

size_t read_openai_usage_front(std::string_view text, Usage& usage) {
  OpenAiCounts counts{.usage = usage};
  PlainCounts plain(text);
  if (!plain.walk(counts)) return 0;
  usage = counts.usage;
  usage.known |= (counts.seen & (OpenAiCounts::kInput | OpenAiCounts::kOutput)) != 0;
  if ((counts.seen & OpenAiCounts::kTotal) == 0) take_total({}, usage);
  return static_cast<size_t>(plain.stop() - text.data());
}

void read_openai_usage(const Value& object, Usage& usage) {
  if (read_openai_usage_front(object.text, usage) != 0) return;
  static constexpr json::Names kNames = {"input_tokens", "output_tokens", "input_tokens_details",
                                         "output_tokens_details", "total_tokens"};
  static constexpr json::Names kInputNames = {"cached_tokens", "cache_write_tokens"};
  std::array<Value, kNames.size()> found;
  json::members_of(object, kNames, found);
  const auto& [input, output, input_details, output_details, total] = found;
  std::array<Value, kInputNames.size()> input_found;
  json::members_of(input_details, kInputNames, input_found);
  usage.known |= take_count(input, usage.input_tokens);
  usage.known |= take_count(output, usage.output_tokens);
  take_count(input_found[0], usage.cached_tokens);
  take_count(input_found[1], usage.cache_write_tokens);
  take_count(output_details["reasoning_tokens"], usage.reasoning_tokens);
  take_total(total, usage);
}

}  // namespace flexd::surface
