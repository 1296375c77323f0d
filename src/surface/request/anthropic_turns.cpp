#include "anthropic_turns.hpp"

#include <array>
#include <span>

#include "reading.hpp"

namespace flexd::surface {

namespace {

using errors::Code;
using Kind = Item::Kind;
using Role = Item::Role;
using Source = Part::Source;

constexpr auto kIdRule = Draft::IdRule::letters_and_digits;

// ImageType is a media type that is taken, by a name that callers give it.
struct ImageType {
  std::string_view name;
  std::string_view taken;
};
constexpr std::array<ImageType, 5> kImageTypes = {{{"image/jpeg", "image/jpeg"},
                                                   {"image/jpg", "image/jpeg"},
                                                   {"image/png", "image/png"},
                                                   {"image/gif", "image/gif"},
                                                   {"image/webp", "image/webp"}}};

// image_type is the media type to send for a raw one; empty for what is not taken.
std::string_view image_type(std::string_view raw) {
  for (const ImageType& type : kImageTypes) {
    if (is_media_type(raw, type.name)) return type.taken;
  }
  return {};
}

bool is_text(const Part& part) {
  return part.kind == Part::Kind::text || part.kind == Part::Kind::refusal ||
         part.kind == Part::Kind::json;
}

bool is_blank(const Part& part) {
  return is_text(part) && part.content.is(json::Type::kString) && !has_text(part.content);
}

// without_trailing_space cuts white space off the end of the raw inside of a JSON string.
std::string_view without_trailing_space(std::string_view raw) {
  for (;;) {
    if (raw.ends_with(' ')) {
      raw.remove_suffix(1);
      continue;
    }
    const bool is_escape = raw.ends_with("\\n") || raw.ends_with("\\t") || raw.ends_with("\\r");
    if (!is_escape) return raw;
    // In `\\\\n` the backslash is escaped and the letter is text.
    size_t backslashes = 1;
    while (backslashes + 1 < raw.size() && raw[raw.size() - 2 - backslashes] == '\\') ++backslashes;
    if (backslashes % 2 == 0) return raw;
    raw.remove_suffix(2);
  }
}

// own_thought is a thought that Anthropic can read; see Draft::own_blob.
std::optional<Blob> own_thought(Draft& draft, const Item& item) {
  auto blob = draft.own_blob(item, errors::Provider::anthropic);
  if (blob && blob->type != "thinking" && blob->type != "redacted_thinking") return std::nullopt;
  return blob;
}

// Blocks writes the parts of messages.
class Blocks {
 public:
  explicit Blocks(Draft& draft) : draft_(draft) {}

  void write(const Part& part) {
    switch (part.kind) {
      case Part::Kind::text:
      case Part::Kind::refusal:
      case Part::Kind::json:
        draft_.put(R"({"type":"text","text":)");
        draft_.put_text_of(part);
        draft_.put("}");
        break;
      case Part::Kind::image:
        write_image(part);
        break;
      case Part::Kind::file:
        write_document(part);
        break;
      case Part::Kind::audio:
        draft_.refuse_kind(part.whole);
        break;
    }
  }

 private:
  void write_image(const Part& part) {
    if (part.source == Source::url) {
      draft_.put(R"({"type":"image","source":{"type":"url","url":")", part.data, "\"}}");
      return;
    }
    if (part.source == Source::file_id) {
      return draft_.refuse_data(part, Code::unsupported_parameter, {});
    }
    if (part.source != Source::base64) {
      return draft_.refuse_data(part, Code::invalid_value, "base64 data or a URL");
    }
    const std::string_view type = image_type(part.media_type);
    if (type.empty()) return draft_.refuse_media_type(part);
    draft_.put(R"({"type":"image","source":{"type":"base64","media_type":")", type, R"(","data":")",
               part.data, "\"}}");
  }

