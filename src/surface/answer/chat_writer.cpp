#include "chat_writer.hpp"

#include "flexd/base/assert.hpp"
#include "flexd/base/limits.hpp"
#include "flexd/json/cursor.hpp"

namespace flexd::surface {

namespace {

// The delta of a first chunk, up to a comma or its end.
constexpr std::string_view kRoleOfText = R"("role":"assistant","content":"","refusal":null)";
constexpr std::string_view kRoleAlone = R"("role":"assistant","content":null,"refusal":null)";

constexpr std::string_view kDeltaEnd = "\"},\"logprobs\":null,\"finish_reason\":null}]}\n\n";
constexpr std::string_view kDeltaEndWithUsage =
    "\"},\"logprobs\":null,\"finish_reason\":null}],\"usage\":null}\n\n";

bool wants_usage(const AnswerContext& context) {
  if (!context.stream) return false;
  const json::Value request = json::Value::front_of(context.request);
  return request["stream_options"]["include_usage"].to_bool() == true;
}

std::string_view finish_word(FinishReason reason, bool has_calls) {
  switch (reason) {
    case FinishReason::stop:
    case FinishReason::stop_sequence:
      return has_calls ? "tool_calls" : "stop";
    case FinishReason::content_filter:
      return "content_filter";
    case FinishReason::length:
    case FinishReason::context_window:
    case FinishReason::pause:
    case FinishReason::budget:
      break;
  }
  return "length";
}

// type_word is OpenAI's word for the status of an error
// (https://platform.openai.com/docs/guides/error-codes).
std::string_view type_word(uint16_t status) {
  switch (status) {
    case 401:
      return "authentication_error";
    case 402:
      return "billing_error";
    case 403:
      return "permission_error";
    case 408:
      return "server_error";
    case 429:
      return "rate_limit_error";
    default:
      return status >= 500 ? "server_error" : "invalid_request_error";
  }
}

// UsageText is a usage object. Chat's types have all counts; of audio and predictions nothing is
// known.
using UsageText = ShortText<512>;

UsageText usage_text(const Usage& usage) {
  return UsageText({R"({"prompt_tokens":)", Decimal(usage.input_tokens).view(),
                    R"(,"completion_tokens":)", Decimal(usage.output_tokens).view(),
                    R"(,"total_tokens":)", Decimal(usage.total_tokens).view(),
                    R"(,"prompt_tokens_details":{"cached_tokens":)",
                    Decimal(usage.cached_tokens).view(), R"(,"cache_write_tokens":)",
                    Decimal(usage.cache_write_tokens).view(),
                    R"(,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":)",
                    Decimal(usage.reasoning_tokens).view(),
                    R"(,"audio_tokens":0,"accepted_prediction_tokens":0,)",
                    R"("rejected_prediction_tokens":0}})"});
}

// Quoted is a raw text as the three parts of a string, or of null.
struct Quoted {
  Quoted(std::string_view raw, bool exists)
      : quote(exists ? "\"" : ""), text(exists ? raw : std::string_view("null")) {}

  std::string_view quote;
  std::string_view text;
};

Quoted quoted(std::string_view raw) {
  return {raw, !raw.empty()};
}

}  // namespace

ChatWriter::ChatWriter(const AnswerContext& context, BlockPool& pool)
    : AnswerWriter(context, "chatcmpl-gw"),
      include_usage_(wants_usage(context)),
      delta_end_(include_usage_ ? kDeltaEndWithUsage : kDeltaEnd),
      content_(pool),
      refusal_(pool),
      calls_(pool),
      thought_(pool),
      blobs_(pool) {}

void ChatWriter::on_start(const AnswerStart& start) {
  if (is_over()) return;
  keep_model(start.model);
  if (!context_.stream) return;
  const bool tells_tier = context_.tier.size() <= kTierBytesMax;
  const Quoted tier = quoted(tells_tier ? context_.tier : std::string_view());
  const std::string_view rest = R"(,"system_fingerprint":null,"choices":[{"index":0,"delta":{)";
  head_.set({R"(data: {"id":")", id(), R"(","object":"chat.completion.chunk","created":)",
             Decimal(context_.created_at_s).view(), R"(,"model":")", model(),
             R"(","service_tier":)", tier.quote, tier.text, tier.quote, rest});
  tier_at_ = head_.view().size() - bytes_of({tier.quote, tier.text, tier.quote, rest});
}

