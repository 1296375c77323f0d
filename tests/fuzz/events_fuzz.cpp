// Any stream of any provider: events are read without a fault, what they say keeps its order, and
// what is folded of good JSON is good JSON.
//
// Input: one byte for the provider, one for the pool's size, then the stream.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "flexd/base/assert.hpp"
#include "flexd/base/block_pool.hpp"
#include "flexd/json/finder.hpp"
#include "flexd/sse/scanner.hpp"
#include "flexd/surface/events.hpp"
#include "flexd/surface/fold.hpp"
#include "flexd/surface/start_signal.hpp"

namespace {

using namespace flexd;

bool is_inside(std::string_view part, std::string_view whole) {
  return part.empty() || (!std::less<>()(part.data(), whole.data()) &&
                          !std::less<>()(whole.data() + whole.size(), part.data() + part.size()));
}

class Reader final : public sse::Sink {
 public:
  Reader(errors::Provider provider, BlockPool& pool)
      : provider_(provider), fold_(pool), out_(pool) {}

  void frame(const sse::Frame& frame) override {
    const surface::Event event = surface::read_event(provider_, frame.event, frame.data);
    const auto type = json::validate(frame.data);
    all_good_ = all_good_ && (type || event.kind == surface::EventKind::none);
    FLEXD_ASSERT(is_inside(event.data.text, frame.data));
    check_signal(event);
    check_failure(event);
    facts_.note(event);
    check_usage();
    if (ended_) return;
    ended_ = event.is_terminal();
    fed_ = fold_.feed(event) && fed_;
    const bool step = event.data["step"].is(json::Type::kObject);
    if (provider_ == errors::Provider::gemini && event.kind == surface::EventKind::progress) {
      starts_ += step ? 1 : 0;
    }
    if (event.is_terminal()) check_fold(event);
  }

 private:
  void check_signal(const surface::Event& event) {
    const bool had_ended = signal_.ended();
    const bool had_started = signal_.started();
    const surface::Signal signal = signal_.feed(event);
    if (had_ended) FLEXD_ASSERT(signal == surface::Signal::nothing);
    if (signal == surface::Signal::started) FLEXD_ASSERT(!had_started);
    if (signal == surface::Signal::running) FLEXD_ASSERT(had_started);
    FLEXD_ASSERT(signal_.ended() == (had_ended || event.is_terminal()));
    if (!event.is_meaningful()) FLEXD_ASSERT(signal_.started() == had_started);
  }

  void check_failure(const surface::Event& event) const {
    const surface::EventFailure failure = surface::read_failure(event);
    FLEXD_ASSERT(event.is_failure() || failure.object.empty());
    for (const std::string_view part : {failure.code, failure.type, failure.message}) {
      FLEXD_ASSERT(is_inside(part, failure.object));
    }
    FLEXD_ASSERT(failure.status == 400 || failure.status == 429 || failure.status == 500);
    static_cast<void>(surface::judge_event(event));
    for (const unsigned status : {400U, 429U, 503U}) {
      static_cast<void>(surface::judge_response(provider_, status, event.data.text));
    }
  }

  void check_usage() const {
    const surface::Usage& usage = facts_.usage();
    if (provider_ == errors::Provider::gemini) {
      FLEXD_ASSERT(usage.output_tokens >= usage.reasoning_tokens);
    } else if (provider_ == errors::Provider::anthropic) {
      FLEXD_ASSERT(usage.input_tokens >= std::max(usage.cached_tokens, usage.cache_write_tokens));
    }
    FLEXD_ASSERT(facts_.id().find('\\') == std::string_view::npos);
  }

  void check_fold(const surface::Event& event) {
    const bool written = fold_.write(event, out_);
    if (provider_ == errors::Provider::gemini && !fed_) FLEXD_ASSERT(out_.empty());
    if (!written || event.is_failure()) FLEXD_ASSERT(out_.empty());
    if (out_.empty() || !all_good_) return;
    const auto type = json::validate(out_.view());
    // A step stands deeper in the answer than it stood in its event.
    if (!type && type.error().fault == json::Fault::kTooDeep) return;
    FLEXD_ASSERT(type.has_value() && *type == json::Type::kObject);
    if (provider_ != errors::Provider::gemini || event.data["interaction"]["steps"].exists())
      return;
    size_t count = 0;
    for (const json::Value step : json::Elements(json::Value{out_.view()}["steps"])) {
      FLEXD_ASSERT(step.is(json::Type::kObject));
      ++count;
    }
    FLEXD_ASSERT(count >= starts_);
  }

  errors::Provider provider_;
  surface::StartSignal signal_;
  surface::StreamFacts facts_;
  surface::Fold fold_;
  Buffer out_;
  size_t starts_ = 0;
  bool all_good_ = true;  // every event was whole JSON
  bool fed_ = true;
  bool ended_ = false;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2 || size > 65536) return 0;
  const auto provider = static_cast<errors::Provider>(data[0] % errors::kProviderCount);
  BlockPool scanner_pool(size_t{8} << 20U);
  BlockPool pool(data[1] % 2 == 0 ? size_t{8} << 20U : size_t{4096} * (data[1] / 2));
  Reader reader(provider, pool);
  sse::Scanner scanner(scanner_pool);
  const std::string_view stream(reinterpret_cast<const char*>(data) + 2, size - 2);
  if (scanner.feed(stream, reader)) static_cast<void>(scanner.finish(reader));
  return 0;
}
