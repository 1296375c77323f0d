// The top level of a Responses request.
#include <algorithm>
#include <array>

#include "check.hpp"
#include "flexd/json/cursor.hpp"
#include "openai_items.hpp"
#include "request.hpp"

namespace flexd::flexsim {
namespace {

using json::Value;

// kMembers are the members of a Responses request (API reference, "Create a model response").
constexpr MemberRule kMembers[] = {
    {"access_programs", kObject | kNull},
    {"background", kBool | kNull},
    {"client_metadata", kObject | kNull},
    {"context_management", kArray | kNull},
    {"conversation", kString | kObject | kNull},
    {"image", kObject | kNull},
    {"include", kArray | kNull},
    {"input", kString | kArray | kNull},
    {"instructions", kString | kNull},
    {"max_output_tokens", kNumber | kNull},
    {"max_tool_calls", kNumber | kNull},
    {"metadata", kObject | kNull},
    {"model", kString, true},
    {"moderation", kObject | kNull},
    {"parallel_tool_calls", kBool | kNull},
    {"previous_response_id", kString | kNull},
    {"prompt", kObject | kNull},
    {"prompt_cache_key", kString | kNull},
    {"prompt_cache_options", kObject | kNull},
    {"prompt_cache_retention", kString | kNull},
    {"reasoning", kObject | kNull},
    {"safety_identifier", kString | kNull},
    {"service_tier", kString | kNull},
    {"store", kBool | kNull},
    {"stream", kBool | kNull},
    {"stream_options", kObject | kNull},
    {"temperature", kNumber | kNull},
    {"text", kObject | kNull},
    {"tool_choice", kString | kObject | kNull},
    {"tools", kArray | kNull},
    {"top_logprobs", kNumber | kNull},
    {"top_p", kNumber | kNull},
    {"truncation", kString | kNull},
    {"user", kString | kNull},
};

// Echo says which member of the response object repeats a member of the request.
struct Echo {
  std::string_view name;
  std::string_view RequestFacts::* member;
};
constexpr Echo kEchoes[] = {
    {"instructions", &RequestFacts::instructions},
    {"max_output_tokens", &RequestFacts::max_output_tokens},
    {"max_tool_calls", &RequestFacts::max_tool_calls},
    {"metadata", &RequestFacts::metadata},
    {"parallel_tool_calls", &RequestFacts::parallel_tool_calls},
    {"previous_response_id", &RequestFacts::previous_response_id},
    {"safety_identifier", &RequestFacts::safety_identifier},
    {"store", &RequestFacts::store},
    {"temperature", &RequestFacts::temperature},
    {"tool_choice", &RequestFacts::tool_choice},
    {"tools", &RequestFacts::tools},
    {"top_p", &RequestFacts::top_p},
    {"truncation", &RequestFacts::truncation},
    {"user", &RequestFacts::user},
};

constexpr std::pair<std::string_view, Tier> kTierWords[] = {
    {"flex", Tier::flex},      {"default", Tier::standard}, {"priority", Tier::priority},
    {"auto", Tier::automatic}, {"scale", Tier::other},      {"fast", Tier::other},
    {"ultrafast", Tier::other}};

Result<void, Problem> read_tier(const Value& value, RequestFacts& facts) {
  if (!value.exists() || value.is_null()) return {};
  for (const auto& [word, tier] : kTierWords) {
    if (value.equals(word)) {
      facts.tier = tier;
      return {};
    }
  }
  return fail(Problem{400,
                      "Invalid value: " + std::string(value.text) +
                          ". Supported values are: 'auto', 'default', 'flex', 'priority'.",
                      "service_tier", "invalid_value"});
}

void note_member(std::string_view name, const Value& value, RequestFacts& facts) {
  if (name == "model") facts.model = value.contents();
  if (name == "stream") facts.stream = value.to_bool().value_or(false);
  if (name == "store") facts.is_stored = value.to_bool().value_or(true);
  if (name == "input" || name == "instructions") facts.input_bytes += value.text.size();
  if (value.is_null()) return;
  if (name == "conversation") facts.conversation = value.text;
  if (name == "metadata") facts.trace = value["trace"].contents();
  for (const Echo& echo : kEchoes) {
    if (echo.name == name) facts.*echo.member = value.text;
  }
}

}  // namespace

Result<RequestFacts, Problem> read_openai_request(std::string_view body) {
  const Value request = Value::value_in(body);
  Checker check(Vendor::openai);
  if (!check.object(request, kMembers, nullptr)) return fail(check.problem());
  RequestFacts facts;
  std::array<char, 64> space;
  for (const json::Member& member : json::Members(request)) {
    note_member(json::decode(member.name, space).value_or(""), member.value, facts);
  }
  if (const auto tier = read_tier(request["service_tier"], facts); !tier) {
    return fail(tier.error());
  }
  if (facts.model.empty()) {
    check.missing(Path("model"));
    return fail(check.problem());
  }
  if (!check_openai_options(check, request, facts) || !check_openai_input(check, request, facts)) {
    return fail(check.problem());
  }
  return facts;
}

}  // namespace flexd::flexsim
