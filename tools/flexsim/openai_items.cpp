#include "openai_items.hpp"

#include <algorithm>
#include <array>
#include <vector>

#include "seal.hpp"

namespace flexd::flexsim {
namespace {

using json::Elements;
using json::Type;
using json::Value;

constexpr unsigned kOptionalString = kString | kNull;

constexpr MemberRule kMessage[] = {
    {"type", kString},       {"role", kString, true},     {"content", kString | kArray, true},
    {"id", kOptionalString}, {"status", kOptionalString}, {"phase", kOptionalString}};
constexpr MemberRule kFunctionCall[] = {{"type", kString},
                                        {"call_id", kString, true},
                                        {"name", kString, true},
                                        {"arguments", kString, true},
                                        {"id", kOptionalString},
                                        {"status", kOptionalString},
                                        {"namespace", kOptionalString}};
constexpr MemberRule kFunctionCallOutput[] = {{"type", kString},
                                              {"call_id", kString, true},
                                              {"output", kString | kArray, true},
                                              {"id", kOptionalString},
                                              {"status", kOptionalString}};
constexpr MemberRule kReasoning[] = {
    {"type", kString},           {"id", kString, true},
    {"summary", kArray, true},   {"encrypted_content", kOptionalString},
    {"content", kArray | kNull}, {"status", kOptionalString}};
constexpr MemberRule kItemReference[] = {{"type", kOptionalString}, {"id", kString, true}};
// Items of the provider's own tools are taken as they are.
constexpr std::string_view kOtherItems[] = {"custom_tool_call",
                                            "custom_tool_call_output",
                                            "web_search_call",
                                            "file_search_call",
                                            "computer_call",
                                            "computer_call_output",
                                            "code_interpreter_call",
                                            "image_generation_call",
                                            "mcp_call",
                                            "mcp_list_tools",
                                            "mcp_approval_request",
                                            "mcp_approval_response",
                                            "shell_call",
                                            "shell_call_output",
                                            "apply_patch_call",
                                            "apply_patch_call_output",
                                            "local_shell_call",
                                            "local_shell_call_output",
                                            "tool_search_call",
                                            "tool_search_output",
                                            "compaction",
                                            "configuration_update",
                                            "program",
                                            "program_output"};
constexpr std::string_view kRoles[] = {"assistant", "system", "developer", "user"};

constexpr MemberRule kText[] = {
    {"type", kString, true}, {"text", kString, true}, {"prompt_cache_breakpoint"}};
constexpr MemberRule kOutputText[] = {{"type", kString, true},
                                      {"text", kString, true},
                                      {"annotations", kArray | kNull},
                                      {"logprobs", kArray | kNull}};
constexpr MemberRule kRefusal[] = {{"type", kString, true}, {"refusal", kString, true}};
constexpr MemberRule kImage[] = {{"type", kString, true},
                                 {"image_url", kOptionalString},
                                 {"file_id", kOptionalString},
                                 {"detail", kOptionalString},
                                 {"prompt_cache_breakpoint"}};
constexpr MemberRule kFile[] = {{"type", kString, true},       {"file_data", kOptionalString},
                                {"filename", kOptionalString}, {"file_url", kOptionalString},
                                {"file_id", kOptionalString},  {"detail", kOptionalString},
                                {"prompt_cache_breakpoint"}};

// ItemReader walks the items of `input`.
class ItemReader {
 public:
  ItemReader(Checker& check, RequestFacts& facts, bool has_other_items)
      : check_(check), facts_(facts), is_partial_(has_other_items) {}

  bool items(Value input, const Path& path) {
    size_t index = 0;
    for (const Value item : Elements(input)) {
      if (!read(item, Path(path, index++))) return false;
    }
    if (is_partial_) return true;
    for (const std::string_view call : calls_) {
      if (std::find(outputs_.begin(), outputs_.end(), call) != outputs_.end()) continue;
      return check_.bad_value(
          path, "No tool output found for function call " + std::string(call) + ".", "");
    }
    return true;
  }

 private:
  bool read(Value item, const Path& path) {
    if (!check_.typed(item, kObject, path)) return false;
    const Value type = item["type"];
    if (type.equals("message") || (!type.exists() && item["role"].exists())) {
      return message(item, path);
    }
    if (type.equals("function_call")) return call(item, path);
    if (type.equals("function_call_output")) return output(item, path);
    if (type.equals("reasoning")) return reasoning(item, path);
    if (type.equals("item_reference") || !type.exists()) {
      is_partial_ = true;
      return check_.object(item, kItemReference, path);
    }
    if (!check_.word(type, kOtherItems, Path(path, "type"))) return false;
    facts_.history.model_item();
    return true;
  }

