// Writes answers as OpenAI's Responses API does (API reference, "Streaming events").
#include "answer_writer.hpp"
#include "flexd/base/ascii.hpp"
#include "response_text.hpp"
#include "seal.hpp"

namespace flexd::flexsim {
namespace {

constexpr std::string_view kPartEnd = ",\"annotations\":[],\"logprobs\":[]}";

class OpenaiWriter final : public AnswerWriter {
 public:
  void begin(std::string& out, const Frame& frame) override {
    frame_ = frame;
    output_ = "[]";
    items_ = 0;
    text_.begin(out, *frame.facts, frame.id, frame.tier, frame.unix_s, frame.echo_bytes);
  }

  void open(bool is_queued) override {
    const Outcome waiting{.status = is_queued ? "queued" : "in_progress"};
    text_.lifecycle("response.created", waiting);
    if (is_queued) text_.lifecycle("response.queued", waiting);
  }
  void keepalive() override { text_.event("keepalive").end_event(); }
  void picked_up() override { text_.lifecycle("response.in_progress", Outcome{}); }

  void open_item(const Item& item) override {
    text_.event("response.output_item.added").raw(",\"output_index\":").number(item.index);
    text_.raw(",\"item\":{\"id\":\"").raw(item_id(item)).raw("\",\"type\":\"");
    switch (item.kind) {
      case ItemKind::reasoning:
        text_.raw("reasoning\",\"summary\":[]}").end_event();
        return open_summary(item);
      case ItemKind::call:
        text_.raw("function_call\",\"status\":\"in_progress\",\"call_id\":\"").raw(call_id(item));
        text_.raw("\",\"name\":\"").raw(item.name).raw("\",\"arguments\":\"\"}").end_event();
        return;
      case ItemKind::message:
      case ItemKind::refusal:
        text_.raw("message\",\"status\":\"in_progress\",\"role\":\"assistant\",\"content\":[]}");
        text_.end_event();
        return part_event("response.content_part.added", item, "");
    }
  }

  void delta(const Item& item, std::string_view piece) override {
    switch (item.kind) {
      case ItemKind::reasoning:
        return at("response.reasoning_summary_text.delta", item, ",\"summary_index\":0")
            .raw(",\"delta\":\"")
            .raw(piece)
            .raw("\"")
            .end_event();
      case ItemKind::call:
        return at("response.function_call_arguments.delta", item, "")
            .raw(",\"delta\":\"")
            .raw(piece)
            .raw("\"")
            .end_event();
      case ItemKind::refusal:
        return at("response.refusal.delta", item, ",\"content_index\":0")
            .raw(",\"delta\":\"")
            .raw(piece)
            .raw("\"")
            .end_event();
      case ItemKind::message:
        return at("response.output_text.delta", item, ",\"content_index\":0")
            .raw(",\"delta\":\"")
            .raw(piece)
            .raw("\",\"logprobs\":[]")
            .end_event();
    }
  }

  void close_item(const Item& item) override {
    switch (item.kind) {
      case ItemKind::reasoning:
        close_summary(item);
        break;
      case ItemKind::call:
        at("response.function_call_arguments.done", item, "").raw(",\"name\":\"").raw(item.name);
        text_.raw("\",\"arguments\":\"").raw(item.text).raw("\"").end_event();
        break;
      case ItemKind::refusal:
        at("response.refusal.done", item, ",\"content_index\":0").raw(",\"refusal\":\"");
        text_.raw(item.text).raw("\"").end_event();
        part_event("response.content_part.done", item, item.text);
        break;
      case ItemKind::message:
        at("response.output_text.done", item, ",\"content_index\":0").raw(",\"text\":\"");
        text_.raw(item.text).raw("\",\"logprobs\":[]").end_event();
        part_event("response.content_part.done", item, item.text);
        break;
    }
    write_item(item);
    text_.event("response.output_item.done").raw(",\"output_index\":").number(item.index);
    text_.raw(",\"item\":").raw(item_).end_event();
    add_item();
  }

  void finish() override {
    const Outcome outcome = last_outcome();
    text_.lifecycle(outcome.status == "incomplete" ? "response.incomplete" : "response.completed",
                    outcome);
  }

  void failed(std::string_view code) override {
    text_.lifecycle(
        "response.failed",
        {.status = "failed", .error_code = vendor_code(Vendor::openai, code), .output = output_});
  }

  void error(std::string_view code, bool nested) override {
    constexpr std::string_view kMessage = "An error occurred while processing your request.";
    const std::string_view word = vendor_code(Vendor::openai, code);
    text_.event("error");
    if (nested) {
      text_.raw(",\"error\":{\"type\":\"server_error\",\"code\":\"").raw(word);
      text_.raw("\",\"message\":\"").raw(kMessage).raw("\",\"param\":null}");
    } else {
      text_.raw(",\"code\":\"").raw(word).raw("\",\"message\":\"").raw(kMessage);
      text_.raw("\",\"param\":null");
    }
    text_.end_event();
  }

