#include "fields.hpp"

#include <cstring>
#include <ctime>

#include "flexd/base/ascii.hpp"
#include "flexd/base/assert.hpp"

namespace flexd::flexsim {
namespace {

void add(http::FieldList& fields, std::string_view name, std::string_view value) {
  FLEXD_ASSERT(fields.push(name, value));
}

// add_given adds a field that has a value.
void add_given(http::FieldList& fields, std::string_view name, std::string_view value) {
  if (!value.empty()) add(fields, name, value);
}

std::string_view request_id(FieldTexts& texts, std::array<uint64_t, 2> random) {
  std::memcpy(texts.request_id.data(), "req_", 4);
  std::array<uint8_t, 16> bytes;
  std::memcpy(bytes.data(), random.data(), bytes.size());
  write_hex(bytes, texts.request_id.data() + 4);
  return {texts.request_id.data(), texts.request_id.size()};
}

}  // namespace

std::string_view DateText::at(uint64_t unix_s) {
  if (unix_s != unix_s_) {
    unix_s_ = unix_s;
    const auto time = static_cast<time_t>(unix_s);
    tm parts{};
    gmtime_r(&time, &parts);
    size_ = std::strftime(text_.data(), text_.size(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
  }
  return {text_.data(), size_};
}

void add_fields(const Script& script, FieldTexts& texts, std::array<uint64_t, 2> random,
                uint64_t elapsed_ns, std::string_view date, http::FieldList& fields) {
  add(fields, "date", date);
  add_given(fields, "content-type", script.content_type);
  add_given(fields, "content-encoding", script.content_encoding);
  if (!script.is_api) return;
  const DecimalText elapsed(elapsed_ns / 1'000'000);
  const std::string_view digits = elapsed.view();
  digits.copy(texts.processing_ms.data(), digits.size());
  const bool none_left = script.out_of_requests;
  add(fields, "x-request-id", request_id(texts, random));
  add(fields, "openai-processing-ms", {texts.processing_ms.data(), digits.size()});
  add(fields, "openai-version", "2020-10-01");
  add(fields, "openai-organization", "org-flexsim");
  add(fields, "openai-project", "proj_flexsim");
  add(fields, "x-ratelimit-limit-requests", "500");
  add(fields, "x-ratelimit-limit-tokens", "2000000");
  add(fields, "x-ratelimit-remaining-requests", none_left ? "0" : "499");
  add(fields, "x-ratelimit-remaining-tokens", "1999990");
  add(fields, "x-ratelimit-reset-requests", none_left ? "1.2s" : "120ms");
  add(fields, "x-ratelimit-reset-tokens", "6m0s");
  add_given(fields, "retry-after", script.retry_after);
  add_given(fields, "retry-after-ms", script.retry_after_ms);
  add_given(fields, "x-should-retry", script.should_retry);
  add(fields, "strict-transport-security", "max-age=31536000; includeSubDomains; preload");
  add(fields, "cf-cache-status", "DYNAMIC");
  add(fields, "set-cookie",
      "__cf_bm=flexsim; path=/; expires=Thu, 01-Jan-70 00:30:00 GMT; domain=.api.openai.com; "
      "HttpOnly; Secure; SameSite=None");
  add(fields, "x-content-type-options", "nosniff");
  add(fields, "server", "cloudflare");
  add(fields, "cf-ray", "8f00f1e25a9c0000-FRA");
  add(fields, "alt-svc", "h3=\":443\"; ma=86400");
}

}  // namespace flexd::flexsim
