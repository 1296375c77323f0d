// Writes answers as Anthropic's Messages API does (API reference, "Create a Message", "Streaming
// messages").
#include "answer_writer.hpp"
#include "flexd/base/ascii.hpp"
#include "seal.hpp"

namespace flexd::flexsim {
namespace {

constexpr std::string_view kStopDetails =
    "{\"type\":\"refusal\",\"category\":\"general_harms\",\"explanation\":null}";

class AnthropicWriter final : public AnswerWriter {
 public:
  void begin(std::string& out, const Frame& frame) override {
    out_ = &out;
    frame_ = frame;
  }

  void open(bool /*is_queued*/) override {
    event("message_start").raw(",\"message\":{");
    message();
    raw(",\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,\"stop_details\":null,");
    usage(1, true);
    raw("}").end_event();
    keepalive();
  }
  void keepalive() override { keepalive_event(Vendor::anthropic, *out_, 0); }
  void picked_up() override {}

  void open_item(const Item& item) override {
    block_event("content_block_start", item).raw(",\"content_block\":{\"type\":\"");
    switch (item.kind) {
      case ItemKind::reasoning:
        raw("thinking\",\"thinking\":\"\",\"signature\":\"\"}").end_event();
        return;
      case ItemKind::call:
        raw("tool_use\",\"id\":\"").raw(call_id(item)).raw("\",\"name\":\"").raw(item.name);
        raw("\",\"input\":{},\"caller\":{\"type\":\"direct\"}}").end_event();
        return block_delta(item, "input_json_delta", "partial_json", "");
      case ItemKind::message:
      case ItemKind::refusal:
        raw("text\",\"text\":\"\"}").end_event();
        return;
    }
  }

  void delta(const Item& item, std::string_view piece) override {
    switch (item.kind) {
      case ItemKind::reasoning:
        return block_delta(item, "thinking_delta", "thinking", piece);
      case ItemKind::call:
        // A call without arguments has no more deltas.
        if (item.text == "{}") return;
        return block_delta(item, "input_json_delta", "partial_json", piece);
      case ItemKind::message:
      case ItemKind::refusal:
        return block_delta(item, "text_delta", "text", piece);
    }
  }

  void close_item(const Item& item) override {
    if (item.kind == ItemKind::reasoning) {
      block_delta(item, "signature_delta", "signature", seal(Vendor::anthropic, frame_.id));
    }
    block_event("content_block_stop", item).end_event();
  }

  void finish() override {
    event("message_delta").raw(",\"delta\":{\"stop_reason\":\"").raw(stop_reason());
    raw("\",\"stop_sequence\":null");
    if (is_refused()) raw(",\"stop_details\":").raw(kStopDetails);
    raw("},");
    usage(frame_.answer->usage().output_tokens, false);
    end_event();
    event("message_stop").end_event();
  }

  // A message has no state that says it failed.
  void failed(std::string_view code) override { error(code, true); }
  void error(std::string_view code, bool /*nested*/) override {
    event("error").raw(",\"error\":{\"type\":\"").raw(vendor_code(Vendor::anthropic, code));
    raw("\",\"message\":\"An error occurred while processing your request.\"}");
    raw(",\"request_id\":\"req_flexsim\"").end_event();
  }

  void body() override {
    raw("{");
    message();
    raw(",\"content\":[");
    for (const Item& item : frame_.answer->items()) {
      if (item.index > 0) raw(",");
      block(item);
    }
    raw("],\"stop_reason\":\"").raw(stop_reason()).raw("\",\"stop_sequence\":null");
    raw(",\"stop_details\":").raw(is_refused() ? kStopDetails : "null");
    raw(",\"container\":null,");
    usage(frame_.answer->usage().output_tokens, true);
    raw("}");
  }

 private:
  bool is_refused() const {
    const Stop stop = frame_.answer->stop();
    return stop == Stop::refused || stop == Stop::blocked;
  }
  std::string_view stop_reason() const {
    if (is_refused()) return "refusal";
    const Stop stop = frame_.answer->stop();
    return stop == Stop::calls ? "tool_use" : stop == Stop::length ? "max_tokens" : "end_turn";
  }

  void message() {
    raw("\"id\":\"msg_").raw(frame_.id);
    raw("\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"").raw(frame_.facts->model);
    raw("\"");
  }

  void block(const Item& item) {
    switch (item.kind) {
      case ItemKind::reasoning:
        raw("{\"type\":\"thinking\",\"thinking\":\"").raw(item.text).raw("\",\"signature\":\"");
        raw(seal(Vendor::anthropic, frame_.id)).raw("\"}");
        return;
      case ItemKind::call:
        raw("{\"type\":\"tool_use\",\"id\":\"").raw(call_id(item)).raw("\",\"name\":\"");
        raw(item.name).raw("\",\"input\":").raw(unescaped_arguments(item));
        raw(",\"caller\":{\"type\":\"direct\"}}");
        return;
      case ItemKind::message:
      case ItemKind::refusal:
        raw("{\"type\":\"text\",\"text\":\"").raw(item.text).raw("\",\"citations\":null}");
        return;
    }
  }

  // usage writes the member; the tier stands only where a message is.
  void usage(uint64_t output_tokens, bool has_tier) {
    const Usage& usage = frame_.answer->usage();
    raw("\"usage\":{\"input_tokens\":").number(usage.input_tokens - usage.cached_tokens);
    raw(",\"cache_creation_input_tokens\":0,\"cache_read_input_tokens\":");
    number(usage.cached_tokens);
    if (has_tier) {
      raw(",\"cache_creation\":{\"ephemeral_5m_input_tokens\":0,");
      raw("\"ephemeral_1h_input_tokens\":0}");
    }
    raw(",\"output_tokens\":").number(output_tokens);
    if (output_tokens == usage.output_tokens) {
      raw(",\"output_tokens_details\":{\"thinking_tokens\":").number(usage.reasoning_tokens);
      raw("}");
    }
    if (has_tier) {
      raw(",\"server_tool_use\":null,\"service_tier\":\"").raw(frame_.tier).raw("\"");
    }
    raw("}");
  }

  std::string call_id(const Item& item) const {
    std::string id = "toolu_";
    if (item.suffix.empty()) return id.append(frame_.id);
    return id.append("flexsim_").append(item.suffix);
  }

  void block_delta(const Item& item, std::string_view type, std::string_view name,
                   std::string_view piece) {
    block_event("content_block_delta", item).raw(",\"delta\":{\"type\":\"").raw(type);
    raw("\",\"").raw(name).raw("\":\"").raw(piece).raw("\"}").end_event();
  }
  AnthropicWriter& block_event(std::string_view name, const Item& item) {
    return event(name).raw(",\"index\":").number(item.index);
  }
  AnthropicWriter& event(std::string_view name) {
    return raw("event: ").raw(name).raw("\ndata: {\"type\":\"").raw(name).raw("\"");
  }
  void end_event() { raw("}\n\n"); }
  AnthropicWriter& raw(std::string_view text) {
    out_->append(text);
    return *this;
  }
  AnthropicWriter& number(uint64_t value) { return raw(DecimalText(value).view()); }

  std::string* out_ = nullptr;
  Frame frame_;
};

}  // namespace

std::unique_ptr<AnswerWriter> make_anthropic_writer() {
  return std::make_unique<AnthropicWriter>();
}

}  // namespace flexd::flexsim
