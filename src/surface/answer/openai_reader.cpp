// https://platform.openai.com/docs/api-reference/responses-streaming
#include <algorithm>
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

enum EventField : size_t {
  kType,
  kOutputIndex,
  kContentIndex,
  kSummaryIndex,
  kDelta,
  kText,
  kRefusal,
  kArguments,
  kItem,
  kEventFieldCount,
};
constexpr Names kEventNames = {"type", "output_index", "content_index", "summary_index", "delta",
                               "text", "refusal",      "arguments",     "item"};
using EventFields = std::array<Value, kEventFieldCount>;

enum ResponseField : size_t {
  kStatus,
  kModel,
  kOutput,
  kUsage,
  kServiceTier,
  kIncompleteDetails,
  kResponseFieldCount,
};
constexpr Names kResponseNames = {"status", "model",        "output",
                                  "usage",  "service_tier", "incomplete_details"};
using ResponseFields = std::array<Value, kResponseFieldCount>;

enum ItemField : size_t {
  kItemType,
  kItemStatus,
  kId,
  kCallId,
  kName,
  kItemArguments,
  kContent,
  kSummary,
  kEncryptedContent,
  kItemFieldCount,
};
constexpr Names kItemNames = {"type",      "status",  "id",      "call_id",          "name",
                              "arguments", "content", "summary", "encrypted_content"};
using ItemFields = std::array<Value, kItemFieldCount>;

ItemFields fields_of_item(Value item, const json::Outline* outline) {
  ItemFields fields;
  json::members_of(item, kItemNames, fields, outline);
  return fields;
}

// TextEvent is an event that brings a text: a piece of one, or all of it in the end.
struct TextEvent {
  std::string_view type;
  ItemKind kind;
  Piece piece;
  EventField part;  // arguments have but one, which none of their events numbers
  EventField text;
};
constexpr TextEvent kTextEvents[] = {
    {"response.output_text.delta", ItemKind::message, Piece::text, kContentIndex, kDelta},
    {"response.function_call_arguments.delta", ItemKind::call, Piece::arguments, kContentIndex,
     kDelta},
    {"response.reasoning_summary_text.delta", ItemKind::thought, Piece::thought, kSummaryIndex,
     kDelta},
    {"response.refusal.delta", ItemKind::message, Piece::refusal, kContentIndex, kDelta},
    {"response.output_text.done", ItemKind::message, Piece::text, kContentIndex, kText},
    {"response.function_call_arguments.done", ItemKind::call, Piece::arguments, kContentIndex,
     kArguments},
    {"response.reasoning_summary_text.done", ItemKind::thought, Piece::thought, kSummaryIndex,
     kText},
    {"response.refusal.done", ItemKind::message, Piece::refusal, kContentIndex, kRefusal},
};

// add_part tells a text of a part. Deltas may not be told again by what repeats them: of a whole
// part nothing is told if it, or one behind it, was.
void add_part(ItemSequence& items, Item& item, Piece piece, uint64_t part, Value text, bool whole) {
  if ((whole && part < item.parts) || text.contents().empty()) return;
  const bool breaks = piece == Piece::thought && item.parts > 0 && part >= item.parts;
  if (breaks) items.add_break(item, piece);
  if (items.add(item, piece, text)) item.parts = std::max(item.parts, part + 1);
}

void add_whole_parts(ItemSequence& items, Item& item, Value parts) {
  const auto text_of = [&items](Value content, std::string_view name) {
    return json::member_of(content, name, items.outline());
  };
  uint64_t part = 0;
  for (const Value content : Elements(parts, items.outline())) {
    const Value type = content["type"];
    if (type.equals("output_text")) {
      add_part(items, item, Piece::text, part, text_of(content, "text"), true);
    } else if (type.equals("refusal")) {
      add_part(items, item, Piece::refusal, part, text_of(content, "refusal"), true);
    } else if (type.equals("summary_text") || type.equals("reasoning_text")) {
      add_part(items, item, Piece::thought, part, text_of(content, "text"), true);
    }
    ++part;
  }
}

// add_whole tells what a whole item holds and was not told.
void add_whole(ItemSequence& items, Item& item, const ItemFields& whole) {
  switch (item.kind) {
    case ItemKind::message:
      add_whole_parts(items, item, whole[kContent]);
      break;
    case ItemKind::call:
      add_part(items, item, Piece::arguments, 0, whole[kItemArguments], true);
      break;
    case ItemKind::thought:
      add_whole_parts(items, item, whole[kSummary]);
      if (item.parts == 0) add_whole_parts(items, item, whole[kContent]);
      items.add_blob(item, BlobType::encrypted_content, whole[kEncryptedContent], whole[kId]);
      break;
  }
}

void open_item(ItemSequence& items, uint64_t key, const ItemFields& item) {
  const Value type = item[kItemType];
  if (type.equals("message")) {
    items.open(key, ItemKind::message);
  } else if (type.equals("function_call")) {
    items.open(key, ItemKind::call, item[kCallId], item[kName]);
  } else if (type.equals("reasoning")) {
    items.open(key, ItemKind::thought);
  } else {
    items.skip(key);
  }
}

