// A stream cut anywhere gives the frames of the stream in one piece, and its bytes come out again
// in order, whether its data is wanted or not.
//
// Input: one byte of flags, one byte n of chunk sizes, n bytes of sizes used in turn, the stream.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "flexd/base/assert.hpp"
#include "flexd/sse/scanner.hpp"

namespace {

using namespace flexd;

struct Recorder final : sse::Sink {
  explicit Recorder(bool wants) : wants_(wants) {}

  void frame(const sse::Frame& frame) override {
    bytes += frame.raw;
    if (!frame.has_data && frame.event.empty() && !frame.comment_only) return;
    names += frame.event.substr(0, sse::kLineHeadMax - 10);  // less a mark and `event: `
    names += frame.has_data ? '+' : '-';
    names += frame.comment_only ? 'c' : 'f';
    names += frame.terminated ? ';' : '!';
    if (!wants_) return;
    FLEXD_ASSERT(!frame.in_parts);
    data += std::to_string(frame.data.size()) + ":";
    data += frame.data;
  }
  bool wants_data(std::string_view /*event*/) override { return wants_; }
  void part(std::string_view part) override {
    FLEXD_ASSERT(!wants_);
    bytes += part;
  }

  std::string bytes;
  std::string names;
  std::string data;

 private:
  bool wants_;
};

Recorder scan(std::string_view text, const std::vector<size_t>& sizes, bool wants, size_t parts) {
  BlockPool pool(size_t{8} << 20U);
  Recorder recorder(wants);
  sse::Scanner scanner(pool, {.frame_bytes_max = size_t{1} << 20U, .part_bytes_min = parts});
  size_t turn = 0;
  for (size_t at = 0; at < text.size();) {
    const std::string_view chunk = text.substr(at, sizes[turn++ % sizes.size()]);
    const std::vector<char> exact(chunk.begin(), chunk.end());
    FLEXD_ASSERT(scanner.feed({exact.data(), exact.size()}, recorder).has_value());
    at += chunk.size();
    FLEXD_ASSERT(recorder.bytes.size() + scanner.held_bytes() == at);
  }
  FLEXD_ASSERT(scanner.finish(recorder).has_value());
  FLEXD_ASSERT(scanner.between_frames() && scanner.held_bytes() == 0);
  FLEXD_ASSERT(recorder.bytes == text);
  return recorder;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2 || size - 2 < data[1] || size > 65536) return 0;
  const size_t parts = data[0];
  std::vector<size_t> sizes;
  for (size_t i = 0; i < data[1]; ++i) sizes.push_back(size_t{data[2 + i]} % 64 + 1);
  if (sizes.empty()) sizes.push_back(1);
  const size_t head = size_t{2} + data[1];
  const std::string_view text(reinterpret_cast<const char*>(data) + head, size - head);
  const Recorder whole = scan(text, {SIZE_MAX}, true, parts);
  const Recorder cut = scan(text, sizes, true, parts);
  FLEXD_ASSERT(cut.names == whole.names);
  FLEXD_ASSERT(cut.data == whole.data);
  const Recorder passed = scan(text, sizes, false, parts);
  FLEXD_ASSERT(passed.names == whole.names);
  return 0;
}
