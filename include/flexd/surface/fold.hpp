// fold.hpp: the whole answer out of a stream's events, for a caller that did not ask to stream.
//
// OpenAI's terminal event holds the answer: its exact bytes are taken. Gemini's does not: the steps
// are put together from step.start and step.delta, each text as escaped as it came, and placed into
// the interaction that interaction.completed brings. Anthropic has no race, so that nothing of it
// is folded.
//
// Of a Gemini step the object of step.start stands, member by member, but for what its deltas add:
//
//   text, text_annotation_delta   `content`: the last part, if it is text, else a new one
//   other content                 `content`: a part of its own
//   thought_summary               `summary`: likewise
//   thought_signature             `signature`: the last one
//   arguments_delta               `arguments`: the fragments, unescaped once, if that is an object
//   a delta of the step's type    (hosted tools) the members of the delta
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "flexd/base/buffer.hpp"
#include "flexd/base/pooled_list.hpp"
#include "flexd/json/cursor.hpp"
#include "flexd/surface/events.hpp"

namespace flexd::surface {

// kFoldStepsMax is how many steps an answer may have.
inline constexpr size_t kFoldStepsMax = 4096;

// Fold collects one attempt's answer. Memory comes from the pool. What is collected is bounded by
// limits::kFoldBytesMax, and so is what is written.
class Fold {
 public:
  explicit Fold(BlockPool& pool) : pieces_(pool), steps_(pool), scratch_(pool) {}

  // feed takes an event in order; false if there is no room: the answer is lost then.
  [[nodiscard]] bool feed(const Event& event);
  // write appends the whole object to `out`, given the good terminal event, which feed has seen.
  // False if there is no room, or was none in feed; then, and if the event holds no object, nothing
  // is written.
  [[nodiscard]] bool write(const Event& terminal, Buffer& out);
  // reset forgets the answer and gives the memory back.
  void reset();

 private:
  // Step is one step's list of pieces, by their offsets in pieces_.
  struct Step {
    uint64_t index = 0;  // as the provider counts
    uint32_t first = 0;
    uint32_t last = 0;
  };
  enum class Kind : uint8_t;
  struct PieceHead;
  class StepWriter;

  bool take(const Event& event);
  bool take_start(std::optional<uint64_t> index, const json::Value& step);
  bool take_delta(std::optional<uint64_t> index, const json::Value& delta);
  bool take_summary(Step& step, const json::Value& content);
  bool take_text(Step& step, const json::Value& part, Kind text, Kind annotations);
  Step* step_of(std::optional<uint64_t> index);
  bool is_of_type(const Step& step, std::string_view type) const;
  bool add(Step& step, Kind kind, std::string_view text);
  bool extend(Step& step, Kind kind, std::string_view text);
  bool has_room(size_t bytes) const;

  Buffer pieces_;            // what the events brought, in order: PieceHead, text
  PooledList<Step> steps_;   // in order of their start
  uint32_t last_piece_ = 0;  // offset of the piece at the end
  Buffer scratch_;           // arguments on their way to be unescaped
  bool lost_ = false;        // feed has returned false
};

}  // namespace flexd::surface
