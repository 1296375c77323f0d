// Whatever a provider sends, a caller of any dialect gets good frames in an order that the
// strictest client takes, nothing after the end, and from a stream the same as from an object. No
// text of a provider becomes more than a text.
//
// Input: a byte for the pair, a byte of flags, then, by the flags, raw events, one a line, or one
// object, or plans: three bytes for each event, which choose its shape, its index and its text.
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "answer_shapes.hpp"
#include "caller_stream.hpp"
#include "flexd/base/assert.hpp"
#include "flexd/base/block_pool.hpp"
#include "flexd/base/buffer.hpp"
#include "flexd/surface/answer_translation.hpp"

namespace {

using namespace flexd;
using namespace flexd::surface;
using errors::Dialect;
using errors::Provider;
using json::Value;

constexpr uint8_t kRaw = 1;
constexpr uint8_t kObject = 2;
constexpr uint8_t kLittleMemory = 4;
constexpr uint8_t kLittleOutput = 8;

constexpr std::string_view kRequest =
    R"({"model":"zqx","instructions":"zqx\"}\n","metadata":{"a":"zqx"},"top_p":1e0,)"
    "\n\t\"tools\":[\r\n],"
    R"("stream_options":{"include_usage":true}})";

// check_names: what came as text is no name of a member. The arguments of calls have names of their
// own.
void check_names(Value value) {
  for (const json::Member& member : json::Members(value)) {
    FLEXD_ASSERT(member.name.text.find("zqx") == std::string_view::npos);
    const bool own = (member.name.equals("arguments") || member.name.equals("input")) &&
                     member.value.is(json::Type::kObject);
    if (!own) check_names(member.value);
  }
  for (const Value element : json::Elements(value)) check_names(element);
}

void check_frames(std::string_view stream) {
  while (!stream.empty()) {
    const size_t begin = stream.find("data: ") + 6;
    const size_t end = stream.find("\n\n");
    FLEXD_ASSERT(begin <= end && stream.substr(0, begin).find("zqx") == std::string_view::npos);
    check_names(Value{stream.substr(begin, end - begin)});
    stream.remove_prefix(end + 2);
  }
}

// Plan is what is fed, and to whom.
struct Plan {
  Dialect dialect;
  Provider provider;
  uint8_t flags;
  std::vector<std::string> events;  // or one object

  bool is_object() const { return (flags & kObject) != 0; }
  // is_roomy: the answer cannot fail for want of memory.
  bool is_roomy() const { return (flags & (kLittleMemory | kLittleOutput)) == 0; }
};

// Played is what the caller got.
struct Played {
  std::string text;
  bool ended = false;
};

class Player {
 public:
  Player(const Plan& plan, bool stream)
      : plan_(plan),
        stream_(stream),
        pool_((plan.flags & kLittleMemory) != 0 ? 12288 : size_t{8} << 20U),
        out_pool_((plan.flags & kLittleOutput) != 0 ? 8192 : size_t{8} << 20U),
        caller_(plan.dialect) {}

  Played play() {
    {
      Buffer out(out_pool_);
      AnswerTranslation translation(pool_);
      if (translation.begin({.dialect = plan_.dialect,
                             .provider = plan_.provider,
                             .tier = "flex",
                             .unique = "AbCdEfGhIjKlMnOpQrStUvWx",
                             .created_at_s = 1'790'000'000,
                             .stream = stream_,
                             .request = kRequest})) {
        for (const std::string& event : plan_.events) feed(event, translation, out);
        result_.ended = translation.ended();
      }
    }
    FLEXD_ASSERT(pool_.in_use_bytes() == 0 && out_pool_.in_use_bytes() == 0);
    return result_;
  }
  const CallerStream& caller() const { return caller_; }

 private:
  void feed(const std::string& event, AnswerTranslation& translation, Buffer& out) {
    // An event's text ends where it ends, and is gone after the call.
    const std::vector<char> exact(event.begin(), event.end());
    const std::string_view data(exact.data(), exact.size());
    const bool was_over = translation.ended() || !good_;
    const bool fed = plan_.is_object()
                         ? translation.translate_object(data, out)
                         : translation.feed(read_event(plan_.provider, {}, data), out);
    FLEXD_ASSERT(good_ || !fed);
    good_ = fed;
    const std::string_view text = out.view();
    FLEXD_ASSERT(!was_over || text.empty());
    if (stream_) {
      caller_.take(text);
      check_frames(text);
      FLEXD_ASSERT(caller_.ended() == translation.ended());
      if (plan_.dialect == Dialect::responses) {
        FLEXD_ASSERT(translation.position().sequence_number == caller_.events());
      }
    } else if (!text.empty()) {
      FLEXD_ASSERT(translation.ended() && json::validate(text) == json::Type::kObject);
      check_names(Value{text});
    }
    result_.text += text;
    out.clear();
  }

  const Plan& plan_;
  const bool stream_;
  BlockPool pool_;
  BlockPool out_pool_;
  CallerStream caller_;
  Played result_;
  bool good_ = true;
};

void check_alike(const Plan& plan, const CallerStream& caller, const Played& streamed,
                 const Played& whole) {
  FLEXD_ASSERT(streamed.ended == whole.ended);
  if (!streamed.ended) return;
  if (plan.dialect == Dialect::responses) {
    FLEXD_ASSERT(caller.response() == whole.text);
  } else if (!caller.told().failed) {
    FLEXD_ASSERT(caller.told() == told_by(plan.dialect, Value{whole.text}));
  }
}

std::optional<Plan> plan_of(const uint8_t* data, size_t size) {
  if (size < 2 || size > 16384) return std::nullopt;
  Plan plan{
      .dialect = static_cast<Dialect>(data[0] % errors::kDialectCount),
      .provider = static_cast<Provider>(data[0] / errors::kDialectCount % errors::kProviderCount),
      .flags = data[1],
      .events = {}};
  const std::string_view rest(reinterpret_cast<const char*>(data) + 2, size - 2);
  if (plan.is_object()) {
    plan.events.emplace_back(rest);
  } else if ((plan.flags & kRaw) != 0) {
    plan.events = lines_of(rest);
  } else {
    for (size_t i = 2; i + 3 <= size; i += 3) {
      plan.events.push_back(event_of(shape_of(plan.provider, data[i]), data[i + 1], data[i + 2]));
    }
  }
  return plan;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::optional<Plan> plan = plan_of(data, size);
  if (!plan) return 0;
  Player streaming(*plan, true);
  const Played streamed = streaming.play();
  const Played whole = Player(*plan, false).play();
  if (plan->is_roomy()) check_alike(*plan, streaming.caller(), streamed, whole);
  return 0;
}
