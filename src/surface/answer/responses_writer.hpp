// responses_writer.hpp: an answer as a Responses stream or a response object.
//
//   https://platform.openai.com/docs/api-reference/responses-streaming
//   https://platform.openai.com/docs/api-reference/responses/object
//
// The stream repeats each text when it is done, and all of them at its end. The items are therefore
// put together as the JSON they are going to be, once, as the texts come: what a `.done` event or
// the last response repeats is a range of that.
//
// - A message has a part for each run of text or refusal.
// - A thought is a reasoning item. Its text is part 0 of the summary, and its blob, wrapped
//   (blob.hpp), the encrypted_content, whether or not the request's `include` names it: without it
//   the caller could not go on.
// - An item that was cut short has the status incomplete, and so has a response that met a limit or
//   a filter. One that was paused has no reason in its incomplete_details.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "flexd/base/buffer.hpp"
#include "response_object.hpp"
#include "writers.hpp"

namespace flexd::surface {

// ResponsesWriter. The items of an answer are bounded by limits::kFoldBytesMax.
class ResponsesWriter final : public AnswerWriter {
 public:
  ResponsesWriter(const AnswerContext& context, BlockPool& pool);

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

  errors::StreamPosition position() const override { return position_at(sequence_number_); }

 private:
  // Part is what the open item's text goes into.
  enum class Part : uint8_t { none, text, refusal, summary, arguments };
  struct PartWords;

  static const PartWords& words_of(Part part);

  // object is the response as it stands.
  ResponseObject object(std::string_view tier) const;
  void finish(std::string_view event, const ResponseObject& response);

  bool keep(Parts parts);
  bool keep_blob(const Blob& blob);
  void add(Part part, std::string_view raw);
  bool open_part(Part part);
  void close_part();

  bool tell(std::string_view event, Parts parts, Parts more = {});
  bool tell_part(std::string_view event, Parts more);
  void tell_response(std::string_view event, const ResponseObject& response);

  const RequestEcho echo_;  // NOLINT: views that outlive the writer
  Buffer items_;            // JSON, with commas between
  // Offsets in items_: of the open item, its open part, what a `.done` event repeats of that from
  // there on, and the arguments of a call.
  size_t item_begin_ = 0;
  size_t part_begin_ = 0;
  size_t text_member_begin_ = 0;
  size_t arguments_begin_ = 0;
  Id item_id_;
  uint64_t sequence_number_ = 0;
  uint64_t item_count_ = 0;  // the open one included
  uint64_t part_count_ = 0;  // of the open item, likewise
  ItemKind kind_ = ItemKind::message;
  Part part_ = Part::none;
  bool has_blob_ = false;
};

}  // namespace flexd::surface