  void write_document(const Part& part) {
    draft_.put(R"({"type":"document","source":)");
    switch (part.source) {
      case Source::url:
        draft_.put(R"({"type":"url","url":")", part.data, "\"}");
        break;
      case Source::plain_text:
        draft_.put(R"({"type":"text","media_type":"text/plain","data":)");
        draft_.put_plain_text(part);
        draft_.put("}");
        break;
      case Source::base64:
        write_data(part);
        break;
      case Source::file_id:
        draft_.refuse_data(part, Code::unsupported_parameter, {});
        break;
      case Source::none:
        draft_.refuse_invalid(part.whole, "a file with its data or a URL");
        break;
    }
    draft_.member(R"(,"title":)", part.filename);
    draft_.put("}");
  }

  void write_data(const Part& part) {
    if (is_media_type(part.media_type, "application/pdf")) {
      draft_.put(R"({"type":"base64","media_type":"application/pdf","data":")", part.data, "\"}");
    } else if (is_media_type(part.media_type, "text/plain")) {
      draft_.put(R"({"type":"text","media_type":"text/plain","data":)");
      draft_.put_decoded_text(part);
      draft_.put("}");
    } else {
      draft_.refuse_media_type(part);
    }
  }

  Draft& draft_;
};

// Turns walks the items.
class Turns {
 public:
  explicit Turns(Draft& draft) : draft_(draft), model_(draft.model()), blocks_(draft) {}

  void write() {
    find_last_text();
    draft_.put(R"(,"messages":[)");
    for (uint32_t i = 0; i < model_.items.size(); ++i) write_item(i);
    if (role_ == Role::assistant) refuse_unanswered(static_cast<uint32_t>(model_.items.size()));
    if (role_ == Role::system) refuse_emptiness();
    draft_.put("]}]");
  }

 private:
  void write_item(uint32_t i) {
    const Item& item = model_.items[i];
    switch (item.kind) {
      case Kind::message:
        if (item.role != Role::system) write_message(item, i);
        break;
      case Kind::call:
        begin_block(Role::assistant, i);
        draft_.put(R"({"type":"tool_use","id":)");
        draft_.put_call_id(i, kIdRule);
        draft_.put(R"(,"name":)", item.name, R"(,"input":)");
        draft_.put_arguments_object(item);
        draft_.put("}");
        break;
      case Kind::result:
        pass_result(item, i);
        break;
      case Kind::reasoning:
        write_thought(item, i);
        break;
    }
  }

