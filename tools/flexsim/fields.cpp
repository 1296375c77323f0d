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

// milliseconds writes the time that the answer took, behind `prefix`.
std::string_view milliseconds(FieldTexts& texts, std::string_view prefix, uint64_t elapsed_ns) {
  const DecimalText elapsed(elapsed_ns / 1'000'000);
  const std::string_view digits = elapsed.view();
  prefix.copy(texts.processing_ms.data(), prefix.size());
  digits.copy(texts.processing_ms.data() + prefix.size(), digits.size());
  return {texts.processing_ms.data(), prefix.size() + digits.size()};
}

void add_retry(const Script& script, http::FieldList& fields) {
  add_given(fields, "retry-after", script.retry_after);
  add_given(fields, "retry-after-ms", script.retry_after_ms);
  add_given(fields, "x-should-retry", script.should_retry);
}

// add_cdn adds what a proxy in front of the provider adds.
void add_cdn(std::string_view cookie, http::FieldList& fields) {
  add(fields, "strict-transport-security", "max-age=31536000; includeSubDomains; preload");
  add(fields, "cf-cache-status", "DYNAMIC");
  add(fields, "set-cookie", cookie);
  add(fields, "x-content-type-options", "nosniff");
  add(fields, "server", "cloudflare");
  add(fields, "cf-ray", "8f00f1e25a9c0000-FRA");
}

void add_openai(const Script& script, FieldTexts& texts, const FieldFacts& facts,
                http::FieldList& fields) {
  const bool none_left = script.out_of_requests;
  add(fields, "x-request-id", request_id(texts, facts.random));
  add(fields, "openai-processing-ms", milliseconds(texts, "", facts.elapsed_ns));
  add(fields, "openai-version", "2020-10-01");
  add(fields, "openai-organization", "org-flexsim");
  add(fields, "openai-project", "proj_flexsim");
  add(fields, "x-ratelimit-limit-requests", "500");
  add(fields, "x-ratelimit-limit-tokens", "2000000");
  add(fields, "x-ratelimit-remaining-requests", none_left ? "0" : "499");
  add(fields, "x-ratelimit-remaining-tokens", "1999990");
  add(fields, "x-ratelimit-reset-requests", none_left ? "1.2s" : "120ms");
  add(fields, "x-ratelimit-reset-tokens", "6m0s");
  add_retry(script, fields);
  add_cdn(
      "__cf_bm=flexsim; path=/; expires=Thu, 01-Jan-70 00:30:00 GMT; domain=.api.openai.com; "
      "HttpOnly; Secure; SameSite=None",
      fields);
  add(fields, "alt-svc", "h3=\":443\"; ma=86400");
}

void add_gemini(const Script& script, FieldTexts& texts, const FieldFacts& facts,
                http::FieldList& fields) {
  add_given(fields, "x-gemini-service-tier", script.service_tier);
  add(fields, "server-timing", milliseconds(texts, "gfet4t7; dur=", facts.elapsed_ns));
  add_retry(script, fields);
  add(fields, "vary", "Origin, X-Origin, Referer");
  add(fields, "server", "scaffolding on HTTPServer2");
  add(fields, "x-xss-protection", "0");
  add(fields, "x-frame-options", "SAMEORIGIN");
  add(fields, "x-content-type-options", "nosniff");
  add(fields, "alt-svc", "h3=\":443\"; ma=2592000,h3-29=\":443\"; ma=2592000");
}

void add_anthropic(const Script& script, FieldTexts& texts, const FieldFacts& facts,
                   http::FieldList& fields) {
  const auto time = static_cast<time_t>(facts.unix_s + 60);
  tm parts{};
  gmtime_r(&time, &parts);
  const size_t size =
      std::strftime(texts.reset.data(), texts.reset.size(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  const std::string_view reset(texts.reset.data(), size);
  add(fields, "request-id",
      script.request_id.empty() ? request_id(texts, facts.random) : script.request_id);
  add(fields, "anthropic-organization-id", "org-flexsim");
  add(fields, "anthropic-ratelimit-requests-limit", "4000");
  add(fields, "anthropic-ratelimit-requests-remaining", script.out_of_requests ? "0" : "3999");
  add(fields, "anthropic-ratelimit-requests-reset", reset);
  add(fields, "anthropic-ratelimit-tokens-limit", "480000");
  add(fields, "anthropic-ratelimit-tokens-remaining", "479000");
  add(fields, "anthropic-ratelimit-tokens-reset", reset);
  add(fields, "anthropic-ratelimit-input-tokens-limit", "400000");
  add(fields, "anthropic-ratelimit-input-tokens-remaining", "399000");
  add(fields, "anthropic-ratelimit-input-tokens-reset", reset);
  add(fields, "anthropic-ratelimit-output-tokens-limit", "80000");
  add(fields, "anthropic-ratelimit-output-tokens-remaining", "80000");
  add(fields, "anthropic-ratelimit-output-tokens-reset", reset);
  add_retry(script, fields);
  add(fields, "via", "1.1 google");
  add_cdn(
      "__cf_bm=flexsim; path=/; expires=Thu, 01-Jan-70 00:30:00 GMT; domain=.anthropic.com; "
      "HttpOnly; Secure; SameSite=None",
      fields);
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

void add_fields(const Script& script, FieldTexts& texts, const FieldFacts& facts,
                http::FieldList& fields) {
  add(fields, "date", facts.date);
  add_given(fields, "content-type", script.content_type);
  add_given(fields, "content-encoding", script.content_encoding);
  if (!script.is_api) return;
  switch (script.vendor) {
    case Vendor::openai:
      return add_openai(script, texts, facts, fields);
    case Vendor::gemini:
      return add_gemini(script, texts, facts, fields);
    case Vendor::anthropic:
      return add_anthropic(script, texts, facts, fields);
  }
}

}  // namespace flexd::flexsim
