#include "provider_fields.hpp"

#include <algorithm>
#include <array>

#include "flexd/base/ascii.hpp"
#include "flexd/base/assert.hpp"
#include "flexd/base/result.hpp"

namespace flexd::front {
namespace {

// What every provider may get from the caller: W3C trace context. content-type, accept,
// accept-encoding and user-agent are the gateway's own.
constexpr std::array<std::string_view, 2> kUpCommon = {"traceparent", "tracestate"};
constexpr std::array<std::string_view, 3> kUpOpenai = {"openai-organization", "openai-project",
                                                       "openai-beta"};
constexpr std::array<std::string_view, 2> kUpAnthropic = {"anthropic-version", "anthropic-beta"};
constexpr std::array<std::string_view, 1> kUpGemini = {"api-revision"};

constexpr std::array<std::string_view, 5> kDownCommon = {
    "content-type", "content-encoding", "retry-after", "retry-after-ms", "x-should-retry"};
constexpr std::array<std::string_view, 5> kDownOpenai = {"x-request-id", "openai-processing-ms",
                                                         "openai-version", "openai-organization",
                                                         "openai-project"};
constexpr std::array<std::string_view, 3> kDownAnthropic = {
    "request-id", "anthropic-organization-id", "anthropic-workspace-id"};
constexpr std::array<std::string_view, 2> kDownGemini = {"x-gemini-service-tier", "server-timing"};
// Whole families: the vendors add to them.
constexpr std::string_view kDownOpenaiFamily = "x-ratelimit-";
constexpr std::array<std::string_view, 3> kDownAnthropicFamilies = {
    "anthropic-ratelimit-", "anthropic-priority-", "anthropic-fast-"};

// LoweredName is a field name in lower case, so that it is compared to the lists as it is: by its
// length first. A name longer than any on a list is empty.
class LoweredName {
 public:
  explicit LoweredName(std::string_view name) {
    if (name.size() > text_.size()) return;
    std::transform(name.begin(), name.end(), text_.begin(), lower);
    size_ = name.size();
  }
  std::string_view view() const { return {text_.data(), size_}; }

 private:
  std::array<char, 64> text_;
  size_t size_ = 0;
};

template <size_t N>
bool is_in(const std::array<std::string_view, N>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool begins_with(std::string_view name, std::string_view family) {
  return name.size() > family.size() && name.starts_with(family);
}

// is_own_dialect: the request is in the provider's own language, so that its own fields apply.
bool is_own_dialect(const UpstreamFields& how) {
  switch (how.provider) {
    case errors::Provider::openai:
      return how.dialect == errors::Dialect::responses;
    case errors::Provider::gemini:
      return how.dialect == errors::Dialect::interactions;
    case errors::Provider::anthropic:
      return how.dialect == errors::Dialect::messages;
  }
  return false;
}

bool is_upstream_field(const UpstreamFields& how, std::string_view name) {
  if (is_in(kUpCommon, name)) return true;
  if (name == "idempotency-key") return true;
  if (!is_own_dialect(how)) return false;
  switch (how.provider) {
    case errors::Provider::openai:
      return is_in(kUpOpenai, name);
    case errors::Provider::gemini:
      return is_in(kUpGemini, name);
    case errors::Provider::anthropic:
      return is_in(kUpAnthropic, name);
  }
  return false;
}

std::string_view authentication_name(errors::Provider provider) {
  switch (provider) {
    case errors::Provider::openai:
      return "authorization";
    case errors::Provider::gemini:
      return "x-goog-api-key";
    case errors::Provider::anthropic:
      return "x-api-key";
  }
  return "authorization";
}

}  // namespace

Kept keep_upstream_fields(const http::FieldList& caller, const UpstreamFields& how,
                          FieldStore& store) {
  size_t count = 0;
  for (const http::Field& field : caller) {
    const LoweredName name(field.name);
    if (!is_upstream_field(how, name.view())) continue;
    if (++count > kUpstreamFieldsMax) return Kept::too_many;
    if (!store.add(name.view(), field.value)) return Kept::no_memory;
  }
  return Kept::all;
}

void list_upstream_fields(const FieldStore& store, const UpstreamFields& how,
                          http::FieldList& out) {
  // The list is empty at first and its capacity far above these; a push cannot fail.
  const auto push = [&out](std::string_view name, std::string_view value) {
    const bool pushed = out.push(name, value);
    FLEXD_ASSERT(pushed);
  };
  push(authentication_name(how.provider), how.authorization);
  push("content-type", "application/json");
  push("accept", "application/json, text/event-stream");
  push("accept-encoding", "identity");
  push("user-agent", "flexd/" FLEXD_VERSION);
  http::FieldList kept;
  store.list(kept);
  for (const http::Field& field : kept) {
    // A key that names one effect must not travel on two attempts.
    if (how.race && field.name == "idempotency-key") continue;
    push(field.name, field.value);
  }
}

bool is_downstream_field(errors::Provider provider, std::string_view any_case) {
  const LoweredName lowered(any_case);
  const std::string_view name = lowered.view();
  if (is_in(kDownCommon, name)) return true;
  switch (provider) {
    case errors::Provider::openai:
      return begins_with(name, kDownOpenaiFamily) || is_in(kDownOpenai, name);
    case errors::Provider::gemini:
      return is_in(kDownGemini, name);
    case errors::Provider::anthropic:
      return is_in(kDownAnthropic, name) ||
             std::any_of(kDownAnthropicFamilies.begin(), kDownAnthropicFamilies.end(),
                         [name](std::string_view family) { return begins_with(name, family); });
  }
  return false;
}

void keep_downstream_fields(const http::FieldList& fields, errors::Provider provider,
                            FieldStore& store) {
  size_t count = 0;
  for (const http::Field& field : fields) {
    if (!is_downstream_field(provider, field.name) || !http::is_valid_value(field.value)) continue;
    if (++count > kDownstreamFieldsMax || !store.add(field.name, field.value)) return;
  }
}

}  // namespace flexd::front
