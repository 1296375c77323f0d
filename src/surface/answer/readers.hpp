// readers.hpp: from a provider's stream or object to the calls of an AnswerSink.
//
// Readers keep their own order: whatever a provider interleaves reaches the sink one item at a time
// (item_sequence.hpp). What no dialect of a caller but the provider's own can hold is not told:
// hosted tools and their results, images, annotations, log probabilities.
//
// An object goes through the same calls as a stream, its texts in one piece. A stream that brings
// items before its start has an empty model.
#pragma once

#include <cstdint>
#include <string_view>

#include "flexd/base/buffer.hpp"
#include "flexd/surface/answer.hpp"
#include "flexd/surface/events.hpp"
#include "item_sequence.hpp"
#include "reading.hpp"

namespace flexd::surface {

// AnswerReader is what the readers have in common. feed and read_object return false if a bound was
// met, the pool has no room, a text is no good JSON or an object is no answer; the answer cannot go
// on then. After a terminal event nothing reaches the sink.
class AnswerReader {
 public:
  virtual bool feed(const Event& event) = 0;
  virtual bool read_object(json::Value object) = 0;
  virtual ~AnswerReader() = default;

  // told_end is what read_object told on_end, while its object lasts; nullptr without a good end.
  const AnswerEnd* told_end() const { return items_.told_end(); }

 protected:
  AnswerReader(AnswerSink& sink, BlockPool& pool) : items_(sink, pool) {}

  ItemSequence items_;
};

// OpenaiReader. Reasoning is told by its summary, parts joined by an empty line. Raw reasoning is
// told only of an item that has no summary, as the item ends. What a stream's deltas left out is
// taken from the `.done` events and the terminal response.
class OpenaiReader final : public AnswerReader {
 public:
  OpenaiReader(AnswerSink& sink, BlockPool& pool) : AnswerReader(sink, pool) {}
  bool feed(const Event& event) override;
  bool read_object(json::Value object) override;
};

// GeminiReader. A call's id may be empty: the writer makes one. Repeated ids get a suffix, as with
// all providers (call_ids.hpp).
class GeminiReader final : public AnswerReader {
 public:
  GeminiReader(AnswerSink& sink, BlockPool& pool) : AnswerReader(sink, pool) {}
  bool feed(const Event& event) override;
  bool read_object(json::Value object) override;

 private:
  void on_step_event(json::Value data);
  void open_step(uint64_t key, json::Value step);
  void add_delta(uint64_t key, json::Value delta);
  void add_steps(json::Value steps);
  void note_error(json::Value holder);
  void finish(json::Value interaction);

  bool blocked_ = false;  // a step was blocked: it has an error in it
};

// AnthropicReader keeps what message_start and message_delta say of the end until it comes.
class AnthropicReader final : public AnswerReader {
 public:
  AnthropicReader(AnswerSink& sink, BlockPool& pool) : AnswerReader(sink, pool) {}
  bool feed(const Event& event) override;
  bool read_object(json::Value object) override;

 private:
  void on_block_event(json::Value data);
  void open_block(uint64_t key, json::Value block);
  void add_delta(uint64_t key, json::Value delta);
  void note_usage(json::Value usage);
  void note_stop(json::Value holder);
  void finish();

  Usage usage_;
  FinishReason reason_ = FinishReason::stop;
  KeptText<32> service_tier_;
  KeptText<256> stop_sequence_;
};

}  // namespace flexd::surface
