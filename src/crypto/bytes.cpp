#include "flexd/crypto/bytes.hpp"

#include <openssl/mem.h>
#include <openssl/rand.h>

#include "flexd/base/assert.hpp"

namespace flexd::crypto {
namespace {

// digit_value is the value of a hex digit, or -1.
int digit_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

bool constant_time_equal(std::span<const uint8_t> a, std::span<const uint8_t> b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

bool constant_time_equal(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

void random_bytes(std::span<uint8_t> out) {
  // BoringSSL's RAND_bytes aborts by itself where the system gives nothing; the result is checked
  // for libraries that report it.
  FLEXD_ASSERT(RAND_bytes(out.data(), out.size()) == 1);
}

void wipe(void* memory, size_t count) {
  OPENSSL_cleanse(memory, count);
}

void hex_encode(std::span<const uint8_t> bytes, std::span<char> out) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  FLEXD_ASSERT(out.size() == 2 * bytes.size());
  for (size_t i = 0; i < bytes.size(); ++i) {
    out[2 * i] = kDigits[bytes[i] >> 4U];
    out[2 * i + 1] = kDigits[bytes[i] & 15U];
  }
}

bool hex_decode(std::string_view text, std::span<uint8_t> out) {
  if (text.size() != 2 * out.size()) return false;
  for (size_t i = 0; i < out.size(); ++i) {
    const int high = digit_value(text[2 * i]);
    const int low = digit_value(text[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    out[i] = static_cast<uint8_t>(high * 16 + low);
  }
  return true;
}

}  // namespace flexd::crypto
