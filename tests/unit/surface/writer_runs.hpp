// writer_runs.hpp: an answer's writer driven by hand, its stream checked frame by frame.
#pragma once

#include <doctest/doctest.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "flexd/base/block_pool.hpp"
#include "flexd/base/buffer.hpp"
#include "flexd/base/limits.hpp"
#include "flexd/json/cursor.hpp"
#include "flexd/json/finder.hpp"
#include "writers.hpp"

namespace flexd::surface {

inline constexpr std::string_view kUnique = "AbCdEfGhIjKlMnOpQrStUvWx";
inline constexpr uint64_t kCreatedAtS = 1'790'000'000;  // 2026-09-21T14:13:20Z

struct Frame {
  std::string event;
  std::string data;
};

// frames_of takes a stream apart; each frame has to be whole, its data on one line.
inline std::vector<Frame> frames_of(std::string_view stream) {
  std::vector<Frame> frames;
  while (!stream.empty()) {
    const size_t end = stream.find("\n\n");
    REQUIRE(end != std::string_view::npos);
    std::string_view text = stream.substr(0, end);
    stream.remove_prefix(end + 2);
    Frame frame;
    if (text.starts_with("event: ")) {
      const size_t line = text.find('\n');
      REQUIRE(line != std::string_view::npos);
      frame.event = text.substr(7, line - 7);
      text.remove_prefix(line + 1);
    }
    REQUIRE(text.starts_with("data: "));
    frame.data = text.substr(6);
    CHECK(frame.data.find_first_of("\r\n") == std::string::npos);
    if (frame.data != "[DONE]") CHECK_MESSAGE(json::validate(frame.data), frame.data);
    frames.push_back(frame);
  }
  return frames;
}

// lines_of are frames as a test can list them: each a line of its name and its data.
inline std::string lines_of(const std::vector<Frame>& frames) {
  std::string lines;
  for (const Frame& frame : frames) lines += frame.event + " " + frame.data + "\n";
  return lines;
}

// WriterRun is one answer.
template <typename Writer>
class WriterRun {
 public:
  static constexpr size_t kPoolBytes = size_t{256} << 20U;

  explicit WriterRun(AnswerContext context, size_t pool_bytes = kPoolBytes)
      : pool(pool_bytes), out(out_pool), writer(context, pool) {
    writer.set_output(out);
  }

  static AnswerContext context(bool stream) {
    return {.provider = errors::Provider::gemini,
            .tier = "standard",
            .model = "gemini-asked",
            .request_id = "req_1",
            .unique = kUnique,
            .created_at_s = kCreatedAtS,
            .stream = stream,
            .request = "{}"};
  }

  void start(std::string_view model = "gemini-9") { writer.on_start({.model = model}); }
  void message() { writer.on_item_start({.kind = ItemKind::message}); }
  void thought() { writer.on_item_start({.kind = ItemKind::thought}); }
  void call(std::string_view id, std::string_view name) {
    writer.on_item_start({.kind = ItemKind::call, .call_id = id, .name = name});
  }
  void end(FinishReason reason = FinishReason::stop) { writer.on_end({.reason = reason}); }
  // taken is what was written since it was last called.
  std::string taken() {
    std::string text(out.view());
    out.clear();
    return text;
  }
  std::vector<Frame> frames() { return frames_of(taken()); }

  BlockPool out_pool{kPoolBytes};
  BlockPool pool;
  Buffer out;
  Writer writer;
};

// tell_text, tell_call and tell_thought tell a whole item; of call and thought, what is empty is
// not told.
template <typename Writer>
void tell_text(WriterRun<Writer>& run, std::string_view raw) {
  run.message();
  run.writer.on_text(raw);
  run.writer.on_item_end(true);
}
template <typename Writer>
void tell_call(WriterRun<Writer>& run, std::string_view id, std::string_view name,
               std::string_view arguments = "") {
  run.call(id, name);
  if (!arguments.empty()) run.writer.on_arguments(arguments);
  run.writer.on_item_end(true);
}
template <typename Writer>
void tell_thought(WriterRun<Writer>& run, std::string_view raw, std::string_view data) {
  run.thought();
  if (!raw.empty()) run.writer.on_thought(raw);
  if (!data.empty()) {
    run.writer.on_thought_blob({.type = "thought", .data = data, .model = {}, .text = {}});
  }
  run.writer.on_item_end(true);
}

}  // namespace flexd::surface
