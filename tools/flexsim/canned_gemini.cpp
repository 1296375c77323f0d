// The errors of the Interactions API and of Google's front end before it (google.rpc.Status).
#include "canned.hpp"
#include "flexd/base/ascii.hpp"
#include "flexd/json/writer.hpp"

namespace flexd::flexsim {
namespace {

constexpr std::string_view kQuotaDetails = R"([
      {
        "@type": "type.googleapis.com/google.rpc.Help",
        "links": [
          {
            "description": "Learn more about Gemini API quotas",
            "url": "https://ai.google.dev/gemini-api/docs/rate-limits"
          }
        ]
      },
      {
        "@type": "type.googleapis.com/google.rpc.QuotaFailure",
        "violations": [
          {
            "quotaMetric": "generativelanguage.googleapis.com/generate_requests",
            "quotaId": "GenerateRequestsPerMinutePerProjectPerModel",
            "quotaValue": "500"
          }
        ]
      },
      {
        "@type": "type.googleapis.com/google.rpc.RetryInfo",
        "retryDelay": "30s"
      }
    ])";

// Row is what stands for a status when no code is given: an upper-case word is of the front end.
struct Row {
  unsigned status;
  std::string_view word;
  std::string_view message;
};
constexpr Row kRows[] = {
    {400, "invalid_request", "Request contains an invalid argument."},
    {401, "UNAUTHENTICATED", "Request had invalid authentication credentials."},
    {403, "PERMISSION_DENIED", "The caller does not have permission."},
    {404, "not_found", "The requested model was not found or is not supported for interactions."},
    {409, "ABORTED", "The operation was aborted."},
    {429, "RESOURCE_EXHAUSTED", "Resource has been exhausted. Please try again later."},
    {500, "INTERNAL", "An internal error has occurred. Please retry or report it."},
    {503, "UNAVAILABLE", "The model is overloaded. Please try again later."},
    {504, "DEADLINE_EXCEEDED", "The request timed out. Please try again later."},
};

bool is_quota_word(std::string_view word) {
  return word.empty() || word == "quota" || word == "insufficient_quota" ||
         word == "rate_limit_exceeded";
}

void append_quoted(std::string& out, std::string_view text) {
  out += '"';
  json::write_escaped(out, text);
  out += '"';
}

CannedAnswer interactions_error(unsigned status, std::string_view code, std::string_view message) {
  CannedAnswer answer{.status = status, .content_type = "application/json"};
  answer.body = "{\"error\":{\"message\":";
  append_quoted(answer.body, message);
  answer.body += ",\"code\":";
  append_quoted(answer.body, code);
  answer.body += "}}";
  return answer;
}

}  // namespace

CannedAnswer google_error(unsigned status, std::string_view word, std::string_view message,
                          std::string_view details) {
  CannedAnswer answer{.status = status, .content_type = "application/json; charset=UTF-8"};
  std::string& body = answer.body;
  body = "{\n  \"error\": {\n    \"code\": ";
  body.append(DecimalText(uint64_t{status}).view()).append(",\n    \"message\": ");
  append_quoted(body, message);
  body.append(",\n    \"status\": ");
  append_quoted(body, word);
  if (!details.empty()) body.append(",\n    \"details\": ").append(details);
  body += "\n  }\n}\n";
  return answer;
}

CannedAnswer gemini_error(unsigned status, std::string_view code, std::string_view /*model*/) {
  if (status == 429 && is_quota_word(code)) {
    return google_error(429, "RESOURCE_EXHAUSTED",
                        "You exceeded your current quota, please check your plan and billing "
                        "details. Please retry in 30s.",
                        kQuotaDetails);
  }
  std::string_view word = status < 500 ? "invalid_request" : "INTERNAL";
  std::string_view message = "The simulated provider was asked for this error.";
  for (const Row& row : kRows) {
    if (row.status != status) continue;
    word = row.word;
    message = row.message;
  }
  if (!code.empty()) word = code;
  const bool is_front_end = word.front() != lower(word.front());
  if (is_front_end) return google_error(status, word, message, {});
  return interactions_error(status, word, message);
}

CannedAnswer gemini_problem(const Problem& problem) {
  const std::string_view code = problem.status == 404 ? "not_found" : "invalid_request";
  const bool is_own = problem.code == "flexsim_scenario";
  return interactions_error(problem.status, is_own ? problem.code : code, problem.message);
}

}  // namespace flexd::flexsim
