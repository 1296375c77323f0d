#include "flexd/surface/start_signal.hpp"

#include "events/provider_events.hpp"

namespace flexd::surface {

namespace {

using errors::Provider;
using json::Type;
using json::Value;

constexpr std::string_view kFlexUnavailable = "flex_unavailable";
constexpr std::string_view kConversationLocked = "conversation_locked";
constexpr std::string_view kQuotaFailureEnd = ".QuotaFailure\"";
constexpr unsigned kServiceUnavailable = 503;

Refusal judge_openai_response(unsigned status, std::string_view body) {
  const Value error = Value::value_in(body)["error"];
  const std::string_view code = error["code"].contents();
  if (code == kConversationLocked) return Refusal::conversation_locked;
  if (status != kTooManyRequests) return Refusal::upstream_error;
  if (code == kFlexUnavailable) return Refusal::capacity;
  const bool quota = is_quota_code(code) || is_quota_code(error["type"].contents());
  return quota ? Refusal::upstream_error : Refusal::capacity;
}

// body_has_quota_failure looks for the detail in an object or an array of one. In a body that was
// cut there is no walking down to it: its name is looked for as a string ends with it.
bool body_has_quota_failure(std::string_view body) {
  Value value = Value::value_in(body);
  if (value.is(Type::kArray)) {
    json::Elements elements(value);
    if (elements.next()) value = elements.element();
  }
  const Value error = value["error"];
  if (error.exists()) return has_quota_failure(error);
  return body.find(kQuotaFailureEnd) != std::string_view::npos;
}

Refusal judge_gemini_response(unsigned status, std::string_view body) {
  if (status == kServiceUnavailable) return Refusal::capacity;
  if (status != kTooManyRequests) return Refusal::upstream_error;
  return body_has_quota_failure(body) ? Refusal::upstream_error : Refusal::capacity;
}

}  // namespace

Signal StartSignal::feed(const Event& event) {
  if (ended_) return Signal::nothing;
  switch (event.kind) {
    case EventKind::none:
    case EventKind::keepalive:
    case EventKind::created:
    case EventKind::queued:
    case EventKind::part_failed:
    case EventKind::other:
    case EventKind::usage:
      return started_ ? Signal::running : Signal::nothing;
    case EventKind::in_progress:
      in_progress_ = true;
      return started_ ? Signal::running : Signal::nothing;
    case EventKind::progress:
      if (started_) return Signal::running;
      if (event.provider == Provider::openai && !in_progress_) return Signal::nothing;
      started_ = true;
      return Signal::started;
    case EventKind::completed:
    case EventKind::incomplete:
      started_ = true;
      ended_ = true;
      return Signal::finished;
    case EventKind::failed:
    case EventKind::error:
      ended_ = true;
      return Signal::failed;
  }
  return Signal::nothing;
}

Refusal judge_response(Provider provider, unsigned status, std::string_view body) {
  switch (provider) {
    case Provider::openai:
      return judge_openai_response(status, body);
    case Provider::gemini:
      return judge_gemini_response(status, body);
    case Provider::anthropic:
      return Refusal::upstream_error;
  }
  return Refusal::upstream_error;
}

Refusal judge_event(const Event& event) {
  const EventFailure failure = read_failure(event);
  if (event.provider == Provider::gemini) {
    const bool capacity = is_capacity_code(failure.code) || is_capacity_code(failure.type);
    const bool quota = has_quota_failure(Value{failure.object});
    return capacity && !quota ? Refusal::capacity : Refusal::upstream_error;
  }
  if (event.provider != Provider::openai) return Refusal::upstream_error;
  if (failure.code == kConversationLocked) return Refusal::conversation_locked;
  if (failure.code == kFlexUnavailable) return Refusal::capacity;
  const bool limit = failure.status == kTooManyRequests;
  const bool quota = is_quota_code(failure.code) || is_quota_code(failure.type);
  return limit && !quota ? Refusal::capacity : Refusal::upstream_error;
}

}  // namespace flexd::surface
