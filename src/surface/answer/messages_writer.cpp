#include "messages_writer.hpp"

#include <algorithm>

#include "flexd/base/ascii.hpp"
#include "flexd/base/assert.hpp"
#include "flexd/base/limits.hpp"
#include "flexd/errors/table.hpp"

namespace flexd::surface {

namespace {

// Frames up to the number of their block.
constexpr std::string_view kStartFrame =
    "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":";
constexpr std::string_view kDeltaFrame =
    "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":";
constexpr std::string_view kStopFrame =
    "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":";
constexpr std::string_view kErrorFrame = "event: error\ndata: ";

// is_legal: Anthropic takes ids of ^[a-zA-Z0-9_-]+$ only.
bool is_legal(std::string_view id) {
  return !id.empty() && std::ranges::all_of(id, [](char c) {
    return is_alpha(c) || is_digit(c) || c == '_' || c == '-';
  });
}

// tier_word is a provider's tier as Anthropic spells it, where it has such a one.
std::string_view tier_word(std::string_view tier) {
  return tier == "default" ? std::string_view("standard") : tier;
}

// Quoted is a raw text as the three parts of a string, or of null if it is empty.
struct Quoted {
  explicit Quoted(std::string_view raw)
      : quote(raw.empty() ? "" : "\""), text(raw.empty() ? std::string_view("null") : raw) {}

  std::string_view quote;
  std::string_view text;
};

// UsageText is the members of a usage object that are known at the end.
using UsageText = ShortText<320>;

UsageText usage_text(const Usage& usage) {
  uint64_t fresh = usage.input_tokens;
  fresh -= std::min(fresh, usage.cached_tokens);
  fresh -= std::min(fresh, usage.cache_write_tokens);
  return UsageText({R"("input_tokens":)", Decimal(fresh).view(),
                    R"(,"cache_creation_input_tokens":)", Decimal(usage.cache_write_tokens).view(),
                    R"(,"cache_read_input_tokens":)", Decimal(usage.cached_tokens).view(),
                    R"(,"output_tokens":)", Decimal(usage.output_tokens).view(),
                    R"(,"output_tokens_details":{"thinking_tokens":)",
                    Decimal(usage.reasoning_tokens).view(), "}"});
}

}  // namespace

// BlockWords is the JSON of a kind of block.
struct MessagesWriter::BlockWords {
  std::string_view start;   // the block of a content_block_start
  std::string_view delta;   // the delta of a content_block_delta, up to its text
  std::string_view before;  // of the whole block, up to its text
  std::string_view after;   // likewise, behind it
};

struct MessagesWriter::Outcome {
  std::string_view stop_reason;
  std::string_view stop_sequence{};  // raw
  std::string_view stop_details = "null";
};

const MessagesWriter::BlockWords& MessagesWriter::words_of(Block block) {
  static constexpr BlockWords kText = {
      .start = R"({"type":"text","text":""})",
      .delta = R"({"type":"text_delta","text":")",
      .before = R"({"type":"text","text":")",
      .after = R"(","citations":null})",
  };
  static constexpr BlockWords kThinking = {
      .start = R"({"type":"thinking","thinking":"","signature":""})",
      .delta = R"({"type":"thinking_delta","thinking":")",
      .before = R"({"type":"thinking","thinking":")",
      .after = R"(","signature":""})",
  };
  static constexpr BlockWords kSealed = {.start = "", .delta = "", .before = "", .after = R"("})"};
  static constexpr BlockWords kCall = {
      .start = "",
      .delta = R"({"type":"input_json_delta","partial_json":")",
      .before = "",
      .after = "}",
  };
  switch (block) {
    case Block::thinking:
      return kThinking;
    case Block::sealed:
      return kSealed;
    case Block::call:
      return kCall;
    case Block::none:
    case Block::text:
    case Block::refusal:
      break;
  }
  return kText;
}

MessagesWriter::MessagesWriter(const AnswerContext& context, BlockPool& pool)
    : AnswerWriter(context, "msg_gw"), blocks_(pool), arguments_(pool) {}

