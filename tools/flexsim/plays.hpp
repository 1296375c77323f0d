// plays.hpp: turns a scenario and a request into a script.
//
// Plays knows the order and the time of events and where an answer breaks off; what the events say
// is the answer's (answer.hpp), and how they are written its provider's writer's
// (answer_writer.hpp). It keeps its buffers from request to request: after warm-up nearly nothing
// is allocated.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string_view>

#include "answer.hpp"
#include "answer_writer.hpp"
#include "canned.hpp"
#include "request.hpp"
#include "scenario.hpp"
#include "script.hpp"

namespace flexd::flexsim {

// Error codes of RFC 9113 7 that scripts use.
inline constexpr uint64_t kInternalError = 2;
inline constexpr uint64_t kRefusedStream = 7;

class Plays {
 public:
  Plays();

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
  bool write_items();
  void write_interleaved();
  bool write_deltas(const Item& item);
  bool break_off();
  void finish_stream();
  void note_answered();
  void write_json();
  bool fails_without_body();
  void fail_event();
  void die(uint64_t code = kInternalError);
  void sleep(uint64_t duration_ns);
  // send passes what was written since the last call on to the script.
  void send();

  std::array<std::unique_ptr<AnswerWriter>, kVendors> writers_;
  const Scenario* scenario_ = nullptr;
  const RequestFacts* facts_ = nullptr;
  Script* script_ = nullptr;
  AnswerWriter* writer_ = nullptr;
  ModelAnswer answer_;
  size_t sent_ = 0;  // of the script's bytes
};

// tier_in_answer is the tier that an answer names, in its provider's word.
[[nodiscard]] std::string_view tier_in_answer(const Scenario& scenario, const RequestFacts& facts);

}  // namespace flexd::flexsim
