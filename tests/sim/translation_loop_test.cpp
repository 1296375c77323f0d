// Conversations of several turns across dialects: what a model called is answered, thoughts go back
// to the provider they came from, and the provider takes all of it.
#include <doctest/doctest.h>

#include "dialects.hpp"

using namespace flexd;
using namespace flexd::sim_test;

namespace {

// Conversation keeps the turns as the dialect's own SDK would send them back.
class Conversation {
 public:
  explicit Conversation(Pair pair) : pair_(pair) {}

  void user(const std::string& text) {
    switch (pair_.dialect) {
      case Dialect::responses:
      case Dialect::chat:
      case Dialect::messages:
        add(R"({"role":"user","content":")" + text + "\"}");
        break;
      case Dialect::interactions:
        add(R"({"type":"user_input","content":[{"type":"text","text":")" + text + "\"}]}");
        break;
    }
  }
  // model takes an answer's items as they are.
  void model(const std::string& body) {
    const json::Value whole{body};
    switch (pair_.dialect) {
      case Dialect::responses:
        for (const json::Value item : json::Elements(whole["output"])) add(item);
        break;
      case Dialect::chat:
        for (const json::Value choice : json::Elements(whole["choices"])) add(choice["message"]);
        break;
      case Dialect::interactions:
        for (const json::Value step : json::Elements(whole["steps"])) add(step);
        break;
      case Dialect::messages:
        add(R"({"role":"assistant","content":)" + std::string(whole["content"].text) + "}");
        break;
    }
  }
  // results answers the calls, in another order than they were made in.
  void results(const std::vector<flexsim::Call>& calls, const std::vector<std::string>& texts) {
    std::string blocks;
    for (size_t i = calls.size(); i-- > 0;) {
      const std::string& id = calls[i].id;
      const std::string text = "\"" + texts[i] + "\"";
      switch (pair_.dialect) {
        case Dialect::responses:
          add(R"({"type":"function_call_output","call_id":")" + id + R"(","output":)" + text + "}");
          break;
        case Dialect::chat:
          add(R"({"role":"tool","tool_call_id":")" + id + R"(","content":)" + text + "}");
          break;
        case Dialect::interactions:
          add(R"({"type":"function_result","call_id":")" + id + R"(","name":")" + calls[i].name +
              R"(","result":)" + text + "}");
          break;
        case Dialect::messages:
          blocks += (blocks.empty() ? "" : ",") +
                    (R"({"type":"tool_result","tool_use_id":")" + id + R"(","content":)" + text) +
                    "}";
          break;
      }
    }
    if (!blocks.empty()) add(R"({"role":"user","content":[)" + blocks + "]}");
  }
  // request is the whole conversation, with what else a question has.
  std::string request(const Question& question) const {
    std::string text = request_of(pair_, question);
    const bool has_input =
        pair_.dialect == Dialect::responses || pair_.dialect == Dialect::interactions;
    const std::string old =
        has_input ? R"("input":"Hello")" : R"("messages":[{"role":"user","content":"Hello"}])";
    const size_t at = text.find(old);
    REQUIRE(at != std::string::npos);
    return text.replace(at, old.size(),
                        std::string(has_input ? "\"input\":[" : "\"messages\":[") + turns_ + "]");
  }

 private:
  void add(const std::string& turn) { turns_ += (turns_.empty() ? "" : ",") + turn; }
  void add(json::Value turn) { add(std::string(turn.text)); }

  Pair pair_;
  std::string turns_;
};

SimOptions with_flexsim() {
  SimOptions options = three_providers();
  options.flexsim = true;
  return options;
}

const Reply& say(Sim& sim, Pair pair, const Conversation& so_far, const Question& question) {
  const std::string request = so_far.request(question);
  const Reply& reply = sim.ask_at(path_of(pair.dialect), request);
  CAPTURE(request);
  CAPTURE(reply.body);
  REQUIRE(reply.status == 200);
  return reply;
}

}  // namespace

TEST_CASE("loop: calls are answered, two at a time") {
  for (const Pair pair : every_pair()) {
    for (const bool stream : {false, true}) {
      CAPTURE(pair.name());
      CAPTURE(stream);
      Sim sim(with_flexsim());
      Conversation so_far(pair);
      so_far.user("[flexsim:tools]");
      const std::string first = say(sim, pair, so_far, {}).body;
      const Said said = said_in(pair.dialect, false, first);
      REQUIRE(said.calls.size() == 2);
      so_far.model(first);
      so_far.results(said.calls, {"sunny", "noon"});
      const Reply& second = say(sim, pair, so_far, {.stream = stream});
      const std::string text = said_in(pair.dialect, stream, second.body).text;
      CHECK((text == "The tool said: sunny | noon" || text == "The tool said: noon | sunny"));
    }
  }
}

TEST_CASE("loop: an agent calls, is answered, thinks and calls again") {
  for (const Pair pair : every_pair()) {
    CAPTURE(pair.name());
    Sim sim(with_flexsim());
    const Question question{.start_within =
                                pair.races() ? std::string(kDuration) : std::string("default")};
    Conversation so_far(pair);
    so_far.user("[flexsim:agent 3]");
    for (const char* const result : {"one", "two", "three"}) {
      const std::string body = say(sim, pair, so_far, question).body;
      const Said said = said_in(pair.dialect, false, body);
      REQUIRE(said.calls.size() == 1);
      so_far.model(body);
      so_far.results(said.calls, {result});
    }
    const Said last = said_in(pair.dialect, false, say(sim, pair, so_far, question).body);
    CHECK(last.text == "The tool said: one | two | three");
    CHECK(last.stop == "end");
  }
}

TEST_CASE("loop: a thought goes back to the provider it came from") {
  for (const Pair pair : every_pair()) {
    CAPTURE(pair.name());
    Sim sim(with_flexsim());
    Conversation so_far(pair);
    so_far.user("[flexsim:reasoning-tools]");
    const std::string body = say(sim, pair, so_far, {}).body;
    const Said said = said_in(pair.dialect, false, body);
    REQUIRE(said.calls.size() == 1);
    so_far.model(body);
    so_far.results(said.calls, {"sunny"});
    // Gemini refuses a call that comes back without the thought that it was made in.
    CHECK(said_in(pair.dialect, false, say(sim, pair, so_far, {}).body).text ==
          "The tool said: sunny");
  }
}
