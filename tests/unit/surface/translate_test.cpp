#include "flexd/surface/translate.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cstdlib>
#include <fstream>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "flexd/errors/table.hpp"
#include "flexd/json/finder.hpp"
#include "flexd/surface/blob.hpp"

namespace flexd::surface {
namespace {

using errors::Code;
using errors::Dialect;
using errors::Provider;

struct StringSink {
  std::string text;
  void append(std::string_view piece) { text += piece; }
};

// Case is one block of tests/conformance/translation/requests.txt, which says what is in it.
struct Case {
  std::string id;
  Dialect dialect = Dialect::responses;
  Provider provider = Provider::openai;
  bool native = false;
  std::string body;
  std::string expected;  // "= body" or "! code param"
};

Dialect dialect_of(std::string_view word) {
  if (word == "chat") return Dialect::chat;
  if (word == "interactions") return Dialect::interactions;
  if (word == "messages") return Dialect::messages;
  REQUIRE(word == "responses");
  return Dialect::responses;
}

Provider provider_of_word(std::string_view word) {
  for (const Provider provider : {Provider::openai, Provider::gemini, Provider::anthropic}) {
    if (errors::provider_word(provider) == word) return provider;
  }
  FAIL("no such provider");
  return Provider::openai;
}

std::string blob_of(Provider provider, const Blob& blob) {
  StringSink sink;
  write_blob(sink, provider, blob);
  return sink.text;
}

// with_blobs replaces each <<provider type data text>> by a wrapped blob; `_` in text is a space.
std::string with_blobs(std::string text) {
  for (size_t at = 0; (at = text.find("<<")) != std::string::npos;) {
    const size_t end = text.find(">>", at);
    REQUIRE(end != std::string::npos);
    std::istringstream words(text.substr(at + 2, end - at - 2));
    std::string provider;
    std::string type;
    std::string data;
    std::string thought;
    words >> provider >> type >> data >> thought;
    for (char& c : thought) {
      if (c == '_') c = ' ';
    }
    const Blob blob{.type = type, .data = data, .model = "m", .text = thought};
    text.replace(at, end + 2 - at, blob_of(provider_of_word(provider), blob));
  }
  return text;
}

std::vector<Case> read_cases() {
  const char* directory = std::getenv("FLEXD_CONFORMANCE_DIR");
  REQUIRE(directory != nullptr);
  std::ifstream table(std::string(directory) + "/translation/requests.txt");
  REQUIRE(table.is_open());
  std::vector<Case> cases;
  for (std::string line; std::getline(table, line);) {
    if (line.empty() || line.starts_with('#')) continue;
    std::istringstream head(line);
    Case one;
    std::string dialect;
    std::string provider;
    std::string native;
    head >> one.id >> dialect >> provider >> native;
    CAPTURE(line);
    one.dialect = dialect_of(dialect);
    one.provider = provider_of_word(provider);
    one.native = native == "native";
    REQUIRE((native.empty() || one.native));
    REQUIRE(std::getline(table, line));
    one.body = with_blobs(line);
    REQUIRE(std::getline(table, line));
    REQUIRE((line.starts_with("= ") || line.starts_with("! ")));
    one.expected = line;
    cases.push_back(one);
  }
  return cases;
}

// Request is a body that has passed the checks.
class Request {
 public:
  Request(Dialect dialect, std::string body, bool native = false) : body_(std::move(body)) {
    const auto read = read_request(dialect, body_, facts);
    if (!read) {
      error = read.error();
      return;
    }
    const FlexModels flex = FlexModels::built_in();
    const auto checked = check_request(
        facts,
        {.flex_models = flex, .default_start_within = "default", .native_parameters = native});
    if (!checked) error = checked.error();
  }

  RequestFacts facts;
  std::optional<errors::Error> error;

