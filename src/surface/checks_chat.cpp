// checks_chat.cpp: what a Chat request may not set.
#include "checks.hpp"

namespace flexd::surface {

namespace {

using errors::Code;

// is_text_only: exactly ["text"], what an answer is anyway.
bool is_text_only(json::Value modalities) {
  size_t count = 0;
  for (const json::Value element : json::Elements(modalities)) {
    if (!element.equals("text")) return false;
    ++count;
  }
  return count == 1;
}

// is_neutral: the value stands where it changes nothing. Clients write such values out.
bool is_neutral(size_t field, json::Value value) {
  if (is_unset(value)) return true;
  switch (field) {
    case kPresencePenalty:
    case kFrequencyPenalty:
    case kTopLogprobs:
      return is_zero(value);
    case kLogitBias:
      return is_empty_object(value);
    case kLogprobs:
      return value.to_bool() == false;
    case kStop:
      return is_empty_list(value);
    case kModalities:
      return is_text_only(value);
    default:
      // Of the others any value asks for something: `web_search_options: {}` switches search on.
      return false;
  }
}

}  // namespace

Refusal check_n(const RequestFacts& facts) {
  const json::Value n = facts.value(kN);
  if (is_unset(n) || is_one(n)) return std::nullopt;
  return errors::Error{.code = Code::unsupported_value};
}

Refusal check_chat(const RequestFacts& facts) {
  for (size_t field = kFirstRefused; field < kEndRefused; ++field) {
    if (is_neutral(field, facts.value(field))) continue;
    return errors::Error{.code = Code::unsupported_parameter, .param = kChatFields[field]};
  }
  return std::nullopt;
}

}  // namespace flexd::surface
