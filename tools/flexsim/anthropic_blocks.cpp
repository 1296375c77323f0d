#include "anthropic_blocks.hpp"

#include <algorithm>
#include <vector>

#include "flexd/base/ascii.hpp"
#include "seal.hpp"

namespace flexd::flexsim {
namespace {

using json::Elements;
using json::Type;
using json::Value;

constexpr MemberRule kMessage[] = {{"role", kString, true}, {"content", kString | kArray, true}};
constexpr std::string_view kRoles[] = {"user", "assistant"};
constexpr std::string_view kAllRoles[] = {"user", "assistant", "system"};
constexpr MemberRule kText[] = {{"type", kString, true},
                                {"text", kString, true},
                                {"citations", kArray | kNull},
                                {"cache_control", kObject | kNull}};
constexpr MemberRule kImage[] = {
    {"type", kString, true}, {"source", kObject, true}, {"cache_control", kObject | kNull}};
constexpr MemberRule kDocument[] = {
    {"type", kString, true},        {"source", kObject, true},
    {"title", kString | kNull},     {"context", kString | kNull},
    {"citations", kObject | kNull}, {"cache_control", kObject | kNull}};
constexpr MemberRule kThinking[] = {
    {"type", kString, true}, {"thinking", kString, true}, {"signature", kString, true}};
constexpr MemberRule kRedacted[] = {{"type", kString, true}, {"data", kString, true}};
constexpr MemberRule kToolUse[] = {{"type", kString, true},
                                   {"id", kString, true},
                                   {"name", kString, true},
                                   {"input", kObject, true},
                                   {"cache_control", kObject | kNull},
                                   {"caller", kObject | kNull}};
constexpr MemberRule kToolResult[] = {{"type", kString, true},
                                      {"tool_use_id", kString, true},
                                      {"content", kString | kArray},
                                      {"is_error", kBool},
                                      {"cache_control", kObject | kNull}};
constexpr MemberRule kBase64[] = {
    {"type", kString, true}, {"media_type", kString, true}, {"data", kString, true}};
constexpr MemberRule kUrl[] = {{"type", kString, true}, {"url", kString, true}};
constexpr MemberRule kFile[] = {{"type", kString, true}, {"file_id", kString, true}};
constexpr std::string_view kImageTypes[] = {"image/jpeg", "image/png", "image/gif", "image/webp"};
constexpr std::string_view kPdf[] = {"application/pdf"};
constexpr std::string_view kPlain[] = {"text/plain"};
constexpr std::string_view kUserBlocks[] = {"text", "image", "document", "tool_result",
                                            "search_result"};
constexpr std::string_view kModelBlocks[] = {
    "text",     "thinking",        "redacted_thinking",
    "tool_use", "server_tool_use", "web_search_tool_result"};
constexpr std::string_view kResultBlocks[] = {"text", "image", "document", "search_result"};

// check_source checks images and documents.
bool check_source(Checker& check, Value block, const Path& path, History& history) {
  const bool is_image = block["type"].equals("image");
  if (!check.object(block, is_image ? Shape(kImage) : Shape(kDocument), path)) return false;
  const Value source = block["source"];
  const Path at(path, "source");
  const Value type = source["type"];
  const auto note = [&](const std::string& text) {
    if (is_image) history.image(text);
    if (!is_image) history.file(text);
    return true;
  };
  if (type.equals("base64") || (type.equals("text") && !is_image)) {
    if (!check.object(source, kBase64, at)) return false;
    const bool is_text = type.equals("text");
    const Words types = is_image ? Words(kImageTypes) : is_text ? Words(kPlain) : Words(kPdf);
    if (!check.word(source["media_type"], types, Path(at, "media_type"))) return false;
    const std::string_view data = source["data"].contents();
    if (is_text) {
      std::string space(data.size(), ' ');
      const size_t bytes = json::decode(source["data"], space).value_or("").size();
      return note("text/plain text " + std::string(DecimalText(uint64_t{bytes}).view()) + " bytes");
    }
    return note(describe_base64(source["media_type"].contents(), data));
  }
  if (type.equals("url")) {
    return check.object(source, kUrl, at) && note("url " + std::string(source["url"].contents()));
  }
  if (type.equals("file")) {
    return check.object(source, kFile, at) &&
           note("id " + std::string(source["file_id"].contents()));
  }
  return check.bad_value(at, "Input tag does not match any of the expected tags");
}

bool is_tool_id(std::string_view id) {
  return !id.empty() && std::all_of(id.begin(), id.end(), [](char c) {
    return is_alpha(c) || is_digit(c) || c == '_' || c == '-';
  });
}

// MessageReader walks the turns.
class MessageReader {
 public:
  MessageReader(Checker& check, RequestFacts& facts, bool takes_system)
      : check_(check), facts_(facts), takes_system_(takes_system) {}

