// events.hpp: reads the events of the providers' streams, as far as a gateway has to know them.
//
//   OpenAI     https://platform.openai.com/docs/api-reference/responses-streaming
//   Gemini     https://ai.google.dev/gemini-api/docs/interactions (streaming)
//   Anthropic  https://docs.anthropic.com/en/docs/build-with-claude/streaming
//
// An event is told by the name inside its data (`type`, at Gemini `event_type`), as the vendors'
// SDKs do, and by the name of its frame where the data has none. Data is walked in place, no
// further than needed; broken data yields less, never a fault.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "flexd/errors/dialect.hpp"
#include "flexd/json/cursor.hpp"

namespace flexd::surface {

// EventKind is what an event means to a gateway.
//
// |             | OpenAI                | Gemini                     | Anthropic           |
// | none        | no event: no data, `[DONE]`, neither type nor name                        |
// | created     | response.created      | interaction.created        | message_start       |
// | queued      | response.queued       | status_update: queued      |                     |
// | in_progress | response.in_progress  | status_update: any other   |                     |
// | keepalive   | keepalive             |                            | ping                |
// | part_failed | response.*.failed     |                            |                     |
// | other       |                       | what is none of the others | the same            |
// | progress    | any other             | step.start, step.delta     | content_block_*     |
// | usage       |                       | step.stop                  | message_delta       |
// | completed   | response.completed    | interaction.completed,     | message_stop        |
// | incomplete  | response.incomplete   |   by its status            |                     |
// | failed      | response.failed,      | interaction.completed with |                     |
// |             | response.cancelled    |   failed or cancelled      |                     |
// | error       | error, flat or nested; also data without a name that holds an `error` object |
enum class EventKind : uint8_t {
  none,
  created,
  queued,
  in_progress,
  keepalive,
  part_failed,
  other,
  progress,
  usage,
  completed,
  incomplete,  // a good end, cut short by a limit
  failed,
  error,
};

// Event is one event. Its views point into the data.
struct Event {
  errors::Provider provider = errors::Provider::openai;
  EventKind kind = EventKind::none;
  json::Value data;

  // is_terminal: no event of meaning can follow.
  bool is_terminal() const { return kind >= EventKind::completed; }
  bool is_failure() const { return kind == EventKind::failed || kind == EventKind::error; }
  // is_meaningful: the provider is at work; what merely keeps a connection alive is not.
  bool is_meaningful() const { return kind != EventKind::none && kind != EventKind::keepalive; }
};

// read_event reads a frame: `name` is its event line, empty if it had none.
Event read_event(errors::Provider provider, std::string_view name, std::string_view data);
// kind_of is the kind of an event's name, as far as the name alone says it (a Gemini
// interaction.completed counts as completed). A relay that needs no data can go by it: only
// `progress` and `other` hold nothing that StreamFacts or StartSignal want after the start.
EventKind kind_of(errors::Provider provider, std::string_view name);

// EventFailure is the provider's own failure, as an event tells it. Views point into the data.
struct EventFailure {
  // object is the provider's error object, bytes as they are: OpenAI's response.error, a nested
  // `error`, or the whole of a flat event; Gemini's `error` or the first of `errors`; Anthropic's
  // `error`. Empty if the event names no error.
  std::string_view object;
  std::string_view code;     // raw; empty if null or absent. Anthropic's type.
  std::string_view type;     // of the error object, likewise
  std::string_view message;  // raw
  // status for a caller that did not ask to stream: 429 for rate and quota limits, 400 for invalid
  // requests, else 500. The body is {"error":OBJECT}.
  uint16_t status = 500;
};
// read_failure reads a failed or error event.
EventFailure read_failure(const Event& event);
// read_object_failure reads a whole answer that says that it has failed. Without an object it has
// not, or names no error.
EventFailure read_object_failure(errors::Provider provider, const json::Value& object);

// Usage is what the provider reports to have used. All counts include what they are "of": caches
// count as input and reasoning as output, whatever the provider's own sums are.
struct Usage {
  bool known = false;
  uint64_t input_tokens = 0;
  uint64_t cached_tokens = 0;       // of input_tokens: read from a cache
  uint64_t cache_write_tokens = 0;  // of input_tokens: written to one
  uint64_t output_tokens = 0;
  uint64_t reasoning_tokens = 0;  // of output_tokens
  uint64_t total_tokens = 0;
};
// read_usage reads a provider's usage object into `usage`: members that are there replace what
// stands (Anthropic reports in two parts). The sums are made anew.
void read_usage(errors::Provider provider, const json::Value& object, Usage& usage);

// StreamFacts collects, event by event, what the log and a failure event need. It copies what it
// keeps, cut to size.
class StreamFacts {
 public:
  // note looks at an event. Deltas cost one short walk to their sequence number.
  void note(const Event& event);
  // note_passing counts an event that was not looked at: OpenAI's are numbered without gaps.
  void note_passing() {
    if (next_sequence_number_ != 0) ++next_sequence_number_;
  }
  // note_object looks at a whole answer (a response, interaction or message object).
  void note_object(errors::Provider provider, std::string_view object);
  // note_end takes what another reader of the answer has found at its end: the tier is raw.
  void note_end(std::string_view service_tier, const Usage& usage);

  // id, model and created_at_s are the first that were told. created_at_s is OpenAI's alone.
  std::string_view id() const { return id_.view(); }
  std::string_view model() const { return model_.view(); }
  uint64_t created_at_s() const { return created_at_s_; }
  // next_sequence_number is one above the last that was seen, 0 if none was.
  uint64_t next_sequence_number() const { return next_sequence_number_; }
  // service_tier is what the provider says it has used, as it spells it. It can be trusted at the
  // end of the stream only.
  std::string_view service_tier() const { return service_tier_.view(); }
  const Usage& usage() const { return usage_; }

 private:
  // Text keeps a short raw JSON string. One with escapes, or too long, is not kept: these are ids
  // and words.
  template <size_t kMax>
  class Text {
   public:
    void keep(std::string_view raw);
    std::string_view view() const { return {bytes_.data(), size_}; }

   private:
    std::array<char, kMax> bytes_;
    uint8_t size_ = 0;
  };

  void note_answer(errors::Provider provider, const json::Value& object);
  void note_usage(errors::Provider provider, const json::Value& object);

  Text<128> id_;
  Text<128> model_;
  Text<32> service_tier_;
  uint64_t created_at_s_ = 0;
  uint64_t next_sequence_number_ = 0;
  Usage usage_;
};

}  // namespace flexd::surface
