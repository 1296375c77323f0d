// scenario.hpp: what a request asks the simulated provider to do.
//
// A marker stands anywhere in the text of a request:
//
//   [flexsim:NAME ARG ...]             for every tier
//   [flexsim:flex NAME ARG ...]        for attempts with service_tier "flex"
//   [flexsim:standard NAME ARG ...]    for all others
//
// The first marker for the attempt's tier counts, then the first one for every tier. The provider
// key may hold markers too, with "_" for a space and "__" between markers:
// `sk-flexsim-flex_queue_5s__standard_ok`; there name=value is the last argument. A marker in the
// text comes before one in the key; one in the last text of the user's before one elsewhere, so
// that a conversation can go on with another scenario.
//
// Arguments in any order: a duration (250ms, 5s, 10m), a number, a word, or name=value:
//   bytes=N events=N gap=D   length of the answer's text, its number of deltas, time between them
//   after=D                  nothing at all before D
//   every=D                  time between keepalive events (5s)
//   times=K                  only the first K times that the same request comes, then `ok`
//   tier=WORD                the service_tier that the answer names
//   code=WORD                the code of an error or a failure
//   input=N                  the input tokens of the answer's usage
#pragma once

#include <cstdint>
#include <string_view>

namespace flexd::flexsim {

// Kind is a scenario; each name is that of its marker with "-" for "_".
enum class Kind : uint8_t {
  ok,
  start_after,          // DURATION: created and in_progress at once, the first output item after it
  queue,                // DURATION: created, queued, keepalives, then in_progress and the answer
  queue_forever,        // created, queued, keepalives without end
  keepalive_only,       // created, then keepalives without end
  refuse,               // the provider's way to say that it has no capacity
  error,                // STATUS [CODE]: the provider's error body
  error_html,           // STATUS: a page of a proxy in front of the provider
  error_empty,          // STATUS: no body
  error_gzip,           // STATUS: an error body with content-encoding: gzip
  error_big,            // STATUS: an error body of 1 MB
  error_badjson,        // STATUS: an error body cut in the middle, as application/json
  failed_before_start,  // [CODE]: response.failed before any output
  failed_after_start,   // [CODE]: response.failed amid the deltas
  error_event_before,   // [flat|nested] [CODE]: an error event before any output
  error_event_after,    // [flat|nested] [CODE]: an error event amid the deltas
  die_before_headers,   // [rst|close|abort]
  die_before_start,     // [rst|close|abort]: after in_progress
  die_mid,              // [N] [rst|close|abort]: after N deltas
  end_without_terminal,  // the body ends well, without the last event
  end_before_start,      // the body ends well after in_progress
  stall_mid,             // half the deltas, then silence
  split_bytes,           // every byte a DATA frame, or a chunk, of its own
  slow_standard,         // DURATION: not even a head before it
  goaway_before,         // GOAWAY with a last id below the request's stream
  goaway_mid,            // a graceful GOAWAY amid the deltas, which go on
  refused_stream,        // [K]: RST_STREAM(REFUSED_STREAM) the first K times
  conversation_locked,   // [K]: 409 conversation_locked the first K times
  echo,                  // [N]: a response object whose instructions have N characters
  early_json,            // a JSON body although a stream was asked for
  huge_event,            // N: one delta of N bytes
  incomplete,            // [content_filter]: cut at the limit of tokens, or by the safety system
  tool_call,             // one call; as with the next ones, its result is answered with a text
  tools,                 // two calls at once, the second without arguments
  interleaved,           // two calls whose deltas alternate; OpenAI only
  agent,                 // N: N calls, one a turn, then a text
  reasoning,             // a thought, then the text
  reasoning_tools,       // a thought, then a call
  refusal,               // the model will not
  json,                  // a JSON object, if the request asks for JSON
  image,                 // the text says which images and files the request has
  unicode,               // a text with escapes of all kinds, a delta a character
  cached,                // usage with cached and reasoning tokens
  mirror,                // the text is the request's own body
  unknown,  // a name that is none of these: answered with 400, so that a typing error shows
};

// Scope says which attempts a scenario is for.
enum class Scope : uint8_t { any, flex, standard };

// Death is how an attempt is cut off.
enum class Death : uint8_t {
  reset,  // RST_STREAM(INTERNAL_ERROR); over HTTP/1.1 the connection is closed
  close,  // the connection ends, without close_notify
  abort,  // the connection is reset
};

struct Scenario {
  Kind kind = Kind::ok;
  Death death = Death::reset;
  bool in_last_text = false;  // the marker stood in the user's last text
  bool nested = false;        // error events with an `error` object
  uint32_t times = 0;         // 0: always
  uint64_t duration_ns = 0;   // the first bare duration
  uint64_t number = 0;        // the first bare number, or 0
  uint64_t text_bytes = 0;    // 0: the text of default_text
  uint64_t events = 0;        // 0: five
  uint64_t input_tokens = 0;  // 0: by the request, or the scenario's own
  uint64_t gap_ns = 0;
  uint64_t after_ns = 0;
  uint64_t every_ns = 5'000'000'000;
  std::string_view name = "ok";
  std::string_view word;  // the first bare word, or code=
  std::string_view tier;  // of tier=
};

// kind_name is the marker's name of a kind.
[[nodiscard]] std::string_view kind_name(Kind kind);

// parse_marker reads "NAME ARG ..." (the tier word has been taken off). `scope` becomes the scope
// of scenarios that make sense on one tier only, unless it is set or the word `all` is there:
// queue, queue-forever, keepalive-only and refuse are for flex, slow-standard and
// conversation-locked for the others.
[[nodiscard]] Scenario parse_marker(std::string_view text, Scope& scope);

// find_scenario chooses the scenario of an attempt. `text` is the request's body, `key` what
// follows "sk-flexsim-" in the provider key (its underscores as they are), or empty; `last_text` is
// the last text of the user's. What is returned views one of them or `fallback`.
[[nodiscard]] Scenario find_scenario(std::string_view text, std::string_view key,
                                     std::string_view fallback, bool is_flex,
                                     std::string_view last_text = {});

}  // namespace flexd::flexsim
