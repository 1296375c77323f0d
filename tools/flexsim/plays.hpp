// plays.hpp: turns a scenario and a request into a script.
//
// Plays keeps its buffers from request to request: after warm-up nothing is allocated.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "canned.hpp"
#include "request.hpp"
#include "response_text.hpp"
#include "scenario.hpp"
#include "script.hpp"

namespace flexd::flexsim {

// Error codes of RFC 9113 7 that scripts use.
inline constexpr uint64_t kInternalError = 2;
inline constexpr uint64_t kRefusedStream = 7;

class Plays {
 public:
  // write fills an empty script. `id` is a hexadecimal text that no other response has.
  void write(const Scenario& scenario, const RequestFacts& facts, std::string_view id,
             uint64_t unix_s, Script& script);
  // write_canned fills an empty script with a whole answer that is no response object.
  static void write_canned(const CannedAnswer& answer, Script& script);

 private:
  bool ends_before_headers();
  void write_stream();
  bool wait_for_start();
  bool fails_before_start();
  void reasoning_item();
  void tool_call_item();
  bool message_item();
  bool break_off();
  void close_message(std::string_view status);
  void finish_stream();
  void write_json();
  void json_output();
  void failed_event();
  void error_event();
  void die(uint64_t code = kInternalError);
  void sleep(uint64_t duration_ns);
  // add_item adds an item to the output of the response object.
  void add_item(std::string_view item);
  std::string_view delta(size_t index) const;
  std::string_view error_code() const;
  // send passes what was written since the last call on to the script.
  void send();

  const Scenario* scenario_ = nullptr;
  const RequestFacts* facts_ = nullptr;
  Script* script_ = nullptr;
  ResponseText text_;
  std::string id_;
  std::string answer_;
  std::string item_;    // the message as JSON
  std::string output_;  // the items so far, as a JSON array
  size_t sent_ = 0;     // of the script's bytes
  size_t items_ = 0;
  size_t delta_count_ = 0;
  Usage usage_;
};

}  // namespace flexd::flexsim
