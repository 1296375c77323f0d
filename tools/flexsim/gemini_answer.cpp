// Writes answers as Gemini's Interactions API does (API reference, "Interactions", "Streaming").
#include <array>
#include <ctime>

#include "answer_writer.hpp"
#include "flexd/base/ascii.hpp"
#include "seal.hpp"

namespace flexd::flexsim {
namespace {

constexpr std::string_view kBlocked = "The answer was blocked by the safety settings.";
constexpr std::string_view kBroken = "An internal error has occurred.";

std::string timestamp(uint64_t unix_s) {
  const auto time = static_cast<time_t>(unix_s);
  tm parts{};
  gmtime_r(&time, &parts);
  std::array<char, 24> text;
  return {text.data(), std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts)};
}

class GeminiWriter final : public AnswerWriter {
 public:
  void begin(std::string& out, const Frame& frame) override {
    out_ = &out;
    frame_ = frame;
    // Answers that are not stored were seen without an id.
    id_.clear();
    if (frame.facts->is_stored) id_.append("v1_").append(frame.id);
    echo_.clear();
    if (frame.echo_bytes > 0) {
      echo_ = ",\"system_instruction\":\"";
      answer_text(frame.echo_bytes, echo_);
      echo_ += '"';
    }
  }

  void open(bool is_queued) override {
    const std::string_view status = is_queued ? "queued" : "in_progress";
    event("interaction.created");
    raw("\"interaction\":{\"id\":\"").raw(id_).raw("\",\"status\":\"").raw(status);
    raw("\",\"object\":\"interaction\",\"model\":\"").raw(frame_.facts->model).raw("\"");
    raw(echo_).raw("}").end_event();
    if (is_queued) status_update(status);
  }
  void keepalive() override { keepalive_event(Vendor::gemini, *out_, 0); }
  void picked_up() override { status_update("in_progress"); }

  void open_item(const Item& item) override {
    event("step.start").raw("\"index\":").number(item.index).raw(",\"step\":{\"type\":\"");
    switch (item.kind) {
      case ItemKind::reasoning:
        raw("thought\"}");
        break;
      case ItemKind::call:
        raw("function_call\",\"id\":\"").raw(call_id(item)).raw("\",\"name\":\"").raw(item.name);
        raw("\",\"arguments\":{}}");
        break;
      case ItemKind::message:
      case ItemKind::refusal:
        raw("model_output\"}");
        break;
    }
    end_event();
  }

  void delta(const Item& item, std::string_view piece) override {
    // A call without arguments has no deltas.
    if (item.kind == ItemKind::call && item.text == "{}") return;
    event("step.delta").raw("\"index\":").number(item.index).raw(",\"delta\":{\"type\":\"");
    switch (item.kind) {
      case ItemKind::reasoning:
        raw("thought_summary\",\"content\":{\"type\":\"text\",\"text\":\"").raw(piece).raw("\"}}");
        break;
      case ItemKind::call:
        raw("arguments_delta\",\"arguments\":\"").raw(piece).raw("\"}");
        break;
      case ItemKind::message:
      case ItemKind::refusal:
        raw("text\",\"text\":\"").raw(piece).raw("\"}");
        break;
    }
    end_event();
  }

  void close_item(const Item& item) override {
    if (item.kind == ItemKind::reasoning) {
      event("step.delta").raw("\"index\":").number(item.index);
      raw(",\"delta\":{\"type\":\"thought_signature\",\"signature\":\"");
      raw(seal(Vendor::gemini, frame_.id)).raw("\"}").end_event();
    }
    event("step.stop").raw("\"index\":").number(item.index).end_event();
  }

  void finish() override {
    completed(status(), {}, {}, true);
    done();
  }
  void failed(std::string_view code) override {
    completed("failed", vendor_code(Vendor::gemini, code), kBroken, false);
    done();
  }
  void error(std::string_view code, bool /*nested*/) override {
    event("error").raw("\"error\":{");
    if (code != "empty") {
      raw("\"code\":\"").raw(vendor_code(Vendor::gemini, code)).raw("\",\"message\":\"");
      raw(kBroken).raw("\"");
    }
    raw("}").end_event();
  }

  void body() override {
    raw("{");
    interaction(status());
    raw(",\"steps\":[");
    for (const Item& item : frame_.answer->items()) {
      if (item.index > 0) raw(",");
      step(item);
    }
    raw("]");
    usage();
    errors({}, {});
    raw("}");
  }

