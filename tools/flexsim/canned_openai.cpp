// The errors of OpenAI's API (API reference, "Error codes").
#include "canned.hpp"
#include "flexd/json/writer.hpp"

namespace flexd::flexsim {
namespace {

// Row is one error of the provider's. `message` may hold %M for the model.
struct Row {
  unsigned status;
  std::string_view code;
  std::string_view type;
  std::string_view param;
  std::string_view message;
  std::string_view retry_after = {};
  std::string_view retry_after_ms = {};
  std::string_view should_retry = {};
  bool out_of_requests = false;
};

// The first row of a status is the one that stands for it when no code is given.
constexpr Row kRows[] = {
    {400, "invalid_value", "invalid_request_error", "input",
     "Invalid value: 'flexsim'. Supported values are: 'anything else'."},
    {400, "context_length_exceeded", "invalid_request_error", "input",
     "Your input exceeds the context window of this model. Please adjust your input and try "
     "again."},
    {400, "unsupported_service_tier", "invalid_request_error", "service_tier",
     "Model '%M' does not support service_tier 'flex'."},
    {401, "invalid_api_key", "invalid_request_error", "",
     "Incorrect API key provided: sk-flexs**********************xxxx. You can find your API key "
     "at https://platform.openai.com/account/api-keys."},
    {403, "model_not_found", "invalid_request_error", "",
     "Project `proj_flexsim` does not have access to model `%M`"},
    {403, "unsupported_country_region_territory", "request_forbidden", "",
     "Country, region, or territory not supported"},
    {404, "model_not_found", "invalid_request_error", "model",
     "The model `%M` does not exist or you do not have access to it."},
    {409, "conversation_locked", "invalid_request_error", "",
     "Another process is currently operating on this conversation. Please retry in a few "
     "seconds."},
    {429,
     "rate_limit_exceeded",
     "requests",
     "",
     "Rate limit reached for %M in organization org-flexsim on requests per min (RPM): Limit "
     "500, Used 500, Requested 1. Please try again in 1.2s. Visit "
     "https://platform.openai.com/account/rate-limits to learn more.",
     "2",
     "1200",
     {},
     true},
    {429,
     "insufficient_quota",
     "insufficient_quota",
     "",
     "You exceeded your current quota, please check your plan and billing details. For more "
     "information on this error, read the docs: "
     "https://platform.openai.com/docs/guides/error-codes/api-errors.",
     {},
     {},
     "false"},
    {429, "flex_unavailable", "resource_unavailable", "",
     "Resource Unavailable: flex capacity is not available at the moment. Please try again later "
     "or use the default service tier."},
    {429, "slow_down", "requests", "", "Your request rate has risen too quickly. Please slow down.",
     "5"},
    {500, "server_error", "server_error", "",
     "The server had an error while processing your request. Sorry about that! Please contact us "
     "through our help center at help.openai.com if the error persists."},
    {502, "bad_gateway", "server_error", "", "Bad gateway."},
    {503, "server_is_overloaded", "service_unavailable_error", "",
     "Our servers are currently overloaded. Please try again later.", "3"},
    {504, "timeout", "server_error", "", "The request timed out."},
};

const Row* find_row(unsigned status, std::string_view code) {
  for (const Row& row : kRows) {
    if (row.status == status && (code.empty() || row.code == code)) return &row;
  }
  return nullptr;
}

std::string with_model(std::string_view message, std::string_view model) {
  std::string made(message);
  if (const size_t at = made.find("%M"); at != std::string::npos) made.replace(at, 2, model);
  return made;
}

// quoted writes a text as a JSON string, or null.
void quoted(std::string& out, std::string_view text, bool may_be_null) {
  if (text.empty() && may_be_null) {
    out += "null";
    return;
  }
  out += '"';
  json::write_escaped(out, text);
  out += '"';
}

}  // namespace

std::string error_body(std::string_view message, std::string_view type, std::string_view param,
                       std::string_view code) {
  std::string body = "{\n  \"error\": {\n    \"message\": ";
  quoted(body, message, false);
  body += ",\n    \"type\": ";
  quoted(body, type, false);
  body += ",\n    \"param\": ";
  quoted(body, param, true);
  body += ",\n    \"code\": ";
  quoted(body, code, true);
  body += "\n  }\n}";
  return body;
}

CannedAnswer openai_error(unsigned status, std::string_view code, std::string_view model) {
  CannedAnswer answer{.status = status, .content_type = "application/json"};
  const Row* row = find_row(status, code);
  if (row == nullptr) {
    answer.body = error_body("The simulated provider was asked for this error.",
                             status < 500 ? "invalid_request_error" : "server_error", "",
                             code.empty() ? "simulated" : code);
    return answer;
  }
  answer.retry_after = row->retry_after;
  answer.retry_after_ms = row->retry_after_ms;
  answer.should_retry = row->should_retry;
  answer.out_of_requests = row->out_of_requests;
  answer.body = error_body(with_model(row->message, model), row->type, row->param, row->code);
  return answer;
}

CannedAnswer openai_problem(const Problem& problem) {
  return {
      .status = problem.status,
      .content_type = "application/json",
      .body = error_body(problem.message, "invalid_request_error", problem.param, problem.code)};
}

}  // namespace flexd::flexsim
