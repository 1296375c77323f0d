#include "flexd/account/key.hpp"

#include <algorithm>
#include <cstring>
#include <span>

#include "flexd/base/assert.hpp"
#include "flexd/crypto/bytes.hpp"

namespace flexd::account {
namespace {

bool is_lower_hex(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

std::string_view prefix_of(KeyKind kind) {
  return kind == KeyKind::inference ? kInferencePrefix : kManagementPrefix;
}

}  // namespace

std::array<char, kKeyChecksumDigits> key_checksum(std::string_view random_digits) {
  static_assert(kKeyChecksumDigits % 2 == 0);
  const crypto::Sha256Digest digest = crypto::sha256(random_digits);
  std::array<char, kKeyChecksumDigits> checksum;
  crypto::hex_encode(std::span(digest).first(kKeyChecksumDigits / 2), checksum);
  return checksum;
}

std::optional<KeyKind> key_kind(std::string_view text) {
  KeyKind kind = KeyKind::inference;
  if (text.starts_with(kManagementPrefix)) {
    kind = KeyKind::management;
  } else if (!text.starts_with(kInferencePrefix)) {
    return std::nullopt;
  }
  text.remove_prefix(prefix_of(kind).size());
  if (text.size() != kKeyRandomDigits + kKeyChecksumDigits) return std::nullopt;
  if (!is_lower_hex(text)) return std::nullopt;
  const auto checksum = key_checksum(text.substr(0, kKeyRandomDigits));
  const bool right =
      text.substr(kKeyRandomDigits) == std::string_view(checksum.data(), checksum.size());
  return right ? std::optional(kind) : std::nullopt;
}

std::string shown_part(std::string_view key) {
  constexpr size_t kShownDigits = 4;
  const std::optional<KeyKind> kind = key_kind(key);
  FLEXD_ASSERT(kind);
  return std::string(key.substr(0, prefix_of(*kind).size() + kShownDigits));
}

crypto::Secret generate_key(KeyKind kind) {
  std::array<uint8_t, kKeyRandomDigits / 2> random;
  crypto::random_bytes(random);
  std::array<char, kKeyRandomDigits> digits;
  crypto::hex_encode(random, digits);
  const auto checksum = key_checksum({digits.data(), digits.size()});

  std::array<char, kKeyBytesMax> text;
  const std::string_view prefix = prefix_of(kind);
  char* end = std::copy(prefix.begin(), prefix.end(), text.begin());
  end = std::copy(digits.begin(), digits.end(), end);
  end = std::copy(checksum.begin(), checksum.end(), end);
  crypto::Secret key(std::string_view(text.data(), static_cast<size_t>(end - text.data())));
  crypto::wipe(random.data(), random.size());
  crypto::wipe(digits.data(), digits.size());
  crypto::wipe(text.data(), text.size());
  return key;
}

}  // namespace flexd::account