 private:
  std::string_view status() const {
    switch (frame_.answer->stop()) {
      case Stop::calls:
        return "requires_action";
      case Stop::length:
      case Stop::blocked:
      case Stop::refused:
        return "incomplete";
      case Stop::end:
        break;
    }
    return "completed";
  }

  void status_update(std::string_view status) {
    event("interaction.status_update").raw("\"interaction_id\":\"").raw(id_);
    raw("\",\"status\":\"").raw(status).raw("\"").end_event();
  }

  // completed has everything but the steps.
  void completed(std::string_view status, std::string_view code, std::string_view message,
                 bool has_usage) {
    event("interaction.completed").raw("\"interaction\":{");
    interaction(status);
    if (has_usage) usage();
    errors(code, message);
    raw("}").end_event();
  }
  void done() { raw("event: done\ndata: [DONE]\n\n"); }

  void interaction(std::string_view status) {
    raw("\"id\":\"").raw(id_).raw("\",\"status\":\"").raw(status);
    raw("\",\"object\":\"interaction\",\"model\":\"").raw(frame_.facts->model);
    raw("\",\"created\":\"").raw(timestamp(frame_.unix_s)).raw("\",\"updated\":\"");
    raw(timestamp(frame_.unix_s + 1)).raw("\",\"service_tier\":\"").raw(frame_.tier).raw("\"");
    raw(echo_);
  }

  void step(const Item& item) {
    switch (item.kind) {
      case ItemKind::reasoning:
        raw("{\"type\":\"thought\",\"signature\":\"").raw(seal(Vendor::gemini, frame_.id));
        raw("\",\"summary\":[");
        if (!item.text.empty()) {
          raw("{\"type\":\"text\",\"text\":\"").raw(item.text).raw("\"}");
        }
        raw("]}");
        return;
      case ItemKind::call:
        raw("{\"type\":\"function_call\",\"id\":\"").raw(call_id(item)).raw("\",\"name\":\"");
        raw(item.name).raw("\",\"arguments\":").raw(unescaped_arguments(item)).raw("}");
        return;
      case ItemKind::message:
      case ItemKind::refusal:
        raw("{\"type\":\"model_output\",\"content\":[{\"type\":\"text\",\"text\":\"");
        raw(item.text).raw("\"}]}");
        return;
    }
  }

  void usage() {
    const Usage& usage = frame_.answer->usage();
    raw(",\"usage\":{\"total_input_tokens\":").number(usage.input_tokens);
    raw(",\"input_tokens_by_modality\":[{\"modality\":\"text\",\"tokens\":");
    number(usage.input_tokens).raw("}],\"total_cached_tokens\":").number(usage.cached_tokens);
    raw(",\"total_output_tokens\":").number(usage.output_tokens - usage.reasoning_tokens);
    raw(",\"total_thought_tokens\":").number(usage.reasoning_tokens);
    raw(",\"total_tool_use_tokens\":0,\"total_tokens\":");
    number(usage.input_tokens + usage.output_tokens).raw("}");
  }

  // errors writes those given, or those of an answer that was blocked.
  void errors(std::string_view code, std::string_view message) {
    const Stop stop = frame_.answer->stop();
    const bool is_blocked = stop == Stop::blocked || stop == Stop::refused;
    if (code.empty() && is_blocked) {
      code = "safety";
      message = kBlocked;
    }
    if (code.empty()) return;
    raw(",\"errors\":[{\"code\":\"").raw(code).raw("\",\"message\":\"").raw(message).raw("\"}]");
  }

  std::string call_id(const Item& item) const {
    if (item.suffix.empty()) return std::string(frame_.id);
    std::string id = "flexsim-";
    id.append(item.suffix);
    id[id.rfind('_')] = '-';
    return id;
  }

  GeminiWriter& event(std::string_view name) {
    event_ = name;
    return raw("event: ").raw(name).raw("\ndata: {");
  }
  void end_event() { raw(",\"event_type\":\"").raw(event_).raw("\"}\n\n"); }
  GeminiWriter& raw(std::string_view text) {
    out_->append(text);
    return *this;
  }
  GeminiWriter& number(uint64_t value) { return raw(DecimalText(value).view()); }

  std::string* out_ = nullptr;
  Frame frame_;
  std::string id_;
  std::string echo_;
  std::string_view event_;
};

}  // namespace

std::unique_ptr<AnswerWriter> make_gemini_writer() {
  return std::make_unique<GeminiWriter>();
}

}  // namespace flexd::flexsim
