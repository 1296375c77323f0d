// The body of POST /v1beta/interactions (https://ai.google.dev/api/interactions-api).
#include "draft.hpp"
#include "reading.hpp"
#include "writers.hpp"

namespace flexd::surface {

namespace {

using errors::Code;
using Kind = Item::Kind;
using Role = Item::Role;
using Source = Part::Source;

constexpr auto kIdRule = Draft::IdRule::any;

// thinking_level is the nearest that there is: thoughts cannot be switched off, and nothing is
// above high.
std::string_view thinking_level(Effort effort) {
  switch (effort) {
    case Effort::none:
    case Effort::minimal:
      return R"("minimal")";
    case Effort::low:
      return R"("low")";
    case Effort::medium:
      return R"("medium")";
    case Effort::high:
    case Effort::xhigh:
    case Effort::max:
      return R"("high")";
    case Effort::absent:
      break;
  }
  return "";
}

std::string_view thinking_summaries(Summary summary) {
  if (summary == Summary::absent) return "";
  return summary == Summary::none ? R"("none")" : R"("auto")";
}

// OptionalObject puts an object's name and brace before its first member, and nothing if there is
// none.
class OptionalObject {
 public:
  OptionalObject(Draft& draft, std::string_view name) : draft_(draft), name_(name) {}

  // key begins a member, spelled `"name":`.
  void key(std::string_view key) {
    if (!name_.empty()) {
      draft_.put(name_, "{", key);
    } else {
      draft_.put(",", key);
    }
    name_ = {};
    is_open_ = true;
  }
  void member(std::string_view name, std::string_view json) {
    if (json.empty()) return;
    key(name);
    draft_.put(json);
  }
  void end() {
    if (is_open_) draft_.put("}");
  }

 private:
  Draft& draft_;
  std::string_view name_;
  bool is_open_ = false;
};

// Writer writes one body.
class Writer {
 public:
  Writer(const RequestModel& model, BlockPool& pool, Buffer& out)
      : model_(model), draft_(model, pool, out) {}

  Result<void, Fault> write() {
    draft_.link_calls();
    refuse_verbosity(draft_);
    draft_.put(R"({"model":)", model_.model);
    draft_.put_system(R"(,"system_instruction":)", model_.items.size());
    write_input();
    write_tools();
    write_generation_config();
    write_format();
    draft_.put(R"(,"store":false})");
    return draft_.finish();
  }

 private:
  void write_input() {
    draft_.put(R"(,"input":[)");
    bool first = true;
    for (size_t i = 0; i < model_.items.size(); ++i) {
      const Item& item = model_.items[i];
      switch (item.kind) {
        case Kind::message:
          if (item.role != Role::system) write_message(item, first);
          break;
        case Kind::call:
          draft_.separate(first);
          draft_.put(R"({"type":"function_call","id":)");
          draft_.put_call_id(static_cast<uint32_t>(i), kIdRule);
          draft_.put(R"(,"name":)", item.name, R"(,"arguments":)");
          draft_.put_arguments_object(item);
          draft_.put("}");
          break;
        case Kind::result:
          draft_.separate(first);
          write_result(item, static_cast<uint32_t>(i));
          break;
        case Kind::reasoning:
          write_thought(item, first);
          break;
      }
    }
    draft_.put("]");
  }

  void write_message(const Item& item, bool& first) {
    const bool is_user = item.role == Role::user;
    bool first_part = true;
    for (const Part& part : model_.parts_of(item)) {
      // Chat clients replay `"content":""` beside tool calls.
      if (!is_user && is_empty_string(part.content)) continue;
      if (first_part) {
        draft_.separate(first);
        draft_.put(is_user ? R"({"type":"user_input","content":[)"
                           : R"({"type":"model_output","content":[)");
      }
      draft_.separate(first_part);
      write_content(part);
    }
    if (!first_part) draft_.put("]}");
  }

  void write_content(const Part& part) {
    switch (part.kind) {
      case Part::Kind::text:
      case Part::Kind::refusal:
      case Part::Kind::json:
        draft_.put(R"({"type":"text","text":)");
        draft_.put_text_of(part);
        draft_.put("}");
        break;
      case Part::Kind::image:
        draft_.put(R"({"type":"image")");
        write_media(part);
        if (part.detail.equals("low") || part.detail.equals("high")) {
          draft_.put(R"(,"resolution":)", part.detail);
        }
        draft_.put("}");
        break;
      case Part::Kind::file:
        write_file(part);
        break;
      case Part::Kind::audio:
        draft_.put(R"({"type":"audio")");
        write_media(part);
        draft_.put("}");
        break;
    }
  }