  bool messages(Value list, const Path& path) {
    size_t index = 0;
    for (const Value message : Elements(list)) {
      const Path at(path, index);
      if (!check_.object(message, kMessage, at) ||
          !check_.word(message["role"], takes_system_ ? Words(kAllRoles) : Words(kRoles),
                       Path(at, "role"))) {
        return false;
      }
      if (index == 0 && message["role"].equals("system")) {
        return check_.bad_value(at, "the first message must use the \"user\" role");
      }
      const bool is_model = message["role"].equals("assistant");
      if (index++ == 0 && is_model) {
        return check_.bad_value(at, "the first message must use the \"user\" role");
      }
      // Consecutive turns of one role are one turn.
      if (is_model != in_model_turn_ && !begin_turn(is_model, at)) return false;
      if (!content(message["content"], is_model, Path(at, "content"))) return false;
    }
    if (index == 0) return check_.bad_value(path, "at least one message is required");
    return all_answered(Path(path, index - 1));
  }
  bool ends_with_model() const { return in_model_turn_; }
  // lacks_thinking: the last turn of the assistant's calls a tool and did not think before.
  bool lacks_thinking() const { return lacks_thinking_; }

 private:
  bool begin_turn(bool is_model, const Path& path) {
    if (is_model && !all_answered(path)) return false;
    in_model_turn_ = is_model;
    if (is_model) {
      uses_.clear();
      lacks_thinking_ = false;
    }
    has_thought_ = has_other_blocks_ = false;
    return true;
  }

  // all_answered: every call of the assistant's last turn has a result.
  bool all_answered(const Path& path) {
    if (uses_.empty()) return true;
    return check_.bad_value(
        path, "`tool_use` ids were found without `tool_result` blocks immediately after: " +
                  std::string(uses_.front()) +
                  ". Each `tool_use` block must have a corresponding `tool_result` block in the "
                  "next message.");
  }

  bool content(Value content, bool is_model, const Path& path) {
    if (content.is(Type::kString)) return text(content, is_model, path);
    size_t index = 0;
    for (const Value block : Elements(content)) {
      const Path at(path, index++);
      if (!tagged(block, is_model ? Words(kModelBlocks) : Words(kUserBlocks), at)) return false;
      if (!(is_model ? model_block(block, at) : user_block(block, at))) return false;
    }
    return true;
  }

  bool tagged(Value block, Words types, const Path& path) {
    if (!check_.typed(block, kObject, path)) return false;
    if (!block["type"].exists()) return check_.missing(Path(path, "type"));
    return check_.word(block["type"], types, Path(path, "type"));
  }

  bool text(Value text, bool is_model, const Path& path) {
    if (text.contents().empty()) {
      return check_.bad_value(path, "text content blocks must be non-empty");
    }
    facts_.input_bytes += text.text.size();
    if (is_model) {
      facts_.history.model_item();
    } else {
      has_other_blocks_ = true;
      facts_.history.user_text(text.contents());
    }
    return true;
  }

  bool user_block(Value block, const Path& path) {
    const Value type = block["type"];
    if (type.equals("tool_result")) return tool_result(block, path);
    has_other_blocks_ = true;
    if (type.equals("search_result")) return true;
    if (!type.equals("text")) return check_source(check_, block, path, facts_.history);
    return check_.object(block, kText, path) && text(block["text"], false, path);
  }

  bool model_block(Value block, const Path& path) {
    const Value type = block["type"];
    facts_.history.model_item();
    if (type.equals("text")) {
      return check_.object(block, kText, path) && text(block["text"], true, path);
    }
    if (type.equals("tool_use")) return tool_use(block, path);
    const bool is_redacted = type.equals("redacted_thinking");
    if (!is_redacted && !type.equals("thinking")) return true;
    if (!check_.object(block, is_redacted ? Shape(kRedacted) : Shape(kThinking), path)) {
      return false;
    }
    has_thought_ = true;
    const Value blob = is_redacted ? block["data"] : block["signature"];
    if (is_seal_of(Vendor::anthropic, blob.contents())) return true;
    return check_.bad_value(path, is_redacted ? "Invalid `data` in `redacted_thinking` block"
                                              : "Invalid `signature` in `thinking` block");
  }

