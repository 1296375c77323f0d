// table.hpp: the one table of every error of flexd's own that a user can see.
//
// A Row is a code: its status, its type, which field it blames, whether trying again can help. Some
// codes have several causes with a text each; those are Variants, in a second list. All visible
// text is in these two lists. Rendering is render.hpp. Errors of a provider are never in here: they
// are passed on byte for byte.
//
// tests/conformance/errors.tsv is the same table as data; a test holds the two together.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace flexd::errors {

// Code is error.code; each enumerator is spelled as on the wire.
enum class Code : uint8_t {
  // authentication
  missing_api_key,
  invalid_api_key,
  expired_api_key,
  key_deactivated,
  wrong_key_type,
  // limits and money
  rate_limit_exceeded,
  payment_required,
  quota_exceeded,
  insufficient_balance,
  no_byok_key,
  no_gemini_key,
  no_anthropic_key,
  // the body and its fields
  request_too_large,
  invalid_json,
  invalid_body,
  missing_model,
  model_not_allowed,
  model_not_found,
  missing_start_within,
  invalid_start_within,
  service_tier_not_allowed,
  auto_unsupported_for_gemini,
  flex_unsupported_for_anthropic,
  model_not_flex_capable,
  unsupported_value,
  unsupported_parameter,
  unsupported_generation_config,
  missing_max_tokens,
  invalid_value,
  // where and how
  unknown_url,
  not_found,
  method_not_allowed,
  malformed_request,
  request_timeout,
  unsupported_media_type,
  expectation_failed,
  headers_too_large,
  not_implemented,
  http_version_not_supported,
  // what went wrong behind
  client_closed_request,
  internal_error,
  upstream_stream_failed,
  upstream_unreachable,
  upstream_timeout,
  service_unavailable,
};
inline constexpr size_t kCodeCount = static_cast<size_t>(Code::service_unavailable) + 1;

// Type is error.type. It follows from status and code (payment_required alone is
// billing).
enum class Type : uint8_t {
  invalid_request_error,
  authentication_error,
  permission_error,
  rate_limit_error,
  billing_error,
  insufficient_quota,
  flexinference_error,
};

// ParamRule says what error.param is.
enum class ParamRule : uint8_t {
  none,    // null
  fixed,   // the row's `param`
  caller,  // the field that Error::param names
};

// Reach says how a request can come to see a row; tests choose by it.
enum class Reach : uint8_t {
  request,           // some request on the public listener
  fault_hook,        // only a fault planted in flexd
  log_only,          // written to the log; no one is left to read an answer
  account_settings,  // a request of an account with settings that only a store can hold
  admin,             // a request on the admin listener
};

struct Row {
  Code code;
  std::string_view name;  // the code as on the wire
  uint16_t status;
  ParamRule param_rule;
  std::string_view param;  // where param_rule is fixed
  bool retryable;          // trying the same request again can help
  uint16_t retry_after_s;  // of the Retry-After header; 0 for none
  bool on_public_page;     // on the public error page of the FlexInference API (doc_url)
  Reach reach;
  // The text. One `{}` takes the error's detail, or `absent` where there is none. One `{param}`
  // before it takes the error's param.
  std::string_view message;
  std::string_view absent;
};

// Variant is one of several causes of a code.
enum class Variant : uint8_t {
  none,  // the row's own text
  // rate_limit_exceeded (the row's own: the organization's limit)
  failed_authentications,
  key_ceiling,
  // payment_required (the row's own: overdue)
  no_payment_method,
  // quota_exceeded (the row's own: a key's monthly budget)
  too_many_keys,
  // invalid_json (the row's own: syntax; its detail says what and where)
  duplicate_field,
  too_deep,
  invalid_utf8,
  // missing_model: the row's own covers all three ways
  // invalid_start_within (the row's own: not one of the forms)
  start_within_not_string,
  start_within_out_of_range,
  // unsupported_parameter (the row's own: no equivalent at the provider)
  background,
  reserved_field,
  native_parameter,
  unknown_member,
  // invalid_value (the row's own: of a request that has to be translated)
  admin_value,
  // unknown_url: the row's own, its detail is the nearest surface
  // unsupported_media_type (the row's own: not JSON)
  content_encoding,
  // upstream_stream_failed (the row's own: broke, or ended without a terminal event)
  answer_too_large,
  // upstream_unreachable (the row's own: connect)
  name_resolution,
  tls_handshake,
  certificate,
  protocol,
  // upstream_timeout (the row's own: first byte)
  connect_timeout,
  idle_timeout,
  // service_unavailable (the row's own: overloaded)
  draining,
  provider_down,
  provider_not_served,
  model_maintenance,
  store_unavailable,
};
inline constexpr size_t kVariantCount = static_cast<size_t>(Variant::store_unavailable) + 1;

// VariantRow is the text of a variant, and where it differs from its row.
struct VariantRow {
  Variant variant;
  Code code;
  bool retryable;
  uint16_t retry_after_s;
  std::string_view message;
  std::string_view absent;
};

// row is the row of `code`; rows are all of them in the order of Code.
const Row& row(Code code);
std::span<const Row> rows();
// variant_row is the row of `variant`, which is not Variant::none; variant_rows are all of them.
const VariantRow& variant_row(Variant variant);
std::span<const VariantRow> variant_rows();
// find_code is the code spelled `name`.
std::optional<Code> find_code(std::string_view name);

// type_of is the type of `code`; type_word is a type as on the wire.
Type type_of(Code code);
std::string_view type_word(Type type);
std::string_view reach_word(Reach reach);

// google_status is Google's word for an HTTP status: error.status on interactions
// (https://cloud.google.com/apis/design/errors).
std::string_view google_status(uint16_t status);
// anthropic_type is Anthropic's word for an HTTP status
// (https://docs.anthropic.com/en/api/errors). Own errors keep their own type, on messages too; this
// is for failures of another provider that are told to a messages caller.
std::string_view anthropic_type(uint16_t status);

}  // namespace flexd::errors