  void write_media(const Part& part) {
    switch (part.source) {
      case Source::base64:
        if (part.media_type.empty()) draft_.refuse_media_type(part);
        draft_.put(R"(,"data":")", part.data, "\"");
        break;
      case Source::url:
        draft_.put(R"(,"uri":")", part.data, "\"");
        break;
      case Source::file_id:
        draft_.refuse_data(part, Code::unsupported_parameter, {});
        break;
      case Source::plain_text:
      case Source::none:
        draft_.refuse_data(part, Code::invalid_value, "base64 data or a URL");
        break;
    }
    if (!part.media_type.empty()) draft_.put(R"(,"mime_type":")", part.media_type, "\"");
  }

  void write_file(const Part& part) {
    if (part.source == Source::plain_text) {
      draft_.put(R"({"type":"text","text":)");
      draft_.put_plain_text(part);
      draft_.put("}");
    } else if (part.source == Source::base64 && is_media_type(part.media_type, "text/plain")) {
      draft_.put(R"({"type":"text","text":)");
      draft_.put_decoded_text(part);
      draft_.put("}");
    } else {
      draft_.put(R"({"type":"document")");
      write_media(part);
      draft_.put("}");
    }
  }

  void write_result(const Item& item, uint32_t index) {
    draft_.put(R"({"type":"function_result","call_id":)");
    draft_.put_call_id(index, kIdRule);
    const uint32_t call = draft_.links().other(index);
    draft_.member(R"(,"name":)", call == CallLinks::kNone ? item.name : model_.items[call].name);
    draft_.put(R"(,"result":)");
    const auto parts = model_.parts_of(item);
    if (parts.empty()) {
      draft_.put(R"("")");
    } else if (parts.size() == 1 && parts[0].content.exists()) {
      draft_.put_text_of(parts[0]);
    } else {
      draft_.put("[");
      bool first = true;
      for (const Part& part : parts) {
        draft_.separate(first);
        write_content(part);
      }
      draft_.put("]");
    }
    draft_.put(item.is_error ? R"(,"is_error":true})" : "}");
  }

  void write_thought(const Item& item, bool& first) {
    const auto blob = draft_.own_blob(item, errors::Provider::gemini);
    if (!blob || blob->type != "thought") return;
    draft_.separate(first);
    draft_.put(R"({"type":"thought","signature":")", blob->data, "\"");
    bool first_part = true;
    const auto begin_part = [this, &first_part] {
      if (first_part) draft_.put(R"(,"summary":[)");
      draft_.separate(first_part);
    };
    for (const Part& part : model_.parts_of(item)) {
      if (is_empty_string(part.content)) continue;
      begin_part();
      draft_.put(R"({"type":"text","text":)", part.content, "}");
    }
    if (first_part && !blob->text.empty()) {
      begin_part();
      draft_.put(R"({"type":"text","text":")", blob->text, "\"}");
    }
    draft_.put(first_part ? "}" : "]}");
  }

  void write_tools() {
    if (model_.tools.empty()) return;
    const bool is_parallel_off =
        model_.parallel_off || model_.parallel_tool_calls.to_bool() == false;
    if (is_parallel_off) draft_.refuse_unsupported(model_.parallel_tool_calls);
    draft_.put(R"(,"tools":[)");
    bool first = true;
    for (const Tool& tool : model_.tools.items()) {
      draft_.separate(first);
      if (tool.kind == Tool::Kind::web_search) {
        draft_.put(R"({"type":"google_search"})");
        continue;
      }
      draft_.put(R"({"type":"function","name":)", tool.name);
      draft_.member(R"(,"description":)", tool.description);
      draft_.put(R"(,"parameters":)",
                 tool.parameters.exists() ? tool.parameters.text : kEmptyParameters, "}");
    }
    draft_.put("]");
  }

  void write_generation_config() {
    OptionalObject config(draft_, R"(,"generation_config":)");
    config.member(R"("max_output_tokens":)", model_.max_tokens.text);
    config.member(R"("temperature":)", model_.temperature.text);
    config.member(R"("top_p":)", model_.top_p.text);
    config.member(R"("thinking_level":)", thinking_level(model_.effort));
    config.member(R"("thinking_summaries":)", thinking_summaries(model_.summary));
    if (model_.tool_choice.kind != ToolChoice::Kind::absent) {
      config.key(R"("tool_choice":)");
      write_tool_choice();
    }
    config.end();
  }

  void write_tool_choice() {
    const ToolChoice& choice = model_.tool_choice;
    switch (choice.kind) {
      case ToolChoice::Kind::absent:
      case ToolChoice::Kind::automatic:
        draft_.put(R"("auto")");
        break;
      case ToolChoice::Kind::none:
        draft_.put(R"("none")");
        break;
      case ToolChoice::Kind::required:
        draft_.put(R"("any")");
        break;
      case ToolChoice::Kind::one:
        draft_.put(R"({"allowed_tools":{"mode":"any","tools":[)", choice.name, "]}}");
        break;
      case ToolChoice::Kind::subset: {
        draft_.put(R"({"allowed_tools":{"mode":)",
                   choice.subset_required ? R"("any")" : R"("auto")", R"(,"tools":[)");
        bool first = true;
        for (const json::Value& name : model_.choice_names.items()) {
          draft_.separate(first);
          draft_.put(name);
        }
        draft_.put("]}}");
        break;
      }
    }
  }

  void write_format() {
    if (model_.format.kind == Format::Kind::text) return;
    draft_.put(R"(,"response_format":{"type":"text","mime_type":"application/json")");
    if (model_.format.kind == Format::Kind::json_schema) {
      draft_.member(R"(,"schema":)", model_.format.schema);
    }
    draft_.put("}");
  }

  const RequestModel& model_;
  Draft draft_;
};

}  // namespace

Result<void, Fault> write_gemini(const RequestModel& model, BlockPool& pool, Buffer& out) {
  return Writer(model, pool, out).write();
}

}  // namespace flexd::surface
