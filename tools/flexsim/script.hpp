// script.hpp: one answer as a list of steps, ready to be played.
//
// A script is made when the request is whole, and played by its exchange (exchange.hpp) whatever
// HTTP version it came by. Its memory is kept for the next request.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "answer.hpp"
#include "flexd/http/message.hpp"
#include "scenario.hpp"
#include "vendor.hpp"

namespace flexd::flexsim {

// Op is what a step does; `a` and `b` are its arguments.
enum class Op : uint8_t {
  head,           // the response head
  send,           // bytes from a to b
  send_apart,     // the same, each byte in a frame of its own
  started,        // the model has begun to answer: for the ledger
  sleep,          // a nanoseconds
  keepalives,     // the vendor's keepalive every a nanoseconds, for ever, numbered from b
  hang,           // for ever
  finish,         // the body ends well
  drain,          // wait until what was sent is out of flow control's hands
  die,            // by Death a, with RST_STREAM code b
  goaway_below,   // GOAWAY with a last stream below this one
  goaway_notice,  // the first GOAWAY of a graceful end
  goaway,         // its second, with the last stream seen
};

struct Step {
  Op op;
  uint64_t a = 0;
  uint64_t b = 0;
};

struct Script {
  unsigned status = 200;
  std::string_view content_type;
  std::string_view content_encoding;
  std::string_view retry_after;
  std::string_view retry_after_ms;
  std::string_view should_retry;
  std::string_view request_id;  // empty: one that no other answer has
  Vendor vendor = Vendor::openai;
  std::string service_tier;  // for the head of Gemini's answers
  bool is_api = true;        // the answer has the provider's headers
  bool out_of_requests = false;
  bool has_length = false;  // the body's length is that of `bytes`
  // answered: it is a whole good answer, of this model and usage, and tells this tier.
  bool answered = false;
  std::string model;
  std::string answered_tier;
  Usage usage;
  std::string bytes;
  std::vector<Step> steps;

  void clear() {
    std::string kept_bytes = std::move(bytes);
    std::vector<Step> kept_steps = std::move(steps);
    *this = Script();
    // A rare huge answer does not stay in memory.
    if (kept_bytes.capacity() <= (size_t{1} << 20U)) bytes = std::move(kept_bytes);
    steps = std::move(kept_steps);
    bytes.clear();
    steps.clear();
  }
  void add(Op op, uint64_t a = 0, uint64_t b = 0) { steps.push_back({op, a, b}); }
  // add_send adds the bytes written since `begin`, to the last step if that is a send too.
  void add_send(size_t begin) {
    if (begin == bytes.size()) return;
    if (!steps.empty() && steps.back().op == Op::send && steps.back().b == begin) {
      steps.back().b = bytes.size();
    } else {
      add(Op::send, begin, bytes.size());
    }
  }
};

}  // namespace flexd::flexsim
