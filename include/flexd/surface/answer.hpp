// answer.hpp: an answer as events that are nobody's dialect.
//
// A reader for each provider (src/surface/answer/readers.hpp) turns its stream or its whole object
// into calls of an AnswerSink; a writer for each dialect (writers.hpp there) makes the caller's
// stream or object of them. The calls come in this order, and one item is open at a time:
//
//   on_start
//     on_item_start  { on_text | on_refusal | on_arguments | on_thought | on_thought_blob }
//     on_item_end    ...
//   on_end, or on_failure
//
// A message and a thought have at least one call between start and end, or do not appear. No text
// and no blob is empty. An answer that is nothing but a failure has an on_start too. Whatever a
// provider sends, its reader keeps this order.
//
// Texts are raw: the inside of a JSON string with its escapes as the provider wrote them (a lone
// surrogate can be carried in no other way), and good. They are valid during the call.
#pragma once

#include <cstdint>
#include <string_view>

#include "flexd/surface/blob.hpp"
#include "flexd/surface/events.hpp"

namespace flexd::surface {

struct AnswerStart {
  // model as the provider reports it; empty if it does not.
  std::string_view model;
};

enum class ItemKind : uint8_t {
  message,  // text and refusal
  call,     // arguments
  thought,  // text of thoughts, then at most one blob
};

struct ItemStart {
  ItemKind kind = ItemKind::message;
  // call_id of a call; empty if the provider gave none. No two of an answer are the same.
  std::string_view call_id;
  std::string_view name;  // of the function
};

// FinishReason is why a good answer ended. That it holds calls is not a reason: the writers know.
enum class FinishReason : uint8_t {
  stop,
  stop_sequence,
  length,          // the caller's or the model's limit of output
  context_window,  // the model's window is full
  content_filter,  // the provider cut it off, or the model refused (Anthropic's `refusal`)
  pause,           // a hosted tool's turn is to be continued
  budget,          // Gemini's budget_exceeded
};

struct AnswerEnd {
  FinishReason reason = FinishReason::stop;
  std::string_view stop_sequence;  // that was hit
  // service_tier is what the provider says it used, in its own word; empty if it does not.
  std::string_view service_tier;
  Usage usage;
};

struct AnswerFailure {
  std::string_view code;     // empty if the provider gave none
  std::string_view message;  // likewise
  uint16_t status = 500;     // EventFailure::status
};

class AnswerSink {
 public:
  virtual void on_start(const AnswerStart& start) = 0;
  virtual void on_item_start(const ItemStart& item) = 0;
  virtual void on_text(std::string_view raw) = 0;
  virtual void on_refusal(std::string_view raw) = 0;
  // on_arguments brings the text of a JSON object, escaped to stand in a string. A call without any
  // has none. What the model wrote is not checked: it may be cut or be no JSON.
  virtual void on_arguments(std::string_view raw) = 0;
  virtual void on_thought(std::string_view raw) = 0;
  // on_thought_blob: `blob.model` and `blob.text` are left to the writer.
  virtual void on_thought_blob(const Blob& blob) = 0;
  // on_item_end: `complete` is false for an item that the end of the answer cut short.
  virtual void on_item_end(bool complete) = 0;
  virtual void on_end(const AnswerEnd& end) = 0;
  virtual void on_failure(const AnswerFailure& failure) = 0;

 protected:
  ~AnswerSink() = default;
};

}  // namespace flexd::surface
