// messages_writer.hpp: an answer as a Messages stream or a message object.
//
//   https://docs.anthropic.com/en/api/messages
//   https://docs.anthropic.com/en/docs/build-with-claude/streaming
//
// - A message is a text block for each run of text or of refusal. A refusal ends the answer with
//   the stop reason `refusal`, unless it has calls. There are no empty text blocks: a block opens
//   at its first text, because the caller sends it back and Anthropic refuses empty ones.
// - A thought is a thinking block; its blob, wrapped (blob.hpp), is the signature, in one delta. A
//   thought without text is a redacted_thinking block around its blob.
// - A call keeps the provider's id if Anthropic would take it, else it gets one of its own. In the
//   object, arguments that are no JSON object (cut by a limit, say) are `{}`.
// - What went into the prompt is not known when the stream starts: its usage is 0 there, and
//   message_delta has the truth. The tier has to be in the start: it is the attempt's.
//
// A failure is {"type":"error","error":{type,message}}: in a stream an `error` event, the last one,
// else the object.
#pragma once

#include <cstdint>
#include <string_view>

#include "flexd/base/buffer.hpp"
#include "writers.hpp"

namespace flexd::surface {

// MessagesWriter. A stream holds nothing. What an object holds is bounded by limits::kFoldBytesMax.
class MessagesWriter final : public AnswerWriter {
 public:
  MessagesWriter(const AnswerContext& context, BlockPool& pool);

  void on_start(const AnswerStart& start) override;
  void on_item_start(const ItemStart& item) override;
  void on_text(std::string_view raw) override;
  void on_refusal(std::string_view raw) override;
  void on_arguments(std::string_view raw) override;
  void on_thought(std::string_view raw) override;
  void on_thought_blob(const Blob& blob) override;
  void on_item_end(bool complete) override;
  void on_end(const AnswerEnd& end) override;
  void on_failure(const AnswerFailure& failure) override;

  errors::StreamPosition position() const override { return position_at(0); }

 private:
  // Block is the kind of the open block.
  enum class Block : uint8_t {
    none,
    text,
    refusal,
    thinking,
    sealed,  // redacted_thinking, or thinking that has got its signature: nothing can be added
    call,
  };
  struct BlockWords;
  struct Outcome;

  static const BlockWords& words_of(Block block);
  Outcome outcome_of(const AnswerEnd& end) const;

  // add adds to the open block if it is of that kind, else to a new one.
  void add(Block block, std::string_view raw);
  bool open(Block block);
  void open_call(std::string_view call_id, std::string_view name);
  // begin_deltas makes ready for the deltas of a block that is open.
  void begin_deltas(Block block);
  void close_arguments();
  void close();
  bool keep(Buffer& held, Parts parts);
  std::string_view comma() const { return blocks_.empty() ? "" : ","; }

  Buffer blocks_;     // of an object: JSON, with commas between
  Buffer arguments_;  // of an object's open call: a JSON string, its last quote missing; or empty
  // delta_head_ is how a delta of the open block begins, up to its text.
  ShortText<192> delta_head_;
  uint64_t index_ = 0;  // of the open block, else of the next one
  Block block_ = Block::none;
  bool has_arguments_ = false;  // the open call
  bool has_calls_ = false;
  bool has_refusal_ = false;
};

}  // namespace flexd::surface