void ChatWriter::on_item_start(const ItemStart& item) {
  if (is_over()) return;
  kind_ = item.kind;
  if (kind_ != ItemKind::call) return;
  const uint64_t index = call_count_++;
  has_arguments_ = false;
  const Id minted = numbered_id("call_", context_.unique, index);
  const std::string_view call_id = item.call_id.empty() ? minted.view() : item.call_id;
  const bool has_list = blob_count_ > 1;
  const std::string_view extra_begin = blob_count_ == 0 ? ""
                                       : has_list       ? R"(,"extra_content":{"flex":{"thought":[)"
                                                        : R"(,"extra_content":{"flex":{"thought":)";
  const std::string_view extra_end = blob_count_ == 0 ? "" : has_list ? "]}}" : "}}";
  if (context_.stream) {
    put({head_.view(), has_role_ ? "" : kRoleAlone, has_role_ ? "" : ",",
         R"("tool_calls":[{"index":)", Decimal(index).view(), R"(,"id":")", call_id,
         R"(","type":"function")", extra_begin, blobs_.view(), extra_end,
         R"(,"function":{"name":")", item.name, R"(","arguments":""}}])", delta_end_.substr(1)});
    has_role_ = true;
  } else {
    keep(calls_,
         {index > 0 ? "," : "", R"({"id":")", call_id, R"(","type":"function")", extra_begin,
          blobs_.view(), extra_end, R"(,"function":{"name":")", item.name, R"(","arguments":")"});
  }
  blobs_.clear();
  blob_count_ = 0;
}

void ChatWriter::on_text(std::string_view raw) {
  if (is_over() || raw.empty()) return;
  FLEXD_ASSERT(kind_ == ItemKind::message);
  if (!context_.stream) {
    keep(content_, {raw});
  } else if (tell_role(kRoleOfText)) {
    tell_delta(R"("content":")", raw);
  }
}

void ChatWriter::on_refusal(std::string_view raw) {
  if (is_over() || raw.empty()) return;
  FLEXD_ASSERT(kind_ == ItemKind::message);
  if (!context_.stream) {
    keep(refusal_, {raw});
  } else if (tell_role(kRoleAlone)) {
    tell_delta(R"("refusal":")", raw);
  }
}

void ChatWriter::on_arguments(std::string_view raw) {
  if (is_over() || raw.empty()) return;
  FLEXD_ASSERT(kind_ == ItemKind::call);
  has_arguments_ = true;
  if (context_.stream) {
    put({head_.view(), R"("tool_calls":[{"index":)", Decimal(call_count_ - 1).view(),
         R"(,"function":{"arguments":")", raw, R"("}}])", delta_end_.substr(1)});
  } else {
    keep(calls_, {raw});
  }
}

void ChatWriter::on_thought(std::string_view raw) {
  if (is_over()) return;
  FLEXD_ASSERT(kind_ == ItemKind::thought);
  keep(thought_, {raw});
}

void ChatWriter::on_thought_blob(const Blob& blob) {
  if (is_over()) return;
  FLEXD_ASSERT(kind_ == ItemKind::thought);
  if (!keep(blobs_, {blob_count_ > 0 ? ",\"" : "\""})) return;
  const Blob whole{.type = blob.type,
                   .data = blob.data,
                   .model = model(),
                   .id = blob.id,
                   .text = thought_.view()};
  WholeSink sink(blobs_);
  write_blob(sink, context_.provider, whole);
  sink.append("\"");
  if (!sink.finish() || held_bytes() > limits::kFoldBytesMax) failed_ = true;
  ++blob_count_;
}

