// The errors of Anthropic's API (API reference, "Errors").
#include "canned.hpp"
#include "flexd/json/writer.hpp"

namespace flexd::flexsim {
namespace {

// kRequestId is in all bodies, and then in the field request-id too.
constexpr std::string_view kRequestId = "req_flexsim";

struct Row {
  unsigned status;
  std::string_view type;
  std::string_view message;
};
constexpr Row kRows[] = {
    {400, "invalid_request_error", "The simulated provider does not like this request."},
    {401, "authentication_error", "invalid x-api-key"},
    {402, "billing_error", "Your credit balance is too low to access the Anthropic API."},
    {403, "permission_error", "Your API key does not have permission to use this resource."},
    {404, "not_found_error", "The requested model was not found."},
    {409, "conflict_error", "The request conflicts with another one."},
    {413, "request_too_large", "Request exceeds the maximum allowed number of bytes."},
    {429, "rate_limit_error", "This request would exceed your organization's rate limit."},
    {500, "api_error", "Internal server error"},
    {503, "overloaded_error", "Overloaded"},
    {504, "timeout_error", "Request timed out."},
    {529, "overloaded_error", "Overloaded"},
};

CannedAnswer answer_of(unsigned status, std::string_view type, std::string_view message) {
  CannedAnswer answer{
      .status = status, .content_type = "application/json", .request_id = kRequestId};
  std::string& body = answer.body;
  body = "{\"type\":\"error\",\"error\":{\"type\":\"";
  json::write_escaped(body, type);
  body += "\",\"message\":\"";
  json::write_escaped(body, message);
  body.append("\"},\"request_id\":\"").append(kRequestId).append("\"}");
  return answer;
}

}  // namespace

CannedAnswer anthropic_error(unsigned status, std::string_view code, std::string_view /*model*/) {
  std::string_view type = status < 500 ? "invalid_request_error" : "api_error";
  std::string_view message = "The simulated provider was asked for this error.";
  for (const Row& row : kRows) {
    if (row.status != status) continue;
    type = row.type;
    message = row.message;
  }
  // Words of OpenAI's are those of a request that goes to every provider.
  const bool is_own = code.ends_with("_error") || code == "request_too_large";
  CannedAnswer answer = answer_of(status, is_own ? code : type, message);
  if (status == 429) {
    answer.retry_after = "2";
    answer.should_retry = "true";
    answer.out_of_requests = true;
  }
  return answer;
}

CannedAnswer anthropic_problem(const Problem& problem) {
  std::string_view type = "invalid_request_error";
  for (const Row& row : kRows) {
    if (row.status == problem.status) type = row.type;
  }
  return answer_of(problem.status, type, problem.message);
}

}  // namespace flexd::flexsim
