// The nested options of a Responses request.
#include <array>

#include "openai_items.hpp"

namespace flexd::flexsim {
namespace {

using json::Elements;
using json::Type;
using json::Value;

constexpr unsigned kOptionalString = kString | kNull;

constexpr MemberRule kFunction[] = {{"type", kString, true},
                                    {"name", kString, true},
                                    {"description", kOptionalString},
                                    {"parameters", kObject | kNull},
                                    {"strict", kBool | kNull},
                                    {"defer_loading"},
                                    {"allowed_callers"},
                                    {"output_schema"},
                                    {"async"}};
constexpr MemberRule kCustom[] = {{"type", kString, true},
                                  {"name", kString, true},
                                  {"description", kOptionalString},
                                  {"format", kObject},
                                  {"defer_loading"}};
constexpr std::string_view kToolTypes[] = {"function",    "custom",
                                           "web_search",  "web_search_preview",
                                           "file_search", "code_interpreter",
                                           "mcp",         "image_generation",
                                           "computer",    "computer_use_preview",
                                           "shell",       "local_shell",
                                           "apply_patch", "namespace",
                                           "tool_search"};
constexpr std::string_view kChoices[] = {"none", "auto", "required"};
constexpr MemberRule kNamedChoice[] = {{"type", kString, true}, {"name", kString, true}};
constexpr MemberRule kAllowedTools[] = {
    {"type", kString, true}, {"mode", kString, true}, {"tools", kArray, true}};
constexpr MemberRule kText[] = {{"format", kObject | kNull}, {"verbosity", kOptionalString}};
constexpr MemberRule kPlainFormat[] = {{"type", kString, true}};
constexpr MemberRule kSchemaFormat[] = {{"type", kString, true},
                                        {"name", kString, true},
                                        {"schema", kObject, true},
                                        {"strict", kBool | kNull},
                                        {"description", kOptionalString}};
constexpr std::string_view kFormats[] = {"text", "json_object", "json_schema"};
constexpr std::string_view kVerbosities[] = {"low", "medium", "high"};
constexpr MemberRule kReasoning[] = {{"effort", kOptionalString},
                                     {"summary", kOptionalString},
                                     {"generate_summary", kOptionalString},
                                     {"context", kOptionalString},
                                     {"mode", kOptionalString}};
constexpr std::string_view kEfforts[] = {"none", "minimal", "low", "medium",
                                         "high", "xhigh",   "max"};
constexpr std::string_view kSummaries[] = {"auto", "concise", "detailed"};
constexpr MemberRule kStreamOptions[] = {{"include_obfuscation", kBool | kNull}};
constexpr std::string_view kIncludes[] = {"reasoning.encrypted_content",
                                          "message.output_text.logprobs",
                                          "web_search_call.results",
                                          "web_search_call.action.sources",
                                          "file_search_call.results",
                                          "code_interpreter_call.outputs",
                                          "computer_call_output.output.image_url",
                                          "message.input_image.image_url"};

bool check_tools(Checker& check, Value tools) {
  const Path path("tools");
  size_t index = 0;
  for (const Value tool : Elements(tools)) {
    const Path at(path, index++);
    if (!check.typed(tool, kObject, at)) return false;
    const Value type = tool["type"];
    if (!type.exists()) return check.missing(Path(at, "type"));
    if (!check.word(type, kToolTypes, Path(at, "type"))) return false;
    if (type.equals("function") && !check.object(tool, kFunction, at)) return false;
    if (type.equals("custom") && !check.object(tool, kCustom, at)) return false;
  }
  return true;
}

bool check_tool_choice(Checker& check, Value choice) {
  const Path path("tool_choice");
  if (choice.is(Type::kString)) return check.word(choice, kChoices, path);
  if (!choice.is(Type::kObject)) return true;
  const Value type = choice["type"];
  if (!type.exists()) return check.missing(Path(path, "type"));
  if (type.equals("function") || type.equals("custom")) {
    return check.object(choice, kNamedChoice, path);
  }
  return !type.equals("allowed_tools") || check.object(choice, kAllowedTools, path);
}

bool check_text(Checker& check, Value text, RequestFacts& facts) {
  const Path path("text");
  if (!text.is(Type::kObject)) return true;
  if (!check.object(text, kText, path)) return false;
  if (!check.word(text["verbosity"], kVerbosities, Path(path, "verbosity"))) return false;
  const Value format = text["format"];
  if (!format.is(Type::kObject)) return true;
  const Path at(path, "format");
  if (!format["type"].exists()) return check.missing(Path(at, "type"));
  if (!check.word(format["type"], kFormats, Path(at, "type"))) return false;
  const bool is_schema = format["type"].equals("json_schema");
  facts.wants_json = !format["type"].equals("text");
  return check.object(format, is_schema ? Shape(kSchemaFormat) : Shape(kPlainFormat), at);
}

bool check_reasoning(Checker& check, Value reasoning) {
  const Path path("reasoning");
  if (!reasoning.is(Type::kObject)) return true;
  return check.object(reasoning, kReasoning, path) &&
         check.word(reasoning["effort"], kEfforts, Path(path, "effort")) &&
         check.word(reasoning["summary"], kSummaries, Path(path, "summary"));
}

bool check_include(Checker& check, Value include, RequestFacts& facts) {
  const Path path("include");
  size_t index = 0;
  for (const Value each : Elements(include)) {
    const Path at(path, index++);
    if (!check.typed(each, kString, at) || !check.word(each, kIncludes, at)) return false;
    if (each.equals(kIncludes[0])) facts.wants_blob = true;
  }
  return true;
}

}  // namespace

bool check_openai_options(Checker& check, Value request, RequestFacts& facts) {
  facts.wants_blob = !facts.is_stored;
  const Value stream_options = request["stream_options"];
  const Value metadata = request["metadata"];
  for (const json::Member& member : json::Members(metadata)) {
    if (!check.typed(member.value, kString, Path(Path("metadata"), member.name.contents()))) {
      return false;
    }
  }
  return check_tools(check, request["tools"]) && check_tool_choice(check, request["tool_choice"]) &&
         check_text(check, request["text"], facts) &&
         check_reasoning(check, request["reasoning"]) &&
         check_include(check, request["include"], facts) &&
         (!stream_options.is(Type::kObject) ||
          check.object(stream_options, kStreamOptions, Path("stream_options")));
}

}  // namespace flexd::flexsim