void MessagesWriter::on_start(const AnswerStart& start) {
  if (is_over()) return;
  keep_model(start.model);
  if (!context_.stream) return;
  const Quoted tier(tier_word(context_.tier));
  put({"event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"", id(),
       R"(","type":"message","role":"assistant","model":")", model(),
       R"(","content":[],"stop_reason":null,"stop_sequence":null,"stop_details":null,)",
       R"("container":null,"usage":{"input_tokens":0,"cache_creation_input_tokens":0,)",
       R"("cache_read_input_tokens":0,"cache_creation":null,"output_tokens":0,)",
       R"("output_tokens_details":null,"server_tool_use":null,"service_tier":)", tier.quote,
       tier.text, tier.quote, "}}}\n\n"});
}

void MessagesWriter::on_item_start(const ItemStart& item) {
  if (is_over()) return;
  FLEXD_ASSERT(block_ == Block::none);
  // Other blocks open when it is known what goes into them.
  if (item.kind == ItemKind::call) open_call(item.call_id, item.name);
}

void MessagesWriter::on_text(std::string_view raw) {
  add(Block::text, raw);
}

void MessagesWriter::on_refusal(std::string_view raw) {
  has_refusal_ = true;
  add(Block::refusal, raw);
}

void MessagesWriter::on_thought(std::string_view raw) {
  add(Block::thinking, raw);
}

void MessagesWriter::on_arguments(std::string_view raw) {
  if (is_over() || raw.empty()) return;
  FLEXD_ASSERT(block_ == Block::call);
  has_arguments_ = true;
  if (context_.stream) {
    put({delta_head_.view(), raw, "\"}}\n\n"});
  } else {
    keep(arguments_, {arguments_.empty() ? "\"" : "", raw});
  }
}

void MessagesWriter::on_thought_blob(const Blob& blob) {
  if (is_over()) return;
  FLEXD_ASSERT(block_ == Block::none || block_ == Block::thinking);
  const bool redacted = block_ == Block::none;
  WholeSink sink(context_.stream ? *out_ : blocks_);
  if (context_.stream) {
    sink.append(redacted ? kStartFrame : kDeltaFrame);
    sink.append(Decimal(index_).view());
    sink.append(redacted ? R"(,"content_block":{"type":"redacted_thinking","data":")"
                         : R"(,"delta":{"type":"signature_delta","signature":")");
  } else {
    sink.append(redacted ? comma() : "");
    sink.append(redacted ? R"({"type":"redacted_thinking","data":")" : R"(","signature":")");
  }
  write_blob(sink, context_.provider,
             {.type = blob.type, .data = blob.data, .model = model(), .id = blob.id, .text = {}});
  if (context_.stream) sink.append("\"}}\n\n");
  if (!sink.finish() || blocks_.size() > limits::kFoldBytesMax) failed_ = true;
  block_ = Block::sealed;
}

void MessagesWriter::on_item_end(bool /*complete*/) {
  if (is_over()) return;
  if (block_ == Block::call) close_arguments();
  close();
}

MessagesWriter::Outcome MessagesWriter::outcome_of(const AnswerEnd& end) const {
  static constexpr Outcome kRefusal = {
      .stop_reason = "refusal",
      .stop_details = R"({"type":"refusal","category":null,"explanation":null})"};
  switch (end.reason) {
    case FinishReason::stop:
    case FinishReason::stop_sequence:
      break;
    case FinishReason::length:
    case FinishReason::budget:
      return {.stop_reason = "max_tokens"};
    case FinishReason::context_window:
      return {.stop_reason = "model_context_window_exceeded"};
    case FinishReason::content_filter:
      return kRefusal;
    case FinishReason::pause:
      return {.stop_reason = "pause_turn"};
  }
  // The calls want answers, whatever the provider says.
  if (has_calls_) return {.stop_reason = "tool_use"};
  if (has_refusal_) return kRefusal;
  if (end.reason == FinishReason::stop) return {.stop_reason = "end_turn"};
  return {.stop_reason = "stop_sequence", .stop_sequence = end.stop_sequence};
}

