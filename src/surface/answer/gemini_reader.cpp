// https://ai.google.dev/gemini-api/docs/interactions
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

enum StepField : size_t {
  kType,
  kContent,
  kSummary,
  kSignature,
  kId,
  kName,
  kArguments,
  kStepFieldCount,
};
constexpr Names kStepNames = {"type", "content", "summary", "signature", "id", "name", "arguments"};

enum DeltaField : size_t {
  kDeltaType,
  kDeltaText,
  kDeltaContent,
  kDeltaSignature,
  kDeltaArguments,
  kDeltaFieldCount,
};
constexpr Names kDeltaNames = {"type", "text", "content", "signature", "arguments"};

// add_texts tells the texts among parts; those of a summary are paragraphs.
void add_texts(ItemSequence& items, Item& item, Piece piece, Value parts) {
  for (const Value part : Elements(parts)) {
    if (!part["type"].equals("text")) continue;
    const Value text = part["text"];
    if (piece == Piece::thought && item.parts > 0 && !text.contents().empty()) {
      items.add_break(item, piece);
    }
    if (items.add(item, piece, text)) item.parts = 1;
  }
}

bool has_errors(Value interaction) {
  return Elements(interaction["errors"]).next();
}

// object_failure is a failed interaction as an event that read_failure can read.
Event object_failure(Value interaction) {
  Event event{.provider = Provider::gemini, .kind = EventKind::error, .data = interaction};
  Elements errors(interaction["errors"]);
  if (errors.next()) event.data = errors.element();
  return event;
}

}  // namespace

void GeminiReader::note_error(Value holder) {
  const Value error = holder["error"];
  if (error.exists() && !error.is_null()) blocked_ = true;
}

void GeminiReader::open_step(uint64_t key, Value step) {
  std::array<Value, kStepFieldCount> fields;
  json::members_of(step, kStepNames, fields);
  if (fields[kType].equals("model_output")) {
    note_error(step);
    Item* const item = items_.open(key, ItemKind::message);
    if (item != nullptr) add_texts(items_, *item, Piece::text, fields[kContent]);
  } else if (fields[kType].equals("thought")) {
    Item* const item = items_.open(key, ItemKind::thought);
    if (item == nullptr) return;
    add_texts(items_, *item, Piece::thought, fields[kSummary]);
    items_.add_blob(*item, BlobType::thought, fields[kSignature]);
  } else if (fields[kType].equals("function_call")) {
    Item* const item = items_.open(key, ItemKind::call, fields[kId], fields[kName]);
    if (item != nullptr) items_.default_arguments(*item, fields[kArguments]);
  } else {
    items_.skip(key);
  }
}

void GeminiReader::add_delta(uint64_t key, Value delta) {
  std::array<Value, kDeltaFieldCount> fields;
  json::members_of(delta, kDeltaNames, fields);
  const Value type = fields[kDeltaType];
  if (type.equals("text")) {
    Item* const item = items_.find_or_open(key, ItemKind::message);
    if (item != nullptr) items_.add(*item, Piece::text, fields[kDeltaText]);
  } else if (type.equals("thought_summary")) {
    // Pieces of one text, as they are: Google breaks its paragraphs itself.
    Item* const item = items_.find_or_open(key, ItemKind::thought);
    if (item != nullptr) items_.add(*item, Piece::thought, fields[kDeltaContent]["text"]);
  } else if (type.equals("thought_signature")) {
    Item* const item = items_.find_or_open(key, ItemKind::thought);
    if (item != nullptr) items_.add_blob(*item, BlobType::thought, fields[kDeltaSignature]);
  } else if (type.equals("arguments_delta")) {
    Item* const item = items_.find(key);
    if (item == nullptr) return;
    // As fragments of text, or as the object that they would make.
    items_.add(*item, Piece::arguments, fields[kDeltaArguments]);
    items_.default_arguments(*item, fields[kDeltaArguments]);
  }
}

void GeminiReader::on_step_event(Value data) {
  enum Field : size_t { kEventType, kIndex, kStep, kDelta, kFieldCount };
  static constexpr Names kNames = {"event_type", "index", "step", "delta"};
  std::array<Value, kFieldCount> fields;
  json::members_of(data, kNames, fields);
  const Value type = fields[kEventType];
  if (type.equals("step.delta")) {
    add_delta(index_of(fields[kIndex], items_.last_key()), fields[kDelta]);
  } else if (type.equals("step.start")) {
    open_step(index_of(fields[kIndex], items_.next_key()), fields[kStep]);
  } else if (type.equals("step.stop")) {
    note_error(data);
    note_error(fields[kStep]);
    items_.stop(index_of(fields[kIndex], items_.last_key()));
  }
}

void GeminiReader::add_steps(Value steps) {
  uint64_t key = 0;
  for (const Value step : Elements(steps)) {
    open_step(key, step);
    items_.stop(key++);
  }
}

void GeminiReader::finish(Value interaction) {
  items_.start(interaction["model"]);
  // A stream's last event has no steps, unless it is the only one that could have them.
  if (items_.next_key() == 0) add_steps(interaction["steps"]);
  AnswerEnd end{.service_tier = good_contents(interaction["service_tier"])};
  const Value status = interaction["status"];
  if (status.equals("budget_exceeded")) {
    end.reason = FinishReason::budget;
  } else if (status.equals("requires_action")) {
    // Calls to be answered: whatever was blocked before them, the answer goes on.
    end.reason = FinishReason::stop;
  } else if (blocked_ || has_errors(interaction)) {
    end.reason = FinishReason::content_filter;
  } else if (status.equals("incomplete")) {
    end.reason = FinishReason::length;
  } else if (status.equals("requires_continuation")) {
    end.reason = FinishReason::pause;
  }
  read_usage(Provider::gemini, interaction["usage"], end.usage);
  items_.end(end);
}

bool GeminiReader::feed(const Event& event) {
  if (items_.failed() || items_.is_over()) return !items_.failed();
  switch (event.kind) {
    case EventKind::none:
    case EventKind::queued:
    case EventKind::in_progress:
    case EventKind::keepalive:
    case EventKind::part_failed:
    case EventKind::other:
      break;
    case EventKind::created:
      items_.start(event.data["interaction"]["model"]);
      break;
    case EventKind::progress:
    case EventKind::usage:
      on_step_event(event.data);
      break;
    case EventKind::completed:
    case EventKind::incomplete:
      finish(event.data["interaction"]);
      break;
    case EventKind::failed:
    case EventKind::error:
      items_.start(event.data["interaction"]["model"]);
      fail_by(items_, event);
      break;
  }
  return !items_.failed();
}

bool GeminiReader::read_object(Value object) {
  if (!object.is(Type::kObject) || !json::validate(object.text)) return false;
  const Value status = object["status"];
  const bool failed = status.equals("failed") || status.equals("cancelled");
  const bool unfinished = status.equals("in_progress") || status.equals("queued");
  if (!status.is(Type::kString) || unfinished) return false;
  if (failed) {
    items_.start(object["model"]);
    add_steps(object["steps"]);
    fail_by(items_, object_failure(object));
  } else {
    finish(object);
  }
  return !items_.failed();
}

}  // namespace flexd::surface
