// item_sequence.hpp: brings a provider's items to an AnswerSink one at a time, in the order in
// which they were opened.
//
// Providers name items by an index and may work on several at once. The oldest open item goes
// straight to the sink; what comes for later ones is held in pooled memory and told when the item
// before them is closed.
//
// - A message or a thought of which nothing is told does not reach the sink at all.
// - A blob is told as its item closes, in one piece; of several the last counts.
// - Texts are checked to be good insides of JSON strings, unless the whole they come from was
//   (Trust): a broken one ends the answer, for what a caller gets must not be broken by what a
//   provider sends.
// - Once the answer has ended, or something failed, nothing reaches the sink.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "call_ids.hpp"
#include "flexd/base/buffer.hpp"
#include "flexd/base/pooled_list.hpp"
#include "flexd/json/cursor.hpp"
#include "flexd/surface/answer.hpp"

namespace flexd::surface {

// kOpenItemsMax is how many items may be open or held at once, besides the one that is told.
inline constexpr size_t kOpenItemsMax = 256;

// Piece is what a text is to its item. One that does not belong into an item of its kind is
// dropped.
enum class Piece : uint8_t { text, refusal, arguments, thought };

// BlobType is a blob's word, Blob::type.
enum class BlobType : uint8_t { encrypted_content, thinking, redacted_thinking, thought };

class ItemSequence {
 public:
  // Item is an item that is open. A reference holds until the next open, stop or close.
  struct Item {
    uint64_t key = 0;
    // parts is for the reader: one above the highest part of which text was told.
    uint64_t parts = 0;
    uint32_t first_record = UINT32_MAX;  // offsets in held_; of an item that waits
    uint32_t last_record = UINT32_MAX;
    ItemKind kind = ItemKind::message;
    bool announced = false;  // to the sink
    bool stopped = false;    // by the provider, but not closed yet
    bool closed = false;     // while it waits
    bool complete = true;    // if closed
  };

  ItemSequence(AnswerSink& sink, BlockPool& pool)
      : sink_(sink), pool_(pool), waiting_(pool), held_(pool), tail_(pool), ids_(pool) {}

  // Trust says, while it lasts, that what comes is of one object that was checked as a whole: its
  // texts are not checked again. The outline is that object's.
  class Trust {
   public:
    Trust(ItemSequence& items, const json::Outline& outline) : items_(items) {
      items_.outline_ = &outline;
    }
    ~Trust() { items_.outline_ = nullptr; }
    Trust(const Trust&) = delete;
    Trust& operator=(const Trust&) = delete;

   private:
    ItemSequence& items_;
  };
  // outline is nullptr for what comes in events.
  const json::Outline* outline() const { return outline_; }
  // start tells on_start, if it was not told. Whatever comes first does it with an empty model.
  void start(json::Value model);
  // open begins the item `key`; one that still has this key is closed. `call_id` and `name` are a
  // call's. nullptr if the answer is over or has failed.
  Item* open(uint64_t key, ItemKind kind, json::Value call_id = {}, json::Value name = {});
  // skip notes an item that is not told. What comes for it finds no item.
  void skip(uint64_t key);
  // find is the open item `key`, or nullptr.
  Item* find(uint64_t key);
  // find_or_open is for a text whose item's beginning may be missing: it opens one, unless it is of
  // a call (nobody would know its name) or the key was in use before.
  Item* find_or_open(uint64_t key, ItemKind kind);

  // add tells a text. Anything but a string, and an empty one, is nothing; true if it was
  // something.
  bool add(Item& item, Piece piece, json::Value string);
  // add_break parts paragraphs: an empty line.
  void add_break(Item& item, Piece piece);
  // add_arguments tells the arguments of a call that come as an object, in one piece.
  void add_arguments(Item& item, json::Value object);
  // default_arguments are those of a call for which no others come after them. An empty object is
  // none.
  void default_arguments(Item& item, json::Value object);
  // add_blob: anything but a string that is not empty is nothing. `id` is the item's own.
  void add_blob(Item& item, BlobType type, json::Value data, json::Value id = {});

  // close ends an item; unknown keys are ignored.
  void close(uint64_t key, bool complete);
  // stop ends an item of which the provider does not say whether it is whole. The last item of an
  // answer that was cut is not: it is closed when the next one opens or the answer ends.
  void stop(uint64_t key);

  // end closes what is open, as complete unless the answer was cut, and tells on_end.
  void end(const AnswerEnd& end);
  // fail closes what is open, as incomplete, and tells on_failure.
  void fail(const AnswerFailure& failure);

  // next_key is above all keys that were in use, and not below their number.
  uint64_t next_key() const { return next_key_; }
  // last_key is the key that was opened or skipped last, for what does not say whose it is.
  uint64_t last_key() const { return last_key_; }
  // is_over: on_end or on_failure was told.
  bool is_over() const { return over_; }
  // told_end is what on_end was told, if it was; its views are the reader's.
  const AnswerEnd* told_end() const { return ended_ ? &end_ : nullptr; }
  // failed: a bound was met, the pool has no room, or a text was broken.
  bool failed() const { return failed_; }

 private:
  // Op is a call for the sink, or what leads to one.
  enum class Op : uint8_t { start, text, refusal, arguments, thought, default_arguments, blob };
  // Record stands in held_ before its text. The records of an item are a list.
  struct Record {
    uint32_t next = UINT32_MAX;
    uint32_t text_bytes = 0;
    // split: of start the bytes of the id, before the name; of blob those of the id, before the
    // data, times 256, and its type.
    uint32_t split = 0;
    Op op = Op::text;
  };

  bool is_done() const { return over_ || failed_; }
  bool has_last() const { return has_current_ || !waiting_.empty(); }
  Item& last() { return waiting_.empty() ? current_ : waiting_.back(); }
  void note_key(uint64_t key);
  void close_stopped();
  void announce_call(Item& item, json::Value call_id, json::Value name);
  void give(Item& item, Op op, std::string_view text, uint32_t split = 0);
  void hold(Item& item, Op op, std::string_view text, uint32_t split);
  void tell(Op op, std::string_view text, uint32_t split);
  void announce();
  void keep_tail(std::string_view text);
  void finish_current(bool complete);
  void promote();
  void replay();
  void close_all(bool stopped_complete, bool open_complete);
  // is_good: the value is good JSON.
  bool is_good(json::Value value) const {
    return outline_ != nullptr || json::validate(value.text).has_value();
  }
  // raw_of is the inside of a string; empty, and the answer has failed, if it is broken.
  std::string_view raw_of(json::Value string);

  AnswerSink& sink_;
  BlockPool& pool_;
  Item current_;  // the item that is told
  PooledList<Item> waiting_;
  Buffer held_;
  // tail_ is what is told as current_ closes: its blob, or its arguments if no others came.
  Buffer tail_;
  BlobType tail_type_ = BlobType::thought;
  uint32_t tail_id_bytes_ = 0;
  CallIds ids_;
  AnswerEnd end_;
  uint64_t next_key_ = 0;
  uint64_t last_key_ = 0;
  uint64_t key_count_ = 0;
  const json::Outline* outline_ = nullptr;
  bool has_current_ = false;
  bool started_ = false;
  bool over_ = false;
  bool ended_ = false;  // by on_end
  bool failed_ = false;
};

}  // namespace flexd::surface
