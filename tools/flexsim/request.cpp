#include "request.hpp"

#include <algorithm>
#include <array>

#include "flexd/json/cursor.hpp"
#include "flexd/json/finder.hpp"

namespace flexd::flexsim {
namespace {

using json::Type;
using json::Value;

// kMembers are the members of a Responses request (API reference, "Create a model response").
constexpr std::string_view kMembers[] = {"access_programs",
                                         "background",
                                         "context_management",
                                         "conversation",
                                         "image",
                                         "include",
                                         "input",
                                         "instructions",
                                         "max_output_tokens",
                                         "max_tool_calls",
                                         "metadata",
                                         "model",
                                         "moderation",
                                         "parallel_tool_calls",
                                         "previous_response_id",
                                         "prompt",
                                         "prompt_cache_key",
                                         "prompt_cache_options",
                                         "prompt_cache_retention",
                                         "reasoning",
                                         "safety_identifier",
                                         "service_tier",
                                         "store",
                                         "stream",
                                         "stream_options",
                                         "temperature",
                                         "text",
                                         "tool_choice",
                                         "tools",
                                         "top_logprobs",
                                         "top_p",
                                         "truncation",
                                         "user"};

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

std::unexpected<Problem> invalid_type(std::string_view name, std::string_view wanted) {
  const std::string param(name);
  return fail(Problem{400,
                      "Invalid type for '" + param + "': expected " + std::string(wanted) +
                          ", but got something else instead.",
                      param, "invalid_type"});
}

Result<void, Problem> read_tier(const Value& value, RequestFacts& facts) {
  if (value.is_null()) return {};
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

Result<void, Problem> read_member(std::string_view name, const Value& value, RequestFacts& facts) {
  if (std::find(std::begin(kMembers), std::end(kMembers), name) == std::end(kMembers)) {
    const std::string param(name);
    return fail(Problem{400, "Unknown parameter: '" + param + "'.", param, "unknown_parameter"});
  }
  if (name == "service_tier") return read_tier(value, facts);
  if (name == "model") {
    if (!value.is(Type::kString)) return invalid_type(name, "a string");
    facts.model = value.contents();
  }
  if (name == "stream" && !value.is_null()) {
    if (!value.is(Type::kBool)) return invalid_type(name, "a boolean");
    facts.stream = value.to_bool().value_or(false);
  }
  if (name == "input" || name == "instructions") facts.input_bytes += value.text.size();
  if (value.is_null()) return {};
  if (name == "conversation") facts.conversation = value.text;
  if (name == "metadata") facts.trace = value["trace"].contents();
  for (const Echo& echo : kEchoes) {
    if (echo.name == name) facts.*echo.member = value.text;
  }
  return {};
}

}  // namespace

std::string_view tier_name(Tier tier) {
  constexpr std::string_view kTierNames[kTiers] = {"unset",    "flex", "default",
                                                   "priority", "auto", "other"};
  return kTierNames[static_cast<size_t>(tier)];
}

Result<RequestFacts, Problem> read_request(std::string_view body) {
  const auto type = json::validate(body);
  if (!type || *type != Type::kObject) {
    return fail(Problem{400,
                        "We could not parse the JSON body of your request. (HINT: This likely "
                        "means you aren't using your HTTP library correctly.)",
                        "", ""});
  }
  RequestFacts facts;
  std::array<char, 256> space;
  for (const json::Member& member : json::Members(Value::value_in(body))) {
    const auto name = json::decode(member.name, space);
    const auto read = read_member(name.value_or("?"), member.value, facts);
    if (!read) return fail(read.error());
  }
  if (facts.model.empty()) {
    return fail(Problem{400, "Missing required parameter: 'model'.", "model",
                        "missing_required_parameter"});
  }
  return facts;
}

}  // namespace flexd::flexsim
