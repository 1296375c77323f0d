// canned.hpp: the error answers of the simulated provider, as OpenAI words them.
//
// A body depends on the status, the code and the model alone, so that a test can compute what a
// gateway has to hand on byte for byte.
#pragma once

#include <cstddef>
#include <optional>
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
  bool out_of_requests = false;     // the x-ratelimit fields say that nothing is left
  std::string body;
};

// error_answer is the answer of the scenarios error, error-*, refuse and conversation-locked.
// `model` is the JSON text of the model's name between its quotes.
[[nodiscard]] CannedAnswer error_answer(const Scenario& scenario, std::string_view model);

// problem_answer is the answer to a request that the provider refuses.
[[nodiscard]] CannedAnswer problem_answer(const Problem& problem);

// error_body is an error object in the provider's layout: two spaces a level, members in the order
// message, type, param, code; an empty param or code is null. `message` and `param` are plain text.
[[nodiscard]] std::string error_body(std::string_view message, std::string_view type,
                                     std::string_view param, std::string_view code);

// authorization_problem: the answer to a missing or wrong key, 401; or nothing if the key will do.
// Every `Bearer sk-...` will, but for those that begin with sk-bad.
[[nodiscard]] std::optional<CannedAnswer> authorization_answer(std::string_view authorization);

// gzip_stored is `text` as a gzip file of one stored block (RFC 1951 3.2.4); at most 65,535 bytes.
[[nodiscard]] std::string gzip_stored(std::string_view text);

// kBigErrorBytes is the size of the body of error-big.
inline constexpr size_t kBigErrorBytes = size_t{1} << 20U;

}  // namespace flexd::flexsim
