// answer_translation.hpp: a provider's answer in the dialect of a caller who speaks another.
//
// One object for one attempt. A stream is translated event by event: what an event means to the
// caller is written in the call that brings it. A whole object is translated in one call. What is
// held meanwhile (the texts that a Responses stream repeats at its end, items that came out of
// turn) comes from the pool and is bounded by limits::kFoldBytesMax.
#pragma once

#include <cstdint>
#include <string_view>

#include "flexd/base/buffer.hpp"
#include "flexd/errors/render.hpp"
#include "flexd/surface/events.hpp"

namespace flexd::surface {

struct AnswerEnd;

// AnswerContext is what an answer needs to know of its request. The views outlive the translation.
struct AnswerContext {
  errors::Dialect dialect = errors::Dialect::responses;  // of the caller
  errors::Provider provider = errors::Provider::openai;
  // tier is the attempt's, in the provider's word: told where the provider does not say itself.
  std::string_view tier;
  // model is the one asked for, the raw inside of a JSON string: told if the provider tells none.
  std::string_view model;
  // request_id is the gateway's own; plain letters, digits, `-`, `_` and `.`.
  std::string_view request_id;
  // unique is 24 letters and digits from which the answer's ids are made.
  std::string_view unique;
  uint64_t created_at_s = 0;  // Unix time
  // stream: the caller asked for one. An object is then written as the stream it could have been.
  bool stream = false;
  // request is the caller's body: an answer in Responses repeats parts of it; chat's
  // stream_options.include_usage is looked up in it.
  std::string_view request;
};

class AnswerTranslation {
 public:
  explicit AnswerTranslation(BlockPool& pool) : pool_(pool) {}
  ~AnswerTranslation() { release(); }
  AnswerTranslation(const AnswerTranslation&) = delete;
  AnswerTranslation& operator=(const AnswerTranslation&) = delete;

  // begin makes ready for a new answer; anything of an earlier one is forgotten. False if the pool
  // has no room.
  [[nodiscard]] bool begin(const AnswerContext& context);
  // is_active: begin has succeeded, and release was not called since.
  bool is_active() const { return impl_ != nullptr; }
  // feed, translate_object, position and ended are for an active translation. feed translates an
  // event and appends what the caller gets of it to `out`: whole frames. False
  // if a bound was met or the pool has no room: the answer cannot go on.
  [[nodiscard]] bool feed(const Event& event, Buffer& out);
  // translate_object translates a whole answer (a response, interaction or message object): into
  // one object, or all frames of a stream. False if it is none, or there is no room.
  [[nodiscard]] bool translate_object(std::string_view object, Buffer& out);
  // object_end is the good end of the object just translated, while that object lasts: what the
  // provider says it has used. nullptr if there was none.
  const AnswerEnd* object_end() const;
  // position is where the caller's stream stands, for a failure event.
  errors::StreamPosition position() const;
  // ended: the terminal event was written; nothing is written after it.
  bool ended() const;
  // release gives the memory back.
  void release();

 private:
  // Impl is the reader and the writer, in a block of the pool: what is not translated has none.
  struct Impl;

  BlockPool& pool_;
  Impl* impl_ = nullptr;
};

}  // namespace flexd::surface
