// Any text in any pieces: the usage tap finds the same as in one piece, with every kernel, and in
// good JSON what a walk over the whole finds.
//
// Input: one byte for the provider, one that the pieces' sizes are made of, then the text.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "flexd/base/assert.hpp"
#include "flexd/base/block_pool.hpp"
#include "flexd/json/finder.hpp"
#include "flexd/json/text.hpp"
#include "usage_tap_cases.hpp"

namespace {

using namespace flexd;

surface::TapFound read_in_pieces(surface::UsageTap& tap, errors::Provider provider,
                                 std::string_view text, uint32_t seed,
                                 const json::TextKernels& kernels) {
  tap.begin(provider);
  uint32_t state = seed;
  while (!text.empty()) {
    state = state * 1664525U + 1013904223U;
    const size_t wish = seed == 0 ? text.size() : 1 + (state >> 24U) % (1 + seed);
    const size_t size = wish < text.size() ? wish : text.size();
    // A copy of its own, so that reading past a piece shows.
    const auto piece = std::make_unique<char[]>(size);
    text.copy(piece.get(), size);
    tap.feed({piece.get(), size}, kernels);
    text.remove_prefix(size);
  }
  tap.stop();
  return surface::found_by(tap);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const auto provider = static_cast<errors::Provider>(data[0] % errors::kProviderCount);
  const std::string_view text(reinterpret_cast<const char*>(data) + 2, size - 2);
  BlockPool pool(1U << 20U);
  surface::UsageTap tap(pool);
  const surface::TapFound whole =
      read_in_pieces(tap, provider, text, 0, json::supported_kernels().front());
  for (const json::TextKernels& kernels : json::supported_kernels()) {
    FLEXD_ASSERT(read_in_pieces(tap, provider, text, 0, kernels) == whole);
    FLEXD_ASSERT(read_in_pieces(tap, provider, text, data[1], kernels) == whole);
    FLEXD_ASSERT(read_in_pieces(tap, provider, text, 1U + data[1] % 3U, kernels) == whole);
  }
  FLEXD_ASSERT(pool.in_use_bytes() == 0);
  if (json::validate(text)) FLEXD_ASSERT(surface::find_whole(provider, text) == whole);
  return 0;
}