  bool message(Value item, const Path& path) {
    if (!check_.object(item, kMessage, path)) return false;
    if (!check_.word(item["role"], kRoles, Path(path, "role"))) return false;
    const bool is_user = item["role"].equals("user");
    const bool is_model = item["role"].equals("assistant");
    if (is_model) facts_.history.model_item();
    const Value content = item["content"];
    if (content.is(Type::kString)) {
      if (is_user) facts_.history.user_text(content.contents());
      return true;
    }
    return parts(content, Path(path, "content"), is_model, [&](std::string_view text) {
      if (is_user) facts_.history.user_text(text);
    });
  }

  // parts reads content; texts go to `on_text`.
  template <typename OnText>
  bool parts(Value content, const Path& path, bool is_model, OnText on_text) {
    constexpr std::string_view kInputParts[] = {"input_text", "input_image", "input_file"};
    constexpr std::string_view kModelParts[] = {"output_text", "refusal"};
    size_t index = 0;
    for (const Value part : Elements(content)) {
      const Path at(path, index++);
      if (!check_.typed(part, kObject, at)) return false;
      const Value type = part["type"];
      if (!type.exists()) return check_.missing(Path(at, "type"));
      if (!check_.word(type, is_model ? Words(kModelParts) : Words(kInputParts),
                       Path(at, "type"))) {
        return false;
      }
      if (type.equals("input_text")) {
        if (!check_.object(part, kText, at)) return false;
        on_text(part["text"].contents());
      } else if (!other_part(part, at)) {
        return false;
      }
    }
    return true;
  }

  bool other_part(Value part, const Path& path) {
    const Value type = part["type"];
    if (type.equals("output_text")) return check_.object(part, kOutputText, path);
    if (type.equals("refusal")) return check_.object(part, kRefusal, path);
    const bool is_image = type.equals("input_image");
    if (!check_.object(part, is_image ? Shape(kImage) : Shape(kFile), path)) return false;
    const Value uri = is_image ? part["image_url"] : part["file_data"];
    std::string text;
    if (uri.is(Type::kString)) {
      text = describe_uri(uri.contents());
      if (!is_image && text.starts_with("url ")) {
        return check_.bad_value(Path(path, "file_data"),
                                "Invalid file data: expected a base64-encoded data URL.");
      }
    } else if (!is_image && part["file_url"].is(Type::kString)) {
      text = "url " + std::string(part["file_url"].contents());
    } else if (part["file_id"].is(Type::kString)) {
      text = "id " + std::string(part["file_id"].contents());
    } else {
      return check_.missing(Path(path, is_image ? "image_url" : "file_data"));
    }
    if (is_image) facts_.history.image(text);
    if (!is_image) facts_.history.file(text);
    return true;
  }

  bool call(Value item, const Path& path) {
    if (!check_.object(item, kFunctionCall, path)) return false;
    calls_.push_back(item["call_id"].contents());
    facts_.history.model_item();
    return true;
  }

  bool output(Value item, const Path& path) {
    if (!check_.object(item, kFunctionCallOutput, path)) return false;
    const std::string_view id = item["call_id"].contents();
    const bool is_known = std::find(calls_.begin(), calls_.end(), id) != calls_.end();
    if (!is_known && !is_partial_) {
      return check_.bad_value(
          Path("input"),
          "No tool call found for function call output with call_id " + std::string(id) + ".", "");
    }
    outputs_.push_back(id);
    const Value output = item["output"];
    std::string text(output.contents());
    if (!parts(output, Path(path, "output"), false, [&](std::string_view each) {
          if (!text.empty()) text += "\\n";
          text += each;
        })) {
      return false;
    }
    facts_.history.result(text);
    return true;
  }

  bool reasoning(Value item, const Path& path) {
    if (!check_.object(item, kReasoning, path)) return false;
    const Value blob = item["encrypted_content"];
    if (blob.is(Type::kString) && !is_seal_of(Vendor::openai, blob.contents())) {
      return check_.bad_value(Path(path, "encrypted_content"),
                              "The encrypted content for item " +
                                  std::string(item["id"].contents()) + " could not be verified.",
                              "invalid_encrypted_content");
    }
    facts_.history.model_item();
    return true;
  }

  Checker& check_;
  RequestFacts& facts_;
  bool is_partial_;  // the conversation has items that are not here
  std::vector<std::string_view> calls_;
  std::vector<std::string_view> outputs_;
};

}  // namespace

bool check_openai_input(Checker& check, Value request, RequestFacts& facts) {
  const Value input = request["input"];
  if (input.is(Type::kString)) {
    facts.history.user_text(input.contents());
    return true;
  }
  const auto has = [&](std::string_view name) {
    return request[name].exists() && !request[name].is_null();
  };
  const bool is_partial = has("previous_response_id") || has("conversation") || has("prompt");
  return ItemReader(check, facts, is_partial).items(input, Path("input"));
}

}  // namespace flexd::flexsim