  bool tool_use(Value block, const Path& path) {
    if (!check_.object(block, kToolUse, path)) return false;
    const std::string_view id = block["id"].contents();
    if (!is_tool_id(id)) {
      return check_.bad_value(Path(path, "id"), "String should match pattern '^[a-zA-Z0-9_-]+$'");
    }
    if (std::find(all_uses_.begin(), all_uses_.end(), id) != all_uses_.end()) {
      return check_.bad_value(path, "`tool_use` ids must be unique");
    }
    if (!has_thought_) lacks_thinking_ = true;
    all_uses_.push_back(id);
    uses_.push_back(id);
    return true;
  }

  bool tool_result(Value block, const Path& path) {
    if (!check_.object(block, kToolResult, path)) return false;
    const std::string_view id = block["tool_use_id"].contents();
    if (!is_tool_id(id)) {
      return check_.bad_value(Path(path, "tool_use_id"),
                              "String should match pattern '^[a-zA-Z0-9_-]+$'");
    }
    const auto use = std::find(uses_.begin(), uses_.end(), id);
    if (use == uses_.end()) {
      return check_.bad_value(
          path, "unexpected `tool_use_id` found in `tool_result` blocks: " + std::string(id) +
                    ". Each `tool_result` block must have a corresponding `tool_use` block in the "
                    "previous message.");
    }
    if (has_other_blocks_) {
      return check_.bad_value(path, "`tool_result` blocks must come first in the user turn");
    }
    uses_.erase(use);
    std::string text(block["content"].contents());
    size_t index = 0;
    for (const Value part : Elements(block["content"])) {
      const Path at(path, index++);
      if (!tagged(part, kResultBlocks, at)) return false;
      if (part["type"].equals("text")) {
        if (!check_.object(part, kText, at)) return false;
        if (!text.empty()) text += "\\n";
        text += part["text"].contents();
      } else if (!part["type"].equals("search_result") &&
                 !check_source(check_, part, at, facts_.history)) {
        return false;
      }
    }
    facts_.history.result(text);
    return true;
  }

  Checker& check_;
  RequestFacts& facts_;
  const bool takes_system_;
  bool in_model_turn_ = false;
  bool has_thought_ = false;
  bool has_other_blocks_ = false;
  bool lacks_thinking_ = false;
  std::vector<std::string_view> uses_;      // not answered yet
  std::vector<std::string_view> all_uses_;  // of the whole conversation
};

}  // namespace

ModelTraits traits_of(std::string_view model) {
  // The version is the first number of a name, and the next one unless that is a date.
  uint64_t version[2] = {};
  size_t found = 0;
  while (!model.empty() && found < 2) {
    const std::string_view word = model.substr(0, model.find('-'));
    model.remove_prefix(std::min(word.size() + 1, model.size()));
    const auto number = word.size() <= 2 ? parse_u64(word) : std::nullopt;
    if (number) version[found++] = *number;
    if (!number && found == 1) break;
  }
  if (found == 0) return {};
  const uint64_t tenths = version[0] * 100 + version[1];
  return {.takes_sampling = tenths <= 406,
          .takes_prefill = tenths < 406,
          .takes_adaptive = tenths >= 406,
          .takes_budget = tenths <= 406,
          .takes_effort = tenths >= 405,
          .takes_system = tenths >= 408};
}

bool check_anthropic_system(Checker& check, Value system, RequestFacts& facts) {
  const Path path("system");
  facts.input_bytes += system.is(Type::kString) ? system.text.size() : 0;
  size_t index = 0;
  for (const Value block : Elements(system)) {
    const Path at(path, index++);
    if (!check.object(block, kText, at)) return false;
    if (!block["type"].equals("text")) return check.bad_value(at, "Input should be 'text'");
    if (block["text"].contents().empty()) {
      return check.bad_value(at, "text content blocks must be non-empty");
    }
    facts.input_bytes += block["text"].text.size();
  }
  return true;
}

bool check_anthropic_messages(Checker& check, Value request, const ModelTraits& traits,
                              RequestFacts& facts) {
  const Path path("messages");
  MessageReader reader(check, facts, traits.takes_system);
  if (!reader.messages(request["messages"], path)) return false;
  if (reader.ends_with_model() && !traits.takes_prefill) {
    return check.bad_value(path,
                           "This model does not support assistant message prefill. The "
                           "conversation must end with a user message.");
  }
  const bool is_budget = request["thinking"]["type"].equals("enabled") && !traits.takes_adaptive;
  if (is_budget && facts.history.waits_on_results() && reader.lacks_thinking()) {
    return check.bad_value(path,
                           "Expected `thinking` or `redacted_thinking`, but found `tool_use`. "
                           "When `thinking` is enabled, a final `assistant` message must start "
                           "with a thinking block.");
  }
  return true;
}

}  // namespace flexd::flexsim
