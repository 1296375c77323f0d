// canned.hpp: the error answers of the simulated providers, as each words them.
//
// A body depends on the status, the code and the model alone, so that a test can compute what a
// gateway has to hand on byte for byte.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "request.hpp"
#include "scenario.hpp"

namespace flexd::flexsim {

// CannedAnswer is a whole answer but for the headers that every answer has.
struct CannedAnswer {
  unsigned status = 500;
  std::string_view content_type;  // empty: none
  std::string_view content_encoding;
  std::string_view retry_after;     // empty: none
  std::string_view retry_after_ms;  // empty: none
  std::string_view should_retry;    // x-should-retry; empty: none
  std::string_view request_id;      // the one that the body names; empty: it names none
  bool out_of_requests = false;     // the x-ratelimit fields say that nothing is left
  std::string body;
};

// error_answer is the answer of the scenarios error, error-*, refuse and conversation-locked.
// `model` is the JSON text of the model's name between its quotes.
[[nodiscard]] CannedAnswer error_answer(const Scenario& scenario, std::string_view model,
                                        Vendor vendor = Vendor::openai);

// failure_answer is the answer, to a request without `stream`, of the scenarios that are a failure
// event in a stream; `code` is the marker's.
[[nodiscard]] CannedAnswer failure_answer(std::string_view code, std::string_view model,
                                          Vendor vendor);

// problem_answer is the answer to a request that the provider refuses.
[[nodiscard]] CannedAnswer problem_answer(const Problem& problem, Vendor vendor = Vendor::openai);

// The errors of each provider: the one of a status and a code (the usual one if that is empty), and
// that of a problem.
[[nodiscard]] CannedAnswer openai_error(unsigned status, std::string_view code,
                                        std::string_view model);
[[nodiscard]] CannedAnswer openai_problem(const Problem& problem);
// Gemini has two forms. A code in lower case gives the Interactions API's, whose code is a text;
// one in upper case, a word of quotas or none that of Google's front end. Of 429, the words of
// quotas and none have the detail QuotaFailure, RESOURCE_EXHAUSTED does not.
[[nodiscard]] CannedAnswer gemini_error(unsigned status, std::string_view code,
                                        std::string_view model);
[[nodiscard]] CannedAnswer gemini_problem(const Problem& problem);
// Anthropic's codes are its error types.
[[nodiscard]] CannedAnswer anthropic_error(unsigned status, std::string_view code,
                                           std::string_view model);
[[nodiscard]] CannedAnswer anthropic_problem(const Problem& problem);

// error_body is an error object in OpenAI's layout: two spaces a level, members in the order
// message, type, param, code; an empty param or code is null. `message` and `param` are plain text.
[[nodiscard]] std::string error_body(std::string_view message, std::string_view type,
                                     std::string_view param, std::string_view code);
// google_error is an error of Google's front end; `details` is JSON, or empty.
[[nodiscard]] CannedAnswer google_error(unsigned status, std::string_view word,
                                        std::string_view message, std::string_view details);

// gzip_stored is `text` as a gzip file of one stored block (RFC 1951 3.2.4); at most 65,535 bytes.
[[nodiscard]] std::string gzip_stored(std::string_view text);

// kBigErrorBytes is the size of the body of error-big.
inline constexpr size_t kBigErrorBytes = size_t{1} << 20U;

}  // namespace flexd::flexsim
