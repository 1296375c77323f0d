// responses.hpp: reads the events of an OpenAI Responses stream, and the objects inside them.
//
// https://platform.openai.com/docs/api-reference/responses-streaming. An event is told by the
// `type` inside its data, as OpenAI's own SDKs do, and by the name of its frame where the data has
// none. Data is walked in place, no further than needed; broken data yields less, never a fault.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "flexd/json/cursor.hpp"

namespace flexd::surface {

// EventKind is what an event means to a gateway.
enum class EventKind : uint8_t {
  none,         // no event of the dialect: no data, `[DONE]`, neither type nor name
  created,      // response.created
  queued,       // response.queued
  in_progress,  // response.in_progress
  keepalive,    // keepalive
  part_failed,  // response.*.failed: a tool call or the like failed; the answer goes on
  progress,     // any other event
  completed,    // response.completed
  incomplete,   // response.incomplete: a good end, cut short by a limit
  failed,       // response.failed (or response.cancelled)
  error,        // error, flat or nested; also data without a type that holds an `error` object
};

// Event is one event. Its views point into the data.
struct Event {
  EventKind kind = EventKind::none;
  json::Value data;

  // is_terminal: no event of meaning can follow.
  bool is_terminal() const { return kind >= EventKind::completed; }
  bool is_failure() const { return kind == EventKind::failed || kind == EventKind::error; }
  // is_meaningful: the provider is at work; what merely keeps a connection alive is not.
  bool is_meaningful() const { return kind != EventKind::none && kind != EventKind::keepalive; }
};

// read_event reads a frame: `name` is its event line, empty if it had none.
Event read_event(std::string_view name, std::string_view data);
// kind_of is the kind of an event's name. A relay that needs no data can go by it.
EventKind kind_of(std::string_view name);

// final_response is, of a completed or incomplete event, the exact bytes of `response`: the body
// for a caller that did not ask to stream. Empty if there is no such object.
std::string_view final_response(const Event& event);

// EventFailure is the provider's own failure, as an event tells it. Views point into the data.
struct EventFailure {
  // object is the provider's error object, bytes as they are: response.error, a nested `error`, or
  // the whole of a flat event. Empty if the event names no error.
  std::string_view object;
  std::string_view code;  // raw; empty if null or absent
  std::string_view type;  // of the error object, likewise
  // status for a caller that did not ask to stream: 429 for rate and quota limits, 400 for invalid
  // requests, else 500. The body is {"error":OBJECT}.
  uint16_t status = 500;
};
// read_failure reads a failed or error event.
EventFailure read_failure(const Event& event);

// is_quota_code tells whether a code is about the account's own limits rather than the provider's
// capacity.
bool is_quota_code(std::string_view code);

// Usage is what the provider reports to have used.
struct Usage {
  bool known = false;
  uint64_t input_tokens = 0;
  uint64_t cached_tokens = 0;  // of input_tokens
  uint64_t output_tokens = 0;
  uint64_t reasoning_tokens = 0;  // of output_tokens
  uint64_t total_tokens = 0;
};

// StreamFacts collects, event by event, what the log and a failure event need. It copies what it
// keeps, cut to size.
class StreamFacts {
 public:
  // note looks at an event. Deltas cost one short walk to their sequence number.
  void note(const Event& event);
  // note_passing counts an event that was not looked at: they are numbered without gaps.
  void note_passing() {
    if (next_sequence_number_ != 0) ++next_sequence_number_;
  }
  // note_object looks at a whole response object: the body of an answer that is not a stream.
  void note_object(std::string_view object);

  // id, model and created_at_s are those of the first response object.
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
    void keep(const json::Value& value);
    std::string_view view() const { return {bytes_.data(), size_}; }

   private:
    std::array<char, kMax> bytes_;
    uint8_t size_ = 0;
  };

  void note_response(const json::Value& response);

  Text<128> id_;
  Text<128> model_;
  Text<32> service_tier_;
  uint64_t created_at_s_ = 0;
  uint64_t next_sequence_number_ = 0;
  Usage usage_;
};

}  // namespace flexd::surface