void ChatWriter::on_item_end(bool /*complete*/) {
  if (is_over()) return;
  if (kind_ == ItemKind::thought) thought_.clear();
  if (kind_ != ItemKind::call) return;
  // Clients parse the arguments: a call without any has an empty object of them.
  if (!has_arguments_) on_arguments("{}");
  if (!context_.stream) keep(calls_, {R"("}})"});
}

void ChatWriter::on_end(const AnswerEnd& end) {
  if (is_over()) return;
  const size_t begin = out_->size();
  ended_ = context_.stream ? tell_end(end) : write_object(end);
  if (!ended_) out_->truncate(begin);
}

void ChatWriter::on_failure(const AnswerFailure& failure) {
  if (is_over()) return;
  ended_ = put({context_.stream ? "data: " : "", R"({"error":{"message":")", message_of(failure),
                R"(","type":")", type_word(failure.status), R"(","param":null,"code":")",
                code_of(failure), context_.stream ? "\"}}\n\n" : "\"}}"});
}

void ChatWriter::tell_delta(std::string_view before, std::string_view raw) {
  put({head_.view(), before, raw, delta_end_});
}

bool ChatWriter::tell_role(std::string_view role) {
  if (has_role_) return true;
  has_role_ = put({head_.view(), role, delta_end_.substr(1)});
  return has_role_;
}

bool ChatWriter::tell_end(const AnswerEnd& end) {
  if (!tell_role(kRoleOfText)) return false;
  const std::string_view head = head_.view().substr(0, tier_at_);
  // The provider's last word on the tier is the one to be believed.
  const Quoted tier = quoted(end.service_tier.empty() ? context_.tier : end.service_tier);
  const bool finished =
      put({head, tier.quote, tier.text, tier.quote,
           R"(,"system_fingerprint":null,"choices":[{"index":0,"delta":{},)",
           R"("logprobs":null,"finish_reason":")", finish_word(end.reason, call_count_ > 0), "\"}]",
           include_usage_ ? R"(,"usage":null)" : "", "}\n\n"});
  if (!finished) return false;
  if (!include_usage_ || !end.usage.known) return put({"data: [DONE]\n\n"});
  return put({head, tier.quote, tier.text, tier.quote,
              R"(,"system_fingerprint":null,"choices":[],"usage":)", usage_text(end.usage).view(),
              "}\n\ndata: [DONE]\n\n"});
}

bool ChatWriter::write_object(const AnswerEnd& end) {
  const Quoted tier = quoted(end.service_tier.empty() ? context_.tier : end.service_tier);
  const bool has_others = call_count_ > 0 || !refusal_.empty();
  const Quoted content(content_.view(), !content_.empty() || !has_others);
  const Quoted refusal = quoted(refusal_.view());
  const UsageText usage = usage_text(end.usage);
  return put({R"({"id":")",
              id(),
              R"(","object":"chat.completion","created":)",
              Decimal(context_.created_at_s).view(),
              R"(,"model":")",
              model(),
              R"(","service_tier":)",
              tier.quote,
              tier.text,
              tier.quote,
              R"(,"system_fingerprint":null,"choices":[{"index":0,"message":)",
              R"({"role":"assistant","content":)",
              content.quote,
              content.text,
              content.quote,
              R"(,"refusal":)",
              refusal.quote,
              refusal.text,
              refusal.quote,
              R"(,"annotations":[])",
              call_count_ > 0 ? R"(,"tool_calls":[)" : "",
              calls_.view(),
              call_count_ > 0 ? "]" : "",
              R"(},"logprobs":null,"finish_reason":")",
              finish_word(end.reason, call_count_ > 0),
              R"("}],"usage":)",
              end.usage.known ? usage.view() : std::string_view("null"),
              "}"});
}

bool ChatWriter::keep(Buffer& held, Parts parts) {
  if (failed_) return false;
  if (bytes_of(parts) > limits::kFoldBytesMax - held_bytes() || !append_parts(held, parts)) {
    failed_ = true;
  }
  return !failed_;
}

size_t ChatWriter::held_bytes() const {
  return content_.size() + refusal_.size() + calls_.size() + thought_.size() + blobs_.size();
}

}  // namespace flexd::surface
