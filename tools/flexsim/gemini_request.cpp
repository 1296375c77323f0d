// An Interactions request but for its input.
#include "check.hpp"
#include "gemini_steps.hpp"
#include "request.hpp"

namespace flexd::flexsim {
namespace {

using json::Elements;
using json::Type;
using json::Value;

// kMembers are those of "Creating an interaction" in the Interactions API's reference.
constexpr MemberRule kMembers[] = {{"agent", kString},
                                   {"agent_config", kObject},
                                   {"background", kBool},
                                   {"cached_content", kString},
                                   {"continuation_token", kString},
                                   {"environment"},
                                   {"generation_config", kObject},
                                   {"input", kString | kArray | kObject, true},
                                   {"labels", kObject},
                                   {"model", kString},
                                   {"previous_interaction_id", kString},
                                   {"response_format", kObject | kArray},
                                   {"response_mime_type", kString},
                                   {"response_modalities", kArray},
                                   {"safety_settings", kArray},
                                   {"service_tier", kString},
                                   {"store", kBool},
                                   {"stream", kBool},
                                   {"system_instruction", kString},
                                   {"tools", kArray},
                                   {"webhook_config", kObject}};
constexpr MemberRule kGeneration[] = {{"image_config", kObject},
                                      {"max_output_tokens", kNumber},
                                      {"seed", kNumber},
                                      {"speech_config"},
                                      {"stop_sequences", kArray},
                                      {"temperature", kNumber},
                                      {"thinking_level", kString},
                                      {"thinking_summaries", kString},
                                      {"tool_choice", kString | kObject},
                                      {"top_p", kNumber},
                                      {"transcription_config", kObject},
                                      {"video_config", kObject}};
constexpr std::string_view kTierWords[] = {"flex", "standard", "priority", "deferred"};
constexpr std::string_view kLevels[] = {"minimal", "low", "medium", "high"};
constexpr std::string_view kSummaries[] = {"auto", "none"};
constexpr std::string_view kModes[] = {"auto", "any", "none", "validated"};
constexpr MemberRule kChoice[] = {{"allowed_tools", kObject, true}};
constexpr MemberRule kAllowed[] = {{"mode", kString}, {"tools", kArray}};
constexpr MemberRule kFunction[] = {{"type", kString, true},
                                    {"name", kString, true},
                                    {"description", kString},
                                    {"parameters", kObject}};
constexpr std::string_view kToolTypes[] = {"function",    "google_search", "code_execution",
                                           "url_context", "google_maps",   "file_search",
                                           "mcp_server",  "computer_use",  "retrieval"};
constexpr MemberRule kFormat[] = {
    {"type", kString, true}, {"mime_type", kString}, {"schema", kObject}};
constexpr std::string_view kFormats[] = {"text", "audio", "image", "video"};

Tier tier_of(Value value) {
  if (value.equals("flex")) return Tier::flex;
  if (value.equals("standard")) return Tier::standard;
  if (value.equals("priority")) return Tier::priority;
  return value.is(Type::kString) ? Tier::other : Tier::unset;
}

bool check_generation(Checker& check, Value config, RequestFacts& facts) {
  if (!config.is(Type::kObject)) return true;
  const Path path("generation_config");
  if (!check.object(config, kGeneration, path)) return false;
  if (!check.word(config["thinking_level"], kLevels, Path(path, "thinking_level")) ||
      !check.word(config["thinking_summaries"], kSummaries, Path(path, "thinking_summaries"))) {
    return false;
  }
  facts.wants_thought_text = !config["thinking_summaries"].equals("none");
  const Value tokens = config["max_output_tokens"];
  if (tokens.is(Type::kNumber) && tokens.to_int64().value_or(0) < 1) {
    return check.bad_value(Path(path, "max_output_tokens"), "max_output_tokens must be positive.");
  }
  const Value choice = config["tool_choice"];
  const Path at(path, "tool_choice");
  if (choice.is(Type::kString)) return check.word(choice, kModes, at);
  if (!choice.is(Type::kObject)) return true;
  const Path allowed_at(at, "allowed_tools");
  return check.object(choice, kChoice, at) &&
         check.object(choice["allowed_tools"], kAllowed, allowed_at) &&
         check.word(choice["allowed_tools"]["mode"], kModes, Path(allowed_at, "mode"));
}

bool check_tools(Checker& check, Value tools) {
  const Path path("tools");
  size_t index = 0;
  for (const Value tool : Elements(tools)) {
    const Path at(path, index++);
    if (!check.typed(tool, kObject, at)) return false;
    if (!tool["type"].exists()) return check.missing(Path(at, "type"));
    if (!check.word(tool["type"], kToolTypes, Path(at, "type"))) return false;
    if (tool["type"].equals("function") && !check.object(tool, kFunction, at)) return false;
  }
  return true;
}

bool check_format(Checker& check, Value format, RequestFacts& facts) {
  // A list of formats is for several modalities.
  if (!format.is(Type::kObject)) return true;
  const Path path("response_format");
  if (!check.object(format, kFormat, path)) return false;
  if (!check.word(format["type"], kFormats, Path(path, "type"))) return false;
  facts.wants_json = format["mime_type"].equals("application/json");
  if (format["schema"].is(Type::kObject) && !facts.wants_json) {
    return check.bad_value(Path(path, "schema"),
                           "A schema is only supported with mime_type 'application/json'.");
  }
  return true;
}

void note_members(Value request, RequestFacts& facts) {
  facts.vendor = Vendor::gemini;
  facts.tier = tier_of(request["service_tier"]);
  facts.stream = request["stream"].to_bool().value_or(false);
  facts.is_stored = request["store"].to_bool().value_or(true);
  facts.model = request["model"].contents();
  if (facts.model.empty()) facts.model = request["agent"].contents();
  facts.trace = request["labels"]["trace"].contents();
  facts.input_bytes = request["system_instruction"].text.size();
}

}  // namespace

Result<RequestFacts, Problem> read_gemini_request(std::string_view body) {
  const Value request = Value::value_in(body);
  Checker check(Vendor::gemini);
  if (!check.object(request, kMembers, nullptr)) return fail(check.problem());
  RequestFacts facts;
  note_members(request, facts);
  if (facts.model.empty()) check.missing(Path("model"));
  if (!check.is_good() || !check.word(request["service_tier"], kTierWords, Path("service_tier")) ||
      !check_generation(check, request["generation_config"], facts) ||
      !check_tools(check, request["tools"]) ||
      !check_format(check, request["response_format"], facts) ||
      !check_gemini_input(check, request, facts)) {
    return fail(check.problem());
  }
  for (const json::Member& label : json::Members(request["labels"])) {
    if (!check.typed(label.value, kString, Path(Path("labels"), label.name.contents()))) {
      return fail(check.problem());
    }
  }
  return facts;
}

}  // namespace flexd::flexsim
