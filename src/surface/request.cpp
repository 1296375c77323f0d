#include "flexd/surface/request.hpp"

#include <charconv>
#include <cstring>

#include "checks.hpp"
#include "flexd/json/cursor.hpp"

namespace flexd::surface {

namespace {

using errors::Code;
using errors::Variant;

consteval bool fields_match() {
  for (const json::Names* const names :
       {&kResponsesFields, &kChatFields, &kInteractionsFields, &kMessagesFields}) {
    if ((*names)[kStream] != "stream" || (*names)[kFirstReserved] != "provider" ||
        (*names)[kBackground] != "background") {
      return false;
    }
  }
  return kResponsesFields[kMaxOutputTokens] == "max_output_tokens" &&
         kChatFields[kFirstRefused] == "presence_penalty" &&
         kChatFields[kEndRefused] == "messages" &&
         kInteractionsFields[kGenerationConfig] == "generation_config" &&
         kMessagesFields[kTools] == "tools";
}
static_assert(fields_match(), "the lists and their enums agree");

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
              .param = request_fields(facts.dialect)[error.field],
              .detail = request_fields(facts.dialect)[error.field]};
    case json::Fault::kNotObject:
      return {.code = Code::invalid_body};
  }
  return {.code = Code::invalid_json};
}

// is_off tells whether a switch stands where it changes nothing.
bool is_off(const json::Value& value) {
  return is_unset(value) || value.to_bool() == false;
}

// effective_default is the key's own start_within as it applies to this model.
StartWithin effective_default(std::string_view text, std::string_view model,
                              const FlexModels& flex_models) {
  const Result<StartWithin, StartWithinFault> parsed = parse_start_within(text);
  if (!parsed || check_tier(*parsed, model, flex_models)) return {};
  return *parsed;
}

// read_start_within fills facts.start_within from the body or the default.
Result<void, errors::Error> read_start_within(RequestFacts& facts, const RequestRules& rules) {
  const json::Value value = facts.value(kStartWithin);
  if (!value.exists()) {
    if (rules.default_start_within.empty())
      return fail(errors::Error{.code = Code::missing_start_within});
    facts.start_within =
        effective_default(rules.default_start_within, facts.model, rules.flex_models);
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

// check_common refuses what no dialect may set.
Refusal check_common(const RequestFacts& facts) {
  if (!is_off(facts.value(kBackground))) {
    return errors::Error{
        .code = Code::unsupported_parameter, .variant = Variant::background, .param = "background"};
  }
  for (size_t field = kFirstReserved; field < kBackground; ++field) {
    if (is_off(facts.value(field))) continue;
    return errors::Error{.code = Code::unsupported_parameter,
                         .variant = Variant::reserved_field,
                         .param = request_fields(facts.dialect)[field]};
  }
  return std::nullopt;
}

// check_max_tokens: Anthropic wants a bound, and none is made up.
Refusal check_max_tokens(const RequestFacts& facts) {
  if (facts.provider != errors::Provider::anthropic) return std::nullopt;
  bool unset = true;
  std::string_view param;
  switch (facts.dialect) {
    case errors::Dialect::responses:
      param = "max_output_tokens";
      unset = is_unset(facts.value(kMaxOutputTokens));
      break;
    case errors::Dialect::chat:
      param = "max_completion_tokens";
      unset = is_unset(facts.value(kMaxCompletionTokens)) && is_unset(facts.value(kChatMaxTokens));
      break;
    case errors::Dialect::interactions:
      param = "generation_config.max_output_tokens";
      unset = is_unset(facts.value(kGenerationConfig)["max_output_tokens"]);
      break;
    case errors::Dialect::messages:
      param = "max_tokens";
      unset = is_unset(facts.value(kMessagesMaxTokens));
      break;
  }
  if (!unset) return std::nullopt;
  return errors::Error{.code = Code::missing_max_tokens, .param = param};
}

Refusal check_dialect(RequestFacts& facts, bool native) {
  switch (facts.dialect) {
    case errors::Dialect::responses:
      return std::nullopt;
    case errors::Dialect::chat:
      return check_chat(facts);
    case errors::Dialect::interactions:
      return check_interactions(facts, native);
    case errors::Dialect::messages:
      return check_messages(facts, native);
  }
  return std::nullopt;
}

Result<void, errors::Error> check_parameters(RequestFacts& facts, bool native) {
  if (facts.dialect == errors::Dialect::chat) {
    if (const Refusal refusal = check_n(facts)) return fail(*refusal);
  }
  if (const Refusal refusal = check_common(facts)) return fail(*refusal);
  if (const Refusal refusal = check_dialect(facts, native)) return fail(*refusal);
  if (const Refusal refusal = check_max_tokens(facts)) return fail(*refusal);
  return {};
}

}  // namespace

const json::Names& request_fields(errors::Dialect dialect) {
  switch (dialect) {
    case errors::Dialect::responses:
      return kResponsesFields;
    case errors::Dialect::chat:
      return kChatFields;
    case errors::Dialect::interactions:
      return kInteractionsFields;
    case errors::Dialect::messages:
      return kMessagesFields;
  }
  return kResponsesFields;
}

Result<void, errors::Error> read_request(errors::Dialect dialect, std::string_view body,
                                         RequestFacts& facts) {
  facts.dialect = dialect;
  facts.body = body;
  if (const auto found = json::find(body, request_fields(dialect), facts.fields); !found) {
    return fail(error_of(found.error(), facts));
  }
  const auto model = json::decode(facts.value(kModel), facts.model_space);
  if (!model || model->empty() || model->size() > kModelBytesMax) {
    return fail(errors::Error{.code = Code::missing_model});
  }
  facts.model = *model;
  facts.provider = errors::provider_of(facts.model);
  facts.stream = facts.value(kStream).to_bool().value_or(false);
  facts.conversation =
      dialect == errors::Dialect::responses && !is_unset(facts.value(kConversation));
  return {};
}

Result<void, errors::Error> check_request(RequestFacts& facts, const RequestRules& rules) {
  if (auto read = read_start_within(facts, rules); !read) return read;
  if (!is_unset(facts.value(kServiceTier))) {
    return fail(errors::Error{.code = Code::service_tier_not_allowed});
  }
  if (const auto code = check_tier(facts.start_within, facts.model, rules.flex_models)) {
    return fail(errors::Error{.code = *code, .detail = facts.model});
  }
  if (!facts.races()) facts.tier = direct_tier(facts.start_within);
  return check_parameters(facts, rules.native_parameters);
}

}  // namespace flexd::surface
