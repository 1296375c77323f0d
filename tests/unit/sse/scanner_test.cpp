#include "flexd/sse/scanner.hpp"

#include <doctest/doctest.h>

#include <random>
#include <string>
#include <vector>

namespace flexd::sse {
namespace {

// Recorder keeps every frame as one line of text, and the bytes that were handed out.
struct Recorder final : Sink {
  void frame(const Frame& frame) override {
    bytes += frame.raw;
    const bool blank = !frame.has_data && !frame.comment_only && frame.event.empty();
    if (blank && frame.terminated) return;
    std::string line = "[" + std::string(frame.event) + "|" + std::string(frame.data) + "]";
    if (!frame.has_data) line += "-data";
    if (frame.comment_only) line += "+comment";
    if (frame.in_parts) line += "+parts";
    if (!frame.terminated) line += "+cut";
    raws.emplace_back(frame.raw);
    frames.push_back(line);
  }
  bool wants_data(std::string_view event) override {
    asked.emplace_back(event);
    return wants;
  }
  void part(std::string_view part) override {
    bytes += part;
    ++parts;
  }

  bool wants = true;
  std::string bytes;
  std::vector<std::string> frames;
  std::vector<std::string> raws;
  std::vector<std::string> asked;
  int parts = 0;
};

using Lines = std::vector<std::string>;

Lines scan(std::string_view text, size_t chunk_bytes = SIZE_MAX) {
  BlockPool pool(size_t{1} << 20U);
  Recorder recorder;
  {
    Scanner scanner(pool);
    for (size_t at = 0; at < text.size();) {
      const std::string_view chunk = text.substr(at, chunk_bytes);
      REQUIRE(scanner.feed(chunk, recorder).has_value());
      at += chunk.size();
    }
    REQUIRE(scanner.finish(recorder).has_value());
    CHECK(scanner.between_frames());
  }
  CHECK(recorder.bytes == text);
  CHECK(pool.in_use_bytes() == 0);
  return recorder.frames;
}

void expect(std::string_view text, const Lines& frames) {
  for (const size_t chunk_bytes : {SIZE_MAX, size_t{1}, size_t{2}, size_t{3}, size_t{7}}) {
    CAPTURE(chunk_bytes);
    CHECK(scan(text, chunk_bytes) == frames);
  }
}

TEST_CASE("events with each kind of line end, and mixed") {
  expect("event: a\ndata: 1\n\ndata: 2\n\n", {"[a|1]", "[|2]"});
  expect("event: a\r\ndata: 1\r\n\r\ndata: 2\r\n\r\n", {"[a|1]", "[|2]"});
  expect("event: a\rdata: 1\r\rdata: 2\r\r", {"[a|1]", "[|2]"});
  expect("data: 1\r\n\ndata: 2\n\r\ndata: 3\r\r\ndata: 4\n\r", {"[|1]", "[|2]", "[|3]", "[|4]"});
}

TEST_CASE("one space after the colon is not data; more is") {
  expect("data:x\n\ndata: x\n\ndata:  x\n\ndata\n\ndata:\n\n",
         {"[|x]", "[|x]", "[| x]", "[|]", "[|]"});
}

TEST_CASE("data lines are joined by LF") {
  expect("data: {\ndata: \"a\":1\nevent: e\ndata:}\n\ndata: z\n\n", {"[e|{\n\"a\":1\n}]", "[|z]"});
  expect("data\ndata\n\n", {"[|\n]"});
  expect("data: a\r\ndata: b\r\n\r\n", {"[|a\nb]"});
}

TEST_CASE("comments stand anywhere; other fields are passed over") {
  expect(": hello\n\n", {"[|]-data+comment"});
  expect(":\n\ndata: 1\n: inside\nid: 7\nretry: 10\nother\n\n", {"[|]-data+comment", "[|1]"});
  expect("event: a\n: x\ndata: 1\n\n", {"[a|1]"});
  expect("event: lonely\n\n", {"[lonely|]-data"});
}

TEST_CASE("the last event line names the event; field names are exact") {
  expect("event: a\nevent: b\ndata: 1\n\n", {"[b|1]"});
  expect("Event: a\ndata : 1\ndatax: 2\n data: 3\ndata: 4\n\n", {"[|4]"});
  expect("event: a\nevent:\ndata: 1\n\n", {"[|1]"});
}

TEST_CASE("a byte order mark counts at the start only") {
  expect(
      "\xEF\xBB\xBF"
      "data: 1\n\n\xEF\xBB\xBF"
      "data: 2\n\n",
      {"[|1]"});
  expect("\xEF\xBB\xBF\n\ndata: 1\n\n", {"[|1]"});
  expect(
      "\xEF\xBB\xBF\xEF\xBB\xBF"
      "data: 1\n\n",
      {});
}

TEST_CASE("blank lines alone are no events; bytes are kept") {
  expect("\n\r\n\r\r\n\ndata: 1\n\n\n", {"[|1]"});
}

TEST_CASE("a frame without its blank line is handed out, and says so") {
  expect("data: 1\n\ndata: 2", {"[|1]", "[|2]+cut"});
  expect("data: 2\n", {"[|2]+cut"});
  expect("data: a\ndata: b", {"[|a\nb]+cut"});
  expect("data: 2\r", {"[|2]+cut"});
  expect("data: 2\r\n", {"[|2]+cut"});
  expect("eve", {"[|]-data+cut"});
}

TEST_CASE("line separators of Unicode do not end lines") {
  expect(
      "data: a\xE2\x80\xA8"
      "b\xC2\x85"
      "c\n\n",
      {"[|a\xE2\x80\xA8"
       "b\xC2\x85"
       "c]"});
}

TEST_CASE("raw frames are exactly the bytes of the frames") {
  BlockPool pool(size_t{1} << 20U);
  Scanner scanner(pool);
  Recorder recorder;
  REQUIRE(scanner.feed("data: 1\r\n\r\n: c\n\neve", recorder).has_value());
  CHECK(recorder.raws == Lines{"data: 1\r\n\r\n", ": c\n\n"});
  CHECK(!scanner.between_frames());
  CHECK(scanner.frame_bytes() == 3);
  REQUIRE(scanner.feed("nt: x\ndata: 2\n\n", recorder).has_value());
  CHECK(recorder.raws.back() == "event: x\ndata: 2\n\n");
  CHECK(scanner.between_frames());
}

TEST_CASE("a whole frame is not copied") {
  struct : Sink {
    void frame(const Frame& frame) override { data = frame.data; }
    std::string_view data;
  } sink;
  BlockPool pool(4096);
  Scanner scanner(pool);
  const std::string chunk = "event: e\ndata: payload\n\n";
  REQUIRE(scanner.feed(chunk, sink).has_value());
  CHECK(sink.data.data() == chunk.data() + chunk.find("payload"));
  CHECK(pool.system_takes() == 0);
}

TEST_CASE("a CR at the end of a chunk ends the event at once") {
  BlockPool pool(size_t{1} << 20U);
  Scanner scanner(pool);
  Recorder recorder;
  REQUIRE(scanner.feed("data: 1\r\n\r", recorder).has_value());
  CHECK(recorder.frames == Lines{"[|1]"});
  CHECK(scanner.between_frames());
  REQUIRE(scanner.feed("", recorder).has_value());
  REQUIRE(scanner.feed("\ndata: 2\n\n", recorder).has_value());
  CHECK(recorder.frames == Lines{"[|1]", "[|2]"});
  CHECK(recorder.bytes == "data: 1\r\n\r\ndata: 2\n\n");
}

Result<void, ScanError> scan_limited(std::string_view text, size_t chunk_bytes, size_t frame_max,
                                     size_t budget, Recorder& recorder) {
  BlockPool pool(budget);
  Scanner scanner(pool, {.frame_bytes_max = frame_max, .part_bytes_min = 64});
  for (size_t at = 0; at < text.size(); at += chunk_bytes) {
    const auto fed = scanner.feed(text.substr(at, chunk_bytes), recorder);
    if (fed) continue;
    CHECK(pool.in_use_bytes() == 0);
    CHECK(scanner.feed("data: 1\n\n", recorder).error() == fed.error());
    CHECK(scanner.finish(recorder).error() == fed.error());
    return fed;
  }
  return {};
}

TEST_CASE("a wanted frame above the limit is an error, however it is cut") {
  const std::string small = "data: small\n\n";
  const std::string large = "event: e\ndata: " + std::string(1000, 'x') + "\n\n";
  for (const size_t chunk_bytes : {size_t{100000}, size_t{1}, size_t{50}}) {
    Recorder recorder;
    const auto result = scan_limited(small + large, chunk_bytes, 900, 1U << 20U, recorder);
    REQUIRE(!result.has_value());
    CHECK(result.error() == ScanError::kFrameTooLarge);
    CHECK(recorder.frames == Lines{"[|small]"});
    Recorder fits;
    CHECK(scan_limited(small + large, chunk_bytes, large.size(), 1U << 20U, fits).has_value());
    CHECK(fits.frames.size() == 2);
  }
}

TEST_CASE("endless lines without data are bounded too") {
  for (const std::string_view line : {": ", "id: ", "x"}) {
    Recorder recorder;
    const auto result =
        scan_limited(std::string(line) + std::string(9000, 'x'), 10, 900, 1U << 20U, recorder);
    REQUIRE(!result.has_value());
    CHECK(result.error() == ScanError::kFrameTooLarge);
  }
}

TEST_CASE("a spent pool is an error") {
  Recorder recorder;
  const auto result =
      scan_limited("data: " + std::string(20000, 'x'), 1000, 1U << 20U, 4096, recorder);
  REQUIRE(!result.has_value());
  CHECK(result.error() == ScanError::kNoMemory);
}

TEST_CASE("an unwanted frame goes on in parts and is not held") {
  const std::string head = "event: response.delta\ndata: ";
  const std::string text = head + std::string(5000, 'x') + "\n\ndata: 2\n\n";
  for (const size_t chunk_bytes : {size_t{1}, size_t{10}, size_t{333}}) {
    BlockPool pool(size_t{1} << 20U);
    Scanner scanner(pool, {.frame_bytes_max = 256, .part_bytes_min = 100});
    Recorder recorder;
    recorder.wants = false;
    for (size_t at = 0; at < text.size(); at += chunk_bytes) {
      REQUIRE(scanner.feed(std::string_view(text).substr(at, chunk_bytes), recorder).has_value());
      CHECK(scanner.held_bytes() <= 100);
      CHECK(recorder.bytes.size() + scanner.held_bytes() ==
            std::min(at + chunk_bytes, text.size()));
    }
    CHECK(recorder.bytes == text);
    CHECK(recorder.parts > 1);
    CHECK(recorder.frames == Lines{"[response.delta|]+parts", "[|2]"});
    CHECK(recorder.asked.front() == "response.delta");
  }
}

TEST_CASE("the name of a frame in parts is told even if it comes after the data") {
  BlockPool pool(size_t{1} << 20U);
  Scanner scanner(pool, {.part_bytes_min = 0});
  Recorder recorder;
  recorder.wants = false;
  const std::string_view text = "data: xyz\r\nevent: late\r\n\r\n: c\r\n\r\n";
  for (const char& c : text) REQUIRE(scanner.feed({&c, 1}, recorder).has_value());
  CHECK(recorder.bytes == text);
  CHECK(recorder.frames == Lines{"[late|]+parts", "[|]-data+comment"});
  REQUIRE(scanner.feed("data: open", recorder).has_value());
  CHECK(scanner.frame_bytes() == 10);
  REQUIRE(scanner.finish(recorder).has_value());
  CHECK(recorder.frames.back() == "[|]+parts+cut");
}

TEST_CASE("only terminal events are collected") {
  struct : Sink {
    void frame(const Frame& frame) override { data += std::string(frame.data) + ";"; }
    bool wants_data(std::string_view event) override { return event == "end"; }
    void part(std::string_view /*bytes*/) override { ++parts; }
    std::string data;
    int parts = 0;
  } sink;
  BlockPool pool(size_t{1} << 20U);
  Scanner scanner(pool, {.part_bytes_min = 0});
  for (const std::string_view chunk : {"event: x\nda", "ta: 1\n\nevent: end\ndata: 2", "3\n\n"}) {
    REQUIRE(scanner.feed(chunk, sink).has_value());
  }
  CHECK(sink.data == "1;23;");
  CHECK(sink.parts == 0);
}

TEST_CASE("random streams: any cut gives the frames of one piece") {
  static constexpr std::string_view kPieces[] = {"\n",
                                                 "\n",
                                                 "\r",
                                                 "\r\n",
                                                 "data: ",
                                                 "data:",
                                                 "event: name",
                                                 ": c",
                                                 "{\"a\":1}",
                                                 "data",
                                                 "\xEF\xBB\xBF",
                                                 " ",
                                                 ":",
                                                 "a longer run of text that passes sixteen bytes",
                                                 "id: 3"};
  for (uint32_t seed = 1; seed <= 5000; ++seed) {
    CAPTURE(seed);
    std::mt19937 random(seed);
    std::string text;
    for (size_t count = random() % 40; count > 0; --count)
      text += kPieces[random() % std::size(kPieces)];
    const Lines whole = scan(text);
    BlockPool pool(size_t{1} << 20U);
    Recorder recorder;
    Scanner scanner(pool);
    for (size_t at = 0; at < text.size();) {
      const std::string_view chunk = std::string_view(text).substr(at, random() % 12);
      const std::vector<char> exact(chunk.begin(), chunk.end());
      REQUIRE(scanner.feed({exact.data(), exact.size()}, recorder).has_value());
      at += chunk.size();
    }
    REQUIRE(scanner.finish(recorder).has_value());
    REQUIRE(recorder.frames == whole);
    REQUIRE(recorder.bytes == text);
  }
}

}  // namespace
}  // namespace flexd::sse