// end_item ends an item by its whole, which may be all that ever came of it.
void end_item(ItemSequence& items, uint64_t key, Value object) {
  const ItemFields whole = fields_of_item(object, items.outline());
  if (key >= items.next_key()) open_item(items, key, whole);
  Item* const item = items.find(key);
  if (item == nullptr) return;
  add_whole(items, *item, whole);
  items.close(key, !whole[kItemStatus].equals("incomplete"));
}

void end_items(ItemSequence& items, Value output) {
  uint64_t key = 0;
  for (const Value item : Elements(output, items.outline())) end_item(items, key++, item);
}

const TextEvent* text_event_of(std::string_view type) {
  const auto* const found =
      std::find_if(std::begin(kTextEvents), std::end(kTextEvents),
                   [type](const TextEvent& event) { return event.type == type; });
  return found == std::end(kTextEvents) ? nullptr : found;
}

// read_fields finds an event's members. Of a text event, which is nearly every one, those that say
// nothing here (such as logprobs and obfuscation) mostly come last and are not walked.
const TextEvent* read_fields(Value data, EventFields& fields) {
  const TextEvent* text_event = nullptr;
  for (const json::Member& member : json::Members(data)) {
    const size_t field = json::field_named(member.name, kEventNames);
    if (field == fields.size() || fields[field].exists()) continue;
    fields[field] = member.value;
    if (field == kType) text_event = text_event_of(member.value.contents());
    if (text_event != nullptr && fields[text_event->text].exists() &&
        fields[text_event->part].exists() && fields[kOutputIndex].exists()) {
      break;
    }
  }
  return text_event;
}

void on_progress(ItemSequence& items, Value data) {
  EventFields fields{};
  const TextEvent* const found = read_fields(data, fields);
  const std::string_view type = fields[kType].contents();
  if (found != nullptr) {
    const uint64_t key = index_of(fields[kOutputIndex], items.last_key());
    Item* const item = items.find_or_open(key, found->kind);
    if (item == nullptr) return;
    const uint64_t part = index_of(fields[found->part], 0);
    add_part(items, *item, found->piece, part, fields[found->text], found->text != kDelta);
  } else if (type == "response.output_item.added") {
    open_item(items, index_of(fields[kOutputIndex], items.next_key()),
              fields_of_item(fields[kItem], items.outline()));
  } else if (type == "response.output_item.done") {
    end_item(items, index_of(fields[kOutputIndex], items.last_key()), fields[kItem]);
  }
}

FinishReason reason_of(const ResponseFields& fields, bool incomplete) {
  if (!incomplete && !fields[kStatus].equals("incomplete")) return FinishReason::stop;
  const bool filtered = fields[kIncompleteDetails]["reason"].equals("content_filter");
  return filtered ? FinishReason::content_filter : FinishReason::length;
}

// finish ends the answer by its response object, with the items that no event brought.
void finish(ItemSequence& items, const ResponseFields& fields, bool incomplete) {
  items.start(fields[kModel]);
  end_items(items, fields[kOutput]);
  AnswerEnd end{.reason = reason_of(fields, incomplete),
                .service_tier = good_contents(fields[kServiceTier])};
  read_usage(Provider::openai, fields[kUsage], end.usage);
  items.end(end);
}

bool is_failed(Value status) {
  return status.equals("failed") || status.equals("cancelled");
}

// fail_with_items ends the answer by a failed response, of which there may be a part.
void fail_with_items(ItemSequence& items, const ResponseFields& fields, const Event& event) {
  items.start(fields[kModel]);
  end_items(items, fields[kOutput]);
  fail_by(items, event);
}

}  // namespace

bool OpenaiReader::feed(const Event& event) {
  if (items_.failed() || items_.is_over()) return !items_.failed();
  switch (event.kind) {
    case EventKind::none:
    case EventKind::keepalive:
    case EventKind::part_failed:
    case EventKind::other:
    case EventKind::usage:
      break;
    case EventKind::created:
    case EventKind::queued:
    case EventKind::in_progress:
      items_.start(event.data["response"]["model"]);
      break;
    case EventKind::progress:
      on_progress(items_, event.data);
      break;
    case EventKind::error:
      fail_by(items_, event);
      break;
    case EventKind::completed:
    case EventKind::incomplete:
    case EventKind::failed:
      ResponseFields fields;
      json::members_of(event.data["response"], kResponseNames, fields);
      if (event.kind == EventKind::failed) {
        fail_with_items(items_, fields, event);
      } else {
        finish(items_, fields, event.kind == EventKind::incomplete);
      }
      break;
  }
  return !items_.failed();
}

bool OpenaiReader::read_object(Value object) {
  // One walk checks the whole and finds its members.
  json::Fields found;
  if (!json::find(object.text, kResponseNames, found)) return false;
  const ItemSequence::Trust trust(items_, found.outline());
  ResponseFields fields;
  for (size_t field = 0; field < fields.size(); ++field) {
    if (found.has(field)) fields[field] = {found[field]->value.of(object.text)};
  }
  const Value status = fields[kStatus];
  if (is_failed(status)) {
    const Event event{.provider = Provider::openai, .kind = EventKind::error, .data = object};
    fail_with_items(items_, fields, event);
    return !items_.failed();
  }
  const bool ended = status.equals("completed") || status.equals("incomplete");
  if (!ended || !fields[kOutput].is(Type::kArray)) return false;
  finish(items_, fields, false);
  return !items_.failed();
}

}  // namespace flexd::surface
