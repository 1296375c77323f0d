// provider_fields.hpp: which header fields go to a provider, and which come back from one.
//
// Both ways are allow-lists. Up: what a provider's API needs, never the caller's credentials,
// cookies or forwarding fields. Down: what the vendors' SDKs read (rate limits, request ids, retry
// advice, processing times), never hop-by-hop fields, cookies or alt-svc.
#pragma once

#include <string_view>

#include "field_store.hpp"
#include "flexd/errors/dialect.hpp"
#include "flexd/http/message.hpp"

namespace flexd::front {

// UpstreamFields says what the gateway itself adds on the way up.
struct UpstreamFields {
  errors::Provider provider = errors::Provider::openai;
  errors::Dialect dialect = errors::Dialect::responses;
  // authorization is the whole value of the provider's authentication field. It must outlive the
  // request: it is not copied.
  std::string_view authorization;
  bool race = false;  // Idempotency-Key goes up only without a race
};

// kUpstreamFieldsMax bounds the caller's fields that go up.
inline constexpr size_t kUpstreamFieldsMax = 32;
// kAnthropicVersion is the version of Anthropic's API of requests that name none, and of those that
// flexd has translated (https://docs.anthropic.com/en/api/versioning).
inline constexpr std::string_view kAnthropicVersion = "2023-06-01";
// kDownstreamFieldsMax bounds the provider's fields that come back.
inline constexpr size_t kDownstreamFieldsMax = 64;

// Kept says whether a caller's fields could be kept.
enum class Kept : uint8_t { all, too_many, no_memory };
// keep_upstream_fields copies into `store` what the caller's fields may mean to the dialect's own
// provider. The body, which decides on the provider, is still to come.
[[nodiscard]] Kept keep_upstream_fields(const http::FieldList& caller, errors::Dialect dialect,
                                        FieldStore& store);
// list_upstream_fields makes the list to send: the gateway's own and those kept in `store`, which
// stay behind if another than the dialect's own provider has turned out to be asked. Anthropic's
// version is the caller's, or kAnthropicVersion.
void list_upstream_fields(const FieldStore& store, const UpstreamFields& how, http::FieldList& out);

// is_downstream_field says whether a provider's response field is passed on to the caller.
// `name` in any case.
bool is_downstream_field(errors::Provider provider, std::string_view name);
// keep_downstream_fields copies the allowed fields of a provider's answer; what does not fit or is
// not a valid value is left out.
void keep_downstream_fields(const http::FieldList& fields, errors::Provider provider,
                            FieldStore& store);

}  // namespace flexd::front