  void write_message(const Item& item, uint32_t i) {
    for (const Part& part : model_.parts_of(item)) {
      if (is_blank(part)) continue;
      if (item.role == Role::assistant && !is_text(part)) {
        draft_.refuse_kind(part.whole);
        continue;
      }
      begin_block(item.role, i);
      if (&part == last_text_) {
        draft_.put(R"({"type":"text","text":")", without_trailing_space(part.content.contents()),
                   "\"}");
      } else {
        blocks_.write(part);
      }
    }
  }

  // pass_result sees to it that the user's turn begins. The result has been written already if
  // something of the user's came before it.
  void pass_result(const Item& item, uint32_t i) {
    const uint32_t call = draft_.links().other(i);
    if (call == CallLinks::kNone) {
      draft_.refuse_invalid(item.call_id.exists() ? item.call_id : item.whole,
                            "the id of an earlier call that has no other result");
    } else if (role_ == Role::assistant && call >= turn_begin_) {
      begin_turn(Role::user, i);
    }
  }

  void begin_block(Role role, uint32_t i) {
    if (role_ != role) begin_turn(role, i);
    draft_.separate(first_block_);
  }

  void begin_turn(Role role, uint32_t i) {
    const Role before = role_;
    if (before != Role::system) draft_.put("]},");
    role_ = role;
    first_block_ = true;
    if (role == Role::user) {
      draft_.put(R"({"role":"user","content":[)");
      if (before == Role::assistant) write_results(i);
      return;
    }
    draft_.put(R"({"role":"assistant","content":[)");
    turn_begin_ = i;
  }

  void write_thought(const Item& item, uint32_t i) {
    const auto blob = own_thought(draft_, item);
    if (!blob) return;
    begin_block(Role::assistant, i);
    if (blob->type == "redacted_thinking") {
      draft_.put(R"({"type":"redacted_thinking","data":")", blob->data, "\"}");
      return;
    }
    draft_.put(R"({"type":"thinking","thinking":")");
    if (!blob->text.empty()) {
      draft_.put(blob->text);
    } else {
      bool first = true;
      for (const Part& part : model_.parts_of(item)) {
        if (!first) draft_.put(R"(\n\n)");
        first = false;
        draft_.put(part.content.contents());
      }
    }
    draft_.put(R"(","signature":")", blob->data, "\"}");
  }

  // write_results writes the results of the calls in the assistant's turn before items[end].
  void write_results(uint32_t end) {
    for (uint32_t i = turn_begin_; i < end; ++i) {
      if (model_.items[i].kind != Kind::call) continue;
      const uint32_t result = draft_.links().other(i);
      if (result == CallLinks::kNone) {
        refuse_call(model_.items[i]);
      } else {
        draft_.separate(first_block_);
        write_result(model_.items[result], i);
      }
    }
  }

  void write_result(const Item& item, uint32_t call) {
    draft_.put(R"({"type":"tool_result","tool_use_id":)");
    draft_.put_call_id(call, kIdRule);
    const auto parts = model_.parts_of(item);
    if (parts.size() == 1 && is_text(parts[0])) {
      draft_.put(R"(,"content":)");
      draft_.put_text_of(parts[0]);
    } else if (!parts.empty()) {
      draft_.put(R"(,"content":[)");
      bool first = true;
      for (const Part& part : parts) {
        if (is_blank(part)) continue;
        draft_.separate(first);
        blocks_.write(part);
      }
      draft_.put("]");
    }
    draft_.put(item.is_error ? R"(,"is_error":true})" : "}");
  }

  void refuse_unanswered(uint32_t end) {
    for (uint32_t i = turn_begin_; i < end; ++i) {
      if (model_.items[i].kind == Kind::call) refuse_call(model_.items[i]);
    }
  }

  void refuse_call(const Item& call) {
    draft_.refuse_invalid(call.call_id.exists() ? call.call_id : call.whole,
                          "a call whose result follows");
  }

  void refuse_emptiness() {
    const bool is_chat = model_.dialect == errors::Dialect::chat;
    draft_.refuse({.code = Code::invalid_value,
                   .param = is_chat ? "messages" : "input",
                   .detail = "a message that is not blank"});
  }

  // find_last_text finds the text that the model is to go on from, if the conversation ends with
  // one of the assistant's. It must not end with white space.
  void find_last_text() {
    size_t i = model_.items.size();
    const auto is_system = [this](size_t index) {
      const Item& item = model_.items[index];
      return item.kind == Kind::message && item.role == Role::system;
    };
    while (i > 0 && is_system(i - 1)) --i;
    if (i == 0) return;
    const Item& item = model_.items[i - 1];
    if (item.kind != Kind::message || item.role != Role::assistant) return;
    for (const Part& part : model_.parts_of(item)) {
      if (!is_blank(part)) last_text_ = is_text(part) ? &part : nullptr;
    }
  }

  Draft& draft_;
  const RequestModel& model_;
  Blocks blocks_;
  Role role_ = Role::system;  // whose turn is open; the system's: none yet
  bool first_block_ = true;
  uint32_t turn_begin_ = 0;  // the first item of the assistant's turn
  const Part* last_text_ = nullptr;
};

}  // namespace

void write_turns(Draft& draft) {
  Turns(draft).write();
}

bool lacks_thoughts(Draft& draft) {
  const auto items = draft.model().items.items();
  size_t begin = items.size();
  const auto is_spoken = [](const Item& item) {
    return item.kind == Kind::message && item.role == Role::user;
  };
  while (begin > 0 && !is_spoken(items[begin - 1])) --begin;
  bool has_thought = false;
  for (const Item& item : items.subspan(begin)) {
    if (item.kind == Kind::result) has_thought = false;
    if (item.kind == Kind::call && !has_thought) return true;
    if (item.kind == Kind::reasoning && !has_thought) {
      has_thought = own_thought(draft, item).has_value();
    }
  }
  return false;
}

}  // namespace flexd::surface