 private:
  std::string body_;
};

std::string told(const errors::Error& error) {
  const errors::Row& row = errors::row(error.code);
  const bool is_fixed = row.param_rule == errors::ParamRule::fixed;
  return "! " + std::string(error.name()) + " " + std::string(is_fixed ? row.param : error.param);
}

std::string translated(Dialect dialect, const std::string& body, bool native = false) {
  const auto request = std::make_unique<Request>(dialect, body, native);
  if (request->error) return told(*request->error);
  BlockPool pool(16U << 20U);
  Buffer out(pool);
  const auto done = translate_request(request->facts, native, pool, out);
  if (!done) return told(done.error());
  return "= " + std::string(out.view());
}

TEST_CASE("conformance/translation/requests.txt") {
  const std::vector<Case> cases = read_cases();
  std::set<std::string> ids;
  std::map<std::pair<Dialect, Provider>, size_t> pairs;
  for (const Case& one : cases) {
    CAPTURE(one.id);
    CHECK_MESSAGE(ids.insert(one.id).second, "a second case of that id");
    ++pairs[{one.dialect, one.provider}];
    const std::string got = translated(one.dialect, one.body, one.native);
    CHECK(got == one.expected);
    if (got.starts_with("= ")) {
      CHECK(json::validate(std::string_view(got).substr(2)) == json::Type::kObject);
    }
  }
  CHECK(cases.size() >= 130);
  CHECK(pairs.size() == 9);  // all but a dialect and its own provider
}

TEST_CASE("a member that nobody knows changes nothing if it is null, wherever it stands") {
  // With it the body's members are looked for in their order, and not only where they were noted.
  for (const Case& one : read_cases()) {
    CAPTURE(one.id);
    std::string first = one.body;
    first.insert(first.find('{') + 1, R"("unheard_of":null,)");
    CHECK(translated(one.dialect, first, one.native) == one.expected);
    std::string last = one.body;
    last.insert(last.rfind('}'), R"(,"unheard_of":null)");
    CHECK(translated(one.dialect, last, one.native) == one.expected);
  }
}

TEST_CASE("the model decides the provider that the table names") {
  for (const Case& one : read_cases()) {
    CAPTURE(one.id);
    const auto request = std::make_unique<Request>(one.dialect, one.body, one.native);
    if (!request->error) {
      CHECK(request->facts.provider == one.provider);
    }
  }
}

std::string chat_turn(const std::string& arguments) {
  return R"({"model":"gemini-3.8-flash","messages":[{"role":"user","content":"Q"},{"role":)"
         R"("assistant","tool_calls":[{"id":"c1","type":"function","function":{"name":"f",)"
         R"("arguments":)" +
         arguments + R"(}}]},{"role":"tool","tool_call_id":"c1","content":"x"}]})";
}

std::string nested(size_t depth) {
  std::string text = R"("{\"a\":)";
  for (size_t i = 1; i < depth; ++i) text += '[';
  for (size_t i = 1; i < depth; ++i) text += ']';
  return text + R"(}")";
}

TEST_CASE("arguments may be as deep as any document") {
  CHECK(translated(Dialect::chat, chat_turn(nested(json::kDepthMax))).starts_with("= "));
  CHECK(translated(Dialect::chat, chat_turn(nested(json::kDepthMax + 1))) ==
        "! invalid_value messages[1].tool_calls[0].function.arguments");
}

TEST_CASE("what arguments hold beside an object is refused") {
  for (const char* arguments : {R"(" ")", R"("{}{}")", R"("null")", R"("\"{}\"")",
                                R"("{\"a\":\"\u0001\"}")", R"("{\"a\":01}")", R"("{} x")"}) {
    CAPTURE(arguments);
    CHECK(translated(Dialect::chat, chat_turn(arguments)) ==
          "! invalid_value messages[1].tool_calls[0].function.arguments");
  }
  CHECK(translated(Dialect::chat, chat_turn(R"("\n{\"a\": 1}\n")")).starts_with("= "));
  CHECK(translated(Dialect::chat, chat_turn("null")).find(R"("arguments":{})") !=
        std::string::npos);
}

TEST_CASE("arguments of one line are copied as they stand") {
  const std::string body =
      "{\"model\":\"gpt-5.4\",\"max_tokens\":9,\"messages\":[{\"role\":\"assistant\",\"content\":["
      "{\"type\":\"tool_use\",\"id\":\"t1\",\"name\":\"f\",\"input\":{\t\"a\" :1.0 }}]}]}";
  CHECK(translated(Dialect::messages, body).find(R"("arguments":"{\t\"a\" :1.0 }")") !=
        std::string::npos);
}

TEST_CASE("arguments of several lines lose the white space between their parts, and only that") {
  const std::string body =
      "{\"model\":\"gpt-5.4\",\"max_tokens\":9,\"messages\":[{\"role\":\"assistant\",\"content\":["
      "{\"type\":\"tool_use\",\"id\":\"t1\",\"name\":\"f\",\"input\":{\n  \"a b\" : [ 1 ,\r\n\t2 ],"
      "\n  \"s\": \" x \\\" y \\\\\",\n  \"t\": true\n}}]}]}";
  CHECK(translated(Dialect::messages, body)
            .find(R"("arguments":"{\"a b\":[1,2],\"s\":\" x \\\" y \\\\\",\"t\":true}")") !=
        std::string::npos);
}

TEST_CASE("the end of an assistant's last text has no white space for Anthropic") {
  const auto last_text = [](const std::string& text) {
    const std::string got = translated(
        Dialect::chat, R"({"model":"claude-sonnet-4-5","max_tokens":9,"messages":[{"role":"user",)"
                       R"("content":"Q"},{"role":"assistant","content":[{"type":"text","text":")" +
                           text + R"("}]},{"role":"system","content":"S"}]})");
    const std::string before = R"({"role":"assistant","content":[{"type":"text","text":")";
    const size_t begin = got.find(before);
    if (begin == std::string::npos) return std::string("no text");
    const size_t end = got.find("\"}]}]", begin);
    return got.substr(begin + before.size(), end - begin - before.size());
  };
  CHECK(last_text("a") == "a");
  CHECK(last_text("a  ") == "a");
  CHECK(last_text(R"(a\n)") == "a");
  CHECK(last_text(R"(a\\n)") == R"(a\\n)");
  CHECK(last_text(R"(a\\\n)") == R"(a\\)");
  CHECK(last_text(R"(a\\\\n)") == R"(a\\\\n)");
  CHECK(last_text(R"(\\\r\t )") == R"(\\)");
  CHECK(last_text(R"(\n\t\r )") == "no text");
  CHECK(last_text("n") == "n");
}

