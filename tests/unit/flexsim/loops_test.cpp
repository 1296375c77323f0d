// Conversations of several turns: a tool's result is answered, an agent goes on, thoughts come
// back.
#include <doctest/doctest.h>

#include "client.hpp"
#include "said.hpp"

using namespace flexd;
using namespace flexd::flexsim;

namespace {

constexpr Vendor kAll[] = {Vendor::openai, Vendor::gemini, Vendor::anthropic};

// Conversation keeps the items of a conversation in a provider's own form.
class Conversation {
 public:
  explicit Conversation(Vendor vendor) : vendor_(vendor) {}

  void user(const std::string& text) {
    if (vendor_ == Vendor::gemini) {
      add(R"({"type":"user_input","content":[{"type":"text","text":")" + text + "\"}]}");
    } else {
      add(R"({"role":"user","content":")" + text + "\"}");
    }
  }
  void model(const Said& said) {
    std::string blocks;
    for (const Call& call : said.calls) {
      switch (vendor_) {
        case Vendor::openai:
          add(R"({"type":"function_call","call_id":")" + call.id + R"(","name":")" + call.name +
              R"(","arguments":"{}"})");
          break;
        case Vendor::gemini:
          add(R"({"type":"function_call","id":")" + call.id + R"(","name":")" + call.name +
              R"(","arguments":)" + call.arguments + "}");
          break;
        case Vendor::anthropic:
          blocks += (blocks.empty() ? "" : ",") + (R"({"type":"tool_use","id":")" + call.id) +
                    R"(","name":")" + call.name + R"(","input":)" + call.arguments + "}";
          break;
      }
    }
    if (!blocks.empty()) add(R"({"role":"assistant","content":[)" + blocks + "]}");
  }
  // results answers calls; `behind` is a text of the user's behind them.
  void results(const std::vector<Call>& calls, const std::vector<std::string>& texts,
               const std::string& behind = "") {
    std::string blocks;
    for (size_t i = 0; i < calls.size(); i++) {
      const std::string& id = calls[i].id;
      if (vendor_ == Vendor::openai) {
        add(R"({"type":"function_call_output","call_id":")" + id + R"(","output":")" + texts[i] +
            "\"}");
      } else if (vendor_ == Vendor::gemini) {
        add(R"({"type":"function_result","call_id":")" + id + R"(","result":")" + texts[i] + "\"}");
      } else {
        blocks += (blocks.empty() ? "" : ",") + (R"({"type":"tool_result","tool_use_id":")" + id) +
                  R"(","content":")" + texts[i] + "\"}";
      }
    }
    if (!blocks.empty()) {
      if (!behind.empty()) blocks += R"(,{"type":"text","text":")" + behind + "\"}";
      add(R"({"role":"user","content":[)" + blocks + "]}");
    } else if (!behind.empty()) {
      user(behind);
    }
  }
  void add(const std::string& item) { items_ += (items_.empty() ? "" : ",") + item; }

  Said ask(Client& client, const std::string& more = "") {
    const bool is_anthropic = vendor_ == Vendor::anthropic;
    const std::string body = std::string(R"({"model":"claude-opus-4-7",)") +
                             (is_anthropic ? R"("max_tokens":4096,"messages":[)" : R"("input":[)") +
                             items_ + "]" + more + "}";
    Answer& answer = client.post_to(vendor_, body);
    CHECK(client.wait_closed(answer));
    CAPTURE(body);
    CAPTURE(answer.body);
    REQUIRE(answer.status == 200);
    return said_in_body(vendor_, answer.body);
  }

 private:
  Vendor vendor_;
  std::string items_;
};

}  // namespace

TEST_CASE("the result of a call is answered with a text, on all providers") {
  flexsim::Provider provider;
  Client& client = provider.connect();
  for (const Vendor vendor : kAll) {
    CAPTURE(vendor_name(vendor));
    Conversation one(vendor);
    one.user("[flexsim:tool-call]");
    const Said call = one.ask(client);
    REQUIRE(call.calls.size() == 1);
    one.model(call);
    one.results(call.calls, {"18 \\u00b0C, \\\"sunny\\\""});
    const Said text = one.ask(client);
    CHECK(text.text ==
          "The tool said: 18 \xc2\xb0"
          "C, \"sunny\"");
    CHECK(text.output == 12);
    CHECK(text.input == 100);
    CHECK(text.stop == "end");

    Conversation two(vendor);
    two.user("[flexsim:tools]");
    const Said calls = two.ask(client);
    two.model(calls);
    two.results(calls.calls, {"a", "b"});
    CHECK(two.ask(client).text == "The tool said: a | b");
  }
}

