#include "gemini_steps.hpp"

#include <algorithm>
#include <vector>

#include "flexd/json/writer.hpp"
#include "seal.hpp"

namespace flexd::flexsim {
namespace {

using json::Elements;
using json::Type;
using json::Value;

constexpr std::string_view kContentTypes[] = {"text", "image", "document", "audio", "video"};
constexpr std::string_view kStepTypes[] = {"user_input", "model_output", "thought", "function_call",
                                           "function_result"};
// Steps of the provider's own tools are taken as they are.
constexpr std::string_view kHostedTools[] = {"google_search", "code_execution", "url_context",
                                             "google_maps",   "file_search",    "mcp_server_tool",
                                             "retrieval",     "computer_use"};

constexpr MemberRule kText[] = {
    {"type", kString, true}, {"text", kString, true}, {"annotations", kArray | kNull}};
constexpr MemberRule kMedia[] = {{"type", kString, true},
                                 {"data", kString},
                                 {"uri", kString},
                                 {"mime_type", kString},
                                 {"resolution", kString}};
constexpr MemberRule kTurn[] = {{"type", kString, true}, {"content", kArray, true}};
constexpr MemberRule kModelTurn[] = {
    {"type", kString, true}, {"content", kArray}, {"error", kObject | kNull}};
constexpr MemberRule kThought[] = {
    {"type", kString, true}, {"signature", kString}, {"summary", kArray}};
constexpr MemberRule kCall[] = {{"type", kString, true},
                                {"id", kString, true},
                                {"name", kString, true},
                                {"arguments", kObject, true},
                                {"signature", kString}};
constexpr MemberRule kResult[] = {
    {"type", kString, true},     {"call_id", kString},
    {"name", kString},           {"result", kString | kObject | kArray, true},
    {"is_error", kBool | kNull}, {"signature", kString}};

bool is_one_of(Value type, Words words) {
  return std::any_of(words.begin(), words.end(),
                     [type](std::string_view word) { return type.equals(word); });
}

bool is_hosted_step(Value type) {
  for (const std::string_view tool : kHostedTools) {
    const std::string_view name = type.contents();
    if (name.starts_with(tool) && (name.ends_with("_call") || name.ends_with("_result"))) {
      return true;
    }
  }
  return false;
}

// Call is a function_call that waits for its result.
struct Call {
  std::string_view id;
  std::string_view name;
  bool has_result = false;
};

// StepReader walks the steps of `input`.
class StepReader {
 public:
  StepReader(Checker& check, RequestFacts& facts, bool has_other_steps)
      : check_(check), facts_(facts), is_partial_(has_other_steps) {}

  bool steps(Value input, const Path& path) {
    size_t index = 0;
    for (const Value step : Elements(input)) {
      if (!read(step, Path(path, index++))) return false;
    }
    return unsigned_call_.empty() || check_.bad_value(path, unsigned_call_);
  }

  // contents reads contents; texts go to `on_text`.
  template <typename OnText>
  bool contents(Value list, const Path& path, OnText on_text) {
    size_t index = 0;
    for (const Value content : Elements(list)) {
      const Path at(path, index++);
      if (!check_.typed(content, kObject, at)) return false;
      const Value type = content["type"];
      if (!type.exists()) return check_.missing(Path(at, "type"));
      if (!check_.word(type, kContentTypes, Path(at, "type"))) return false;
      if (!type.equals("text")) {
        if (!media(content, at)) return false;
        continue;
      }
      if (!check_.object(content, kText, at)) return false;
      facts_.input_bytes += content["text"].text.size();
      on_text(content["text"].contents());
    }
    return true;
  }

 private:
  bool read(Value step, const Path& path) {
    if (!check_.typed(step, kObject, path)) return false;
    const Value type = step["type"];
    if (!type.exists()) return check_.missing(Path(path, "type"));
    if (is_hosted_step(type)) {
      facts_.history.model_item();
      return true;
    }
    if (!check_.word(type, kStepTypes, Path(path, "type"))) return false;
    if (type.equals("user_input")) return user_input(step, path);
    if (type.equals("function_call")) return call(step, path);
    if (type.equals("function_result")) return result(step, path);
    if (type.equals("thought")) return thought(step, path);
    facts_.history.model_item();
    return check_.object(step, kModelTurn, path) &&
           contents(step["content"], Path(path, "content"), [](std::string_view) {});
  }

  bool user_input(Value step, const Path& path) {
    // A new tool loop: what was missing in an older one does not matter any more.
    has_thought_ = false;
    unsigned_call_.clear();
    return check_.object(step, kTurn, path) &&
           contents(step["content"], Path(path, "content"),
                    [this](std::string_view text) { facts_.history.user_text(text); });
  }