// member is the string value of the first member `name` of a body.
std::string member(const std::string& body, const std::string& name) {
  const std::string before = "\"" + name + "\":\"";
  const size_t begin = body.find(before);
  if (begin == std::string::npos) return "";
  const size_t end = body.find('"', begin + before.size());
  return body.substr(begin + before.size(), end - begin - before.size());
}

std::string repeat(std::string_view piece, size_t count) {
  std::string text;
  for (size_t i = 0; i < count; ++i) text += piece;
  return text;
}

TEST_CASE("identifiers of users are hashed when they are too long, and not before") {
  const auto to_openai = [](const std::string& id) {
    return member(translated(Dialect::messages,
                             R"({"model":"gpt-5.4","max_tokens":9,"messages":[{"role":"user",)"
                             R"("content":"Q"}],"metadata":{"user_id":")" +
                                 id + "\"}}"),
                  "safety_identifier");
  };
  CHECK(to_openai(repeat("a", 64)) == repeat("a", 64));
  CHECK(to_openai(repeat("\\u0061", 64)) == repeat("a", 64));
  CHECK(to_openai(repeat("a", 65)) ==
        "635361c48bb9eab14198e76ea8ab7f1a41685d6ad62aa9146d301d4f17eb0ae0");
  CHECK(to_openai(repeat("\\u0061", 65)) == to_openai(repeat("a", 65)));

  const auto to_anthropic = [](const std::string& id) {
    return member(translated(Dialect::chat,
                             R"({"model":"claude-opus-4-6","max_tokens":9,"messages":[{"role":)"
                             R"("user","content":"Q"}],"user":")" +
                                 id + "\"}"),
                  "user_id");
  };
  CHECK(to_anthropic(repeat("a", 256)) == repeat("a", 256));
  CHECK(to_anthropic(repeat("a", 257)).size() == 64);
}

