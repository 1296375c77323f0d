#include <doctest/doctest.h>

#include <memory>
#include <random>
#include <string>
#include <string_view>

#include "flexd/json/text.hpp"

namespace flexd::json {
namespace {

constexpr SkimFor kWhat{.first = {'u', 's', 'a', 'g'}, .second = {'s', 'e', 'r', 'v'}, .floor = 0};

// One stop of a skim, as text.
std::string told(const Skimmed& skimmed, size_t offset, const Nesting& nesting) {
  constexpr std::string_view kWords[] = {"end", "string", "closed", "broken"};
  std::string text(kWords[static_cast<size_t>(skimmed.why)]);
  if (skimmed.why == SkimStop::broken) return text + "@" + std::to_string(offset);
  text += "@" + std::to_string(offset) + " depth " + std::to_string(nesting.depth);
  if (nesting.in_string) text += " in_string";
  if (nesting.opened) text += " opened";
  if (nesting.escaped) text += " escaped";
  return text + "\n";
}

// stops_of skims `text` in pieces of `size` to its end, or to what ends it.
std::string stops_of(std::string_view text, size_t size, const SkimFor& what,
                     const TextKernels& kernels, Nesting nesting = {}) {
  std::string stops;
  for (size_t at = 0; at < text.size();) {
    // Pieces of their own: AddressSanitizer sees a read past one.
    const size_t count = std::min(size, text.size() - at);
    const auto piece = std::make_unique<char[]>(count);
    text.copy(piece.get(), count, at);
    const Skimmed skimmed = kernels.skim(piece.get(), piece.get() + count, what, nesting);
    at += static_cast<size_t>(skimmed.stop - piece.get());
    stops += told(skimmed, at, nesting);
    if (skimmed.why == SkimStop::closed || skimmed.why == SkimStop::broken) break;
    if (skimmed.why == SkimStop::end) REQUIRE(skimmed.stop == piece.get() + count);
  }
  return stops;
}

}  // namespace

TEST_CASE("a skim stops at what it is after, and nowhere else") {
  const auto stops = [](std::string_view text) {
    return stops_of(text, text.size(), kWhat, best_kernels());
  };
  CHECK(stops(R"({"usage":1,"service":"x"})") ==
        "string@2 depth 1 in_string\nstring@12 depth 1 in_string\nclosed@25 depth 0\n");
  // Deeper down, inside of strings, behind an escape, in other words.
  CHECK(stops(R"({"a":{"usage":1},"b":"\"usage","users":[["serv"]],"sum":"x"})") ==
        "closed@60 depth 0\n");
  // The end of what is given decides nothing against a string.
  CHECK(stops(R"({"us)") == "string@2 depth 1 in_string\nend@4 depth 1 in_string\n");
  CHECK(stops(R"({")") == "end@2 depth 1 in_string opened\n");
  CHECK(stops(R"({"a\)") == "end@4 depth 1 in_string escaped\n");
  CHECK(stops("{]") == "closed@2 depth 0\n");  // kinds are not compared
  CHECK(stops("}") == "broken@0");
  CHECK(stops(R"({\"usage")") == "broken@1");
  CHECK(stops(R"({}"usage")") == "closed@2 depth 0\n");
}

TEST_CASE("a skim ends at its floor") {
  SkimFor what = kWhat;
  what.floor = 1;
  const Nesting inside{.depth = 1};
  CHECK(stops_of(R"({"usage":[1,{}]},"x":1})", 100, what, best_kernels(), inside) ==
        "closed@16 depth 1\n");
  CHECK(stops_of("}", 100, what, best_kernels(), inside) == "broken@0");
}

TEST_CASE("all kernels skim alike, in pieces of any size") {
  constexpr std::string_view kParts[] = {"{",      "}",           "[",  "]",      "\"",
                                         "\\\\",   "\\\"",        ":",  ",",      "\"usage\"",
                                         "\"serv", "\"service_",  "u",  " ",      "plain text ",
                                         "\"x\":", "\"a\":\"b\"", "\n", "{\"u\"", "12"};
  std::mt19937 random(7);
  for (int round = 0; round < 20'000; ++round) {
    std::string text = random() % 8 == 0 ? "" : "{";
    const size_t count = random() % 40;
    for (size_t i = 0; i < count; ++i) text += kParts[random() % std::size(kParts)];
    if (random() % 4 == 0) text.append(random() % 150, 'x');
    if (random() % 16 == 0) text += '\\';
    CAPTURE(text);
    SkimFor what = kWhat;
    what.floor = random() % 2;
    const Nesting from{.depth = what.floor + random() % 2};
    const size_t size = 1 + random() % 100;
    const std::string expected = stops_of(text, size, what, supported_kernels().front(), from);
    for (const TextKernels& kernels : supported_kernels()) {
      CAPTURE(kernels.name);
      REQUIRE(stops_of(text, size, what, kernels, from) == expected);
    }
  }
}

}  // namespace flexd::json
