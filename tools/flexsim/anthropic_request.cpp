// A Messages request but for its messages.
#include "anthropic_blocks.hpp"
#include "check.hpp"
#include "request.hpp"

namespace flexd::flexsim {
namespace {

using json::Elements;
using json::Type;
using json::Value;

constexpr std::string_view kNewVersion = "2026-10-21";

// kMembers are those of "Create a Message" in the API reference; null is for what may be null.
constexpr MemberRule kMembers[] = {{"cache_control", kObject | kNull},
                                   {"container", kString | kObject | kNull},
                                   {"context_management", kObject | kNull},
                                   {"diagnostics", kObject | kNull},
                                   {"inference_geo", kString | kNull},
                                   {"max_tokens", kNumber, true},
                                   {"mcp_servers", kArray},
                                   {"messages", kArray, true},
                                   {"metadata", kObject},
                                   {"model", kString, true},
                                   {"output_config", kObject},
                                   {"service_tier", kString},
                                   {"speed", kString | kNull},
                                   {"stop_sequences", kArray},
                                   {"stream", kBool},
                                   {"system", kString | kArray},
                                   {"temperature", kNumber},
                                   {"thinking", kObject},
                                   {"tool_choice", kObject},
                                   {"tools", kArray},
                                   {"top_k", kNumber},
                                   {"top_p", kNumber}};
constexpr MemberRule kMetadata[] = {{"user_id", kString | kNull}};
constexpr MemberRule kThinking[] = {
    {"type", kString, true}, {"budget_tokens", kNumber}, {"display", kString}};
constexpr std::string_view kThinkingTypes[] = {"enabled", "disabled", "adaptive", "between_tools"};
constexpr std::string_view kDisplays[] = {"summarized", "omitted"};
constexpr MemberRule kOutput[] = {{"effort", kString | kNull}, {"format", kObject | kNull}};
constexpr std::string_view kEfforts[] = {"low", "medium", "high", "xhigh", "max"};
constexpr MemberRule kFormat[] = {{"type", kString, true}, {"schema", kObject, true}};
constexpr std::string_view kFormats[] = {"json_schema"};
constexpr std::string_view kTierWords[] = {"auto", "standard_only"};
constexpr MemberRule kTool[] = {{"type", kString | kNull}, {"name", kString, true},
                                {"description", kString},  {"input_schema", kObject, true},
                                {"strict", kBool},         {"cache_control", kObject | kNull},
                                {"eager_input_streaming"}, {"defer_loading"},
                                {"input_examples"},        {"allowed_callers"}};
constexpr MemberRule kChoice[] = {
    {"type", kString, true}, {"disable_parallel_tool_use", kBool}, {"name", kString}};
constexpr std::string_view kChoices[] = {"auto", "any", "none", "tool"};

bool check_thinking(Checker& check, Value request, const ModelTraits& traits, RequestFacts& facts) {
  const Value thinking = request["thinking"];
  facts.wants_thoughts = false;
  if (!thinking.exists()) return true;
  const Path path("thinking");
  if (!check.object(thinking, kThinking, path) ||
      !check.word(thinking["type"], kThinkingTypes, Path(path, "type")) ||
      !check.word(thinking["display"], kDisplays, Path(path, "display"))) {
    return false;
  }
  facts.wants_thoughts = !thinking["type"].equals("disabled");
  facts.wants_thought_text = !thinking["display"].equals("omitted");
  if (thinking["type"].equals("adaptive") && !traits.takes_adaptive) {
    return check.bad_value(path, "adaptive thinking is not supported on this model");
  }
  if (!thinking["type"].equals("enabled")) return true;
  if (!traits.takes_budget) {
    return check.bad_value(Path(path, "type"),
                           "\"enabled\" is not supported for this model. Use \"adaptive\".");
  }
  const Path at(path, "budget_tokens");
  if (!thinking["budget_tokens"].exists()) return check.missing(at);
  const int64_t budget = thinking["budget_tokens"].to_int64().value_or(0);
  if (budget < 1024) {
    return check.bad_value(at, "Input should be greater than or equal to 1024");
  }
  if (budget >= request["max_tokens"].to_int64().value_or(0)) {
    return check.bad_value(Path("max_tokens"),
                           "must be greater than `thinking.budget_tokens`. Please consult our "
                           "documentation.");
  }
  const Value choice = request["tool_choice"]["type"];
  if (choice.equals("any") || choice.equals("tool")) {
    return check.bad_value(path, "Thinking may not be enabled when tool_choice forces tool use.");
  }
  return true;
}

// is_unit tells whether a number's text stands for 0 to 1; absent is well.
bool is_unit(std::string_view number) {
  const std::string_view whole = number.substr(0, number.find('.'));
  if (whole.empty() || whole == "0") return true;
  const std::string_view rest = number.substr(whole.size());
  return whole == "1" && rest.find_first_not_of(".0") == std::string_view::npos;
}

bool check_sampling(Checker& check, Value request, const ModelTraits& traits,
                    std::string_view version) {
  for (const std::string_view name : {"temperature", "top_p", "top_k"}) {
    if (!request[name].exists()) continue;
    if (version == kNewVersion) return check.unknown(Path(name));
    if (!traits.takes_sampling) {
      return check.bad_value(Path(name), "`" + std::string(name) +
                                             "` is deprecated for this "
                                             "model.");
    }
  }
  if (is_unit(request["temperature"].text)) return true;
  return check.bad_value(Path("temperature"), "range: 0..1");
}

bool check_tools(Checker& check, Value request) {
  const Path path("tools");
  size_t index = 0;
  for (const Value tool : Elements(request["tools"])) {
    const Path at(path, index++);
    if (!check.typed(tool, kObject, at)) return false;
    // Tools of the provider's own have a dated type.
    const Value type = tool["type"];
    if (type.is(Type::kString) && !type.equals("custom")) {
      if (type.contents().find("_20") != std::string_view::npos) continue;
      return check.bad_value(at, "Input tag does not match any of the expected tags");
    }
    if (!check.object(tool, kTool, at)) return false;
    if (!tool["input_schema"]["type"].equals("object")) {
      return check.bad_value(Path(Path(at, "input_schema"), "type"), "Input should be 'object'");
    }
  }
  const Value choice = request["tool_choice"];
  if (!choice.exists()) return true;
  const Path at("tool_choice");
  if (!check.object(choice, kChoice, at)) return false;
  if (index == 0 && !choice["type"].equals("none")) {
    return check.bad_value(at, "may only be specified while providing tools.");
  }
  if (choice["type"].equals("tool") && !choice["name"].exists()) {
    return check.missing(Path(at, "name"));
  }
  return check.word(choice["type"], kChoices, Path(at, "type"));
}

bool check_output(Checker& check, Value output, const ModelTraits& traits, RequestFacts& facts) {
  if (!output.exists()) return true;
  const Path path("output_config");
  if (!check.object(output, kOutput, path)) return false;
  if (output["effort"].is(Type::kString) && !traits.takes_effort) {
    return check.bad_value(path, "This model does not support the effort parameter.");
  }
  if (!check.word(output["effort"], kEfforts, Path(path, "effort"))) return false;
  if (!output["format"].is(Type::kObject)) return true;
  facts.wants_json = true;
  const Path at(path, "format");
  return check.object(output["format"], kFormat, at) &&
         check.word(output["format"]["type"], kFormats, Path(at, "type"));
}

Result<void, Problem> check_version(std::string_view version) {
  if (version == "2023-06-01" || version == kNewVersion) return {};
  if (version.empty()) return fail(Problem{400, "anthropic-version: header is required", "", ""});
  return fail(Problem{
      400,
      "anthropic-version: \"" + std::string(version) + "\" is not a valid version for this API.",
      "", ""});
}

}  // namespace

Result<RequestFacts, Problem> read_anthropic_request(std::string_view body,
                                                     std::string_view version) {
  if (const auto checked = check_version(version); !checked) return fail(checked.error());
  const Value request = Value::value_in(body);
  Checker check(Vendor::anthropic);
  if (!check.object(request, kMembers, nullptr)) return fail(check.problem());
  RequestFacts facts;
  facts.vendor = Vendor::anthropic;
  facts.model = request["model"].contents();
  facts.stream = request["stream"].to_bool().value_or(false);
  const Value tier = request["service_tier"];
  if (tier.exists()) facts.tier = tier.equals("auto") ? Tier::automatic : Tier::standard;
  const ModelTraits traits = traits_of(facts.model);
  const auto max_tokens = request["max_tokens"].to_int64();
  const Value metadata = request["metadata"];
  if (!max_tokens || *max_tokens < 0) {
    check.bad_value(Path("max_tokens"), "Input should be greater than or equal to 0");
  }
  if (!check.is_good() || !check.word(tier, kTierWords, Path("service_tier")) ||
      (metadata.exists() && !check.object(metadata, kMetadata, Path("metadata"))) ||
      !check_sampling(check, request, traits, version) || !check_tools(check, request) ||
      !check_thinking(check, request, traits, facts) ||
      !check_output(check, request["output_config"], traits, facts) ||
      !check_anthropic_system(check, request["system"], facts) ||
      !check_anthropic_messages(check, request, traits, facts)) {
    return fail(check.problem());
  }
  return facts;
}

}  // namespace flexd::flexsim
