// answer_writer.hpp: writes an answer in the format of one provider.
//
// There is one writer for each provider. Plays (plays.hpp) calls it in the order of the events; it
// knows nothing of time and failures of the connection.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "answer.hpp"
#include "vendor.hpp"

namespace flexd::flexsim {

// Frame is what surrounds an answer.
struct Frame {
  const RequestFacts* facts = nullptr;
  const ModelAnswer* answer = nullptr;
  std::string_view id;    // 48 hexadecimal digits; all other ids are made of it
  std::string_view tier;  // in the provider's word
  uint64_t unix_s = 0;
  uint64_t echo_bytes = 0;  // of instructions in every response object, unless 0
};

class AnswerWriter {
 public:
  virtual ~AnswerWriter() = default;

  // begin: from now on text goes to the end of `out`. `frame` and what it points to outlive the
  // answer.
  virtual void begin(std::string& out, const Frame& frame) = 0;

  // open writes the events that come at once, queued or not; keepalive one that means nothing;
  // picked_up those of a request that is being worked on, none of which is output.
  virtual void open(bool is_queued) = 0;
  virtual void keepalive() = 0;
  virtual void picked_up() = 0;
  // The events of an item; `piece` is a delta of it.
  virtual void open_item(const Item& item) = 0;
  virtual void delta(const Item& item, std::string_view piece) = 0;
  virtual void close_item(const Item& item) = 0;
  // finish writes the last events of a good answer.
  virtual void finish() = 0;
  // failed ends an answer by its state, error by an event of its own. `code` is as the marker has
  // it, or empty.
  virtual void failed(std::string_view code) = 0;
  virtual void error(std::string_view code, bool nested) = 0;

  // body writes a whole answer to a request without `stream`.
  virtual void body() = 0;

  // sequence is the number of the next event, where events have numbers.
  virtual uint64_t sequence() const { return 0; }
};

// make_writer makes the writer of a provider.
[[nodiscard]] std::unique_ptr<AnswerWriter> make_writer(Vendor vendor);
[[nodiscard]] std::unique_ptr<AnswerWriter> make_openai_writer();
[[nodiscard]] std::unique_ptr<AnswerWriter> make_gemini_writer();
[[nodiscard]] std::unique_ptr<AnswerWriter> make_anthropic_writer();

// keepalive_event writes what the provider sends while nothing happens; `sequence` numbers
// OpenAI's.
void keepalive_event(Vendor vendor, std::string& out, uint64_t sequence);

// vendor_code is the code of an in-stream failure: OpenAI's words become those of the other
// providers, all others stay as they are, and an empty one becomes the provider's usual one.
[[nodiscard]] std::string_view vendor_code(Vendor vendor, std::string_view code);

}  // namespace flexd::flexsim
