// https://ai.google.dev/gemini-api/docs/interactions
#include <algorithm>

#include "flexd/base/ascii.hpp"
#include "provider_events.hpp"

namespace flexd::surface {

namespace {

using json::Elements;
using json::Member;
using json::Members;
using json::Type;
using json::Value;

// The Interactions API has its codes in lower case; errors from before it, in Google's general
// shape, have a number as their code and the name, in upper case, as their `status`.
constexpr std::string_view kCapacityCodes[] = {
    "unavailable",
    "service_unavailable",
    "overloaded",
    "resource_exhausted",
    "too_many_requests",
    "503",
    "429",
};
constexpr std::string_view kLimitCodes[] = {
    "resource_exhausted", "too_many_requests", "rate_limit_exceeded", "quota_exceeded", "429",
};
constexpr std::string_view kInvalidRequestCodes[] = {
    "invalid_request", "invalid_argument", "failed_precondition", "out_of_range", "400",
};

template <size_t kSize>
bool is_one_of(std::string_view word, const std::string_view (&words)[kSize]) {
  return std::any_of(std::begin(words), std::end(words),
                     [word](std::string_view known) { return iequals(word, known); });
}

// names_error: an empty `error` has been seen in streams; it says nothing.
bool names_error(const Value& object) {
  return object.is(Type::kObject) && Members(object).next();
}

Value first_of(const Value& array) {
  Elements elements(array);
  return elements.next() ? elements.element() : Value();
}

// error_of_interaction is the first error that a failed interaction names, or absent.
Value error_of_interaction(const Value& interaction) {
  const Value first = first_of(interaction["errors"]);
  if (names_error(first)) return first;
  const Value single = interaction["error"];
  return names_error(single) ? single : Value();
}

// error_of is the error of an interaction, of an error event, or absent.
Value error_of(const Event& event) {
  if (event.kind == EventKind::failed) {
    const Value error = error_of_interaction(event.data["interaction"]);
    if (error.exists()) return error;
  }
  const Value error = event.data["error"];
  if (error.exists() && !error.is_null()) return names_error(error) ? error : Value();
  const bool flat = event.data["code"].exists() || event.data["message"].exists();
  return flat ? event.data : Value();
}

}  // namespace

EventKind gemini_kind_of(std::string_view name) {
  if (name == "step.delta" || name == "step.start") return EventKind::progress;
  if (name == "step.stop") return EventKind::usage;
  if (name == "interaction.created") return EventKind::created;
  if (name == "interaction.status_update") return EventKind::in_progress;
  if (name == "interaction.completed") return EventKind::completed;
  return EventKind::other;
}

EventKind gemini_end_of(const Value& interaction) {
  const Value status = interaction["status"];
  if (status.equals("failed") || status.equals("cancelled")) return EventKind::failed;
  if (status.equals("incomplete") || status.equals("budget_exceeded")) {
    return EventKind::incomplete;
  }
  return EventKind::completed;
}

EventFailure gemini_failure(const Event& event) {
  return gemini_failure_of(error_of(event));
}

Value gemini_error_in(const Value& interaction) {
  return gemini_end_of(interaction) == EventKind::failed ? error_of_interaction(interaction)
                                                         : Value();
}

EventFailure gemini_failure_of(const Value& object) {
  if (!object.exists()) return {};
  const Value code = object["code"];
  EventFailure failure{.object = object.text,
                       .code = code.contents(),
                       .type = object["status"].contents(),
                       .message = object["message"].contents()};
  // A number says less than the word beside it.
  if (code.is(Type::kNumber)) failure.code = failure.type.empty() ? code.text : failure.type;
  if (is_one_of(failure.code, kLimitCodes) || is_one_of(failure.type, kLimitCodes)) {
    failure.status = kTooManyRequests;
  } else if (is_one_of(failure.code, kInvalidRequestCodes) ||
             is_one_of(failure.type, kInvalidRequestCodes)) {
    failure.status = kInvalidRequest;
  }
  return failure;
}

bool is_capacity_code(std::string_view code) {
  return is_one_of(code, kCapacityCodes);
}

bool has_quota_failure(const Value& error) {
  for (const Value detail : Elements(error["details"])) {
    if (detail["@type"].contents().ends_with("QuotaFailure")) return true;
  }
  return false;
}

void read_gemini_usage(const Value& object, Usage& usage) {
  // Google counts what its tools used beside the input, and thoughts beside the output.
  uint64_t input = usage.input_tokens;
  uint64_t tool_use = 0;
  uint64_t output = minus(usage.output_tokens, usage.reasoning_tokens);
  bool has_input = false;
  Value total;
  for (const Member& member : Members(object)) {
    if (member.name.equals("total_input_tokens")) {
      has_input = take_count(member.value, input);
    } else if (member.name.equals("total_tool_use_tokens")) {
      take_count(member.value, tool_use);
    } else if (member.name.equals("total_cached_tokens")) {
      take_count(member.value, usage.cached_tokens);
    } else if (member.name.equals("total_output_tokens")) {
      usage.known |= take_count(member.value, output);
    } else if (member.name.equals("total_thought_tokens")) {
      take_count(member.value, usage.reasoning_tokens);
    } else if (member.name.equals("total_tokens")) {
      total = member.value;
    }
  }
  usage.known |= has_input;
  // What tools used belongs to an input that comes with it: alone it would be counted again with
  // each object.
  if (has_input) usage.input_tokens = plus(input, tool_use);
  usage.output_tokens = plus(output, usage.reasoning_tokens);
  take_total(total, usage);
}

}  // namespace flexd::surface