  void body() override {
    for (const Item& item : frame_.answer->items()) {
      write_item(item);
      add_item();
    }
    text_.object(last_outcome());
  }

  uint64_t sequence() const override { return text_.sequence(); }

 private:
  Outcome last_outcome() const {
    const Stop stop = frame_.answer->stop();
    const bool is_cut = stop == Stop::length || stop == Stop::blocked;
    return {.status = is_cut ? "incomplete" : "completed",
            .reason = stop == Stop::blocked ? "content_filter" : "max_output_tokens",
            .output = output_,
            .usage = &frame_.answer->usage()};
  }

  // at opens an event of an item.
  ResponseText& at(std::string_view event, const Item& item, std::string_view more) {
    text_.event(event).raw(",\"item_id\":\"").raw(item_id(item)).raw("\",\"output_index\":");
    return text_.number(item.index).raw(more);
  }

  void open_summary(const Item& item) {
    if (item.text.empty()) return;
    at("response.reasoning_summary_part.added", item, ",\"summary_index\":0")
        .raw(",\"part\":{\"type\":\"summary_text\",\"text\":\"\"}")
        .end_event();
  }
  void close_summary(const Item& item) {
    if (item.text.empty()) return;
    at("response.reasoning_summary_text.done", item, ",\"summary_index\":0").raw(",\"text\":\"");
    text_.raw(item.text).raw("\"").end_event();
    at("response.reasoning_summary_part.done", item, ",\"summary_index\":0");
    text_.raw(",\"part\":{\"type\":\"summary_text\",\"text\":\"").raw(item.text).raw("\"}");
    text_.end_event();
  }

  void part_event(std::string_view event, const Item& item, std::string_view text) {
    at(event, item, ",\"content_index\":0").raw(",\"part\":").raw(part(item, text)).end_event();
  }
  // part is valid until the next call.
  std::string_view part(const Item& item, std::string_view text) {
    if (item.kind == ItemKind::refusal) {
      part_.assign("{\"type\":\"refusal\",\"refusal\":\"").append(text).append("\"}");
    } else {
      part_.assign("{\"type\":\"output_text\",\"text\":\"").append(text).append("\"");
      part_.append(kPartEnd);
    }
    return part_;
  }

  // write_item makes item_ the whole item.
  void write_item(const Item& item) {
    item_.assign("{\"id\":\"").append(item_id(item));
    switch (item.kind) {
      case ItemKind::reasoning:
        item_.append("\",\"type\":\"reasoning\",\"summary\":[");
        if (!item.text.empty()) {
          item_.append("{\"type\":\"summary_text\",\"text\":\"").append(item.text).append("\"}");
        }
        item_.append("],\"encrypted_content\":");
        if (frame_.facts->wants_blob) {
          item_.append("\"").append(seal(Vendor::openai, frame_.id)).append("\"}");
        } else {
          item_.append("null}");
        }
        return;
      case ItemKind::call:
        item_.append("\",\"type\":\"function_call\",\"status\":\"completed\",\"call_id\":\"");
        item_.append(call_id(item)).append("\",\"name\":\"").append(item.name);
        item_.append("\",\"arguments\":\"").append(item.text).append("\"}");
        return;
      case ItemKind::message:
      case ItemKind::refusal:
        item_.append("\",\"type\":\"message\",\"status\":\"").append(last_outcome().status);
        item_.append("\",\"role\":\"assistant\",\"content\":[").append(part(item, item.text));
        item_.append("]}");
        return;
    }
  }

  // add_item adds item_ to the output of the response object.
  void add_item() {
    output_.pop_back();
    if (items_++ > 0) output_ += ',';
    output_.append(item_).append("]");
  }

  // item_id is valid until the next call.
  std::string_view item_id(const Item& item) {
    const bool is_call = item.kind == ItemKind::call;
    id_.assign(is_call ? "fc_" : item.kind == ItemKind::reasoning ? "rs_" : "msg_");
    id_.append(frame_.id);
    if (is_call && item.index > 0) id_.append("_").append(DecimalText(uint64_t{item.index}).view());
    return id_;
  }
  std::string call_id(const Item& item) const {
    std::string id = "call_";
    if (item.suffix.empty()) return id.append(frame_.id);
    return id.append("flexsim_").append(item.suffix);
  }

  Frame frame_;
  ResponseText text_;
  std::string id_;
  std::string part_;
  std::string item_;    // one item as JSON
  std::string output_;  // the items so far, as a JSON array
  size_t items_ = 0;
};

}  // namespace

std::unique_ptr<AnswerWriter> make_openai_writer() {
  return std::make_unique<OpenaiWriter>();
}

}  // namespace flexd::flexsim
