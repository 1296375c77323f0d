// request.hpp: what flexd has to know of a request's body, and the checks of it.
//
// Two steps, because a caller is told of the first fault in a promised order and one check between
// them (the key's list of models) belongs to the account:
//
//   read_request   invalid_json, invalid_body, missing_model
//   (account)      model_not_allowed
//   check_request  missing_start_within, invalid_start_within, service_tier_not_allowed, the tier
//                  against the provider, the dialect's parameters, missing_max_tokens
//
// The four dialects differ in which of their parameters are refused (src/surface/checks.hpp). A
// parameter that is null, or stands where it changes nothing, is not set.
//
//   Responses     https://platform.openai.com/docs/api-reference/responses
//   Chat          https://platform.openai.com/docs/api-reference/chat
//   Interactions  https://ai.google.dev/api/interactions-api
//   Messages      https://docs.anthropic.com/en/api/messages
//
// Nothing here allocates. What is not refused here reaches the provider as the caller wrote it
// where the dialect is the provider's own, and is translated otherwise (translate.hpp).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "flexd/base/result.hpp"
#include "flexd/errors/dialect.hpp"
#include "flexd/errors/render.hpp"
#include "flexd/json/cursor.hpp"
#include "flexd/json/finder.hpp"
#include "flexd/surface/provider.hpp"
#include "flexd/surface/start_within.hpp"

namespace flexd::surface {

// kModelBytesMax bounds the name of a model; a longer one is no name (missing_model).
inline constexpr size_t kModelBytesMax = 256;

// The top-level members that every dialect has, at the same indices in each list of request_fields.
// From kFirstReserved to kBackground stand fields of later features of the FlexInference API, from
// kFirstOwn on what the dialect has besides.
enum RequestField : uint8_t {
  kModel,
  kStartWithin,
  kServiceTier,
  kStream,
  kFirstReserved,
  kBackground = kFirstReserved + 7,
  kFirstOwn,
};

// request_fields are the top-level members that flexd acts on in requests of `dialect`, in checks
// or in translation. A duplicate of one is invalid_json.
const json::Names& request_fields(errors::Dialect dialect);

// RequestFacts is what was read. It refers to the body and to itself: keep both where they are.
struct RequestFacts {
  RequestFacts() = default;
  RequestFacts(const RequestFacts&) = delete;
  RequestFacts& operator=(const RequestFacts&) = delete;

  errors::Dialect dialect = errors::Dialect::responses;
  // model is unescaped; not empty once read_request has succeeded.
  std::string_view model;
  errors::Provider provider = errors::Provider::openai;
  // stream: the caller asked for a stream. Absent, null and false are no, and so is a value of
  // another type: an attempt of a race goes out with `true` all the same, and elsewhere the
  // provider judges it.
  bool stream = false;
  // conversation: present and not null. Only one attempt of it may be open at a time. Responses
  // alone has it.
  bool conversation = false;

  // Set by check_request: how to route.
  StartWithin start_within;
  // tier of the only attempt of a request that does not race.
  Tier tier = Tier::standard;

  bool races() const { return start_within.kind == StartWithin::Kind::duration; }
  // is_own_dialect: the provider takes the body as it is, but for splices.
  bool is_own_dialect() const { return errors::is_own_dialect(dialect, provider); }

  // fields says where the members stand, by their index in request_fields(dialect).
  json::Fields fields;
  std::string_view body;
  // value is the value of a member; absent if the body does not have it.
  json::Value value(size_t field) const {
    const json::Field* const found = fields[field];
    return found == nullptr ? json::Value{} : json::Value{found->value.of(body)};
  }

  // Space for what has to be put together.
  std::array<char, kModelBytesMax> model_space;
  std::array<char, 48> detail_space;
  std::array<char, errors::kParamBytesMax> param_space;
};

// read_request reads `body`, which outlives `facts`. The error's views live as long as both.
Result<void, errors::Error> read_request(errors::Dialect dialect, std::string_view body,
                                         RequestFacts& facts);

// RequestRules is what the operator and the key have decided.
struct RequestRules {
  const FlexModels& flex_models;
  // default_start_within is the key's own, empty for none: it counts where the body has none, and
  // where it cannot apply to the model (or is not valid) it acts as `default`.
  std::string_view default_start_within{};
  // native_parameters: parameters that only lack an equivalent elsewhere are let through to the
  // dialect's own provider, and hints among them (cache_control) are no error across dialects.
  bool native_parameters = false;
};

// check_request judges what read_request has found.
Result<void, errors::Error> check_request(RequestFacts& facts, const RequestRules& rules);

}  // namespace flexd::surface
