#include "flexd/surface/request.hpp"

#include <charconv>
#include <cstring>

#include "flexd/json/cursor.hpp"

namespace flexd::surface {

namespace {

using errors::Code;
using errors::Variant;

static_assert(kRequestFields.size() == kRequestFieldCount);
static_assert(kRequestFields[kMaxOutputTokens] == "max_output_tokens");
static_assert(kRequestFields[kFirstReserved] == "provider");

// syntax_detail says where the text stops being JSON.
std::string_view syntax_detail(uint32_t offset, size_t body_size, RequestFacts& facts) {
  if (offset >= body_size) return "it ends too early";
  constexpr std::string_view kBefore = "it breaks the grammar at byte ";
  char* const space = facts.detail_space.data();
  std::memcpy(space, kBefore.data(), kBefore.size());
  const auto done =
      std::to_chars(space + kBefore.size(), space + facts.detail_space.size(), offset);
  return {space, static_cast<size_t>(done.ptr - space)};
}

errors::Error error_of(const json::Error& error, RequestFacts& facts) {
  switch (error.fault) {
    case json::Fault::kSyntax:
      return {.code = Code::invalid_json,
              .detail = syntax_detail(error.offset, facts.body.size(), facts)};
    case json::Fault::kUtf8:
      return {.code = Code::invalid_json, .variant = Variant::invalid_utf8};
    case json::Fault::kTooDeep:
      return {.code = Code::invalid_json, .variant = Variant::too_deep};
    case json::Fault::kDuplicate:
      return {.code = Code::invalid_json,
              .variant = Variant::duplicate_field,
              .param = kRequestFields[error.field],
              .detail = kRequestFields[error.field]};
    case json::Fault::kNotObject:
      return {.code = Code::invalid_body};
  }
  return {.code = Code::invalid_json};
}

json::Value value_of(const RequestFacts& facts, RequestField field) {
  const json::Field* const found = facts.fields[field];
  return found == nullptr ? json::Value{} : json::Value{found->value.of(facts.body)};
}

bool is_null_or_absent(const json::Value& value) {
  return !value.exists() || value.is_null();
}

// is_off tells whether a switch stands where it changes nothing.
bool is_off(const json::Value& value) {
  return is_null_or_absent(value) || value.to_bool() == false;
}

// effective_default is the key's own start_within as it applies to this model.
StartWithin effective_default(std::string_view text, std::string_view model,
                              const FlexModels& flex_models) {
  const Result<StartWithin, StartWithinFault> parsed = parse_start_within(text);
  if (!parsed || check_tier(*parsed, model, flex_models)) return {};
  return *parsed;
}

// read_start_within fills facts.start_within from the body or the default.
Result<void, errors::Error> read_start_within(RequestFacts& facts, const FlexModels& flex_models,
                                              std::string_view default_start_within) {
  const json::Value value = value_of(facts, kStartWithin);
  if (!value.exists()) {
    if (default_start_within.empty())
      return fail(errors::Error{.code = Code::missing_start_within});
    facts.start_within = effective_default(default_start_within, facts.model, flex_models);
    return {};
  }
  if (!value.is(json::Type::kString)) {
    return fail(errors::Error{.code = Code::invalid_start_within,
                              .variant = Variant::start_within_not_string});
  }
  std::array<char, 16> space;  // longer than any valid text
  const auto text = json::decode(value, space);
  const Result<StartWithin, StartWithinFault> parsed =
      text ? parse_start_within(*text) : fail(StartWithinFault::form);
  if (!parsed) {
    return fail(errors::Error{.code = Code::invalid_start_within,
                              .variant = parsed.error() == StartWithinFault::out_of_range
                                             ? Variant::start_within_out_of_range
                                             : Variant::none});
  }
  facts.start_within = *parsed;
  return {};
}

Result<void, errors::Error> check_parameters(const RequestFacts& facts) {
  if (!is_off(value_of(facts, kBackground))) {
    return fail(errors::Error{.code = Code::unsupported_parameter,
                              .variant = Variant::background,
                              .param = kRequestFields[kBackground]});
  }
  for (size_t field = kFirstReserved; field < kRequestFieldCount; ++field) {
    if (is_off(value_of(facts, static_cast<RequestField>(field)))) continue;
    return fail(errors::Error{.code = Code::unsupported_parameter,
                              .variant = Variant::reserved_field,
                              .param = kRequestFields[field]});
  }
  if (facts.provider == errors::Provider::anthropic &&
      is_null_or_absent(value_of(facts, kMaxOutputTokens))) {
    return fail(
        errors::Error{.code = Code::missing_max_tokens, .param = kRequestFields[kMaxOutputTokens]});
  }
  return {};
}

}  // namespace

Result<void, errors::Error> read_request(std::string_view body, RequestFacts& facts) {
  facts.body = body;
  if (const auto found = json::find(body, kRequestFields, facts.fields); !found) {
    return fail(error_of(found.error(), facts));
  }
  const auto model = json::decode(value_of(facts, kModel), facts.model_space);
  if (!model || model->empty() || model->size() > kModelBytesMax) {
    return fail(errors::Error{.code = Code::missing_model});
  }
  facts.model = *model;
  facts.provider = errors::provider_of(facts.model);
  facts.stream = value_of(facts, kStream).to_bool().value_or(false);
  facts.conversation = !is_null_or_absent(value_of(facts, kConversation));
  return {};
}

Result<void, errors::Error> check_request(RequestFacts& facts, const FlexModels& flex_models,
                                          std::string_view default_start_within) {
  if (auto read = read_start_within(facts, flex_models, default_start_within); !read) return read;
  if (!is_null_or_absent(value_of(facts, kServiceTier))) {
    return fail(errors::Error{.code = Code::service_tier_not_allowed});
  }
  if (const auto code = check_tier(facts.start_within, facts.model, flex_models)) {
    return fail(errors::Error{.code = *code, .detail = facts.model});
  }
  if (!facts.races()) facts.tier = direct_tier(facts.start_within);
  return check_parameters(facts);
}

}  // namespace flexd::surface
