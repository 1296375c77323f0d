#include "flexd/surface/responses.hpp"

#include <algorithm>
#include <cstring>

namespace flexd::surface {

namespace {

using json::Member;
using json::Members;
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

bool is_invalid_request_code(std::string_view code) {
  return std::find(std::begin(kInvalidRequestCodes), std::end(kInvalidRequestCodes), code) !=
         std::end(kInvalidRequestCodes);
}

uint16_t status_of(std::string_view code, std::string_view type) {
  if (code == "flex_unavailable" || is_quota_code(code) || is_quota_code(type)) return 429;
  if (is_invalid_request_code(code)) return 400;
  if (code == "server_error" || type == "server_error") return 500;
  if (type == "rate_limit_error" || type == "too_many_requests") return 429;
  if (type == "invalid_request_error") return 400;
  return 500;
}

uint64_t number_of(const Value& value) {
  return value.to_uint64().value_or(0);
}

Usage read_usage(const Value& usage) {
  Usage read;
  for (const Member& member : Members(usage)) {
    if (member.name.equals("input_tokens")) {
      read.input_tokens = number_of(member.value);
      read.known = true;
    } else if (member.name.equals("output_tokens")) {
      read.output_tokens = number_of(member.value);
      read.known = true;
    } else if (member.name.equals("total_tokens")) {
      read.total_tokens = number_of(member.value);
    } else if (member.name.equals("input_tokens_details")) {
      read.cached_tokens = number_of(member.value["cached_tokens"]);
    } else if (member.name.equals("output_tokens_details")) {
      read.reasoning_tokens = number_of(member.value["reasoning_tokens"]);
    }
  }
  return read;
}

}  // namespace

bool is_quota_code(std::string_view code) {
  return code == "rate_limit_exceeded" || code == "insufficient_quota" ||
         code == "credit_balance_exhausted" || code == "slow_down" ||
         code.ends_with("_spend_limit_exceeded");
}

EventKind kind_of(std::string_view name) {
  if (name.starts_with(kResponsePrefix)) {
    const std::string_view rest = name.substr(kResponsePrefix.size());
    if (rest == "created") return EventKind::created;
    if (rest == "queued") return EventKind::queued;
    if (rest == "in_progress") return EventKind::in_progress;
    if (rest == "completed") return EventKind::completed;
    if (rest == "incomplete") return EventKind::incomplete;
    if (rest == "failed" || rest == "cancelled") return EventKind::failed;
    return rest.ends_with(".failed") ? EventKind::part_failed : EventKind::progress;
  }
  if (name.empty()) return EventKind::none;
  if (name == "keepalive") return EventKind::keepalive;
  if (name == "error") return EventKind::error;
  return name.ends_with(".failed") ? EventKind::part_failed : EventKind::progress;
}

Event read_event(std::string_view name, std::string_view data) {
  Event event;
  event.data = Value::value_in(data);
  if (!event.data.is(Type::kObject)) {
    // A name alone cannot vouch for anything but a failure: SDKs read the data.
    if (kind_of(name) == EventKind::error) event.kind = EventKind::error;
    return event;
  }
  bool has_error = false;
  for (const Member& member : Members(event.data)) {
    if (member.name.equals("type") && member.value.is(Type::kString)) {
      event.kind = kind_of(member.value.contents());
      return event;
    }
    if (member.name.equals("error") && member.value.is(Type::kObject)) has_error = true;
  }
  event.kind = has_error ? EventKind::error : kind_of(name);
  return event;
}

std::string_view final_response(const Event& event) {
  if (event.kind != EventKind::completed && event.kind != EventKind::incomplete) return {};
  const Value response = event.data["response"];
  return response.is(Type::kObject) ? response.text : std::string_view();
}

EventFailure read_failure(const Event& event) {
  EventFailure failure;
  Value object;
  if (event.kind == EventKind::failed) {
    object = event.data["response"]["error"];
  } else if (event.kind == EventKind::error) {
    object = event.data["error"];
    if (!object.is(Type::kObject)) object = event.data;
  }
  if (!object.is(Type::kObject)) return failure;
  failure.object = object.text;
  failure.code = object["code"].contents();
  failure.type = object["type"].contents();
  failure.status = status_of(failure.code, failure.type);
  return failure;
}

template <size_t kMax>
void StreamFacts::Text<kMax>::keep(const json::Value& value) {
  const std::string_view raw = value.contents();
  if (raw.empty() || raw.size() > kMax || raw.find('\\') != std::string_view::npos) return;
  std::memcpy(bytes_.data(), raw.data(), raw.size());
  size_ = static_cast<uint8_t>(raw.size());
}

void StreamFacts::note(const Event& event) {
  if (event.kind == EventKind::none) return;
  // Only the events that carry a whole response object are looked into. The object stands behind
  // the sequence number as a rule, so deltas and most others end their walk early.
  const bool has_response = event.kind == EventKind::completed ||
                            event.kind == EventKind::incomplete ||
                            event.kind == EventKind::failed ||
                            (id_.view().empty() && event.kind <= EventKind::in_progress);
  bool wants_number = true;
  bool wants_response = has_response;
  for (const Member& member : Members(event.data)) {
    if (wants_number && member.name.equals("sequence_number")) {
      if (const auto number = member.value.to_uint64()) {
        next_sequence_number_ = std::max(next_sequence_number_, *number + 1);
      }
      wants_number = false;
    } else if (wants_response && member.name.equals("response")) {
      note_response(member.value);
      wants_response = false;
    }
    if (!wants_number && !wants_response) return;
  }
}

void StreamFacts::note_object(std::string_view object) {
  note_response(Value::value_in(object));
}

void StreamFacts::note_response(const Value& response) {
  const bool first = id_.view().empty();
  for (const Member& member : Members(response)) {
    if (member.name.equals("service_tier")) {
      service_tier_.keep(member.value);
    } else if (member.name.equals("usage") && member.value.is(Type::kObject)) {
      usage_ = read_usage(member.value);
    } else if (!first) {
      continue;
    } else if (member.name.equals("id")) {
      id_.keep(member.value);
    } else if (member.name.equals("model")) {
      model_.keep(member.value);
    } else if (member.name.equals("created_at")) {
      created_at_s_ = number_of(member.value);
    }
  }
}

}  // namespace flexd::surface