void MessagesWriter::on_end(const AnswerEnd& end) {
  if (is_over()) return;
  const Outcome outcome = outcome_of(end);
  const Quoted sequence(outcome.stop_sequence);
  const UsageText usage = usage_text(end.usage);
  if (context_.stream) {
    ended_ =
        put({"event: message_delta\n", R"(data: {"type":"message_delta","delta":{"stop_reason":")",
             outcome.stop_reason, R"(","stop_sequence":)", sequence.quote, sequence.text,
             sequence.quote, R"(,"stop_details":)", outcome.stop_details, R"(},"usage":{)",
             usage.view(), "}}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"});
    return;
  }
  const Quoted tier(tier_word(end.service_tier.empty() ? context_.tier : end.service_tier));
  ended_ = put({R"({"id":")",
                id(),
                R"(","type":"message","role":"assistant","model":")",
                model(),
                R"(","content":[)",
                blocks_.view(),
                R"(],"stop_reason":")",
                outcome.stop_reason,
                R"(","stop_sequence":)",
                sequence.quote,
                sequence.text,
                sequence.quote,
                R"(,"stop_details":)",
                outcome.stop_details,
                R"(,"container":null,"usage":{)",
                usage.view(),
                R"(,"cache_creation":null,"server_tool_use":null,"service_tier":)",
                tier.quote,
                tier.text,
                tier.quote,
                "}}"});
}

void MessagesWriter::on_failure(const AnswerFailure& failure) {
  if (is_over()) return;
  ended_ = put({context_.stream ? kErrorFrame : "", R"({"type":"error","error":{"type":")",
                errors::anthropic_type(failure.status), R"(","message":")", message_of(failure),
                R"("},"request_id":")", context_.request_id, context_.stream ? "\"}\n\n" : "\"}"});
}

void MessagesWriter::add(Block block, std::string_view raw) {
  if (is_over() || raw.empty()) return;
  if (block_ != block && !open(block)) return;
  if (context_.stream) {
    put({delta_head_.view(), raw, "\"}}\n\n"});
  } else {
    keep(blocks_, {raw});
  }
}

bool MessagesWriter::open(Block block) {
  close();
  const BlockWords& words = words_of(block);
  if (context_.stream) {
    put({kStartFrame, Decimal(index_).view(), R"(,"content_block":)", words.start, "}\n\n"});
  } else {
    keep(blocks_, {comma(), words.before});
  }
  begin_deltas(block);
  return !failed_;
}

void MessagesWriter::open_call(std::string_view call_id, std::string_view name) {
  has_calls_ = true;
  has_arguments_ = false;
  const Id minted = numbered_id("toolu_", context_.unique, index_);
  const std::string_view id = is_legal(call_id) ? call_id : minted.view();
  if (context_.stream) {
    put({kStartFrame, Decimal(index_).view(), R"(,"content_block":{"type":"tool_use","id":")", id,
         R"(","name":")", name, "\",\"input\":{}}}\n\n"});
  } else {
    keep(blocks_,
         {comma(), R"({"type":"tool_use","id":")", id, R"(","name":")", name, R"(","input":)"});
  }
  begin_deltas(Block::call);
}

void MessagesWriter::begin_deltas(Block block) {
  block_ = block;
  if (!context_.stream) return;
  delta_head_.set({kDeltaFrame, Decimal(index_).view(), R"(,"delta":)", words_of(block).delta});
}

void MessagesWriter::close_arguments() {
  if (context_.stream) {
    if (!has_arguments_) on_arguments("{}");
    return;
  }
  if (!has_arguments_) {
    keep(blocks_, {"{}"});
    return;
  }
  if (!keep(arguments_, {"\""})) return;
  if (!append_arguments(blocks_, arguments_.view())) failed_ = true;
  arguments_.clear();
}

void MessagesWriter::close() {
  if (failed_ || block_ == Block::none) return;
  if (context_.stream) {
    put({kStopFrame, Decimal(index_).view(), "}\n\n"});
  } else {
    keep(blocks_, {words_of(block_).after});
  }
  ++index_;
  block_ = Block::none;
}

bool MessagesWriter::keep(Buffer& held, Parts parts) {
  if (failed_) return false;
  const size_t held_bytes = blocks_.size() + arguments_.size();
  if (bytes_of(parts) > limits::kFoldBytesMax - held_bytes || !append_parts(held, parts)) {
    failed_ = true;
  }
  return !failed_;
}

}  // namespace flexd::surface
