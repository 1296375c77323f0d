// answer.hpp: what the model says in a scenario, before any provider's format.
//
// The same scenario says the same on all three providers: texts, tool names, arguments and numbers
// of tokens. Only ids and opaque blobs differ.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "request.hpp"
#include "scenario.hpp"

namespace flexd::flexsim {

// kDefaultText is the answer without bytes=.
inline constexpr std::string_view kDefaultText = "Hello! This is a simulated answer.";
inline constexpr std::string_view kThoughtText = "**Thinking** about the request.";
inline constexpr std::string_view kRefusalText = "I cannot help with that.";
// kJsonText is the answer of the scenario `json` as JSON, kNoJsonText the one without a schema.
inline constexpr std::string_view kJsonText = R"({"city":"Paris","population":2100000})";
inline constexpr std::string_view kNoJsonText = "No JSON was asked for.";
// kUnicodeText is the answer of `unicode`, escaped as it is sent.
inline constexpr std::string_view kUnicodeText =
    "Caf\xc3\xa9 \\\"au lait\\\" \\\\o/ \\ud83d\\ude00\\n\xc3\x9c"
    "ber \xe2\x82\xac";
// answer_text writes the answer of bytes=N to `out`: printable ASCII without quotes.
void answer_text(size_t bytes, std::string& out);

// Usage of an answer in canonical numbers: input_tokens includes cached_tokens, output_tokens
// includes reasoning_tokens.
struct Usage {
  uint64_t input_tokens = 0;
  uint64_t output_tokens = 0;
  uint64_t reasoning_tokens = 0;
  uint64_t cached_tokens = 0;
};

enum class ItemKind : uint8_t { message, refusal, reasoning, call };

// Item is one part of an answer. Its views live as long as the answer.
struct Item {
  ItemKind kind = ItemKind::message;
  size_t index = 0;         // in the answer
  std::string_view text;    // the inside of a JSON string; of a call: its arguments
  std::string_view name;    // of a call
  std::string_view suffix;  // of a call's fixed id; empty: the id is made of the answer's
};

// unescaped_arguments is the arguments of a call as a JSON object.
[[nodiscard]] std::string unescaped_arguments(const Item& item);

enum class Stop : uint8_t {
  end,
  calls,    // a tool is called
  length,   // the limit of tokens
  blocked,  // by the provider's safety system
  refused,  // by the model
};

// ModelAnswer is a whole answer. It keeps its memory from request to request.
class ModelAnswer {
 public:
  // make fills the answer for a scenario and a request. `scenario` and `facts` outlive it.
  void make(const Scenario& scenario, const RequestFacts& facts);

  const std::vector<Item>& items() const { return items_; }
  Stop stop() const { return stop_; }
  const Usage& usage() const { return usage_; }
  // interleaves: the deltas of the two calls alternate.
  bool interleaves() const { return interleaves_; }
  // delta_count is how many deltas an item has, delta the index-th of them. No delta ends within a
  // character or an escape.
  size_t delta_count(const Item& item) const;
  std::string_view delta(const Item& item, size_t index) const;

 private:
  void write_text();
  bool write_calls();
  // is_agent_busy: the agent has calls left to make.
  bool is_agent_busy() const;
  void add(ItemKind kind, std::string_view text);
  void add_call(std::string_view name, std::string_view arguments, std::string_view suffix);
  void count_tokens();

  const Scenario* scenario_ = nullptr;
  const RequestFacts* facts_ = nullptr;
  std::string text_;
  std::string suffix_;
  std::vector<Item> items_;
  Stop stop_ = Stop::end;
  Usage usage_;
  bool interleaves_ = false;
  bool waits_ = false;     // a tool's results are to be answered
  bool is_plain_ = false;  // every byte of text_ is a character
  size_t text_deltas_ = 5;
};

}  // namespace flexd::flexsim
