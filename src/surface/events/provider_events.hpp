// provider_events.hpp: what each provider says about the events of its stream; events.hpp puts the
// three behind one face.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "flexd/json/cursor.hpp"
#include "flexd/surface/events.hpp"

namespace flexd::surface {

// kTooManyRequests and kInvalidRequest are the statuses that a failure inside a stream may stand
// for, beside 500.
inline constexpr uint16_t kTooManyRequests = 429;
inline constexpr uint16_t kInvalidRequest = 400;
inline constexpr uint16_t kServerError = 500;

EventKind openai_kind_of(std::string_view name);
EventKind gemini_kind_of(std::string_view name);
EventKind anthropic_kind_of(std::string_view name);

// gemini_end_of tells the kinds of interaction.completed apart. A status that is missing or unknown
// is no failure.
EventKind gemini_end_of(const json::Value& interaction);

EventFailure openai_failure(const Event& event);
EventFailure gemini_failure(const Event& event);
EventFailure anthropic_failure(const Event& event);
// These read the provider's error object; one that is absent is no failure.
EventFailure openai_failure_of(const json::Value& object);
EventFailure gemini_failure_of(const json::Value& object);
EventFailure anthropic_failure_of(const json::Value& object);
// gemini_error_in is the error object of an interaction that has failed.
json::Value gemini_error_in(const json::Value& interaction);

// is_quota_code tells whether a code of OpenAI's is about the account's own limits rather than the
// capacity of the provider.
bool is_quota_code(std::string_view code);

// has_quota_failure: Google's error object has a detail that says that the account's own quota is
// spent.
bool has_quota_failure(const json::Value& error);
// is_capacity_code tells whether a code or status of Google's means that there is no capacity,
// unless has_quota_failure.
bool is_capacity_code(std::string_view code);

// The members of a usage object replace what stands in `usage`, and the total is made anew.
void read_openai_usage(const json::Value& object, Usage& usage);
// read_openai_usage_front reads the object at the front of a text, if it is whole and of the usual
// kind, and returns its size; else 0, and nothing is changed.
size_t read_openai_usage_front(std::string_view text, Usage& usage);
void read_gemini_usage(const json::Value& object, Usage& usage);
void read_anthropic_usage(const json::Value& object, Usage& usage);

// Counts add and subtract without wrapping: the numbers are somebody else's.
constexpr uint64_t plus(uint64_t a, uint64_t b) {
  return b > UINT64_MAX - a ? UINT64_MAX : a + b;
}
constexpr uint64_t minus(uint64_t a, uint64_t b) {
  return a > b ? a - b : 0;
}

// take_count replaces `count` by a number; true if there was one.
inline bool take_count(const json::Value& value, uint64_t& count) {
  const std::optional<uint64_t> number = value.to_uint64();
  if (number) count = *number;
  return number.has_value();
}

// take_total takes the provider's total, or adds it up.
inline void take_total(const json::Value& total, Usage& usage) {
  if (!take_count(total, usage.total_tokens)) {
    usage.total_tokens = plus(usage.input_tokens, usage.output_tokens);
  }
}

}  // namespace flexd::surface
