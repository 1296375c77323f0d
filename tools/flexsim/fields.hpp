// fields.hpp: the header fields of the simulated providers' answers.
//
// They include those that a gateway has to hand on (x-request-id, x-ratelimit-*, openai-*;
// request-id, anthropic-*; x-gemini-service-tier, server-timing) and those that it must not
// (set-cookie, alt-svc, cf-ray, server, strict-transport-security). No provider has another's.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "flexd/http/message.hpp"
#include "script.hpp"

namespace flexd::flexsim {

// FieldTexts holds the texts of one answer's fields that differ from answer to answer.
struct FieldTexts {
  std::array<char, 36> request_id;  // "req_" and 32 hexadecimal digits
  std::array<char, 40> processing_ms;
  std::array<char, 24> reset;  // when a limit is reset, RFC 3339
};

// DateText is the Date field's value (RFC 9110 5.6.7), made once a second.
class DateText {
 public:
  std::string_view at(uint64_t unix_s);

 private:
  uint64_t unix_s_ = UINT64_MAX;
  std::array<char, 40> text_;
  size_t size_ = 0;
};

// FieldFacts is what the fields of a head tell besides the script.
struct FieldFacts {
  std::array<uint64_t, 2> random;  // for the request id
  uint64_t elapsed_ns = 0;
  uint64_t unix_s = 0;
  std::string_view date;
};
// add_fields adds the fields of a script's head; `texts` lives until they have been written.
void add_fields(const Script& script, FieldTexts& texts, const FieldFacts& facts,
                http::FieldList& fields);

}  // namespace flexd::flexsim
