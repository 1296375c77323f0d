// The body of POST /v1/responses (https://platform.openai.com/docs/api-reference/responses/create).
#include "draft.hpp"
#include "reading.hpp"
#include "strict_schema.hpp"
#include "writers.hpp"

namespace flexd::surface {

namespace {

using errors::Code;
using errors::Dialect;
using Kind = Item::Kind;
using Role = Item::Role;
using Source = Part::Source;

constexpr auto kIdRule = Draft::IdRule::up_to_64_bytes;
// kIdentifierBytesMax bounds a safety_identifier.
constexpr size_t kIdentifierBytesMax = 64;

std::string_view effort_word(Effort effort) {
  switch (effort) {
    case Effort::none:
      return "none";
    case Effort::minimal:
      return "minimal";
    case Effort::low:
      return "low";
    case Effort::medium:
      return "medium";
    case Effort::high:
      return "high";
    case Effort::xhigh:
      return "xhigh";
    case Effort::max:
      return "max";
    case Effort::absent:
      break;
  }
  return "";
}

std::string_view summary_word(Summary summary) {
  switch (summary) {
    case Summary::automatic:
      return "auto";
    case Summary::concise:
      return "concise";
    case Summary::detailed:
      return "detailed";
    case Summary::absent:
    case Summary::none:
      break;
  }
  return "";
}

// Writer writes one body.
class Writer {
 public:
  Writer(const RequestModel& model, BlockPool& pool, Buffer& out)
      : model_(model), draft_(model, pool, out) {}

  Result<void, Fault> write() {
    draft_.link_calls();
    draft_.put(R"({"model":)", model_.model);
    write_input();
    write_tools();
    write_text();
    write_reasoning();
    draft_.member(R"(,"max_output_tokens":)", model_.max_tokens);
    draft_.member(R"(,"temperature":)", model_.temperature);
    draft_.member(R"(,"top_p":)", model_.top_p);
    write_account();
    draft_.put("}");
    return draft_.finish();
  }

 private:
  // system_count is the number of system messages before all else, which become `instructions`. A
  // conversation of nothing but them stays one, because an empty input is refused. So it does for
  // an answer in JSON, because then the input has to mention JSON, and `instructions` do not count.
  size_t system_count() const {
    if (model_.format.kind == Format::Kind::json_object) return 0;
    const size_t count = model_.items.size();
    size_t i = 0;
    while (i < count && model_.items[i].kind == Kind::message &&
           model_.items[i].role == Role::system) {
      ++i;
    }
    return i == count ? 0 : i;
  }

  void write_input() {
    const size_t begin = system_count();
    draft_.put_system(R"(,"instructions":)", begin);
    draft_.put(R"(,"input":[)");
    bool first = true;
    for (size_t i = begin; i < model_.items.size(); ++i) {
      const Item& item = model_.items[i];
      switch (item.kind) {
        case Kind::message:
          write_message(item, first);
          break;
        case Kind::call:
          draft_.separate(first);
          draft_.put(R"({"type":"function_call","call_id":)");
          draft_.put_call_id(static_cast<uint32_t>(i), kIdRule);
          draft_.put(R"(,"name":)", item.name, R"(,"arguments":)");
          draft_.put_arguments_text(item);
          draft_.put("}");
          break;
        case Kind::result:
          draft_.separate(first);
          draft_.put(R"({"type":"function_call_output","call_id":)");
          draft_.put_call_id(static_cast<uint32_t>(i), kIdRule);
          draft_.put(R"(,"output":)");
          write_output(model_.parts_of(item));
          draft_.put("}");
          break;
        case Kind::reasoning:
          write_thought(item, first);
          break;
      }
    }
    draft_.put("]");
  }

