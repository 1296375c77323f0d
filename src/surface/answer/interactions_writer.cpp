#include "interactions_writer.hpp"

#include <algorithm>

#include "flexd/base/assert.hpp"
#include "flexd/base/limits.hpp"

namespace flexd::surface {

namespace {

constexpr std::string_view kFilteredError =
    R"({"code":"content_filter","message":"The provider's filter cut the answer off."})";

void write_error(WholeSink& sink, const AnswerFailure& failure) {
  sink.append(R"({"code":")");
  sink.append(code_of(failure));
  sink.append(R"(","message":")");
  sink.append(message_of(failure));
  sink.append(R"("})");
}

void write_usage(WholeSink& sink, const Usage& usage) {
  const auto member = [&sink](std::string_view before, uint64_t count) {
    sink.append(before);
    sink.append(Decimal(count).view());
  };
  const uint64_t thought_tokens = std::min(usage.reasoning_tokens, usage.output_tokens);
  member(R"(,"usage":{"total_input_tokens":)", usage.input_tokens);
  member(R"(,"total_cached_tokens":)", usage.cached_tokens);
  member(R"(,"total_output_tokens":)", usage.output_tokens - thought_tokens);
  member(R"(,"total_thought_tokens":)", thought_tokens);
  member(R"(,"total_tool_use_tokens":0,"total_tokens":)", usage.total_tokens);
  sink.append("}");
}

}  // namespace

InteractionsWriter::InteractionsWriter(const AnswerContext& context, BlockPool& pool)
    : AnswerWriter(context, "v1_gw"), steps_(pool), arguments_(pool) {}

void InteractionsWriter::on_start(const AnswerStart& start) {
  if (is_over()) return;
  keep_model(start.model);
  if (!context_.stream) return;
  write_as_event("interaction.created", "in_progress", nullptr);
  put({"event: interaction.status_update\ndata: {\"interaction_id\":\"", id(),
       "\",\"status\":\"in_progress\",\"event_type\":\"interaction.status_update\"}\n\n"});
}

void InteractionsWriter::on_item_start(const ItemStart& item) {
  if (is_over()) return;
  kind_ = item.kind;
  has_text_ = false;
  has_signature_ = false;
  const uint64_t index = step_count_++;
  switch (kind_) {
    case ItemKind::message:
      start_step({R"({"type":"model_output")", context_.stream ? "}" : R"(,"content":[)"});
      break;
    case ItemKind::thought:
      start_step({R"({"type":"thought")", context_.stream ? "}" : R"(,"summary":[)"});
      break;
    case ItemKind::call: {
      has_calls_ = true;
      const Id minted = numbered_id("call_", context_.unique, index);
      start_step({R"({"type":"function_call","id":")",
                  item.call_id.empty() ? minted.view() : item.call_id, R"(","name":")", item.name,
                  R"(","arguments":)", context_.stream ? "{}}" : ""});
      if (!context_.stream) keep_in(arguments_, {"\""});
      break;
    }
  }
}

void InteractionsWriter::on_text(std::string_view raw) {
  if (is_over() || raw.empty()) return;
  FLEXD_ASSERT(kind_ == ItemKind::message);
  if (!context_.stream) return keep_text(raw);
  tell_delta(R"({"type":"text","text":")", raw, R"("})");
}

void InteractionsWriter::on_thought(std::string_view raw) {
  if (is_over() || raw.empty()) return;
  FLEXD_ASSERT(kind_ == ItemKind::thought && !has_signature_);
  if (!context_.stream) return keep_text(raw);
  tell_delta(R"({"type":"thought_summary","content":{"type":"text","text":")", raw, R"("}})");
}

void InteractionsWriter::on_arguments(std::string_view raw) {
  if (is_over() || raw.empty()) return;
  FLEXD_ASSERT(kind_ == ItemKind::call);
  has_text_ = true;
  if (!context_.stream) {
    keep_in(arguments_, {raw});
  } else {
    tell_delta(R"({"type":"arguments_delta","arguments":")", raw, R"("})");
  }
}

void InteractionsWriter::on_thought_blob(const Blob& blob) {
  if (is_over()) return;
  FLEXD_ASSERT(kind_ == ItemKind::thought && !has_signature_);
  const Blob whole{
      .type = blob.type, .data = blob.data, .model = model(), .id = blob.id, .text = {}};
  if (context_.stream) {
    tell_signature(whole);
  } else {
    keep_signature(whole);
  }
  has_signature_ = true;
}

void InteractionsWriter::on_item_end(bool /*complete*/) {
  if (is_over()) return;
  if (context_.stream) {
    // Clients parse what the fragments of a call make: never nothing.
    if (kind_ == ItemKind::call && !has_text_) on_arguments("{}");
    put({"event: step.stop\ndata: {\"index\":", Decimal(step_count_ - 1).view(),
         ",\"event_type\":\"step.stop\"}\n\n"});
    return;
  }
  if (kind_ == ItemKind::call) return keep_arguments();
  if (!has_signature_) keep({has_text_ ? R"("}])" : "]"});
  keep({"}"});
}

void InteractionsWriter::on_end(const AnswerEnd& end) {
  if (is_over()) return;
  const std::string_view status = status_of(end.reason);
  if (context_.stream) {
    // Both or none: a failure must not follow a good end.
    const size_t begin = out_->size();
    write_as_event("interaction.completed", status, &end);
    if (!put({"event: done\ndata: [DONE]\n\n"})) out_->truncate(begin);
  } else {
    write_as_object(status, &end, nullptr);
  }
  ended_ = !failed_;
}

