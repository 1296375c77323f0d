// Mutations of valid messages: whatever flexd still accepts, llhttp accepts and reads the same, and
// no verdict depends on how the bytes were cut. The seed is fixed; a failure prints the message.
#include <doctest/doctest.h>

#include <random>

#include "h1_checks.hpp"
#include "h1_table.hpp"

namespace flexd::http {
namespace {

constexpr unsigned kSeed = 20261121;
constexpr int kMutations = 20'000;
constexpr size_t kSeedBytesMax = 1024;

// Pieces that smuggling is made of.
constexpr std::string_view kPieces[] = {"\r\n",
                                        "\n",
                                        "\r",
                                        " ",
                                        "\t",
                                        ":",
                                        ",",
                                        ";",
                                        "0",
                                        "\r\n\r\n",
                                        "chunked",
                                        "\x0b",
                                        "Content-Length: 5\r\n",
                                        "Transfer-Encoding: chunked\r\n",
                                        "Host: b\r\n",
                                        "\x80",
                                        "_",
                                        "Connection: close\r\n",
                                        "Expect: 100-continue\r\n",
                                        "Transfer-Encoding",
                                        "Content-Length",
                                        " HTTP/1.1",
                                        "0\r\n\r\n",
                                        "5\r\nhello\r\n",
                                        "#",
                                        "?",
                                        "*",
                                        "@",
                                        "http://a",
                                        "\x7f",
                                        "+",
                                        "-1"};

std::string visible(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) {
    if (c == '\r') {
      out += "\\r";
    } else if (c == '\n') {
      out += "\\n";
    } else if (c < 0x20 || c == 0x7f) {
      char hex[8];
      std::snprintf(hex, sizeof hex, "\\x%02x", static_cast<unsigned>(c) & 0xff);
      out += hex;
    } else {
      out += c;
    }
  }
  return out;
}

class Mutator {
 public:
  size_t below(size_t bound) { return random_() % bound; }

  std::string mutate(std::string text) {
    const size_t changes = 1 + below(3);
    for (size_t i = 0; i < changes; ++i) change(text);
    return text;
  }

 private:
  void change(std::string& text) {
    const size_t at = below(text.size() + 1);
    const size_t from = below(text.size() + 1);
    const size_t some = below(12);
    const std::string_view piece = kPieces[below(std::size(kPieces))];
    switch (below(6)) {
      case 0:
        text.insert(at, piece);
        break;
      case 1:
        text.erase(at, some);
        break;
      case 2:
        text.replace(at, some % 4, piece);
        break;
      case 3:
        text.insert(at, text.substr(from, some * 4));
        break;
      case 4:
        if (at < text.size()) text[at] = static_cast<char>(below(256));
        break;
      default:
        if (at < text.size()) text[at] = static_cast<char>(text[at] ^ 0x20);
        break;
    }
  }

  std::mt19937 random_{kSeed};
};

std::string check(const H1Case& row, std::string_view bytes, size_t split) {
  if (row.kind == "request") return check_request(bytes, split);
  if (row.kind == "chunks") return check_chunks(bytes, split);
  return check_response(bytes, row.kind == "response" ? Method::post : Method::head, split);
}

bool accepts(const H1Case& row, std::string_view bytes) {
  if (row.kind == "chunks") {
    return read_chunks(bytes, bytes.size(), 1).kind == ChunkEvent::Kind::done;
  }
  RequestHead request;
  ResponseHead response;
  return row.kind == "request" ? parse_request_head(bytes, 0, request).complete()
                               : parse_response_head(bytes, 0, Method::post, response).complete();
}

}  // namespace

TEST_CASE("mutated messages: pieces agree with the whole, and llhttp with what is accepted") {
  std::vector<H1Case> seeds;
  for (H1Case& row : load_h1_cases()) {
    if (!row.expected.starts_with("ok") || row.bytes.size() > kSeedBytesMax) continue;
    if (row.kind == "request") row.bytes += "5\r\nhello\r\n0\r\n\r\n";
    seeds.push_back(row);
  }
  REQUIRE(seeds.size() >= 50);
  Mutator mutator;
  int accepted = 0;
  for (int i = 0; i < kMutations; ++i) {
    const H1Case& seed = seeds[mutator.below(seeds.size())];
    const std::string bytes = mutator.mutate(seed.bytes);
    const std::string complaint = check(seed, bytes, mutator.below(bytes.size() + 1));
    INFO("seed " << kSeed << ", mutation " << i << " of " << seed.id << ": " << visible(bytes));
    REQUIRE(complaint == "");
    if (accepts(seed, bytes)) ++accepted;
  }
  // Enough must stay valid for the comparison to mean something, and enough must break.
  CHECK(accepted > kMutations / 10);
  CHECK(accepted < kMutations * 9 / 10);
}

}  // namespace flexd::http
