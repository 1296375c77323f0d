// interactions_writer.hpp: an answer as an Interactions stream or an interaction object.
//
//   https://ai.google.dev/gemini-api/docs/interactions
//
// - A message is a model_output step of one text; a refusal is text of it, as this API knows no
//   other.
// - A thought's blob, wrapped (blob.hpp), is its signature, in one piece.
// - The arguments of a call are an object at rest and fragments of text in a stream.
// - Calls ask for action. An answer cut off by a filter is incomplete, with an error that says so.
// - When an answer was done is not known here: `updated` is when it was created.
//
// A stream holds nothing back. The steps of an object are put together as the JSON they are going
// to be.
#pragma once

#include <cstdint>
#include <string_view>

#include "flexd/base/buffer.hpp"
#include "writers.hpp"

namespace flexd::surface {

// InteractionsWriter. The steps of an object are bounded by limits::kFoldBytesMax.
class InteractionsWriter final : public AnswerWriter {
 public:
  InteractionsWriter(const AnswerContext& context, BlockPool& pool);

  void on_start(const AnswerStart& start) override;
  void on_item_start(const ItemStart& item) override;
  void on_text(std::string_view raw) override;
  void on_refusal(std::string_view raw) override { on_text(raw); }
  void on_arguments(std::string_view raw) override;
  void on_thought(std::string_view raw) override;
  void on_thought_blob(const Blob& blob) override;
  void on_item_end(bool complete) override;
  void on_end(const AnswerEnd& end) override;
  void on_failure(const AnswerFailure& failure) override;

  errors::StreamPosition position() const override { return position_at(0); }

 private:
  std::string_view status_of(FinishReason reason) const;
  void start_step(Parts step);
  void tell_delta(std::string_view before, std::string_view raw, std::string_view after);
  void tell_signature(const Blob& blob);
  // write_interaction writes the interaction as it stands; `end` and `failure` may be nullptr.
  void write_interaction(WholeSink& sink, std::string_view status, const AnswerEnd* end,
                         const AnswerFailure* failure) const;
  void write_as_event(std::string_view event, std::string_view status, const AnswerEnd* end);
  void write_as_object(std::string_view status, const AnswerEnd* end, const AnswerFailure* failure);

  bool keep(Parts parts) { return keep_in(steps_, parts); }
  bool keep_in(Buffer& buffer, Parts parts);
  void keep_text(std::string_view raw);
  void keep_signature(const Blob& blob);
  void keep_arguments();

  Buffer steps_;             // of an object: JSON, with commas between
  Buffer arguments_;         // of an object's open call: a JSON string, its end quote missing
  uint64_t step_count_ = 0;  // the open one included
  ItemKind kind_ = ItemKind::message;
  bool has_calls_ = false;
  bool has_text_ = false;       // the open step
  bool has_signature_ = false;  // likewise
};

}  // namespace flexd::surface
