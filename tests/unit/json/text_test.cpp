#include "flexd/json/text.hpp"

#include <doctest/doctest.h>

#include <random>
#include <string>
#include <vector>

namespace flexd::json {
namespace {

// An exact-size copy on the heap: AddressSanitizer sees a read past it.
std::vector<char> exact(std::string_view text) {
  return {text.begin(), text.end()};
}

void check_same(std::string_view text) {
  const std::vector<char> bytes = exact(text);
  const char* begin = bytes.data();
  const char* end = begin + bytes.size();
  const TextKernels& scalar = supported_kernels().front();
  const PlainRun run = scalar.plain_run(begin, end);
  const bool valid = scalar.utf8_valid(begin, end);
  const char* const match = scalar.skip_container(begin, end);
  for (const TextKernels& kernels : supported_kernels()) {
    CAPTURE(kernels.name);
    const PlainRun other = kernels.plain_run(begin, end);
    REQUIRE(other.stop == run.stop);
    REQUIRE(other.high == run.high);
    REQUIRE(kernels.utf8_valid(begin, end) == valid);
    REQUIRE(kernels.skip_container(begin, end) == match);
  }
}

TEST_CASE("the portable kernels come first and the best is one of the list") {
  CHECK(std::string_view(supported_kernels().front().name) == "scalar");
  CHECK(&best_kernels() == &supported_kernels().back());
}

TEST_CASE("every byte at every place stops or passes alike in all kernels") {
  for (size_t size = 0; size < 100; size += 3) {
    check_same(std::string(size, 'x'));
    for (size_t at = 0; at < size; ++at) {
      for (int byte = 0; byte < 256; byte += (at % 8 == 0 ? 1 : 17)) {
        std::string text(size, 'x');
        text[at] = static_cast<char>(byte);
        check_same(text);
      }
    }
  }
}

TEST_CASE("a container ends at its match, wherever a block of 64 bytes ends") {
  struct Case {
    std::string_view container;
    bool ends;
  };
  static constexpr Case kCases[] = {
      {"[]", true},
      {"{]", true},  // kinds are not compared
      {"[[[]]]", true},
      {R"({"a":[1,{"b":"]}"}]})", true},
      {R"(["\\"])", true},
      {R"(["\"]"])", true},
      {R"(["\\\"]"])", true},
      {R"([\"]"])", true},  // a backslash outside of a string escapes nothing
      {R"([\\"]"])", true},
      {"[", false},
      {R"(["])", false},
      {R"(["\"])", false},
      {"[\"\\", false},
      {"[[]", false},
  };
  for (const auto& [container, ends] : kCases) {
    for (size_t fill = 0; fill < 140; ++fill) {
      const std::string text = "[\"" + std::string(fill, 'x') + "\"" + std::string(container);
      const std::string closed = text + "] ]";
      const char* const begin = closed.data();
      for (const TextKernels& kernels : supported_kernels()) {
        CAPTURE(kernels.name);
        CAPTURE(closed);
        const char* const inner = begin + fill + 3;
        const char* const inner_end = begin + text.size();
        REQUIRE(kernels.skip_container(inner, inner_end) == (ends ? inner_end : nullptr));
        if (ends) REQUIRE(kernels.skip_container(begin, begin + closed.size()) == inner_end + 1);
      }
      check_same(text);
      check_same(closed);
    }
  }
}

TEST_CASE("random brackets, quotes and backslashes are matched alike") {
  static constexpr std::string_view kPieces[] = {
      "[", "]", "{", "}", "\"", "\\", "\\\"", "\\\\", "text ", "\"a\":", "[[[[", "]]", ","};
  std::mt19937 random(20);
  for (int round = 0; round < 20000; ++round) {
    std::string text = "[";
    const size_t pieces = random() % 80;
    for (size_t i = 0; i < pieces; ++i) text += kPieces[random() % std::size(kPieces)];
    check_same(text);
  }
}

TEST_CASE("all pairs and many triples of bytes are judged alike across a block's edge") {
  for (unsigned pair = 0; pair < 0x10000; ++pair) {
    std::string text(33, 'x');
    text[31] = static_cast<char>(pair >> 8U);
    text[32] = static_cast<char>(pair & 0xFFU);
    check_same(text);
  }
  for (unsigned lead = 0xE0; lead < 0x100; ++lead) {
    for (unsigned second = 0x70; second < 0xD0; ++second) {
      for (const unsigned third : {0x7FU, 0x80U, 0xBFU, 0xC0U}) {
        for (const unsigned fourth : {0x7FU, 0x80U, 0xBFU, 0xC0U}) {
          std::string text(34, 'x');
          text[29] = static_cast<char>(lead);
          text[30] = static_cast<char>(second);
          text[31] = static_cast<char>(third);
          text[32] = static_cast<char>(fourth);
          check_same(text);
        }
      }
    }
  }
}

TEST_CASE("random mixes of sequences, whole and broken, are judged alike") {
  static constexpr std::string_view kPieces[] = {
      "plain text",      "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80",
      "\xEF\xBF\xBF",    "\"",       "\\",           "x",
      "\xED\x9F\xBF",    "\xC3",     "\xE2\x82",     "\xF0\x9F\x98",
      "\xED\xA0\x80",    "\xC0\x80", "\x80",         "\xF4\x8F\xBF\xBF",
      "\xF4\x90\x80\x80"};
  std::mt19937 random(7);  // NOLINT: a fixed seed on purpose
  for (int round = 0; round < 20000; ++round) {
    CAPTURE(round);
    const size_t choices = round % 2 == 0 ? std::size(kPieces) : 5;  // every other one is good
    std::string text;
    for (size_t count = random() % 40; count > 0; --count) text += kPieces[random() % choices];
    check_same(text);
    if (choices == 5) REQUIRE(utf8_error_offset(text) == std::string_view::npos);
  }
}

TEST_CASE("the offset of an error is where the broken sequence starts") {
  CHECK(utf8_error_offset("abc") == std::string_view::npos);
  CHECK(utf8_error_offset("ab\xC3\xA9\xE2\x82") == 4);
  CHECK(utf8_error_offset("\x80") == 0);
}

}  // namespace
}  // namespace flexd::json
