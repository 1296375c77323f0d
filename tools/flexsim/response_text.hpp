// response_text.hpp: writes response objects and stream events as OpenAI's Responses API does.
//
// All text goes to one std::string, whose memory the caller keeps. The members of a response object
// that repeat the request are put together once for each request and copied into each object.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "answer.hpp"
#include "request.hpp"

namespace flexd::flexsim {

// Outcome is the state of a response object.
struct Outcome {
  std::string_view status = "in_progress";        // also completed, failed, incomplete, queued
  std::string_view error_code;                    // of a failed one; raw
  std::string_view reason = "max_output_tokens";  // of an incomplete one
  std::string_view output = "[]";                 // JSON
  const Usage* usage = nullptr;                   // null: not known yet
};

class ResponseText {
 public:
  // begin takes the facts of a request; from now on text goes to the end of `out`. `id` is a
  // hexadecimal text; item ids are made of it. `echo_bytes` replaces the instructions by as many
  // characters, unless it is 0.
  void begin(std::string& out, const RequestFacts& facts, std::string_view id,
             std::string_view tier, uint64_t created_s, uint64_t echo_bytes);

  // object writes a response object.
  void object(const Outcome& outcome);
  // lifecycle writes response.created and the like.
  void lifecycle(std::string_view event, const Outcome& outcome);
  // event opens an event, up to and with its sequence number; the caller writes further members,
  // each with a comma before it, and calls end_event.
  ResponseText& event(std::string_view name);
  ResponseText& raw(std::string_view text);
  ResponseText& number(uint64_t value);
  // item_id writes the id of an item: prefix ("msg_", "fc_", "rs_") and the response's own.
  ResponseText& item_id(std::string_view prefix);
  void end_event();

  uint64_t sequence() const { return sequence_; }
  size_t size() const { return out_->size(); }

 private:
  std::string* out_ = nullptr;
  std::string id_;
  std::string before_output_;  // the members between error and output
  std::string after_output_;   // between output and usage
  std::string after_usage_;
  uint64_t created_s_ = 0;
  uint64_t sequence_ = 0;
};

}  // namespace flexd::flexsim
