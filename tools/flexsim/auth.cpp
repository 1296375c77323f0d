#include "auth.hpp"

#include "flexd/base/ascii.hpp"

namespace flexd::flexsim {
namespace {

constexpr std::string_view kBearer = "Bearer ";
constexpr std::string_view kScenario = "flexsim-";

std::string_view bearer_of(std::string_view authorization) {
  return istarts_with(authorization, kBearer) ? authorization.substr(kBearer.size())
                                              : std::string_view();
}

std::string_view key_of(Vendor vendor, const Credentials& credentials) {
  switch (vendor) {
    case Vendor::openai:
      break;
    case Vendor::gemini:
      return credentials.goog_api_key;
    case Vendor::anthropic:
      if (!credentials.api_key.empty()) return credentials.api_key;
      break;
  }
  return bearer_of(credentials.authorization);
}

bool is_good(std::string_view key, std::string_view prefix) {
  return key.starts_with(prefix) && !key.substr(prefix.size()).starts_with("bad");
}

CannedAnswer openai_answer(std::string_view authorization, std::string_view key) {
  CannedAnswer answer{.status = 401, .content_type = "application/json"};
  if (!istarts_with(authorization, kBearer)) {
    answer.body = error_body("Missing bearer or basic authentication in header",
                             "invalid_request_error", "", "");
    return answer;
  }
  answer.body = error_body("Incorrect API key provided: " + std::string(key.substr(0, 8)) +
                               "***. You can find your API key at "
                               "https://platform.openai.com/account/api-keys.",
                           "invalid_request_error", "", "invalid_api_key");
  return answer;
}

CannedAnswer gemini_answer(std::string_view key) {
  if (key.empty()) {
    return google_error(401, "UNAUTHENTICATED",
                        "Request is missing required authentication credential. Expected an API "
                        "key or another valid authentication credential.",
                        {});
  }
  return google_error(400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.",
                      R"([
      {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": "API_KEY_INVALID",
        "domain": "googleapis.com"
      }
    ])");
}

}  // namespace

std::optional<CannedAnswer> authorization_answer(Vendor vendor, const Credentials& credentials) {
  const std::string_view key = key_of(vendor, credentials);
  switch (vendor) {
    case Vendor::openai:
      if (is_good(key, "sk-")) return std::nullopt;
      return openai_answer(credentials.authorization, key);
    case Vendor::gemini:
      if (key.starts_with("sk-flexsim")) return std::nullopt;
      if (is_good(key, "AIza") && !key.starts_with("AIza-bad")) return std::nullopt;
      return gemini_answer(key);
    case Vendor::anthropic:
      if (is_good(key, "sk-ant-")) return std::nullopt;
      return anthropic_problem(
          {401, key.empty() ? "x-api-key header is required" : "invalid x-api-key", "", ""});
  }
  return std::nullopt;
}

std::string_view key_scenario(Vendor vendor, const Credentials& credentials) {
  std::string_view key = key_of(vendor, credentials);
  for (const std::string_view prefix : {"sk-ant-", "AIza-", "sk-"}) {
    if (!key.starts_with(prefix)) continue;
    key.remove_prefix(prefix.size());
    return key.starts_with(kScenario) ? key.substr(kScenario.size()) : std::string_view();
  }
  return {};
}

}  // namespace flexd::flexsim
