// https://docs.anthropic.com/en/docs/build-with-claude/streaming
#include <array>

#include "readers.hpp"

namespace flexd::surface {

namespace {

using errors::Provider;
using json::Elements;
using json::Names;
using json::Type;
using json::Value;
using Item = ItemSequence::Item;

enum BlockField : size_t {
  kType,
  kText,
  kThinking,
  kSignature,
  kData,
  kId,
  kName,
  kInput,
  kPartialJson,  // of a delta
  kBlockFieldCount,
};
constexpr Names kBlockNames = {"type", "text", "thinking", "signature",   "data",
                               "id",   "name", "input",    "partial_json"};

// An end_turn and what is not known are good ends, and so is a tool_use: the calls tell it.
FinishReason reason_of(Value stop_reason) {
  if (stop_reason.equals("stop_sequence")) return FinishReason::stop_sequence;
  if (stop_reason.equals("max_tokens")) return FinishReason::length;
  if (stop_reason.equals("model_context_window_exceeded")) return FinishReason::context_window;
  if (stop_reason.equals("refusal")) return FinishReason::content_filter;
  if (stop_reason.equals("pause_turn")) return FinishReason::pause;
  return FinishReason::stop;
}

}  // namespace

void AnthropicReader::note_usage(Value usage) {
  read_usage(Provider::anthropic, usage, usage_);
  const std::string_view tier = good_contents(usage["service_tier"]);
  if (!tier.empty()) service_tier_.keep(tier);
}

void AnthropicReader::note_stop(Value holder) {
  const Value reason = holder["stop_reason"];
  if (!reason.is(Type::kString)) return;
  reason_ = reason_of(reason);
  stop_sequence_.keep(good_contents(holder["stop_sequence"]));
}

void AnthropicReader::open_block(uint64_t key, Value block) {
  std::array<Value, kBlockFieldCount> fields;
  json::members_of(block, kBlockNames, fields);
  const Value type = fields[kType];
  if (type.equals("text")) {
    Item* const item = items_.open(key, ItemKind::message);
    if (item != nullptr) items_.add(*item, Piece::text, fields[kText]);
  } else if (type.equals("thinking")) {
    Item* const item = items_.open(key, ItemKind::thought);
    if (item == nullptr) return;
    items_.add(*item, Piece::thought, fields[kThinking]);
    items_.add_blob(*item, BlobType::thinking, fields[kSignature]);
  } else if (type.equals("redacted_thinking")) {
    Item* const item = items_.open(key, ItemKind::thought);
    if (item != nullptr) items_.add_blob(*item, BlobType::redacted_thinking, fields[kData]);
  } else if (type.equals("tool_use")) {
    Item* const item = items_.open(key, ItemKind::call, fields[kId], fields[kName]);
    if (item != nullptr) items_.default_arguments(*item, fields[kInput]);
  } else {
    items_.skip(key);
  }
}

void AnthropicReader::add_delta(uint64_t key, Value delta) {
  std::array<Value, kBlockFieldCount> fields;
  json::members_of(delta, kBlockNames, fields);
  const Value type = fields[kType];
  if (type.equals("text_delta")) {
    Item* const item = items_.find_or_open(key, ItemKind::message);
    if (item != nullptr) items_.add(*item, Piece::text, fields[kText]);
  } else if (type.equals("input_json_delta")) {
    Item* const item = items_.find(key);
    if (item != nullptr) items_.add(*item, Piece::arguments, fields[kPartialJson]);
  } else if (type.equals("thinking_delta")) {
    Item* const item = items_.find_or_open(key, ItemKind::thought);
    if (item != nullptr) items_.add(*item, Piece::thought, fields[kThinking]);
  } else if (type.equals("signature_delta")) {
    Item* const item = items_.find_or_open(key, ItemKind::thought);
    if (item != nullptr) items_.add_blob(*item, BlobType::thinking, fields[kSignature]);
  }
}

void AnthropicReader::on_block_event(Value data) {
  enum Field : size_t { kEventType, kIndex, kBlock, kDelta, kFieldCount };
  static constexpr Names kNames = {"type", "index", "content_block", "delta"};
  std::array<Value, kFieldCount> fields;
  json::members_of(data, kNames, fields);
  const Value type = fields[kEventType];
  if (type.equals("content_block_delta")) {
    add_delta(index_of(fields[kIndex], items_.last_key()), fields[kDelta]);
  } else if (type.equals("content_block_start")) {
    open_block(index_of(fields[kIndex], items_.next_key()), fields[kBlock]);
  } else if (type.equals("content_block_stop")) {
    items_.stop(index_of(fields[kIndex], items_.last_key()));
  }
}

void AnthropicReader::finish() {
  items_.end({.reason = reason_,
              .stop_sequence = stop_sequence_.view(),
              .service_tier = service_tier_.view(),
              .usage = usage_});
}

bool AnthropicReader::feed(const Event& event) {
  if (items_.failed() || items_.is_over()) return !items_.failed();
  const Value data = event.data;
  switch (event.kind) {
    case EventKind::none:
    case EventKind::queued:
    case EventKind::in_progress:
    case EventKind::keepalive:
    case EventKind::part_failed:
    case EventKind::other:
      break;
    case EventKind::created:
      items_.start(data["message"]["model"]);
      note_usage(data["message"]["usage"]);
      break;
    case EventKind::progress:
      on_block_event(data);
      break;
    case EventKind::usage:
      note_usage(data["usage"]);
      note_stop(data["delta"]);
      break;
    case EventKind::completed:
    case EventKind::incomplete:
      finish();
      break;
    case EventKind::failed:
    case EventKind::error:
      fail_by(items_, event);
      break;
  }
  return !items_.failed();
}

bool AnthropicReader::read_object(Value object) {
  const Value content = object["content"];
  if (!content.is(Type::kArray) || !json::validate(object.text)) return false;
  items_.start(object["model"]);
  uint64_t key = 0;
  for (const Value block : Elements(content)) {
    open_block(key, block);
    items_.stop(key++);
  }
  note_usage(object["usage"]);
  note_stop(object);
  finish();
  return !items_.failed();
}

}  // namespace flexd::surface
