// bytes.hpp: secrets as bytes: compare without telling, draw, wipe, and write as hex.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace flexd::crypto {

// constant_time_equal compares in a time that depends on the sizes alone. Sizes that differ are
// unequal; they are not secret.
bool constant_time_equal(std::span<const uint8_t> a, std::span<const uint8_t> b);
bool constant_time_equal(std::string_view a, std::string_view b);

// random_bytes fills `out` from the system's generator, by way of the library's. There is no
// failure to handle: a program that cannot draw keys must not go on, so it aborts. For keys and
// seeds drawn at start-up and on the control thread; what a request draws comes from the reactor.
void random_bytes(std::span<uint8_t> out);

// wipe overwrites memory in a way the compiler does not take out.
void wipe(void* memory, size_t count);

// hex_encode writes 2 * bytes.size() lowercase digits into `out`, which must have that size.
void hex_encode(std::span<const uint8_t> bytes, std::span<char> out);
// hex_decode reads digits of either case; false, with `out` in an unknown state, unless `text` is
// exactly 2 * out.size() digits.
[[nodiscard]] bool hex_decode(std::string_view text, std::span<uint8_t> out);

}  // namespace flexd::crypto
