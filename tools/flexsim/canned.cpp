#include "canned.hpp"

#include <array>
#include <cstdint>

#include "flexd/base/ascii.hpp"
#include "flexd/base/assert.hpp"
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

CannedAnswer plain_error(unsigned status, std::string_view code, std::string_view model) {
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

CannedAnswer html_error(unsigned status) {
  const DecimalText number(uint64_t{status});
  CannedAnswer answer{.status = status, .content_type = "text/html"};
  answer.body = "<html>\r\n<head><title>" + std::string(number.view()) +
                " Error</title></head>\r\n<body>\r\n<center><h1>" + std::string(number.view()) +
                " Error</h1></center>\r\n<hr><center>cloudflare</center>\r\n</body>\r\n</html>\r\n";
  return answer;
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

void little_endian(std::string& out, uint32_t value, unsigned bytes) {
  for (unsigned i = 0; i < bytes; i++) out += static_cast<char>((value >> (8 * i)) & 0xffU);
}

uint32_t crc32(std::string_view text) {
  uint32_t crc = 0xffffffffU;
  for (const char c : text) {
    crc ^= static_cast<uint8_t>(c);
    for (int bit = 0; bit < 8; bit++) crc = (crc >> 1U) ^ (0xedb88320U & (0U - (crc & 1U)));
  }
  return ~crc;
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

std::string gzip_stored(std::string_view text) {
  FLEXD_ASSERT(text.size() <= 0xffff);
  std::string out("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\x01", 11);
  const auto size = static_cast<uint32_t>(text.size());
  little_endian(out, size, 2);
  little_endian(out, ~size, 2);
  out += text;
  little_endian(out, crc32(text), 4);
  little_endian(out, size, 4);
  return out;
}

CannedAnswer error_answer(const Scenario& scenario, std::string_view model) {
  if (scenario.kind == Kind::refuse) return plain_error(429, "flex_unavailable", model);
  if (scenario.kind == Kind::conversation_locked) {
    return plain_error(409, "conversation_locked", model);
  }
  const bool valid = scenario.number >= 400 && scenario.number <= 599;
  const unsigned status = valid ? static_cast<unsigned>(scenario.number) : 500;
  if (scenario.kind == Kind::error_html) return html_error(status);
  CannedAnswer answer = plain_error(status, scenario.word, model);
  if (scenario.kind == Kind::error_empty) {
    answer.content_type = {};
    answer.body.clear();
  } else if (scenario.kind == Kind::error_gzip) {
    answer.content_encoding = "gzip";
    answer.body = gzip_stored(answer.body);
  } else if (scenario.kind == Kind::error_big) {
    constexpr std::string_view kEnd = "\n";
    answer.body += std::string(kBigErrorBytes - answer.body.size() - kEnd.size(), ' ');
    answer.body += kEnd;
  } else if (scenario.kind == Kind::error_badjson) {
    answer.body.resize(answer.body.size() / 2);
  }
  return answer;
}

CannedAnswer problem_answer(const Problem& problem) {
  return {
      .status = problem.status,
      .content_type = "application/json",
      .body = error_body(problem.message, "invalid_request_error", problem.param, problem.code)};
}

std::optional<CannedAnswer> authorization_answer(std::string_view authorization) {
  constexpr std::string_view kBearer = "Bearer ";
  CannedAnswer answer{.status = 401, .content_type = "application/json"};
  if (!istarts_with(authorization, kBearer)) {
    answer.body = error_body("Missing bearer or basic authentication in header",
                             "invalid_request_error", "", "");
    return answer;
  }
  const std::string_view key = authorization.substr(kBearer.size());
  if (key.starts_with("sk-") && !key.starts_with("sk-bad")) return std::nullopt;
  answer.body = error_body("Incorrect API key provided: " + std::string(key.substr(0, 8)) +
                               "***. You can find your API key at "
                               "https://platform.openai.com/account/api-keys.",
                           "invalid_request_error", "", "invalid_api_key");
  return answer;
}

}  // namespace flexd::flexsim
