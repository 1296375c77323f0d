#include "flexd/surface/start_signal.hpp"

namespace flexd::surface {

namespace {

constexpr std::string_view kFlexUnavailable = "flex_unavailable";
constexpr std::string_view kConversationLocked = "conversation_locked";
constexpr unsigned kTooManyRequests = 429;

}  // namespace

Signal StartSignal::feed(const Event& event) {
  if (ended_) return Signal::nothing;
  switch (event.kind) {
    case EventKind::none:
    case EventKind::keepalive:
    case EventKind::created:
    case EventKind::queued:
    case EventKind::part_failed:
      return started_ ? Signal::running : Signal::nothing;
    case EventKind::in_progress:
      in_progress_ = true;
      return started_ ? Signal::running : Signal::nothing;
    case EventKind::progress:
      if (started_) return Signal::running;
      if (!in_progress_) return Signal::nothing;
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

Refusal judge_response(unsigned status, std::string_view body) {
  const json::Value error = json::Value::value_in(body)["error"];
  const std::string_view code = error["code"].contents();
  if (code == kConversationLocked) return Refusal::conversation_locked;
  if (status != kTooManyRequests) return Refusal::upstream_error;
  if (code == kFlexUnavailable) return Refusal::capacity;
  const bool quota = is_quota_code(code) || is_quota_code(error["type"].contents());
  return quota ? Refusal::upstream_error : Refusal::capacity;
}

Refusal judge_event(const Event& event) {
  const EventFailure failure = read_failure(event);
  if (failure.code == kConversationLocked) return Refusal::conversation_locked;
  if (failure.code == kFlexUnavailable) return Refusal::capacity;
  const bool limit = failure.status == kTooManyRequests;
  const bool quota = is_quota_code(failure.code) || is_quota_code(failure.type);
  return limit && !quota ? Refusal::capacity : Refusal::upstream_error;
}

}  // namespace flexd::surface
