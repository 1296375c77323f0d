// usage_tap.hpp: reads the usage out of an answer that is passed on as it comes.
//
// The bytes of a whole answer (a response, interaction or message object) are shown to a UsageTap
// in pieces, as they pass; it keeps none of them but the usage object, and that only where it
// arrives in parts. It looks for the members `usage` and `service_tier` of the outermost object,
// the first of each; their names are compared as providers write them, without escapes. What it
// finds is what StreamFacts::note_object finds in the whole text; broken text yields less, never a
// fault.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "flexd/base/block_pool.hpp"
#include "flexd/base/buffer.hpp"
#include "flexd/errors/dialect.hpp"
#include "flexd/json/text.hpp"
#include "flexd/surface/events.hpp"

namespace flexd::surface {

// kTapUsageBytesMax bounds a usage object that arrives in parts; of a longer one nothing is known.
inline constexpr size_t kTapUsageBytesMax = 4096;

class UsageTap {
 public:
  explicit UsageTap(BlockPool& pool) : kept_(pool) {}
  UsageTap(const UsageTap&) = delete;
  UsageTap& operator=(const UsageTap&) = delete;

  // begin makes it ready for an answer of this provider's; until then, and after it has seen all it
  // wants, it is not active and what it is fed costs nothing.
  void begin(errors::Provider provider);
  bool is_active() const { return state_ != State::over; }
  // feed takes the next bytes. `kernels` other than the best are for tests.
  void feed(std::string_view bytes, const json::TextKernels& kernels = json::best_kernels());
  // stop gives the memory back; what was found stays until `begin`.
  void stop();

  // usage and service_tier are what was found so far; the tier is raw, empty if there is none.
  const Usage& usage() const { return usage_; }
  std::string_view service_tier() const { return {tier_.data(), tier_size_}; }

 private:
  enum class State : uint8_t {
    before,   // the outermost object has not begun
    members,  // between the names that matter
    name,     // in a string that may be one
    colon,    // behind the name
    value,    // behind its colon
    usage,    // in the usage object
    tier,     // in the tier's string
    over,
  };

  const char* take(const char* at, const char* end, const json::TextKernels& kernels);
  const char* take_members(const char* at, const char* end, const json::TextKernels& kernels);
  const char* begin_name(const char* at, const char* end);
  const char* take_name(const char* at, const char* end);
  const char* take_value(const char* at);
  const char* take_usage(const char* at, const char* end, const json::TextKernels& kernels);
  const char* take_tier(const char* at, const char* end);
  void end_usage(std::string_view last_part);
  void pass_string();
  void next_member();

  // Member is one of the two.
  struct Member {
    std::string_view name;
    bool seen = false;
  };

  State state_ = State::over;
  errors::Provider provider_ = errors::Provider::openai;
  bool too_long_ = false;  // the usage object
  uint8_t matched_ = 0;    // bytes of the name
  uint8_t word_size_ = 0;  // of tier_, while it comes in
  uint8_t tier_size_ = 0;  // of tier_, when it is known
  Member usage_member_{.name = "usage"};
  Member tier_member_{.name = "service_tier"};
  Member* wanted_ = nullptr;
  json::Nesting nesting_;
  Usage usage_;
  std::array<char, 32> tier_;
  Buffer kept_;  // of a usage object that has not ended
};

}  // namespace flexd::surface