  void write_message(const Item& item, bool& first) {
    const auto parts = model_.parts_of(item);
    if (item.role == Role::assistant) return write_assistant(parts, first);
    if (parts.empty()) return;
    draft_.separate(first);
    draft_.put(item.role == Role::user ? R"({"type":"message","role":"user","content":)"
                                       : R"({"type":"message","role":"developer","content":)");
    write_content(parts);
    draft_.put("}");
  }

  void write_assistant(std::span<const Part> parts, bool& first) {
    // Chat clients replay `"content":""` beside tool calls.
    size_t count = 0;
    bool all_text = true;
    const Part* only = nullptr;
    for (const Part& part : parts) {
      if (is_empty_string(part.content)) continue;
      ++count;
      only = &part;
      all_text = all_text && part.kind == Part::Kind::text;
    }
    if (count == 0) return;
    draft_.separate(first);
    draft_.put(R"({"type":"message","role":"assistant","content":)");
    if (count == 1 && all_text) {
      draft_.put(only->content, "}");
      return;
    }
    draft_.put("[");
    bool first_part = true;
    for (const Part& part : parts) {
      if (is_empty_string(part.content)) continue;
      draft_.separate(first_part);
      write_output_part(part);
    }
    draft_.put("]}");
  }

  void write_output_part(const Part& part) {
    if (part.kind == Part::Kind::text) {
      draft_.put(R"({"type":"output_text","text":)", part.content, "}");
    } else if (part.kind == Part::Kind::refusal) {
      draft_.put(R"({"type":"refusal","refusal":)", part.content, "}");
    } else {
      draft_.refuse_kind(part.whole);
    }
  }

  // write_output writes what a function gave, which may be nothing.
  void write_output(std::span<const Part> parts) {
    if (parts.empty()) {
      draft_.put(R"("")");
    } else {
      write_content(parts);
    }
  }

  void write_content(std::span<const Part> parts) {
    const auto is_text = [](const Part& part) {
      return part.kind == Part::Kind::text || part.kind == Part::Kind::refusal ||
             part.kind == Part::Kind::json;
    };
    if (parts.size() == 1 && is_text(parts[0])) {
      draft_.put_text_of(parts[0]);
      return;
    }
    draft_.put("[");
    bool first = true;
    for (const Part& part : parts) {
      draft_.separate(first);
      if (is_text(part)) {
        draft_.put(R"({"type":"input_text","text":)");
        draft_.put_text_of(part);
        draft_.put("}");
      } else if (part.kind == Part::Kind::image) {
        write_image(part);
      } else if (part.kind == Part::Kind::file) {
        write_file(part);
      } else {
        draft_.refuse_kind(part.whole);
      }
    }
    draft_.put("]");
  }

  void write_image(const Part& part) {
    draft_.put(R"({"type":"input_image")");
    switch (part.source) {
      case Source::base64:
        if (part.media_type.empty()) draft_.refuse_media_type(part);
        draft_.put(R"(,"image_url":"data:)", part.media_type, ";base64,", part.data, "\"");
        break;
      case Source::url:
        draft_.put(R"(,"image_url":")", part.data, "\"");
        break;
      case Source::file_id:
        write_file_id(part);
        break;
      case Source::plain_text:
      case Source::none:
        draft_.refuse_data(part, Code::invalid_value, "base64 data or a URL");
        break;
    }
    // `auto` is the default.
    if (part.detail.equals("low") || part.detail.equals("high")) {
      draft_.put(R"(,"detail":)", part.detail);
    }
    draft_.put("}");
  }