TEST_CASE("ids of calls are hashed for OpenAI from 65 bytes on") {
  const auto call_id = [](const std::string& id) {
    return member(translated(Dialect::messages,
                             R"({"model":"gpt-5.4","max_tokens":9,"messages":[{"role":"assistant",)"
                             R"("content":[{"type":"tool_use","name":"f","id":")" +
                                 id + R"("}]}]})"),
                  "call_id");
  };
  CHECK(call_id(repeat("a", 64)) == repeat("a", 64));
  CHECK(call_id(repeat("\\u0061", 64)) == repeat("a", 64));
  CHECK(call_id(repeat("a", 65)) == "call_635361c48bb9eab14198e76e");
}

// long_conversation has about `turns` calls with their results.
std::string long_conversation(size_t turns) {
  std::string body = R"({"model":"claude-opus-4-6","max_tokens":9,"messages":[)"
                     R"({"role":"user","content":"Q"})";
  for (size_t i = 0; i < turns; ++i) {
    const std::string id = "\"c" + std::to_string(i) + "\"";
    body += R"(,{"role":"assistant","tool_calls":[{"id":)" + id +
            R"(,"type":"function","function":{"name":"f","arguments":"{\"a\":1}"}}]},)" +
            R"({"role":"tool","tool_call_id":)" + id + R"(,"content":"x"})";
  }
  return body + "]}";
}

TEST_CASE("without room the request is refused, and never cut") {
  for (const size_t turns : {size_t{1}, size_t{400}}) {
    const std::string body = long_conversation(turns);
    const auto request = std::make_unique<Request>(Dialect::chat, body);
    REQUIRE(!request->error);
    size_t refused = 0;
    bool done = false;
    for (size_t budget = 0; !done; budget += kBlockBytesMin) {
      REQUIRE(budget < (64U << 20U));
      BlockPool pool(budget);
      Buffer out(pool);
      const auto result = translate_request(request->facts, false, pool, out);
      done = result.has_value();
      if (done) {
        CHECK("= " + std::string(out.view()) == translated(Dialect::chat, body));
      } else {
        CHECK(result.error().code == Code::service_unavailable);
        ++refused;
      }
    }
    CHECK(refused > 2);
  }
}

TEST_CASE("a body full of calls takes no longer than its length allows") {
  std::string body = R"({"model":"claude-opus-4-6","max_tokens":9,"messages":[)"
                     R"({"role":"user","content":"Q"},{"role":"assistant","tool_calls":[)";
  constexpr size_t kCalls = 9000;
  for (size_t i = 0; i < kCalls; ++i) {
    body += i == 0 ? "" : ",";
    body += R"({"id":"c","function":{"name":"f","arguments":""}})";
  }
  body += "]}";
  for (size_t i = 0; i < kCalls; ++i) body += R"(,{"role":"tool","tool_call_id":"c"})";
  body += "]}";
  // Pairs of all with all would be eighty million.
  const std::string got = translated(Dialect::chat, body);
  CHECK(got.starts_with("= "));
  CHECK(got.ends_with(R"({"type":"tool_result","tool_use_id":"c"}]}]})"));
}

}  // namespace
}  // namespace flexd::surface
