// Walks tests/conformance/h1.tsv: each case at once, byte by byte, cut in two at every place, and
// against llhttp.
#include <doctest/doctest.h>

#include <algorithm>

#include "h1_checks.hpp"
#include "h1_table.hpp"

namespace flexd::http {
namespace {

// kCutEverywhereMax: longer cases (those of the size limits) are cut in steps.
constexpr size_t kCutEverywhereMax = 2048;

std::string text_of(Framing framing) {
  switch (framing) {
    case Framing::none:
      return "none";
    case Framing::length:
      return "length";
    case Framing::chunked:
      return "chunked";
    case Framing::until_close:
      return "until_close";
  }
  return "?";
}

std::string text_of(Version version) {
  return version == Version::h1_0 ? "1.0" : "1.1";
}

std::string text_of(bool value) {
  return value ? "yes" : "no";
}

// shared_fact answers for the facts that both kinds of head have.
template <typename Head>
std::string shared_fact(const Head& head, const std::string& key) {
  if (key == "version") return text_of(head.version);
  if (key == "framing") return text_of(head.framing);
  if (key == "length") return std::to_string(head.content_length);
  if (key == "keep") return text_of(head.keep_alive);
  if (key == "fields") return std::to_string(head.fields.size());
  if (key.starts_with("field:")) {
    const Field* field = head.fields.find(key.substr(6));
    return field == nullptr ? "(none)" : std::string(field->value);
  }
  return "(no such fact)";
}

std::string fact(const RequestHead& head, const std::string& key) {
  if (key == "method") return std::string(head.method_text);
  if (key == "other") return text_of(head.method == Method::other);
  if (key == "target") return std::string(head.target);
  if (key == "query") return std::string(head.query);
  if (key == "raw") return std::string(head.raw_target);
  if (key == "authority") return std::string(head.authority);
  if (key == "expect") return text_of(head.expect_continue);
  return shared_fact(head, key);
}

std::string fact(const ResponseHead& head, const std::string& key) {
  if (key == "status") return std::to_string(head.status);
  if (key == "reason") return std::string(head.reason);
  if (key == "interim") return text_of(head.informational());
  return shared_fact(head, key);
}

std::string fact(const ChunkReading& reading, const std::string& key) {
  if (key == "body") return reading.body;
  if (key == "size") return std::to_string(reading.body.size());
  return "(no such fact)";
}

// check_facts compares "key=value" words. `rest` is how many bytes belong to what comes next; a
// case that does not say so must be used up.
template <typename Reading>
void check_facts(const H1Case& row, const Reading& reading, size_t consumed) {
  const std::vector<std::string> words = split_words(row.expected);
  std::string rest = "0";
  for (size_t i = 1; i < words.size(); ++i) {
    const size_t equals = words[i].find('=');
    const std::string key = words[i].substr(0, equals);
    const std::string value = words[i].substr(equals + 1);
    if (key == "rest") {
      rest = value;
      continue;
    }
    INFO("fact " << key);
    CHECK(fact(reading, key) == value);
  }
  CHECK(std::to_string(row.bytes.size() - consumed) == rest);
}

std::string expected_verdict(const H1Case& row) {
  const std::vector<std::string> words = split_words(row.expected);
  if (words[0] == "ok") return "complete";
  return words[0] == "refused" && words.size() == 2 ? words[1] : words[0];
}

Method response_method(const H1Case& row) {
  return row.kind == "response:HEAD" ? Method::head : Method::post;
}

std::string check_split(const H1Case& row, size_t split) {
  if (row.kind == "request") return check_request(row.bytes, split);
  if (row.kind == "chunks") return check_chunks(row.bytes, split);
  return check_response(row.bytes, response_method(row), split);
}

void check_at_once(const H1Case& row) {
  const bool ok = row.expected.starts_with("ok");
  std::string verdict;
  if (row.kind == "request") {
    RequestHead head;
    const HeadResult result = parse_request_head(row.bytes, 0, head);
    verdict = verdict_name(result.verdict);
    if (ok && result.complete()) check_facts(row, head, result.consumed);
  } else if (row.kind == "chunks") {
    const ChunkReading reading = read_chunks(row.bytes, row.bytes.size(), 1);
    verdict = verdict_name(reading.verdict);
    if (ok && verdict == "complete") check_facts(row, reading, reading.consumed);
  } else {
    REQUIRE((row.kind == "response" || row.kind == "response:HEAD"));
    ResponseHead head;
    const HeadResult result = parse_response_head(row.bytes, 0, response_method(row), head);
    verdict = verdict_name(result.verdict);
    if (ok && result.complete()) check_facts(row, head, result.consumed);
  }
  CHECK(verdict == expected_verdict(row));
}

}  // namespace

TEST_CASE("h1.tsv: every case is read as expected") {
  const std::vector<H1Case> rows = load_h1_cases();
  CHECK(rows.size() >= 200);
  for (const H1Case& row : rows) {
    INFO(row.id);
    check_at_once(row);
  }
}

TEST_CASE("h1.tsv: no case depends on how it is cut, and llhttp accepts what is accepted") {
  for (const H1Case& row : load_h1_cases()) {
    INFO(row.id);
    const size_t size = row.bytes.size();
    const size_t step = size <= kCutEverywhereMax ? 1 : 997;
    for (size_t split = 0; split <= size; split += step) {
      const std::string complaint = check_split(row, split);
      INFO("split at " << split);
      CHECK(complaint == "");
      if (!complaint.empty()) break;
    }
    CHECK(check_split(row, size - std::min<size_t>(size, 1)) == "");
  }
}

TEST_CASE("h1.tsv: every prefix of a complete head is incomplete") {
  for (const H1Case& row : load_h1_cases()) {
    if (row.kind != "request" || !row.expected.starts_with("ok")) continue;
    INFO(row.id);
    RequestHead head;
    const size_t size = parse_request_head(row.bytes, 0, head).consumed;
    const size_t step = size <= kCutEverywhereMax ? 1 : 97;
    for (size_t prefix = 0; prefix < size; prefix += step) {
      CHECK(parse_request_head(row.bytes.substr(0, prefix), 0, head).incomplete());
    }
  }
}

}  // namespace flexd::http