  void write_file(const Part& part) {
    switch (part.source) {
      case Source::base64:
        if (part.media_type.empty()) draft_.refuse_media_type(part);
        draft_.put(R"({"type":"input_file","filename":)");
        write_filename(part);
        draft_.put(R"(,"file_data":"data:)", part.media_type, ";base64,", part.data, "\"}");
        break;
      case Source::url:
        draft_.put(R"({"type":"input_file","file_url":")", part.data, "\"}");
        break;
      case Source::file_id:
        draft_.put(R"({"type":"input_file")");
        write_file_id(part);
        draft_.put("}");
        break;
      case Source::plain_text:
        draft_.put(R"({"type":"input_text","text":)");
        draft_.put_plain_text(part);
        draft_.put("}");
        break;
      case Source::none:
        draft_.refuse_invalid(part.whole, "a file with its data or a URL");
        break;
    }
  }

  // write_filename gives a file a name if the caller has none: data without one are refused.
  void write_filename(const Part& part) {
    if (part.filename.exists()) {
      draft_.put(part.filename);
    } else {
      draft_.put(is_media_type(part.media_type, "application/pdf") ? R"("document.pdf")"
                                                                   : R"("document")");
    }
  }

  void write_file_id(const Part& part) {
    if (model_.dialect == Dialect::chat) {
      draft_.put(R"(,"file_id":")", part.data, "\"");
    } else {
      draft_.refuse_data(part, Code::unsupported_parameter, {});
    }
  }

  void write_thought(const Item& item, bool& first) {
    const auto blob = draft_.own_blob(item, errors::Provider::openai);
    if (!blob || blob->type != "encrypted_content") return;
    has_thought_ = true;
    draft_.separate(first);
    draft_.put(R"({"type":"reasoning")");
    if (!blob->id.empty()) draft_.put(R"(,"id":")", blob->id, "\"");
    draft_.put(R"(,"summary":[)");
    bool first_part = true;
    for (const Part& part : model_.parts_of(item)) {
      if (is_empty_string(part.content)) continue;
      draft_.separate(first_part);
      draft_.put(R"({"type":"summary_text","text":)", part.content, "}");
    }
    if (first_part && !blob->text.empty()) {
      draft_.put(R"({"type":"summary_text","text":")", blob->text, "\"}");
    }
    draft_.put(R"(],"encrypted_content":")", blob->data, "\"}");
  }

  void write_tools() {
    if (!model_.tools.empty()) {
      draft_.put(R"(,"tools":[)");
      bool first = true;
      for (const Tool& tool : model_.tools.items()) {
        draft_.separate(first);
        write_tool(tool);
      }
      draft_.put("]");
    }
    if (model_.tool_choice.kind != ToolChoice::Kind::absent) write_tool_choice();
    if (model_.tools.empty()) return;
    if (model_.parallel_off) {
      draft_.put(R"(,"parallel_tool_calls":false)");
    } else {
      draft_.member(R"(,"parallel_tool_calls":)", model_.parallel_tool_calls);
    }
  }

  void write_tool(const Tool& tool) {
    if (tool.kind == Tool::Kind::web_search) {
      draft_.put(R"({"type":"web_search"})");
      return;
    }
    draft_.put(R"({"type":"function","name":)", tool.name);
    draft_.member(R"(,"description":)", tool.description);
    draft_.put(R"(,"parameters":)");
    if (tool.parameters.exists()) {
      draft_.put(tool.parameters);
    } else {
      draft_.put(kEmptyParameters);
    }
    // Tools are strict here unless they say otherwise; everywhere else it is the other way round.
    draft_.put(tool.strict.to_bool() == true ? R"(,"strict":true})" : R"(,"strict":false})");
  }

  void write_tool_choice() {
    const ToolChoice& choice = model_.tool_choice;
    draft_.put(R"(,"tool_choice":)");
    switch (choice.kind) {
      case ToolChoice::Kind::absent:
      case ToolChoice::Kind::automatic:
        draft_.put(R"("auto")");
        break;
      case ToolChoice::Kind::none:
        draft_.put(R"("none")");
        break;
      case ToolChoice::Kind::required:
        draft_.put(R"("required")");
        break;
      case ToolChoice::Kind::one:
        draft_.put(R"({"type":"function","name":)", choice.name, "}");
        break;
      case ToolChoice::Kind::subset: {
        draft_.put(R"({"type":"allowed_tools","mode":)",
                   choice.subset_required ? R"("required")" : R"("auto")", R"(,"tools":[)");
        bool first = true;
        for (const json::Value& name : model_.choice_names.items()) {
          draft_.separate(first);
          draft_.put(R"({"type":"function","name":)", name, "}");
        }
        draft_.put("]}");
        break;
      }
    }
  }

  void write_text() {
    const Format& format = model_.format;
    const bool has_format = format.kind != Format::Kind::text;
    if (!has_format && !model_.verbosity.exists()) return;
    draft_.put(R"(,"text":{)");
    if (format.kind == Format::Kind::json_object) {
      draft_.put(R"("format":{"type":"json_object"})");
    } else if (format.kind == Format::Kind::json_schema) {
      write_schema(format);
    }
    draft_.member(has_format ? R"(,"verbosity":)" : R"("verbosity":)", model_.verbosity);
    draft_.put("}");
  }

  void write_schema(const Format& format) {
    draft_.put(R"("format":{"type":"json_schema","name":)");
    if (format.name.exists()) {
      draft_.put(format.name);
    } else {
      draft_.put(R"("response")");
    }
    draft_.member(R"(,"description":)", format.description);
    draft_.put(R"(,"schema":)");
    if (format.schema.exists()) {
      draft_.put(format.schema);
    } else {
      draft_.put("{}");
    }
    // Only chat can say whether the schema is strict. What the others ask for always holds at their
    // own providers; here it does so for schemas that can be strict.
    const bool strict = model_.dialect == Dialect::chat ? format.strict.to_bool() == true
                                                        : is_strict_schema(format.schema);
    draft_.put(strict ? R"(,"strict":true})" : R"(,"strict":false})");
  }

  void write_reasoning() {
    const std::string_view effort = effort_word(model_.effort);
    const std::string_view summary = summary_word(model_.summary);
    if (!effort.empty() || !summary.empty()) {
      draft_.put(R"(,"reasoning":{)");
      if (!effort.empty()) draft_.put(R"("effort":")", effort, "\"");
      if (!effort.empty() && !summary.empty()) draft_.put(",");
      if (!summary.empty()) draft_.put(R"("summary":")", summary, "\"");
      draft_.put("}");
    }
    // Nothing is stored, so the thoughts have to travel with the answer and back. Chat has hardly a
    // place for them. They are asked for only where it is known that the model thinks: others
    // refuse the question.
    const bool thinks =
        model_.effort != Effort::none && (model_.effort != Effort::absent || !summary.empty());
    if (model_.dialect != Dialect::chat && (thinks || has_thought_)) {
      draft_.put(R"(,"include":["reasoning.encrypted_content"])");
    }
  }

  void write_account() {
    if (model_.dialect != Dialect::chat) {
      draft_.put_identifier(R"(,"safety_identifier":)", model_.user, kIdentifierBytesMax);
      draft_.put(R"(,"store":false)");
      return;
    }
    draft_.member(R"(,"metadata":)", model_.metadata);
    draft_.member(R"(,"user":)", model_.user);
    draft_.member(R"(,"safety_identifier":)", model_.safety_identifier);
    draft_.member(R"(,"prompt_cache_key":)", model_.prompt_cache_key);
    draft_.member(R"(,"prompt_cache_options":)", model_.prompt_cache_options);
    draft_.member(R"(,"prompt_cache_retention":)", model_.prompt_cache_retention);
    draft_.member(R"(,"moderation":)", model_.moderation);
    draft_.put(R"(,"store":)",
               model_.store.exists() ? model_.store.text : std::string_view("false"));
  }

  const RequestModel& model_;
  Draft draft_;
  bool has_thought_ = false;
};

}  // namespace

Result<void, Fault> write_openai(const RequestModel& model, BlockPool& pool, Buffer& out) {
  return Writer(model, pool, out).write();
}

}  // namespace flexd::surface