TEST_CASE("a text behind the results asks for something new only with a marker") {
  flexsim::Provider provider;
  Client& client = provider.connect();
  for (const Vendor vendor : kAll) {
    CAPTURE(vendor_name(vendor));
    for (const bool has_marker : {false, true}) {
      Conversation talk(vendor);
      talk.user("[flexsim:tool-call]");
      const Said call = talk.ask(client);
      talk.model(call);
      talk.results(call.calls, {"sunny"}, has_marker ? "[flexsim:refusal]" : "and now?");
      const Said said = talk.ask(client);
      CHECK((said.text == "The tool said: sunny") == !has_marker);
      CHECK((said.text + said.refusal == "I cannot help with that.") == has_marker);
    }
  }
}

TEST_CASE("images in results are told too") {
  flexsim::Provider provider;
  Client& client = provider.connect();
  const std::string image =
      R"({"type":"image","source":{"type":"base64","media_type":"image/gif","data":"AAAA"}})";
  Conversation talk(Vendor::anthropic);
  talk.user("[flexsim:image]");
  talk.add(
      R"({"role":"assistant","content":[{"type":"tool_use","id":"t","name":"f","input":{}}]})");
  talk.add(R"({"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":[)" +
           image + "]}]}");
  CHECK(talk.ask(client).text == "1 image: image/gif base64 3 bytes");
}

TEST_CASE("a mirror shows the request, whatever is in it") {
  flexsim::Provider provider;
  Client& client = provider.connect();
  for (const bool stream : {false, true}) {
    const std::string body = std::string(R"({"model":"m","input":"[flexsim:mirror] \u00e9 \" )") +
                             "\xc3\xa9\",\n\t\"stream\":" + (stream ? "true}" : "false}");
    Answer& answer = client.post_to(Vendor::gemini, body);
    CHECK(client.wait_closed(answer));
    CHECK((stream ? said_in_stream(Vendor::gemini, answer.body)
                  : said_in_body(Vendor::gemini, answer.body))
              .text == body);
  }
}

TEST_CASE("an agent calls N times, one call a turn, and then tells all") {
  flexsim::Provider provider;
  Client& client = provider.connect();
  for (const Vendor vendor : kAll) {
    CAPTURE(vendor_name(vendor));
    Conversation talk(vendor);
    talk.user("[flexsim:agent 3]");
    std::string ids;
    for (const char* result : {"one", "two", "three"}) {
      const Said said = talk.ask(client);
      REQUIRE(said.calls.size() == 1);
      CHECK(said.output == 20);
      ids += said.calls[0].id.back();
      talk.model(said);
      talk.results(said.calls, {result});
    }
    CHECK(ids == "123");
    const Said last = talk.ask(client);
    CHECK(last.text == "The tool said: one | two | three");
    CHECK(last.calls.empty());
    CHECK(last.output == 12);
  }
}

TEST_CASE("the last text's marker comes before those of older turns") {
  flexsim::Provider provider;
  Client& client = provider.connect();
  Conversation talk(Vendor::openai);
  talk.user("[flexsim:incomplete]");
  talk.add(R"({"role":"assistant","content":"no"})");
  talk.user("[flexsim:refusal]");
  CHECK(talk.ask(client).refusal == "I cannot help with that.");
}

TEST_CASE("Gemini wants the thought before a call that it made after one") {
  flexsim::Provider provider;
  Client& client = provider.connect();
  Conversation talk(Vendor::gemini);
  talk.user("[flexsim:reasoning-tools]");
  Said said = talk.ask(client);
  REQUIRE(said.calls.size() == 1);
  CHECK(said.reasoning == 64);
  const std::string call = R"({"type":"function_call","id":")" + said.calls[0].id +
                           R"(","name":"get_weather","arguments":{}},)" +
                           R"({"type":"function_result","call_id":")" + said.calls[0].id +
                           R"(","result":{"sky":"blue"}})";
  const std::string user =
      R"({"type":"user_input","content":[{"type":"text","text":"[flexsim:reasoning-tools]"}]},)";
  const auto status = [&](const std::string& steps) {
    Answer& answer = client.post_to(Vendor::gemini, R"({"model":"m","input":[)" + steps + "]}");
    CHECK(client.wait_closed(answer));
    const bool is_missing = answer.has("missing a thought_signature");
    CHECK(is_missing == (answer.status == 400 && !answer.has("Corrupted")));
    return answer.status;
  };
  const std::string thought = R"({"type":"thought","signature":")" + said.blob + "\"},";
  CHECK(status(user + call) == 400);
  CHECK(status(user + thought + call) == 200);
  CHECK(status(user + R"({"type":"thought","signature":"Zm9v"},)" + call) == 400);
  // In an older loop nobody looks.
  CHECK(status(user + call + R"(,{"type":"user_input","content":[{"type":"text","text":"x"}]})") ==
        200);
  talk.add(thought.substr(0, thought.size() - 1));
  talk.add(call);
  CHECK(talk.ask(client).text == R"(The tool said: {"sky":"blue"})");
}