void InteractionsWriter::on_failure(const AnswerFailure& failure) {
  if (is_over()) return;
  if (context_.stream) {
    WholeSink sink(*out_);
    begin_frame(sink, "error");
    sink.append(R"({"error":)");
    write_error(sink, failure);
    sink.append(R"(,"event_type":"error"})");
    end_frame(sink);
    if (!sink.finish()) failed_ = true;
  } else {
    write_as_object("failed", nullptr, &failure);
  }
  ended_ = !failed_;
}

std::string_view InteractionsWriter::status_of(FinishReason reason) const {
  switch (reason) {
    case FinishReason::stop:
    case FinishReason::stop_sequence:
      return has_calls_ ? "requires_action" : "completed";
    case FinishReason::budget:
      return "budget_exceeded";
    case FinishReason::length:
    case FinishReason::context_window:
    case FinishReason::content_filter:
    case FinishReason::pause:  // requires_continuation would make the SDK ask again by itself
      break;
  }
  return "incomplete";
}

void InteractionsWriter::start_step(Parts step) {
  if (!context_.stream) {
    if (step_count_ > 1) keep({","});
    keep(step);
    return;
  }
  const size_t begin = out_->size();
  const bool whole = put({"event: step.start\ndata: {\"index\":", Decimal(step_count_ - 1).view(),
                          ",\"step\":"}) &&
                     put(step) && put({",\"event_type\":\"step.start\"}\n\n"});
  if (!whole) out_->truncate(begin);
}

void InteractionsWriter::tell_delta(std::string_view before, std::string_view raw,
                                    std::string_view after) {
  put({"event: step.delta\ndata: {\"index\":", Decimal(step_count_ - 1).view(),
       ",\"delta\":", before, raw, after, ",\"event_type\":\"step.delta\"}\n\n"});
}

void InteractionsWriter::tell_signature(const Blob& blob) {
  WholeSink sink(*out_);
  begin_frame(sink, "step.delta");
  sink.append(R"({"index":)");
  sink.append(Decimal(step_count_ - 1).view());
  sink.append(R"(,"delta":{"type":"thought_signature","signature":")");
  write_blob(sink, context_.provider, blob);
  sink.append(R"("},"event_type":"step.delta"})");
  end_frame(sink);
  if (!sink.finish()) failed_ = true;
}

void InteractionsWriter::write_interaction(WholeSink& sink, std::string_view status,
                                           const AnswerEnd* end,
                                           const AnswerFailure* failure) const {
  const std::array<char, kTimeBytes> time = format_time(context_.created_at_s);
  const std::string_view created(time.data(), time.size());
  const auto member = [&sink](std::string_view before, std::string_view raw) {
    sink.append(before);
    sink.append(raw);
    sink.append("\"");
  };
  member(R"({"id":")", id());
  member(R"(,"object":"interaction","status":")", status);
  member(R"(,"model":")", model());
  member(R"(,"created":")", created);
  member(R"(,"updated":")", created);
  const bool told = end != nullptr && !end->service_tier.empty();
  const std::string_view tier = told ? end->service_tier : context_.tier;
  if (!tier.empty()) member(R"(,"service_tier":")", tier);
  if (!context_.stream) {
    sink.append(R"(,"steps":[)");
    sink.append(steps_.view());
    sink.append("]");
  }
  if (end != nullptr && end->usage.known) write_usage(sink, end->usage);
  const bool filtered = end != nullptr && end->reason == FinishReason::content_filter;
  if (filtered || failure != nullptr) {
    sink.append(R"(,"errors":[)");
    if (filtered) sink.append(kFilteredError);
    if (failure != nullptr) write_error(sink, *failure);
    sink.append("]");
  }
  sink.append("}");
}

void InteractionsWriter::write_as_event(std::string_view event, std::string_view status,
                                        const AnswerEnd* end) {
  if (failed_) return;
  WholeSink sink(*out_);
  begin_frame(sink, event);
  sink.append(R"({"interaction":)");
  write_interaction(sink, status, end, nullptr);
  sink.append(R"(,"event_type":")");
  sink.append(event);
  sink.append(R"("})");
  end_frame(sink);
  if (!sink.finish()) failed_ = true;
}

void InteractionsWriter::write_as_object(std::string_view status, const AnswerEnd* end,
                                         const AnswerFailure* failure) {
  WholeSink sink(*out_);
  write_interaction(sink, status, end, failure);
  if (!sink.finish()) failed_ = true;
}

// keep_in holds text for the object; false, and the answer has failed, if there is no room.
bool InteractionsWriter::keep_in(Buffer& buffer, Parts parts) {
  if (failed_) return false;
  const size_t held_bytes = steps_.size() + arguments_.size();
  if (bytes_of(parts) > limits::kFoldBytesMax - held_bytes || !append_parts(buffer, parts)) {
    failed_ = true;
  }
  return !failed_;
}

void InteractionsWriter::keep_text(std::string_view raw) {
  if (!has_text_) keep({R"({"type":"text","text":")"});
  has_text_ = true;
  keep({raw});
}

void InteractionsWriter::keep_signature(const Blob& blob) {
  if (!keep({has_text_ ? R"("}],"signature":")" : R"(],"signature":")"})) return;
  WholeSink sink(steps_);
  write_blob(sink, context_.provider, blob);
  sink.append("\"");
  if (!sink.finish() || steps_.size() > limits::kFoldBytesMax) failed_ = true;
}

// keep_arguments ends a call.
void InteractionsWriter::keep_arguments() {
  if (!keep_in(arguments_, {"\""})) return;
  // The object is no longer than its string, so that the bound holds.
  if (!append_arguments(steps_, arguments_.view())) failed_ = true;
  arguments_.truncate(0);
  keep({"}"});
}

}  // namespace flexd::surface
