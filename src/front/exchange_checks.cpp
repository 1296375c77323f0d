// exchange_checks.cpp: what is checked before anything is sent, in the order callers are promised.
#include <charconv>
#include <utility>

#include "client_address.hpp"
#include "exchange.hpp"
#include "flexd/account/gates.hpp"
#include "flexd/base/ascii.hpp"
#include "flexd/base/limits.hpp"
#include "flexd/surface/foreign_thoughts.hpp"
#include "flexd/surface/start_within.hpp"
#include "flexd/surface/translate.hpp"
#include "routes.hpp"
#include "worker.hpp"

namespace flexd::front {
namespace {

// credential reads a header that may come once: absent, its value, or empty if repeated.
std::optional<std::string_view> credential(const http::FieldList& fields, std::string_view name) {
  std::optional<std::string_view> value;
  fields.for_each(name,
                  [&value](std::string_view text) { value = value ? std::string_view() : text; });
  return value;
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// is_json_type accepts application/json and +json types, with any parameters.
bool is_json_type(std::string_view value) {
  const std::string_view media = trim(value.substr(0, value.find(';')));
  if (iequals(media, "application/json")) return true;
  constexpr std::string_view kSuffix = "+json";
  return media.size() > kSuffix.size() &&
         iequals(media.substr(media.size() - kSuffix.size()), kSuffix);
}

// allows_native: the operator, or the key, relaxes the rules for dialect parameters.
bool allows_native(const config::Settings& settings, const account::KeyRecord& key) {
  return settings.native_parameters || key.native_parameters;
}

}  // namespace

void Exchange::read_client_facts(const http::RequestHead& head) {
  request_id_ =
      make_request_id(head.fields.value("x-request-id"), worker_.reactor(), request_id_space_);
  if (!worker_.settings().trusted_proxies.empty()) {
    caller_ = client_address(worker_.settings(), caller_, head.fields);
  }
  const std::string_view retries = head.fields.value("x-stainless-retry-count");
  std::from_chars(retries.data(), retries.data() + retries.size(), client_retry_count_);
  patience_ns_ = surface::parse_patience(head.fields.value("x-stainless-timeout"));
}

bool Exchange::check_head(const http::RequestHead& head) {
  const Route route = find_route(head.target, head.method);
  dialect_ = route.dialect;
  const bool wants_models =
      route.kind == RouteKind::list_models || route.kind == RouteKind::get_model;
  // Anthropic's models have the same paths as OpenAI's; its SDKs always name a version.
  if (wants_models && head.fields.count("anthropic-version") != 0) {
    dialect_ = errors::Dialect::messages;
  }
  path_ = route.kind == RouteKind::unknown_url ? std::string_view() : route.nearest;
  if (route.kind == RouteKind::unknown_url) {
    fail({.code = errors::Code::unknown_url, .detail = route.nearest});
    return false;
  }
  if (route.kind == RouteKind::method_not_allowed) {
    fail({.code = errors::Code::method_not_allowed, .detail = route.allow});
    return false;
  }
  if (!check_key(head)) return false;
  if (wants_models) {
    answer_models(route);
    return false;
  }
  return check_entity(head);
}

bool Exchange::check_key(const http::RequestHead& head) {
  lease_ = &worker_.leases().enter();
  const account::Snapshot& snapshot = *lease_->snapshot;
  const account::Caller caller{
      .credentials = {.authorization = credential(head.fields, "authorization"),
                      .x_api_key = credential(head.fields, "x-api-key"),
                      .x_goog_api_key = credential(head.fields, "x-goog-api-key")},
      .dialect = dialect_,
      .ip = caller_.ip()};
  const auto key = account::authenticate(caller, snapshot, *worker_.shared().auth_failures, clock(),
                                         &worker_.metrics());
  if (!key) {
    fail(key.error());
    return false;
  }
  key_ = *key;
  organization_ = &snapshot.organization(*key_);
  return check_rates();
}

account::Clock Exchange::clock() const {
  return {.monotonic_ns = now_ns(), .unix_s = worker_.reactor().unix_ms() / 1000};
}

// check_rates counts the request against its organization's rate, then against its key's ceiling.
bool Exchange::check_rates() {
  const account::Clock now = clock();
  if (const auto admitted = account::admit(*organization_, now.monotonic_ns, &worker_.metrics());
      !admitted) {
    fail(admitted.error());
    return false;
  }
  ceiling_ = account::admit_key(*key_, now, &worker_.metrics());
  if (ceiling_.admitted) return true;
  const uint64_t left_s = ceiling_.resets_at_s > now.unix_s ? ceiling_.resets_at_s - now.unix_s : 1;
  fail({.code = errors::Code::rate_limit_exceeded,
        .variant = errors::Variant::key_ceiling,
        .retry_after_s = static_cast<uint32_t>(left_s)});
  return false;
}

// check_entity judges what the head says of the body, before a byte of it is read.
bool Exchange::check_entity(const http::RequestHead& head) {
  if (head.content_length > limits::kBodyBytesMax) {
    fail(errors::Code::request_too_large);
    return false;
  }
  bool encoded = false;
  head.fields.for_each("content-encoding", [&encoded](std::string_view coding) {
    encoded = encoded || !iequals(coding, "identity");
  });
  if (encoded) {
    fail({.code = errors::Code::unsupported_media_type,
          .variant = errors::Variant::content_encoding});
    return false;
  }
  if (const http::Field* type = head.fields.find("content-type");
      type != nullptr && !is_json_type(type->value)) {
    fail(errors::Code::unsupported_media_type);
    return false;
  }
  if (worker_.is_draining()) {
    fail({.code = errors::Code::service_unavailable, .variant = errors::Variant::draining});
    return false;
  }
  if (!worker_.has_room()) {
    worker_.metrics().add(metrics::Counter::limited, metrics::at(metrics::Limit::memory));
    fail(errors::Code::service_unavailable);
    return false;
  }
  return true;
}

bool Exchange::check_body() {
  if (!read_body() || !check_model() || !drop_foreign_thoughts()) return false;
  const surface::RequestRules rules{.flex_models = *worker_.shared().flex_models,
                                    .default_start_within = key_->start_within,
                                    .native_parameters = allows_native(worker_.settings(), *key_)};
  const auto checked = surface::check_request(facts_, rules);
  // A missing bound is the last of what can be wrong with parameters: what the translation refuses
  // comes before it.
  const bool unbounded = !checked && checked.error().code == errors::Code::missing_max_tokens;
  if (!checked && !unbounded) {
    fail(checked.error());
    return false;
  }
  checked_ = true;
  if (!translate_body()) return false;
  if (unbounded) {
    fail(checked.error());
    return false;
  }
  return check_provider() && check_money();
}

bool Exchange::read_body() {
  const auto read = surface::read_request(dialect_, body_.view(), facts_);
  if (!read) fail(read.error());
  return read.has_value();
}

// check_model holds the request to its key's list of models.
bool Exchange::check_model() {
  if (account::allows_model(*key_, facts_.model)) return true;
  fail({.code = errors::Code::model_not_allowed, .detail = facts_.model});
  return false;
}

// drop_foreign_thoughts makes room for a caller who has changed the model amid a conversation: the
// body is read anew without what its provider would refuse.
bool Exchange::drop_foreign_thoughts() {
  if (is_translated() || !surface::may_hold_thoughts(facts_.fields)) return true;
  switch (surface::drop_foreign_thoughts(dialect_, body_.view(), translated_)) {
    case surface::Dropped::nothing:
      return true;
    case surface::Dropped::no_room:
      fail(errors::Code::service_unavailable);
      return false;
    case surface::Dropped::some:
      break;
  }
  std::swap(body_, translated_);
  translated_.clear();
  return read_body();
}

// translate_body makes the provider's body where the caller speaks another dialect; what cannot be
// said there is refused.
bool Exchange::translate_body() {
  if (!is_translated()) return true;
  make_unique();
  const auto translated = surface::translate_request(
      facts_, allows_native(worker_.settings(), *key_), worker_.reactor().blocks(), translated_);
  if (!translated) fail(translated.error());
  return translated.has_value();
}

bool Exchange::check_provider() {
  if (const account::ModelState* const model = lease_->snapshot->model(facts_.model);
      model != nullptr && model->maintenance) {
    fail({.code = errors::Code::service_unavailable,
          .variant = errors::Variant::model_maintenance,
          .detail = facts_.model,
          .retry_after_s = model->retry_after_s});
    return false;
  }
  if (organization_->provider_key(provider()).empty()) {
    constexpr std::array kMissing = {errors::Code::no_byok_key, errors::Code::no_gemini_key,
                                     errors::Code::no_anthropic_key};
    fail(kMissing[static_cast<size_t>(provider())]);
    return false;
  }
  if (!worker_.serves(provider())) {
    fail({.code = errors::Code::service_unavailable,
          .variant = errors::Variant::provider_not_served,
          .detail = errors::provider_name(provider())});
    return false;
  }
  return true;
}

// check_money is the last check: a request that passes it is sent.
bool Exchange::check_money() {
  admitted_ = clock();
  const account::Prices* const prices = worker_.shared().prices;
  const account::Spending spending{
      .duration = facts_.races(),
      // Only credit asks for it.
      .priced = organization_->prepaid && prices != nullptr && prices->knows(facts_.model)};
  const auto checked =
      account::check_money(*key_, *organization_, spending, admitted_, &worker_.metrics());
  if (!checked) fail(checked.error());
  return checked.has_value();
}

}  // namespace flexd::front
