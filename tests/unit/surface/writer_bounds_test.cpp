// What the writers for chat and messages hold at most, and what they leave behind without room.

#include <doctest/doctest.h>

#include <string>

#include "chat_writer.hpp"
#include "messages_writer.hpp"
#include "writer_runs.hpp"

namespace flexd::surface {
namespace {

using ChatRun = WriterRun<ChatWriter>;
using MessagesRun = WriterRun<MessagesWriter>;

TEST_CASE("chat: what is held is bounded") {
  const std::string mebibyte(limits::kMebibyte, 'x');
  constexpr size_t kMebibytes = limits::kFoldBytesMax / limits::kMebibyte;
  SUBCASE("texts of an object") {
    ChatRun run(ChatRun::context(false));
    run.start();
    run.message();
    for (size_t i = 0; i < kMebibytes / 2; ++i) {
      run.writer.on_text(mebibyte);
      run.writer.on_refusal(mebibyte);
    }
    CHECK(!run.writer.failed());
    run.writer.on_text("x");
    CHECK(run.writer.failed());
    run.writer.on_item_end(false);
    run.end();
    CHECK(run.taken().empty());
    CHECK(!run.writer.ended());
  }
  SUBCASE("thoughts of a stream, and the blobs they are wrapped in") {
    ChatRun run(ChatRun::context(true));
    run.start();
    for (size_t i = 0; i < kMebibytes; ++i) tell_thought(run, mebibyte, "");
    CHECK(!run.writer.failed());
    run.thought();
    for (size_t i = 0; i < kMebibytes / 2; ++i) run.writer.on_thought(mebibyte);
    CHECK(!run.writer.failed());
    run.writer.on_thought_blob({.type = "thought", .data = "d", .model = {}, .text = {}});
    CHECK(run.writer.failed());
  }
  SUBCASE("text of a stream is not held") {
    ChatRun run(ChatRun::context(true), 0);
    run.start();
    run.message();
    for (size_t i = 0; i < 2 * kMebibytes; ++i) {
      run.writer.on_text(mebibyte);
      run.taken();
    }
    run.writer.on_item_end(true);
    run.end();
    CHECK(run.writer.ended());
  }
}

TEST_CASE("chat: without room nothing is written in part") {
  const auto tell = [](ChatRun& run) {
    run.start();
    tell_thought(run, "Hm", "c2ln");
    tell_call(run, "c", "f", "{}");
    tell_text(run, std::string(3000, 'x'));
    run.end();
  };
  for (const bool stream : {true, false}) {
    SUBCASE(stream ? "stream" : "object") {
      ChatRun run(stream ? ChatRun::context(true) : ChatRun::context(false), 0);
      tell(run);
      CHECK(run.writer.failed());
      CHECK(!run.writer.ended());
      if (stream) {
        for (const Frame& frame : run.frames()) CHECK(frame.data != "[DONE]");
      } else {
        CHECK(run.taken().empty());
      }
    }
  }
  // An output that fills up at any point holds whole frames.
  for (size_t filled = 0; filled + kBufferPadding < kBlockBytesMin; filled += 61) {
    ChatRun run(ChatRun::context(true));
    BlockPool small(kBlockBytesMin);
    Buffer out(small);
    REQUIRE(out.append(std::string(filled, 'f')));
    run.writer.set_output(out);
    tell(run);
    CHECK(run.writer.failed());
    CHECK(!run.writer.ended());
    frames_of(out.view().substr(filled));
  }
}

TEST_CASE("messages: what is held is bounded") {
  const std::string mebibyte(limits::kMebibyte, 'x');
  constexpr size_t kMebibytes = limits::kFoldBytesMax / limits::kMebibyte;
  SUBCASE("text") {
    MessagesRun run(MessagesRun::context(false));
    run.start();
    run.message();
    for (size_t i = 0; i + 1 < kMebibytes; ++i) run.writer.on_text(mebibyte);
    CHECK(!run.writer.failed());
    run.writer.on_text(mebibyte);
    CHECK(run.writer.failed());
    run.writer.on_item_end(false);
    run.end();
    CHECK(run.taken().empty());
    CHECK(!run.writer.ended());
  }
  SUBCASE("arguments count too") {
    MessagesRun run(MessagesRun::context(false));
    run.start();
    tell_text(run, mebibyte);
    run.call("c", "f");
    for (size_t i = 0; i + 2 < kMebibytes; ++i) run.writer.on_arguments(mebibyte);
    CHECK(!run.writer.failed());
    run.writer.on_arguments(mebibyte);
    CHECK(run.writer.failed());
  }
  SUBCASE("so do blobs") {
    MessagesRun run(MessagesRun::context(false));
    run.start();
    for (size_t i = 0; i < kMebibytes * 3 / 4 - 1; ++i) tell_thought(run, "", mebibyte);
    CHECK(!run.writer.failed());
    tell_thought(run, "", mebibyte);
    CHECK(run.writer.failed());
  }
  SUBCASE("a stream holds nothing") {
    MessagesRun run(MessagesRun::context(true), 0);
    run.start();
    run.message();
    for (size_t i = 0; i < 2 * kMebibytes; ++i) {
      run.writer.on_text(mebibyte);
      run.taken();
    }
    run.writer.on_item_end(true);
    tell_thought(run, "Hm", mebibyte);
    tell_call(run, "c", "f", "{}");
    run.end();
    CHECK(run.writer.ended());
  }
}

TEST_CASE("messages: without room nothing is written in part") {
  const auto tell = [](MessagesRun& run) {
    run.start();
    tell_thought(run, "Hm", "c2ln");
    tell_thought(run, "", std::string(600, 'd'));
    tell_call(run, "c", "f", "{}");
    tell_text(run, std::string(1500, 'x'));
    run.end();
  };
  MessagesRun object_run(MessagesRun::context(false), 0);
  tell(object_run);
  CHECK(object_run.writer.failed());
  CHECK(object_run.taken().empty());
  // An output that fills up at any point holds whole frames.
  for (size_t filled = 0; filled + kBufferPadding < kBlockBytesMin; filled += 61) {
    MessagesRun run(MessagesRun::context(true));
    BlockPool small(kBlockBytesMin);
    Buffer out(small);
    REQUIRE(out.append(std::string(filled, 'f')));
    run.writer.set_output(out);
    tell(run);
    CHECK(run.writer.failed());
    CHECK(!run.writer.ended());
    frames_of(out.view().substr(filled));
  }
}

}  // namespace
}  // namespace flexd::surface
