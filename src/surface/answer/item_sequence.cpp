#include "item_sequence.hpp"

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

#include "../neutral.hpp"
#include "flexd/base/assert.hpp"
#include "flexd/base/limits.hpp"
#include "flexd/json/writer.hpp"

namespace flexd::surface {

namespace {

using json::Type;
using json::Value;

constexpr uint32_t kNone = UINT32_MAX;
// kBlobIdBytesMax bounds the id that goes with a blob; a longer one is left out.
constexpr size_t kBlobIdBytesMax = 512;

constexpr std::string_view word_of(BlobType type) {
  switch (type) {
    case BlobType::encrypted_content:
      return "encrypted_content";
    case BlobType::thinking:
      return "thinking";
    case BlobType::redacted_thinking:
      return "redacted_thinking";
    case BlobType::thought:
      return "thought";
  }
  return "";
}

bool belongs(Piece piece, ItemKind kind) {
  switch (kind) {
    case ItemKind::message:
      return piece == Piece::text || piece == Piece::refusal;
    case ItemKind::call:
      return piece == Piece::arguments;
    case ItemKind::thought:
      return piece == Piece::thought;
  }
  return false;
}

}  // namespace

std::string_view ItemSequence::raw_of(Value string) {
  const std::string_view raw = string.contents();
  if (raw.empty()) return {};
  if (!is_good(string)) {
    failed_ = true;
    return {};
  }
  return raw;
}

void ItemSequence::start(Value model) {
  if (started_ || is_done()) return;
  started_ = true;
  sink_.on_start({.model = is_good(model) ? model.contents() : std::string_view()});
}

void ItemSequence::note_key(uint64_t key) {
  last_key_ = key;
  next_key_ = std::max(next_key_, key + 1);
  next_key_ = std::max(next_key_, ++key_count_);
}

void ItemSequence::close_stopped() {
  if (has_last() && last().stopped && !last().closed) close(last().key, true);
}

ItemSequence::Item* ItemSequence::open(uint64_t key, ItemKind kind, Value call_id, Value name) {
  if (is_done()) return nullptr;
  close_stopped();
  if (find(key) != nullptr) close(key, true);
  note_key(key);
  const Item fresh{.key = key, .kind = kind};
  if (!has_current_) {
    current_ = fresh;
    has_current_ = true;
  } else if (waiting_.size() >= kOpenItemsMax || !waiting_.push(fresh)) {
    failed_ = true;
    return nullptr;
  }
  Item& item = last();
  if (kind == ItemKind::call) announce_call(item, call_id, name);
  return failed_ ? nullptr : &item;
}

void ItemSequence::announce_call(Item& item, Value call_id, Value name) {
  const std::optional<std::string_view> id = ids_.unique(raw_of(call_id));
  const std::string_view raw_name = raw_of(name);
  if (!id) failed_ = true;
  if (failed_) return;
  // Both as one text, as a record holds them.
  Buffer both(pool_);
  if (!both.append(*id) || !both.append(raw_name)) {
    failed_ = true;
    return;
  }
  give(item, Op::start, both.view(), static_cast<uint32_t>(id->size()));
}

void ItemSequence::skip(uint64_t key) {
  if (is_done()) return;
  close_stopped();
  if (find(key) != nullptr) close(key, true);
  note_key(key);
}

ItemSequence::Item* ItemSequence::find(uint64_t key) {
  const auto is_it = [key](const Item& item) {
    return item.key == key && !item.closed && !item.stopped;
  };
  if (has_current_ && is_it(current_)) return &current_;
  for (size_t i = waiting_.size(); i-- > 0;) {
    if (is_it(waiting_[i])) return &waiting_[i];
  }
  return nullptr;
}

ItemSequence::Item* ItemSequence::find_or_open(uint64_t key, ItemKind kind) {
  Item* const item = find(key);
  if (item != nullptr || kind == ItemKind::call || key < next_key_) return item;
  return open(key, kind);
}

bool ItemSequence::add(Item& item, Piece piece, Value string) {
  if (!belongs(piece, item.kind)) return false;
  const std::string_view raw = raw_of(string);
  if (raw.empty()) return false;
  static_assert(static_cast<int>(Op::text) == static_cast<int>(Piece::text) + 1 &&
                static_cast<int>(Op::thought) == static_cast<int>(Piece::thought) + 1);
  give(item, static_cast<Op>(static_cast<int>(piece) + 1), raw);
  return true;
}

void ItemSequence::add_break(Item& item, Piece piece) {
  if (belongs(piece, item.kind)) add(item, piece, Value{R"("\n\n")"});
}

void ItemSequence::add_arguments(Item& item, Value object) {
  if (item.kind != ItemKind::call || !object.is(Type::kObject)) return;
  Buffer text(pool_);
  BufferSink escaped(text);
  if (is_good(object)) json::write_escaped(escaped, object.text);
  if (text.empty() || escaped.failed()) {
    failed_ = true;
    return;
  }
  give(item, Op::arguments, text.view());
}

void ItemSequence::default_arguments(Item& item, Value object) {
  if (item.kind != ItemKind::call || !object.is(Type::kObject)) return;
  if (!is_good(object)) {
    failed_ = true;
    return;
  }
  if (!is_empty_object(object)) give(item, Op::default_arguments, object.text);
}

void ItemSequence::add_blob(Item& item, BlobType type, Value data, Value id) {
  if (item.kind != ItemKind::thought) return;
  const std::string_view raw = raw_of(data);
  std::string_view raw_id = raw_of(id);
  if (raw.empty()) return;
  if (raw_id.size() > kBlobIdBytesMax) raw_id = {};
  Buffer both(pool_);
  if (!raw_id.empty() && (!both.append(raw_id) || !both.append(raw))) {
    failed_ = true;
    return;
  }
  const auto split = static_cast<uint32_t>(raw_id.size() << 8U) | static_cast<uint32_t>(type);
  give(item, Op::blob, raw_id.empty() ? raw : both.view(), split);
}

void ItemSequence::give(Item& item, Op op, std::string_view text, uint32_t split) {
  if (is_done()) return;
  if (&item == &current_) {
    tell(op, text, split);
  } else {
    hold(item, op, text, split);
  }
}

void ItemSequence::hold(Item& item, Op op, std::string_view text, uint32_t split) {
  const size_t offset = held_.size();
  if (text.size() + sizeof(Record) > limits::kHeldEventBytesMax - offset ||
      !held_.reserve(offset + sizeof(Record) + text.size())) {
    failed_ = true;
    return;
  }
  const Record record{.text_bytes = static_cast<uint32_t>(text.size()), .split = split, .op = op};
  const bool appended =
      held_.append({reinterpret_cast<const char*>(&record), sizeof(Record)}) && held_.append(text);
  FLEXD_ASSERT(appended);
  const auto at = static_cast<uint32_t>(offset);
  if (item.last_record == kNone) {
    item.first_record = at;
  } else {
    std::memcpy(held_.data() + item.last_record + offsetof(Record, next), &at, sizeof(at));
  }
  item.last_record = at;
}

void ItemSequence::announce() {
  if (current_.announced) return;
  start({});
  current_.announced = true;
  sink_.on_item_start({.kind = current_.kind});
}

void ItemSequence::keep_tail(std::string_view text) {
  tail_.truncate(0);
  if (text.size() > limits::kHeldEventBytesMax || !tail_.append(text)) failed_ = true;
}

void ItemSequence::tell(Op op, std::string_view text, uint32_t split) {
  switch (op) {
    case Op::start:
      start({});
      current_.announced = true;
      sink_.on_item_start(
          {.kind = ItemKind::call, .call_id = text.substr(0, split), .name = text.substr(split)});
      break;
    case Op::text:
      announce();
      sink_.on_text(text);
      break;
    case Op::refusal:
      announce();
      sink_.on_refusal(text);
      break;
    case Op::arguments:
      tail_.truncate(0);
      sink_.on_arguments(text);
      break;
    case Op::thought:
      announce();
      sink_.on_thought(text);
      break;
    case Op::default_arguments:
      keep_tail(text);
      break;
    case Op::blob:
      tail_type_ = static_cast<BlobType>(split & 0xFFU);
      tail_id_bytes_ = split >> 8U;
      keep_tail(text);
      break;
  }
}

void ItemSequence::finish_current(bool complete) {
  has_current_ = false;
  if (failed_) return;
  if (current_.kind == ItemKind::call && !tail_.empty()) {
    // The object is escaped here, once it is known to be wanted.
    Buffer object(pool_);
    std::swap(object, tail_);
    add_arguments(current_, Value{object.view()});
  } else if (!tail_.empty()) {
    announce();
    sink_.on_thought_blob({.type = word_of(tail_type_),
                           .data = tail_.view().substr(tail_id_bytes_),
                           .id = tail_.view().substr(0, tail_id_bytes_)});
  }
  tail_.truncate(0);
  if (current_.announced && !failed_) sink_.on_item_end(complete);
}

void ItemSequence::replay() {
  uint32_t at = current_.first_record;
  while (at != kNone) {
    Record record;
    std::memcpy(&record, held_.view().data() + at, sizeof(Record));
    const std::string_view text = held_.view().substr(at + sizeof(Record), record.text_bytes);
    if (!failed_) tell(record.op, text, record.split);
    at = record.next;
  }
  current_.first_record = kNone;
  current_.last_record = kNone;
}

void ItemSequence::promote() {
  while (!has_current_ && !waiting_.empty()) {
    current_ = waiting_[0];
    waiting_.drop_front(1);
    has_current_ = true;
    replay();
    if (current_.closed) finish_current(current_.complete);
  }
  if (!waiting_.empty()) return;
  waiting_.clear();
  held_.clear();
}

void ItemSequence::close(uint64_t key, bool complete) {
  if (is_done()) return;
  const auto is_it = [key](const Item& item) { return item.key == key && !item.closed; };
  if (has_current_ && is_it(current_)) {
    finish_current(complete);
    promote();
    return;
  }
  for (size_t i = waiting_.size(); i-- > 0;) {
    if (!is_it(waiting_[i])) continue;
    waiting_[i].closed = true;
    waiting_[i].complete = complete;
    return;
  }
}

void ItemSequence::stop(uint64_t key) {
  Item* const item = find(key);
  if (item == nullptr) return;
  if (item == &last()) {
    item->stopped = true;
  } else {
    close(key, true);
  }
}

void ItemSequence::close_all(bool stopped_complete, bool open_complete) {
  for (size_t i = 0; i < waiting_.size(); ++i) {
    Item& item = waiting_[i];
    if (!item.closed) item.complete = item.stopped ? stopped_complete : open_complete;
    item.closed = true;
  }
  if (!has_current_) return;
  finish_current(current_.stopped ? stopped_complete : open_complete);
  promote();
}

void ItemSequence::end(const AnswerEnd& end) {
  if (is_done()) return;
  const bool whole = end.reason == FinishReason::stop ||
                     end.reason == FinishReason::stop_sequence || end.reason == FinishReason::pause;
  start({});
  close_all(whole, whole);
  if (failed_) return;
  over_ = ended_ = true;
  end_ = end;
  sink_.on_end(end);
}

void ItemSequence::fail(const AnswerFailure& failure) {
  if (is_done()) return;
  start({});
  close_all(true, false);
  if (failed_) return;
  over_ = true;
  sink_.on_failure(failure);
}

}  // namespace flexd::surface
