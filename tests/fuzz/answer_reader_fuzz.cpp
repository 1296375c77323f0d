// Whatever a provider sends, what its reader tells keeps the order of answer.hpp, is whole after a
// terminal event, and nothing follows it.
//
// Input: one byte of flags (the provider; whether the rest is raw), then either raw events, one a
// line (or one object), or plans: three bytes for each event, which choose its shape, its index and
// its text, so that most of what is made is nearly sensible.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "answer_checks.hpp"
#include "answer_shapes.hpp"
#include "flexd/base/assert.hpp"
#include "readers.hpp"

namespace {

using namespace flexd;
using namespace flexd::surface;
using errors::Provider;

constexpr uint8_t kRaw = 4;
constexpr uint8_t kObject = 8;
constexpr uint8_t kLittleMemory = 16;

std::unique_ptr<AnswerReader> reader_for(Provider provider, AnswerSink& sink, BlockPool& pool) {
  if (provider == Provider::openai) return std::make_unique<OpenaiReader>(sink, pool);
  if (provider == Provider::gemini) return std::make_unique<GeminiReader>(sink, pool);
  return std::make_unique<AnthropicReader>(sink, pool);
}

void feed_all(Provider provider, const std::vector<std::string>& events, size_t budget_bytes) {
  BlockPool pool(budget_bytes);
  {
    CheckingSink sink;
    const auto reader = reader_for(provider, sink, pool);
    bool good = true;
    for (const std::string& text : events) {
      const std::vector<char> exact(text.begin(), text.end());
      const Event event = read_event(provider, {}, {exact.data(), exact.size()});
      const size_t calls = sink.calls;
      const bool was_over = sink.ended || !good;
      const bool fed = reader->feed(event);
      FLEXD_ASSERT(!was_over || sink.calls == calls);
      FLEXD_ASSERT(good || !fed);
      good = fed;
      FLEXD_ASSERT(!good || !event.is_terminal() || sink.ended);
    }
  }
  FLEXD_ASSERT(pool.in_use_bytes() == 0);
}

void read_one(Provider provider, std::string_view text) {
  BlockPool pool(size_t{1} << 20U);
  CheckingSink sink;
  const auto reader = reader_for(provider, sink, pool);
  const std::vector<char> exact(text.begin(), text.end());
  const bool read = reader->read_object(json::Value::value_in({exact.data(), exact.size()}));
  FLEXD_ASSERT(!read || sink.ended);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0 || size > 16384) return 0;
  const uint8_t flags = *data;
  const auto provider = static_cast<Provider>((flags & 3U) % errors::kProviderCount);
  const std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  const size_t budget_bytes = (flags & kLittleMemory) != 0 ? 8192 : size_t{1} << 20U;
  if ((flags & kObject) != 0) {
    read_one(provider, rest);
  } else if ((flags & kRaw) != 0) {
    feed_all(provider, lines_of(rest), budget_bytes);
  } else {
    std::vector<std::string> events;
    for (size_t i = 1; i + 3 <= size; i += 3) {
      events.push_back(event_of(shape_of(provider, data[i]), data[i + 1], data[i + 2]));
    }
    feed_all(provider, events, budget_bytes);
  }
  return 0;
}
