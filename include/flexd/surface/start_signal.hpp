// start_signal.hpp: which event proves that a provider has begun to work on a request.
//
// A queued flex request already has a status line, headers, an event that it was created, and
// whatever keeps the connection alive. None of these prove anything.
//
//   OpenAI     The first event after `response.in_progress` that is none of created, queued,
//              in_progress, keepalive, error and any failure. Strictly: an event before
//              `response.in_progress` proves nothing, known or unknown.
//   Gemini     The first step.start or step.delta. A status_update says in_progress at once, and
//              proves nothing; neither does an event that is not known.
//   Anthropic  The first content_block_*. It has no flex tier, so that nothing waits for this.
//
// A good end (completed, incomplete) always counts.
#pragma once

#include <cstdint>
#include <string_view>

#include "flexd/errors/dialect.hpp"
#include "flexd/surface/events.hpp"

namespace flexd::surface {

// Signal is what one event means for the race.
enum class Signal : uint8_t {
  nothing,   // nothing is proved
  started,   // this event proves the start; told once
  running,   // an event after the start
  finished,  // a good end; if `started` was not told yet, this is the start as well
  failed,    // the provider's own failure, see read_failure
};

// StartSignal watches one attempt. The events say which provider's it is.
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

// judge_response classifies an HTTP error. Capacity is
//
//   OpenAI   429 `flex_unavailable`, or a 429 without a quota code;
//   Gemini   503, or a 429 without a detail whose `@type` ends with QuotaFailure.
//
// conversation_locked is OpenAI's alone; everything of Anthropic's is upstream_error. `body` may be
// cut short, compressed or no JSON: what cannot be read in it is not there.
Refusal judge_response(errors::Provider provider, unsigned status, std::string_view body);
// judge_event does the same for a failure event. It has no status: at OpenAI a limit without a
// quota code is told by its type, at Gemini `unavailable`, `resource_exhausted` and their like say
// it as a code, a status or a number.
Refusal judge_event(const Event& event);

}  // namespace flexd::surface
