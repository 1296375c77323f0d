// chat_writer.hpp: an answer as a Chat Completions stream or object.
//
//   https://platform.openai.com/docs/api-reference/chat/object
//   https://platform.openai.com/docs/api-reference/chat-streaming
//
// Chat has one message: the texts of all items run together in its content, all refusals in its
// refusal, all calls in its tool_calls. Content is null beside calls or a refusal when there is no
// text.
//
// - The first chunk has the role. It waits for the first thing to tell, because its content is ""
//   or null by what that is.
// - Thoughts have no place. Their text is not told; a blob (blob.hpp), with the thought's text in
//   it, goes into the next call, where SDKs keep what they do not know when they send the message
//   back: extra_content.flex.thought, a string, or an array if several thoughts came before that
//   call. Without a later call it is of no use and dropped.
// - Usage is told in a stream only if stream_options.include_usage asks for it, and not where the
//   provider does not know.
// - What the finish reasons cannot say (a paused turn, a budget) is `length`.
//
// A failure is {"error":{message,type,param,code}}: in a stream the last frame, without [DONE]
// after it, else the object.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "flexd/base/buffer.hpp"
#include "writers.hpp"

namespace flexd::surface {

// ChatWriter. What it holds, of a stream the thoughts alone, is bounded by limits::kFoldBytesMax.
class ChatWriter final : public AnswerWriter {
 public:
  ChatWriter(const AnswerContext& context, BlockPool& pool);

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
  // kTierBytesMax bounds the tier that the chunks repeat; a longer one is null.
  static constexpr size_t kTierBytesMax = 64;
  // kHeadBytesMax is room for what all chunks begin with: id, model, tier and some 260 bytes.
  static constexpr size_t kHeadBytesMax = sizeof(Id) + kModelBytesMax + kTierBytesMax + 320;

  // tell_delta tells a chunk with a text; `before` is the delta up to it.
  void tell_delta(std::string_view before, std::string_view raw);
  // tell_role tells the chunk with the role, once.
  bool tell_role(std::string_view role);
  bool tell_end(const AnswerEnd& end);
  bool write_object(const AnswerEnd& end);
  // keep adds to what is held; false, and the answer has failed, if there is no room.
  bool keep(Buffer& held, Parts parts);
  size_t held_bytes() const;

  // head_ is how a chunk begins, up to the inside of its delta. The tier stands at tier_at_.
  ShortText<kHeadBytesMax> head_;
  size_t tier_at_ = 0;
  const bool include_usage_;
  // delta_end_ is how a chunk ends, behind its delta's last text: the quote comes first.
  const std::string_view delta_end_;

  Buffer content_;  // raw text; this and the next two are not used by a stream
  Buffer refusal_;  // likewise
  Buffer calls_;    // JSON, with commas between
  Buffer thought_;  // text of the open thought
  Buffer blobs_;    // JSON strings of the next call, with commas between
  uint64_t blob_count_ = 0;
  uint64_t call_count_ = 0;  // the open one included
  ItemKind kind_ = ItemKind::message;
  bool has_role_ = false;
  bool has_arguments_ = false;  // the open call
};

}  // namespace flexd::surface
