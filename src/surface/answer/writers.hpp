// writers.hpp: from the calls of an AnswerSink to a caller's stream or object.
#pragma once

#include <string_view>

#include "flexd/base/buffer.hpp"
#include "flexd/errors/render.hpp"
#include "flexd/surface/answer.hpp"
#include "flexd/surface/answer_translation.hpp"
#include "writing.hpp"

namespace flexd::surface {

// AnswerWriter is an AnswerSink that writes for a caller. With context.stream it appends whole
// frames to the output in the call that causes them; else it appends one object in on_end or
// on_failure, after which it writes nothing.
class AnswerWriter : public AnswerSink {
 public:
  // set_output says where to write from now on; it holds until the next call of it.
  void set_output(Buffer& out) { out_ = &out; }
  // failed: a bound was met or the pool had no room.
  bool failed() const { return failed_; }
  // ended: on_end or on_failure was written.
  bool ended() const { return ended_; }
  virtual errors::StreamPosition position() const = 0;
  virtual ~AnswerWriter() = default;

 protected:
  // kModelBytesMax bounds what is kept of a model's name: all or nothing.
  static constexpr size_t kModelBytesMax = 256;

  // `id_prefix` with context.unique behind it is the answer's id.
  AnswerWriter(const AnswerContext& context, std::string_view id_prefix)
      : context_(context), id_(answer_id(id_prefix, context.unique)) {}

  // keep_model keeps the model's name, raw, for model(): the one asked for if this is none.
  void keep_model(std::string_view raw) {
    if (raw.empty() || raw.size() > kModelBytesMax) raw = context_.model;
    if (raw.size() <= kModelBytesMax) model_.set({raw});
  }
  // model is the raw name, empty if nobody told one that fits.
  std::string_view model() const { return model_.view(); }
  std::string_view id() const { return id_.view(); }
  errors::StreamPosition position_at(uint64_t sequence_number) const {
    // A position's texts are not raw: a name with escapes is left out.
    const bool plain = model().find('\\') == std::string_view::npos;
    return {.id = id(),
            .model = plain ? model() : std::string_view(),
            .sequence_number = sequence_number,
            .created_at_s = context_.created_at_s};
  }

  // is_over: whatever is told now comes too late.
  bool is_over() const { return failed_ || ended_; }
  // put appends all parts to the output, or none and the answer has failed.
  bool put(Parts parts) {
    if (!failed_ && !append_parts(*out_, parts)) failed_ = true;
    return !failed_;
  }

  const AnswerContext context_;  // NOLINT: a copy, its views outlive the writer
  Buffer* out_ = nullptr;
  bool failed_ = false;
  bool ended_ = false;

 private:
  Id id_;
  ShortText<kModelBytesMax> model_;
};

}  // namespace flexd::surface
