// start_signal.hpp: which event proves that a provider has begun to work on a request.
//
// A queued flex request already has a status line, headers, `response.created`, and keepalives. An
// OpenAI attempt has started at the first event after `response.in_progress` that is none of
// created, queued, in_progress, keepalive, error and any failure. Strictly: an event before
// `response.in_progress` proves nothing, known or unknown. A good end (completed, incomplete)
// always counts.
#pragma once

#include <cstdint>
#include <string_view>

#include "flexd/surface/responses.hpp"

namespace flexd::surface {

// Signal is what one event means for the race.
enum class Signal : uint8_t {
  nothing,   // nothing is proved
  started,   // this event proves the start; told once
  running,   // an event after the start
  finished,  // a good end; if `started` was not told yet, this is the start as well
  failed,    // the provider's own failure, see read_failure
};

// StartSignal watches one attempt.
class StartSignal {
 public:
  Signal feed(const Event& event);
  // started: feed has told of the start, or of a good end.
  bool started() const { return started_; }
  // ended: a terminal event was seen; what comes later is nothing.
  bool ended() const { return ended_; }
  // reset is for an attempt that is sent again.
  void reset() { *this = StartSignal(); }

 private:
  bool in_progress_ = false;
  bool started_ = false;
  bool ended_ = false;
};

// Refusal is why an attempt was refused before it started.
enum class Refusal : uint8_t { capacity, upstream_error, conversation_locked };

// judge_response classifies an HTTP error of OpenAI: capacity is 429 `flex_unavailable` or a 429
// without a quota code. `body` may be cut short, compressed or no JSON: then it has no code.
Refusal judge_response(unsigned status, std::string_view body);
// judge_event does the same for a failure event: it has no status, so a limit without a quota code
// is told by its type.
Refusal judge_event(const Event& event);

}  // namespace flexd::surface
