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
// The dialect is OpenAI's Responses (https://platform.openai.com/docs/api-reference/responses).
// Nothing here allocates. What is not named here reaches the provider as the caller wrote it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "flexd/base/result.hpp"
#include "flexd/errors/dialect.hpp"
#include "flexd/errors/render.hpp"
#include "flexd/json/finder.hpp"
#include "flexd/surface/provider.hpp"
#include "flexd/surface/start_within.hpp"

namespace flexd::surface {

// kModelBytesMax bounds the name of a model; a longer one is no name (missing_model).
inline constexpr size_t kModelBytesMax = 256;

// The top-level members of a Responses request that flexd acts on: a duplicate of one is
// invalid_json. From kFirstReserved on they are fields of later features of the FlexInference API.
enum RequestField : uint8_t {
  kModel,
  kStartWithin,
  kServiceTier,
  kStream,
  kConversation,
  kBackground,
  kMaxOutputTokens,
  kFirstReserved,
  kRequestFieldCount = kFirstReserved + 7,
};
inline constexpr json::Names kRequestFields = {
    "model",        "start_within", "service_tier",      "stream",
    "conversation", "background",   "max_output_tokens",  //
    "provider",     "retry",        "include_cost",      "cache",
    "pii_mask",     "moderate",     "trace_storage"};

// RequestFacts is what was read. It refers to the body and to itself: keep both where they are.
struct RequestFacts {
  RequestFacts() = default;
  RequestFacts(const RequestFacts&) = delete;
  RequestFacts& operator=(const RequestFacts&) = delete;

  // model is unescaped; not empty once read_request has succeeded.
  std::string_view model;
  errors::Provider provider = errors::Provider::openai;
  // stream: the caller asked for a stream. Absent, null and false are no, and so is a value of
  // another type: an attempt of a race goes out with `true` all the same, and elsewhere the
  // provider judges it.
  bool stream = false;
  // conversation: present and not null. Only one attempt of it may be open at a time.
  bool conversation = false;

  // Set by check_request: how to route.
  StartWithin start_within;
  // tier of the only attempt of a request that does not race.
  Tier tier = Tier::standard;

  bool races() const { return start_within.kind == StartWithin::Kind::duration; }

  // fields says where the members stand; the edits are made from it (edits.hpp).
  json::Fields fields;
  std::string_view body;

  // Space for what has to be put together.
  std::array<char, kModelBytesMax> model_space;
  std::array<char, 48> detail_space;
};

// read_request reads `body`, which outlives `facts`. The error's views live as long as both.
Result<void, errors::Error> read_request(std::string_view body, RequestFacts& facts);

// check_request judges what read_request has found. `default_start_within` is the key's own, empty
// for none: it counts where the body has none, and where it cannot apply to the model (or is not
// valid) it acts as `default`.
Result<void, errors::Error> check_request(RequestFacts& facts, const FlexModels& flex_models,
                                          std::string_view default_start_within);

}  // namespace flexd::surface
