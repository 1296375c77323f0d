#include "provider_fields.hpp"

#include <algorithm>
#include <array>
#include <span>

#include "flexd/base/ascii.hpp"
#include "flexd/base/assert.hpp"
#include "flexd/base/result.hpp"

namespace flexd::front {
namespace {

bool is_one_of(std::string_view name, std::span<const std::string_view> names) {
  return std::ranges::any_of(names,
                             [name](std::string_view known) { return iequals(known, name); });
}

// NameSet is a list of field names in lower case. A name is told apart by its length and its first
// letter: most fields of a head are on no list.
template <size_t N>
class NameSet {
 public:
  constexpr NameSet(const std::array<std::string_view, N>& names) : names_(names) {  // NOLINT
    for (const std::string_view name : names) bits_ |= bit_of(name);
  }
  bool has(std::string_view name) const {
    return !name.empty() && (bits_ & bit_of(name)) != 0 && is_one_of(name, names_);
  }

 private:
  // bit_of is one of 64 bits, the same for both cases of the letter.
  static constexpr uint64_t bit_of(std::string_view name) {
    const size_t letter = static_cast<uint8_t>(name.front()) & 31U;
    return uint64_t{1} << ((letter * 7 + name.size()) & 63U);
  }

  std::array<std::string_view, N> names_;
  uint64_t bits_ = 0;
};
template <typename... Names>
constexpr auto name_set(Names... names) {
  return NameSet<sizeof...(names)>({std::string_view(names)...});
}

// What every provider may get from the caller: W3C trace context. content-type, accept,
// accept-encoding and user-agent are the gateway's own.
constexpr auto kUpCommon = name_set("traceparent", "tracestate", "idempotency-key");
constexpr auto kUpOpenai = name_set("openai-organization", "openai-project", "openai-beta");
constexpr std::string_view kAnthropicVersionName = "anthropic-version";
constexpr auto kUpAnthropic = name_set(kAnthropicVersionName, "anthropic-beta");
constexpr auto kUpGemini = name_set("api-revision");

// down_set adds what comes back from every provider.
template <typename... Names>
constexpr auto down_set(Names... names) {
  return name_set("content-type", "content-encoding", "retry-after", "retry-after-ms",
                  "x-should-retry", names...);
}
constexpr auto kDownOpenai = down_set("x-request-id", "openai-processing-ms", "openai-version",
                                      "openai-organization", "openai-project");
constexpr auto kDownAnthropic =
    down_set("request-id", "anthropic-organization-id", "anthropic-workspace-id");
constexpr auto kDownGemini = down_set("x-gemini-service-tier", "server-timing");
// Whole families: the vendors add to them.
constexpr std::string_view kDownOpenaiFamily = "x-ratelimit-";
constexpr std::array<std::string_view, 3> kDownAnthropicFamilies = {
    "anthropic-ratelimit-", "anthropic-priority-", "anthropic-fast-"};

bool begins_with(std::string_view name, std::string_view family) {
  return name.size() > family.size() && lower(name.front()) == family.front() &&
         iequals(name.substr(0, family.size()), family);
}

// is_upstream_field: a field that goes up, or could where the dialect's own provider is asked.
bool is_upstream_field(errors::Dialect dialect, std::string_view name) {
  if (kUpCommon.has(name)) return true;
  switch (dialect) {
    case errors::Dialect::responses:
      return kUpOpenai.has(name);
    case errors::Dialect::chat:
      return false;
    case errors::Dialect::interactions:
      return kUpGemini.has(name);
    case errors::Dialect::messages:
      return kUpAnthropic.has(name);
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

Kept keep_upstream_fields(const http::FieldList& caller, errors::Dialect dialect,
                          FieldStore& store) {
  size_t count = 0;
  for (const http::Field& field : caller) {
    if (!is_upstream_field(dialect, field.name)) continue;
    if (++count > kUpstreamFieldsMax) return Kept::too_many;
    // HTTP/2 wants lower case; no name on the lists is longer.
    std::array<char, 64> name;
    const auto* const end =
        std::transform(field.name.begin(), field.name.end(), name.begin(), lower);
    if (!store.add({name.data(), end}, field.value)) return Kept::no_memory;
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
  const bool own = errors::is_own_dialect(how.dialect, how.provider);
  if (how.provider == errors::Provider::anthropic &&
      (!own || kept.count(kAnthropicVersionName) == 0)) {
    push(kAnthropicVersionName, kAnthropicVersion);
  }
  for (const http::Field& field : kept) {
    if (!own && !kUpCommon.has(field.name)) continue;
    // A key that names one effect must not travel on two attempts.
    if (how.race && field.name == "idempotency-key") continue;
    push(field.name, field.value);
  }
}

bool is_downstream_field(errors::Provider provider, std::string_view name) {
  switch (provider) {
    case errors::Provider::openai:
      return kDownOpenai.has(name) || begins_with(name, kDownOpenaiFamily);
    case errors::Provider::gemini:
      return kDownGemini.has(name);
    case errors::Provider::anthropic:
      return kDownAnthropic.has(name) ||
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
