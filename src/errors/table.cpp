#include "flexd/errors/table.hpp"

#include <array>

#include "flexd/base/assert.hpp"

namespace flexd::errors {
namespace {

using enum Code;
using enum Reach;

constexpr auto kNoParam = ParamRule::none;
constexpr auto kFixed = ParamRule::fixed;
constexpr auto kCaller = ParamRule::caller;

// clang-format off
constexpr std::array<Row, kCodeCount> kRows = {{
    // code, name, status, param rule, param, retryable, Retry-After, public page, reach
    {missing_api_key, "missing_api_key", 401, kNoParam, "", false, 0, true, request,
     "This request carries no API key, or its Authorization header is not one Bearer token. Send "
     "the key of your organization with every request, for example `Authorization: Bearer "
     "flex_live_...`.", ""},
    {invalid_api_key, "invalid_api_key", 401, kNoParam, "", false, 0, true, request,
     "The API key was not accepted. A key is `flex_live_`, 24 lowercase hex digits and a checksum "
     "of 6 more, without spaces; this one either is not written that way, or nobody holds it: it "
     "may be mistyped, replaced or revoked. Copy the key again from whoever issued it and send it "
     "as `Authorization: Bearer <key>`.", ""},
    {expired_api_key, "expired_api_key", 401, kNoParam, "", false, 0, false, account_settings,
     "The API key is past its expiry date and is no longer accepted. Ask your operator for a new "
     "key, or for a later date on this one.", ""},
    {key_deactivated, "key_deactivated", 403, kNoParam, "", false, 0, false, account_settings,
     "The API key is right but has been switched off. Ask your operator to activate it again, or "
     "use another key of your organization.", ""},
    {wrong_key_type, "wrong_key_type", 403, kNoParam, "", false, 0, false, account_settings,
     "The key is of the wrong kind for this address. Keys that begin with `flex_live_` call "
     "models, keys that begin with `flexm_` manage an organization on the admin address. Use the "
     "other kind here.", ""},

    {rate_limit_exceeded, "rate_limit_exceeded", 429, kNoParam, "", true, 5, true, request,
     "Your organization sends more requests per second than its limit admits. Wait for the seconds "
     "in the Retry-After header, then try again, and spread requests out. Your operator can raise "
     "the limit.", ""},
    {payment_required, "payment_required", 402, kNoParam, "", false, 0, true, account_settings,
     "Your organization has an overdue balance, so requests with a duration in `start_within` are "
     "paused. Settle the balance and try again. Until then `default`, `priority` and `auto` keep "
     "working, and so do all claude-* models.", ""},
    {quota_exceeded, "quota_exceeded", 402, kNoParam, "", false, 0, false, account_settings,
     "The monthly budget of this API key is used up. It starts afresh with the next month; your "
     "operator can raise it before.", ""},
    {insufficient_balance, "insufficient_balance", 402, kNoParam, "", false, 0, false,
     account_settings,
     "The prepaid credit of your organization is spent. Add credit; the same key works again a "
     "moment after.", ""},
    {no_byok_key, "no_byok_key", 400, kNoParam, "", false, 0, true, request,
     "The model runs at OpenAI, but your organization has no OpenAI key here, or the one it has "
     "cannot be read. Have your operator add a provider key for OpenAI (with --dev: OPENAI_API_KEY "
     "in the environment), or name a model of a provider whose key is there.", ""},
    {no_gemini_key, "no_gemini_key", 400, kNoParam, "", false, 0, true, request,
     "A gemini-* model runs at Google, but your organization has no Gemini key here, or the one it "
     "has cannot be read. Have your operator add a provider key for Gemini (with --dev: "
     "GEMINI_API_KEY in the environment), or name a model of a provider whose key is there.", ""},
    {no_anthropic_key, "no_anthropic_key", 400, kNoParam, "", false, 0, true, request,
     "A claude-* model runs at Anthropic, but your organization has no Anthropic key here, or the "
     "one it has cannot be read. Have your operator add a provider key for Anthropic (with --dev: "
     "ANTHROPIC_API_KEY in the environment), or name a model of a provider whose key is there.",
     ""},

    {request_too_large, "request_too_large", 413, kNoParam, "", false, 0, true, request,
     "The request body is longer than 1,000,000 bytes, the most that is accepted, by its "
     "Content-Length or by what arrived. The cause is often a file embedded as base64: send its "
     "URL or an uploaded file's id, or shorten the input.", ""},
    {invalid_json, "invalid_json", 400, kNoParam, "", false, 0, true, request,
     "The request body is not valid JSON: {}. Look for a trailing comma, a key without quotes, a "
     "comment or a body cut short, and let a JSON library write it.", "it breaks the grammar"},
    {invalid_body, "invalid_body", 400, kNoParam, "", false, 0, true, request,
     "The request body is JSON, but its top level is not an object. Put the fields into one "
     "object, for example {\"model\": \"gpt-5.5\", \"input\": \"Hello\"}.", ""},
    {missing_model, "missing_model", 400, kFixed, "model", false, 0, true, request,
     "The field `model` is absent, empty or not a string. Name the model to run, for example "
     "\"model\": \"gpt-5.5\".", ""},
    {model_not_allowed, "model_not_allowed", 403, kFixed, "model", false, 0, false,
     account_settings,
     "This API key may not use the model `{}`. Use a model on the key's list, or have your "
     "operator add this one.", "named here"},
    {model_not_found, "model_not_found", 404, kFixed, "model", false, 0, false, request,
     "There is no model `{}` here. GET /v1/models lists the models that this key can use.",
     "of that name"},
    {missing_start_within, "missing_start_within", 400, kFixed, "start_within", false, 0, true,
     request,
     "The field `start_within` is absent, and this API key carries no default for it. It says how "
     "long the request may wait for a start on the cheaper flex tier: a duration of 5 to 600 "
     "seconds such as \"start_within\": \"00h-00m-30s\", or \"default\", \"priority\" or \"auto\" "
     "to run without waiting.", ""},
    {invalid_start_within, "invalid_start_within", 400, kFixed, "start_within", false, 0, true,
     request,
     "The value of `start_within` is none of the forms that it has: \"default\", \"priority\", "
     "\"auto\", or a duration of exactly two digits each for hours, minutes and seconds, such as "
     "\"00h-00m-30s\".", ""},
    {service_tier_not_allowed, "service_tier_not_allowed", 400, kFixed, "service_tier", false, 0,
     true, request,
     "The field `service_tier` cannot be set here, because the tier follows from `start_within` "
     "and would replace it. Remove it and say the same with `start_within`: \"default\", "
     "\"priority\", \"auto\", or a duration such as \"00h-01m-00s\" for flex.", ""},
    {auto_unsupported_for_gemini, "auto_unsupported_for_gemini", 400, kFixed, "start_within",
     false, 0, true, request,
     "\"start_within\": \"auto\" does not exist for gemini-* models: Google has the tiers flex, "
     "standard and priority, and none that chooses by itself. Use \"default\", \"priority\" or a "
     "duration such as \"00h-00m-30s\".", ""},
    {flex_unsupported_for_anthropic, "flex_unsupported_for_anthropic", 400, kFixed,
     "start_within", false, 0, true, request,
     "A duration in `start_within` asks for the flex tier, and Anthropic has none for any "
     "claude-* model. Use \"default\", \"priority\" or \"auto\".", ""},
    {model_not_flex_capable, "model_not_flex_capable", 400, kFixed, "model", false, 0, true,
     request,
     "The model `{}` is not on its provider's list of models with a flex tier, which a duration "
     "in `start_within` needs. Dated snapshots are not on it: use the alias, for example "
     "`gpt-5.5`. To run this model without a race, send \"start_within\": \"default\".",
     "named here"},
    {unsupported_value, "unsupported_value", 400, kFixed, "n", false, 0, true, request,
     "The field `n` asks for more or fewer answers than one, and a request always produces exactly "
     "one. Leave `n` out or send \"n\": 1, and repeat the request for further answers.", ""},
    {unsupported_parameter, "unsupported_parameter", 400, kCaller, "", false, 0, true, request,
     "The parameter `{}` is set, and it has no equivalent where this model runs, or none for the "
     "models of every provider; it is refused, because an answer that ignores it would be wrong. "
     "Remove it, or leave it null or at its neutral value.", "named in `param`"},
    {unsupported_generation_config, "unsupported_generation_config", 400, kCaller, "", false, 0,
     true, request,
     "The member `{}` is set, and it has no equivalent for the models of every provider. Remove "
     "it, or leave it null or empty. For gemini-* models your operator can let it through with "
     "--native-parameters.", "named in `param`"},
    {missing_max_tokens, "missing_max_tokens", 400, kCaller, "", false, 0, true, request,
     "A claude-* model needs an upper bound for the tokens of its answer, and none is assumed for "
     "you. Set the field `{}`, for example to 1024.", "named in `param`"},
    {invalid_value, "invalid_value", 400, kCaller, "", false, 0, false, request,
     "The value of `{param}` cannot be understood: {} is expected there. The model runs at a "
     "provider with another API, so the request has to be translated, and all of it must be in "
     "the form that the documentation of the API you call prescribes. Correct the value; nothing "
     "was sent.", "a value of another type"},

    {unknown_url, "unknown_url", 404, kNoParam, "", false, 0, true, request,
     "This path is not served here. The nearest surface is {}: check the path and the base URL of "
     "your client, which may hold /v1 once too often or not at all.", "POST /v1/responses"},
    {not_found, "not_found", 404, kNoParam, "", false, 0, false, admin,
     "There is no {} of that id that this key may see. GET /api/keys lists the keys of its "
     "organization.", "object"},
    {method_not_allowed, "method_not_allowed", 405, kNoParam, "", false, 0, true, request,
     "The path exists, but not for this method. It takes {}, as the Allow header says too.",
     "POST"},
    {malformed_request, "malformed_request", 400, kNoParam, "", false, 0, false, request,
     "The request breaks the rules of HTTP, so that it cannot be read safely: {}. This is a fault "
     "of the client library or of a proxy on the way.", "its head or its framing is ill-formed"},
    {request_timeout, "request_timeout", 408, kNoParam, "", true, 0, false, request,
     "The request did not arrive in time: {} came too slowly. Nothing was sent to a provider, so "
     "it is safe to try again; look at the network between the client and this server.",
     "its head or its body"},
    {unsupported_media_type, "unsupported_media_type", 415, kNoParam, "", false, 0, false, request,
     "The request body must be JSON, and its Content-Type says something else. Send "
     "`Content-Type: application/json`.", ""},
    {expectation_failed, "expectation_failed", 417, kNoParam, "", false, 0, false, request,
     "The Expect header asks for something unknown. The one expectation that is met is "
     "`100-continue`; leave the header out otherwise.", ""},
    {headers_too_large, "headers_too_large", 431, kNoParam, "", false, 0, false, request,
     "The head of the request is too large: {}. Send fewer or shorter header fields; cookies and "
     "tracing fields of a proxy are the usual cause.", "its line or its fields pass the limit"},
    {not_implemented, "not_implemented", 501, kNoParam, "", false, 0, false, request,
     "The request uses a part of HTTP that this server does not have: {}. Send the body plain, "
     "with a Content-Length or chunked.", "its method or its transfer coding is unknown"},
    {http_version_not_supported, "http_version_not_supported", 505, kNoParam, "", false, 0, false,
     request,
     "The request names a version of HTTP that is not spoken here. Use HTTP/1.1.", ""},

    {client_closed_request, "client_closed_request", 499, kNoParam, "", false, 0, true, log_only,
     "The client went away before its answer was whole, and all work for it was cancelled. If that "
     "was not meant, give the client a timeout above the window of `start_within`, which can be up "
     "to ten minutes.", ""},
    {internal_error, "internal_error", 500, kNoParam, "", true, 0, true, fault_hook,
     "Something failed inside the gateway; the request is not to blame. Trying once more is safe. "
     "If it happens again, give your operator the value of the x-flexinference-request-id header.",
     ""},
    {upstream_stream_failed, "upstream_stream_failed", 502, kNoParam, "", true, 0, true, request,
     "The provider began an answer that then broke off: its stream failed or ended without a last "
     "event, and without an error of its own. This is a passing fault at the provider or on the "
     "way to it. Try again; if one model keeps failing, try another, or a shorter `start_within`.",
     ""},
    {upstream_unreachable, "upstream_unreachable", 502, kNoParam, "", true, 0, false, request,
     "No connection to {} could be made (stage: connect). Nothing was processed, so it is safe to "
     "try again; if it persists, your operator should look at the network and the provider's "
     "address.", "the provider"},
    {upstream_timeout, "upstream_timeout", 504, kNoParam, "", true, 0, false, request,
     "{} took the request but sent no first byte of an answer in time. It may be overloaded, or "
     "the model may be slow: try again later, or use a smaller request or another model.",
     "The provider"},
    {service_unavailable, "service_unavailable", 503, kNoParam, "", true, 5, false, request,
     "The gateway is at the limit of what it can hold in memory and takes no new requests for a "
     "moment. Nothing was processed; try again after the seconds in the Retry-After header.", ""},
}};

constexpr std::array<VariantRow, kVariantCount - 1> kVariants = {{
    // variant, code, retryable, Retry-After
    {Variant::failed_authentications, rate_limit_exceeded, true, 60,
     "Too many requests with a wrong API key came from your address, so further ones are put off. "
     "A right key is still accepted at once. Correct the key, or wait for the seconds in the "
     "Retry-After header; look for an old client that still sends a revoked key.", ""},
    {Variant::key_ceiling, rate_limit_exceeded, true, 60,
     "This API key has used up its requests per minute. Wait for the seconds in the Retry-After "
     "header; the x-ratelimit headers say how many there are and when they return.", ""},
    {Variant::no_payment_method, payment_required, false, 0,
     "Your organization has no payment method on file, so requests with a duration in "
     "`start_within` are paused. Add one and try again. Until then `default`, `priority` and "
     "`auto` keep working, and so do all claude-* models.", ""},
    {Variant::too_many_keys, quota_exceeded, false, 0,
     "Your organization has as many {} as it can have, and no further key was made. Revoked keys "
     "count, because usage and logs go on naming them. Use the keys that it has, or have your "
     "operator make another organization.", "API keys"},
    {Variant::duplicate_field, invalid_json, false, 0,
     "The request body is not acceptable JSON: the member `{}` occurs more than once in the same "
     "object, and it would be unclear which one counts. Send it once.", "that flexd acts on"},
    {Variant::too_deep, invalid_json, false, 0,
     "The request body is not acceptable JSON: its arrays and objects are nested more than 128 "
     "deep. Flatten it.", ""},
    {Variant::invalid_utf8, invalid_json, false, 0,
     "The request body is not valid JSON: it is not UTF-8 throughout. Encode the text as UTF-8 "
     "before sending it.", ""},
    {Variant::start_within_not_string, invalid_start_within, false, 0,
     "The value of `start_within` must be a string. Write \"start_within\": \"00h-00m-30s\" for a "
     "window of thirty seconds, or \"default\", \"priority\" or \"auto\"; null and numbers are "
     "not taken.", ""},
    {Variant::start_within_out_of_range, invalid_start_within, false, 0,
     "The duration in `start_within` must be 5 to 600 seconds in all, both included. For example "
     "\"00h-00m-30s\" is thirty seconds and \"00h-10m-00s\" the longest window.", ""},
    {Variant::background, unsupported_parameter, false, 0,
     "\"background\": true is not possible here: the answer could be neither fetched nor cancelled "
     "through this gateway later. Leave `background` out, and use \"stream\": true to follow a "
     "long answer.", ""},
    {Variant::reserved_field, unsupported_parameter, false, 0,
     "The field `{}` belongs to a feature that this gateway does not have. Remove it, or send null "
     "or false.", "named in `param`"},
    {Variant::native_parameter, unsupported_parameter, false, 0,
     "The parameter `{}` is set, and it has no equivalent for the models of every provider. Remove "
     "it, or leave it null or empty. For claude-* models your operator can let it through with "
     "--native-parameters.", "named in `param`"},
    {Variant::unknown_member, unsupported_parameter, false, 0,
     "There is no member `{}` in this request. Check its spelling against the documentation of the "
     "admin API; nothing was changed.", "named in `param`"},
    {Variant::admin_value, invalid_value, false, 0,
     "The value of `{param}` is not accepted: {} is expected there. Nothing was changed.",
     "another value"},
    {Variant::content_encoding, unsupported_media_type, false, 0,
     "The request body is compressed or otherwise encoded (Content-Encoding), and only plain JSON "
     "is read. Switch the compression of requests off in the client.", ""},
    {Variant::answer_too_large, upstream_stream_failed, false, 0,
     "The provider's answer grew past what the gateway can hold for one request, and was given "
     "up. Ask with \"stream\": true, which has no such bound, or bound the answer's tokens.", ""},
    {Variant::name_resolution, upstream_unreachable, true, 0,
     "No connection to {} could be made (stage: name): its host name did not resolve to an "
     "address. Nothing was processed, so it is safe to try again; if it persists, your operator "
     "should look at the resolver and the provider's URL.", "the provider"},
    {Variant::tls_handshake, upstream_unreachable, true, 0,
     "No connection to {} could be made (stage: TLS): the handshake failed. Nothing was "
     "processed, so it is safe to try again; if it persists, your operator should look for a "
     "proxy on the way and at the provider's URL.", "the provider"},
    {Variant::certificate, upstream_unreachable, false, 0,
     "No connection to {} could be made (stage: certificate): the certificate shown is not "
     "trusted or not for this host, so nothing was sent. Trying again will not help; your operator "
     "should look at the provider's URL and the trusted roots.", "the provider"},
    {Variant::protocol, upstream_unreachable, true, 0,
     "The connection to {} failed before the request was processed (stage: protocol): what came "
     "back was not the HTTP expected. Try again; if it persists, your operator should look at the "
     "provider's URL.", "the provider"},
    {Variant::connect_timeout, upstream_timeout, true, 0,
     "{} did not take a connection in time. Nothing was processed, so it is safe to try again; if "
     "it persists, your operator should look at the network.", "The provider"},
    {Variant::idle_timeout, upstream_timeout, true, 0,
     "{} began an answer and then sent nothing for too long, so it was given up. Try again; if one "
     "model keeps doing this, try another.", "The provider"},
    {Variant::draining, service_unavailable, true, 5,
     "This gateway is shutting down and takes no new requests; those under way are finished. "
     "Nothing was processed: connect again after the seconds in the Retry-After header.", ""},
    {Variant::provider_down, service_unavailable, true, 30,
     "{} is marked down at this gateway, so the request was not sent. Try again after the seconds "
     "in the Retry-After header, or use a model of another provider.", "The provider"},
    {Variant::provider_not_served, service_unavailable, false, 0,
     "{} cannot be asked from this gateway: it has no certificate authorities by which it could "
     "trust the other side. Use a model of another provider, or have your operator install them or "
     "name a file (--origin-ca); trying again will not help.", "The provider"},
    {Variant::model_maintenance, service_unavailable, true, 60,
     "The model `{}` is under maintenance at this gateway. Try again after the seconds in the "
     "Retry-After header, or use another model.", "named here"},
    {Variant::store_unavailable, service_unavailable, true, 5,
     "The gateway's store of keys cannot be read or written just now; nothing was changed. Try "
     "again after the seconds in the Retry-After header; if it persists, your operator should "
     "look at the disk and at the log.", ""},
}};
// clang-format on

consteval bool in_order() {
  for (size_t i = 0; i < kRows.size(); ++i) {
    if (static_cast<size_t>(kRows[i].code) != i) return false;
  }
  for (size_t i = 0; i < kVariants.size(); ++i) {
    if (static_cast<size_t>(kVariants[i].variant) != i + 1) return false;
  }
  return true;
}
static_assert(in_order(), "rows stand in the order of their enums");

}  // namespace

const Row& row(Code code) {
  return kRows[static_cast<size_t>(code)];
}

std::span<const Row> rows() {
  return kRows;
}

const VariantRow& variant_row(Variant variant) {
  FLEXD_ASSERT(variant != Variant::none);
  return kVariants[static_cast<size_t>(variant) - 1];
}

std::span<const VariantRow> variant_rows() {
  return kVariants;
}

std::optional<Code> find_code(std::string_view name) {
  for (const Row& row : kRows) {
    if (row.name == name) return row.code;
  }
  return std::nullopt;
}

Type type_of(Code code) {
  if (code == payment_required) return Type::billing_error;
  const uint16_t status = row(code).status;
  if (status >= 500) return Type::flexinference_error;
  switch (status) {
    case 401:
      return Type::authentication_error;
    case 402:
      return Type::insufficient_quota;
    case 403:
      return Type::permission_error;
    case 429:
      return Type::rate_limit_error;
    default:
      return Type::invalid_request_error;
  }
}

std::string_view type_word(Type type) {
  static constexpr std::array<std::string_view, 7> kWords = {
      "invalid_request_error", "authentication_error", "permission_error",   "rate_limit_error",
      "billing_error",         "insufficient_quota",   "flexinference_error"};
  return kWords[static_cast<size_t>(type)];
}

std::string_view reach_word(Reach reach) {
  static constexpr std::array<std::string_view, 5> kWords = {"request", "fault_hook", "log_only",
                                                             "account_settings", "admin"};
  return kWords[static_cast<size_t>(reach)];
}

std::string_view google_status(uint16_t status) {
  switch (status) {
    case 401:
      return "UNAUTHENTICATED";
    case 402:
      return "FAILED_PRECONDITION";
    case 403:
      return "PERMISSION_DENIED";
    case 404:
      return "NOT_FOUND";
    case 405:
    case 501:
      return "UNIMPLEMENTED";
    case 408:
    case 504:
      return "DEADLINE_EXCEEDED";
    case 409:
      return "ABORTED";
    case 429:
      return "RESOURCE_EXHAUSTED";
    case 499:
      return "CANCELLED";
    case 502:
    case 503:
    case 529:
      return "UNAVAILABLE";
    default:
      return status >= 500 ? "INTERNAL" : "INVALID_ARGUMENT";
  }
}

std::string_view anthropic_type(uint16_t status) {
  switch (status) {
    case 401:
      return "authentication_error";
    case 402:
      return "billing_error";
    case 403:
      return "permission_error";
    case 404:
      return "not_found_error";
    case 408:
    case 504:
      return "timeout_error";
    case 409:
      return "conflict_error";
    case 413:
      return "request_too_large";
    case 429:
      return "rate_limit_error";
    case 503:
    case 529:
      return "overloaded_error";
    case 499:
      return "api_error";
    default:
      return status >= 500 ? "api_error" : "invalid_request_error";
  }
}

}  // namespace flexd::errors
