// fields.hpp: the header fields of the simulated provider's answers.
//
// They include those that a gateway has to hand on (x-request-id, x-ratelimit-*, openai-*) and
// those that it must not (set-cookie, alt-svc, cf-ray, server, strict-transport-security).
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
  std::array<char, 24> processing_ms;
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

// add_fields adds the fields of a script's head; `texts` lives until they have been written.
void add_fields(const Script& script, FieldTexts& texts, std::array<uint64_t, 2> random,
                uint64_t elapsed_ns, std::string_view date, http::FieldList& fields);

}  // namespace flexd::flexsim
