// dialects.hpp: requests in each dialect, and what a model said out of an answer in any of them.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "flexd/errors/dialect.hpp"
#include "harness.hpp"
#include "said.hpp"

namespace flexd::sim_test {

using errors::Dialect;
using flexsim::Said;

// Pair is a caller's dialect and the provider of the model asked for.
struct Pair {
  Dialect dialect;
  Vendor provider;

  std::string name() const;
  bool is_translated() const { return !errors::is_own_dialect(dialect, provider); }
  bool races() const { return provider != Vendor::anthropic; }
};
inline constexpr std::array<Dialect, errors::kDialectCount> kDialects = {
    Dialect::responses, Dialect::chat, Dialect::interactions, Dialect::messages};
// every_pair has the dialects with their own providers too, translated_pairs those nine alone that
// are translated.
std::vector<Pair> every_pair();
std::vector<Pair> translated_pairs();

std::string path_of(Dialect dialect);
std::string model_of(Vendor provider);

inline constexpr std::string_view kDuration = "00h-00m-30s";

// Question is a request with one text of the user's.
struct Question {
  std::string text = "Hello";
  std::string start_within{"default"};
  bool stream = false;
  std::string more{};  // members, each with a comma before it
};
std::string request_of(Pair pair, const Question& question);
// ask sends a question and waits for its answer.
const Reply& ask(Sim& sim, Pair pair, const Question& question, std::string_view extra = "");
Client& send(Sim& sim, Pair pair, const Question& question, std::string_view extra = "");

// Frame is one event of a stream; `event` is empty where it has no name.
struct Frame {
  std::string event;
  std::string data;
};
// frames_of reads a stream; comments are left out. It fails the test if the stream does not end
// between two frames.
std::vector<Frame> frames_of(const std::string& body);

// Terminals counts the events that end a stream, as the dialect's SDK sees them.
struct Terminals {
  size_t good = 0;
  size_t bad = 0;
  bool at_end = false;  // nothing follows but what belongs to it
  std::string failure;  // the data of the last bad one
};
Terminals terminals_of(Dialect dialect, const std::string& body);

// said_in reads an answer. In chat: `stop` from finish_reason, token counts from usage.
Said said_in(Dialect dialect, bool stream, const std::string& body);
// what is a Said without what differs by provider: ids of calls and opaque texts.
std::string what(const Said& said);

}  // namespace flexd::sim_test