  bool media(Value content, const Path& path) {
    if (!check_.object(content, kMedia, path)) return false;
    const std::string_view data = content["data"].contents();
    const std::string_view uri = content["uri"].contents();
    const std::string_view mime = content["mime_type"].contents();
    if (data.empty() == uri.empty()) {
      return check_.bad_value(path, "Exactly one of 'data' and 'uri' must be set.");
    }
    if (!data.empty() && mime.empty()) return check_.missing(Path(path, "mime_type"));
    const std::string text = data.empty() ? "url " + std::string(uri) : describe_base64(mime, data);
    if (content["type"].equals("image")) {
      facts_.history.image(text);
    } else {
      facts_.history.file(text);
    }
    return true;
  }

  bool thought(Value step, const Path& path) {
    if (!check_.object(step, kThought, path)) return false;
    if (!signature(step, path)) return false;
    if (step["signature"].exists()) has_thought_ = true;
    facts_.history.model_item();
    return contents(step["summary"], Path(path, "summary"), [](std::string_view) {});
  }

  bool signature(Value step, const Path& path) {
    const Value blob = step["signature"];
    if (!blob.exists() || is_seal_of(Vendor::gemini, blob.contents())) return true;
    return check_.bad_value(Path(path, "signature"), "Corrupted thought signature.");
  }

  bool call(Value step, const Path& path) {
    if (!check_.object(step, kCall, path) || !signature(step, path)) return false;
    const std::string_view id = step["id"].contents();
    const std::string_view name = step["name"].contents();
    if (id.starts_with(kReasoningCall) && !has_thought_ && !step["signature"].exists()) {
      unsigned_call_ =
          "Function call is missing a thought_signature in functionCall parts. This is "
          "required for tools to work correctly, and missing thought_signature may "
          "lead to degraded model performance. Function call `default_api:" +
          std::string(name) + "`, " + path.text(Vendor::gemini) + ".";
    }
    calls_.push_back({id, name});
    facts_.history.model_item();
    return true;
  }

  bool result(Value step, const Path& path) {
    if (!check_.object(step, kResult, path) || !signature(step, path)) return false;
    const Value id = step["call_id"];
    const Value name = step["name"];
    if (!id.exists() && !name.exists()) return check_.missing(Path(path, "call_id"));
    const auto call = std::find_if(calls_.begin(), calls_.end(), [&](const Call& each) {
      if (each.has_result) return false;
      return id.exists() ? each.id == id.contents() : each.name == name.contents();
    });
    if (call != calls_.end()) {
      call->has_result = true;
      if (name.exists() && call->name != name.contents()) {
        return check_.bad_value(Path(path, "name"),
                                "The name of a function result must be that of its call.");
      }
    } else if (!is_partial_) {
      return check_.bad_value(path,
                              "Please ensure that a function result turn comes immediately after "
                              "the function call that it answers.");
    }
    return result_value(step["result"], Path(path, "result"));
  }

  bool result_value(Value value, const Path& path) {
    std::string text;
    if (value.is(Type::kString)) {
      text = value.contents();
    } else if (value.is(Type::kObject)) {
      json::write_escaped(text, value.text);
    } else if (!contents(value, path, [&](std::string_view each) {
                 if (!text.empty()) text += "\\n";
                 text += each;
               })) {
      return false;
    }
    facts_.history.result(text);
    return true;
  }

  Checker& check_;
  RequestFacts& facts_;
  bool is_partial_;  // the conversation has steps that are not here
  bool has_thought_ = false;
  std::string unsigned_call_;  // why a call of this tool loop is refused
  std::vector<Call> calls_;
};

}  // namespace

bool check_gemini_input(Checker& check, Value request, RequestFacts& facts) {
  const Path path("input");
  const Value input = request["input"];
  const Value previous = request["previous_interaction_id"];
  StepReader reader(check, facts, previous.is(Type::kString));
  const auto on_text = [&](std::string_view text) { facts.history.user_text(text); };
  if (input.is(Type::kString)) {
    facts.input_bytes += input.text.size();
    on_text(input.contents());
    return true;
  }
  if (input.is(Type::kObject)) {
    const std::string one = "[" + std::string(input.text) + "]";
    return reader.contents(Value{one}, path, on_text);
  }
  Elements elements(input);
  if (!elements.next()) return check.bad_value(path, "'input' must not be empty.");
  // The first element decides whether they are contents or steps.
  if (is_one_of(elements.element()["type"], kContentTypes)) {
    return reader.contents(input, path, on_text);
  }
  return reader.steps(input, path);
}

}  // namespace flexd::flexsim
