#include <doctest/doctest.h>

#include <array>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "flexd/json/cursor.hpp"

namespace flexd::json {
namespace {

constexpr Names kNames = {"id", "status", "output", "usage"};
using Found = std::array<Value, kNames.size()>;

std::string told(const Found& found) {
  std::string text;
  for (size_t i = 0; i < found.size(); ++i) {
    if (found[i].exists()) text += std::string(kNames[i]) + "=" + std::string(found[i].text) + "\n";
  }
  return text;
}

std::string walked(std::string_view object, bool& whole) {
  Found found;
  FieldWalk walk(Value{object}, kNames, found);
  while (walk.next()) {
  }
  whole = walk.ended_well();
  return told(found);
}

// by_blocks is what each variant that looks at blocks finds; "?" if it knows nothing. The object is
// alone in its memory, so that AddressSanitizer sees a read past it.
std::string by_blocks(std::string_view object) {
  const auto copy = std::make_unique<char[]>(object.size());
  object.copy(copy.get(), object.size());
  std::string all;
  for (const TextKernels& kernels : supported_kernels()) {
    Found found;
    const char* const end = copy.get() + object.size();
    const char* const stop = kernels.find_members(copy.get(), end, kNames, found.data());
    if (stop != nullptr) all = std::to_string(stop - copy.get()) + "\n" + told(found);
  }
  return all.empty() ? "?" : all;
}

bool has_blocks() {
  return std::string_view(best_kernels().name) == "avx2";
}

// Text makes good JSON of bad taste: white space, escapes, brackets in strings, names again.
class Text {
 public:
  explicit Text(unsigned seed) : random_(seed) {}

  std::string object(int depth) {
    std::string text = "{" + space();
    for (unsigned left = pick(6); left > 0; --left) {
      text += name() + space() + ":" + space() + value(depth) + space() + (left > 1 ? "," : "");
      text += space();
    }
    return text + "}";
  }

 private:
  unsigned pick(unsigned count) { return static_cast<unsigned>(random_() % count); }
  std::string space() {
    static const std::vector<std::string> kSpaces = {"", "", "", " ", "\n  ", "\t\r"};
    return kSpaces[pick(6)];
  }
  std::string name() {
    static const std::vector<std::string> kAll = {"\"id\"",     "\"status\"", "\"output\"",
                                                  "\"usage\"",  "\"\"",       "\"i\\u0064\"",
                                                  "\"id\\\\\"", "\"a:b,{\"",  "\"stat\""};
    return pick(8) == 0 ? string() : kAll[pick(static_cast<unsigned>(kAll.size()))];
  }
  std::string string() {
    static const std::vector<std::string> kPieces = {"a", "{", "}",       "[", "\\\"",    "\\\\",
                                                     ",", ":", "\\u007b", " ", "\xc3\xa9"};
    std::string text = "\"";
    for (unsigned left = pick(4) == 0 ? pick(150) : pick(8); left > 0; --left) {
      text += kPieces[pick(static_cast<unsigned>(kPieces.size()))];
    }
    return text + "\"";
  }
  std::string value(int depth) {
    switch (pick(depth > 0 ? 7 : 5)) {
      case 0:
        return "-1.5e3";
      case 1:
        return "null";
      case 2:
        return "true";
      case 5:
        return object(depth - 1);
      case 6: {
        std::string text = "[" + space();
        for (unsigned left = pick(4); left > 0; --left) {
          text += value(depth - 1) + space() + (left > 1 ? "," : "") + space();
        }
        return text + "]";
      }
      default:
        return string();
    }
  }

  std::mt19937 random_;
};

}  // namespace

TEST_CASE("members are found by blocks as by a walk, whatever the object looks like") {
  for (unsigned seed = 0; seed < 4'000; ++seed) {
    const std::string object = Text(seed).object(3);
    CAPTURE(object);
    REQUIRE(validate(object));
    bool whole = false;
    const std::string wanted = walked(object, whole);
    REQUIRE(whole);
    if (has_blocks()) REQUIRE(by_blocks(object) == std::to_string(object.size()) + "\n" + wanted);
    Found found;
    REQUIRE(members_of(Value{object}, kNames, found));
    REQUIRE(told(found) == wanted);
    // What follows an object changes nothing but that it is not alone.
    const std::string longer = object + std::string(seed % 70, ' ') + ",{\"id\":0}";
    REQUIRE_FALSE(members_of(Value{longer}, kNames, found));
    REQUIRE(told(found) == wanted);
  }
}

TEST_CASE("an object that was cut is not whole, wherever the cut is") {
  for (unsigned seed = 0; seed < 60; ++seed) {
    const std::string object = Text(seed).object(3);
    for (size_t size = 0; size < object.size(); ++size) {
      const std::string cut = object.substr(0, size);
      CAPTURE(cut);
      Found found;
      REQUIRE_FALSE(members_of(Value{cut}, kNames, found));
      if (has_blocks() && size > 0) REQUIRE(by_blocks(cut) == "?");
    }
  }
}

TEST_CASE("broken objects are left to the walk, which takes what stands before the fault") {
  const std::string pad = R"("pad":")" + std::string(100, 'x') + "\"";
  struct Row {
    std::string object;
    std::string found;
  };
  const Row rows[] = {
      {R"({"id":1,)" + pad + ",}", "id=1\n"},   // a comma and no member
      {R"({"id":1,)" + pad + ":2}", "id=1\n"},  // a value with a value of its own
      {R"({"id":1,)" + pad + R"(,"status"})", "id=1\n"},
      {R"({"id":1,)" + pad + R"(,"status":})", "id=1\n"},
      {R"({"id":1,)" + pad + "]", "id=1\n"},  // a bracket of the other kind
      {R"({"id":1,)" + pad + R"(,\"status":2})", "id=1\n"},
      {R"({"id" 1,)" + pad + "}", ""},
      {R"([)" + pad + R"(,"id":1])", ""},  // no object
  };
  for (const Row& row : rows) {
    CAPTURE(row.object);
    Found found;
    CHECK_FALSE(members_of(Value{row.object}, kNames, found));
    CHECK(told(found) == row.found);
    CHECK(by_blocks(row.object) == "?");
  }
}

TEST_CASE("objects are walked one by one, with their members") {
  const std::string text(80, 't');
  const std::string array =
      R"([ {"id":1,"status":")" + text + R"("} , 7, "{", {}, {"id":[{"id":2}]},
    {"usage":{"id":3},"id":4} ])";
  Found found;
  Objects objects(Value{array}, kNames, found);
  std::string all;
  while (objects.next()) all += told(found) + ";";
  CHECK(all == "id=1\nstatus=\"" + text + "\"\n;;;;id=[{\"id\":2}]\n;id=4\nusage={\"id\":3}\n;");
  CHECK_FALSE(objects.next());
  for (const std::string_view none : {"", "[]", "[ ]", "{}", "7", "[", "[,{}]"}) {
    CAPTURE(none);
    CHECK_FALSE(Objects(Value{none}, kNames, found).next());
  }
  // A fault ends the walk.
  const std::string_view broken = R"([{"id":1} {"id":2}])";
  Objects until(Value{broken}, kNames, found);
  CHECK(until.next());
  CHECK_FALSE(until.next());
}

}  // namespace flexd::json
