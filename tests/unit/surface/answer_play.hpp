// answer_play.hpp: plays a case of the tables of answers through an AnswerTranslation.
#pragma once

#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "answer_cases.hpp"
#include "caller_stream.hpp"
#include "flexd/base/block_pool.hpp"
#include "flexd/base/buffer.hpp"
#include "flexd/json/cursor.hpp"
#include "flexd/json/finder.hpp"
#include "flexd/sse/scanner.hpp"
#include "flexd/surface/answer_translation.hpp"
#include "flexd/surface/events.hpp"

namespace flexd::surface {

inline constexpr std::string_view kAnswerUnique = "AbCdEfGhIjKlMnOpQrStUvWx";
inline constexpr uint64_t kAnswerCreatedAtS = 1'790'000'000;  // 2026-09-21T14:13:20Z

// event_name is the name that a vendor's frame has beside its data; OpenAI's errors among others
// come without.
inline std::string event_name(const AnswerCase& one, const std::string& data) {
  if (data == "[DONE]") return "done";
  const json::Value event{data};
  const bool gemini = one.provider == errors::Provider::gemini;
  return std::string(event[gemini ? "event_type" : "type"].contents());
}

// wire_of is the stream as the provider sends it, with line ends `eol`.
inline std::string wire_of(const AnswerCase& one, const std::string& eol) {
  std::string wire = ": a comment" + eol + eol;
  for (const AnswerStep& step : one.steps) {
    const std::string name = event_name(one, step.event);
    if (!name.empty()) wire += "event: " + name + eol;
    wire += "data: " + step.event + eol + eol;
  }
  return wire;
}

class AnswerPlay final : private sse::Sink {
 public:
  explicit AnswerPlay(const AnswerCase& one)
      : one_(one), out_(pool_), scanner_(pool_), translation_(pool_), caller_(one.dialect) {
    good_ = translation_.begin({.dialect = one.dialect,
                                .provider = one.provider,
                                .tier = one.tier,
                                .request_id = "req_7",
                                .unique = kAnswerUnique,
                                .created_at_s = kAnswerCreatedAtS,
                                .stream = one.stream,
                                .request = one.request});
    REQUIRE(good_);
  }

  bool good() const { return good_; }
  bool ended() const { return translation_.ended(); }
  errors::StreamPosition position() const { return translation_.position(); }
  // caller is a client that has read what was written, if that was a stream.
  const CallerStream& caller() const { return caller_; }
  // object is what was written, if that was none.
  const std::string& object() const { return object_; }

  // feed, feed_bytes and translate return what the caller gets, its blobs read.
  std::string feed(std::string_view data) {
    // The event's text is gone after the call, as a scanner's is.
    const std::string own(data);
    feed_event(read_event(one_.provider, {}, own));
    return taken();
  }
  std::string feed_bytes(std::string_view bytes) {
    const std::string own(bytes);
    CHECK(scanner_.feed(own, *this).has_value());
    return taken();
  }
  std::string translate(std::string_view object) {
    const std::string own(object);
    good_ = translation_.translate_object(own, out_);
    return taken();
  }

 private:
  void frame(const sse::Frame& frame) override {
    feed_event(read_event(one_.provider, frame.event, frame.data));
  }
  void feed_event(const Event& event) { good_ = translation_.feed(event, out_) && good_; }

  std::string taken() {
    std::string text(out_.view());
    out_.clear();
    if (one_.stream) {
      CHECK((text.empty() || text.ends_with("\n\n")));
      caller_.take(text);
      CHECK(caller_.ended() == ended());
    } else if (!text.empty()) {
      CHECK(json::validate(text) == json::Type::kObject);
      object_ = text;
    }
    return with_blobs_read(text);
  }

  const AnswerCase& one_;
  BlockPool pool_{size_t{64} << 20U};
  Buffer out_;
  sse::Scanner scanner_;
  AnswerTranslation translation_;
  CallerStream caller_;
  std::string object_;
  bool good_ = false;
};

}  // namespace flexd::surface
