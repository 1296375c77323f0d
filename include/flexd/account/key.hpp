// key.hpp: the form of an API key.
//
//   flex_live_ 0123456789abcdef01234567 a1b2c3     a key that calls models
//   flexm_     0123456789abcdef01234567 a1b2c3     a key that manages an organization
//
// (without spaces) 24 random lowercase hex digits, and as a checksum the first 6 hex digits of
// SHA-256 over those 24 characters. The checksum keeps typing errors and guesses away from the
// table of keys; it proves nothing. A key is looked up by SHA-256 of its whole text and is itself
// stored nowhere.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "flexd/crypto/secret.hpp"
#include "flexd/crypto/sha256.hpp"

namespace flexd::account {

// KeyKind is what a key is for; its prefix tells.
enum class KeyKind : uint8_t { inference, management };

inline constexpr std::string_view kInferencePrefix = "flex_live_";
inline constexpr std::string_view kManagementPrefix = "flexm_";
inline constexpr size_t kKeyRandomDigits = 24;
inline constexpr size_t kKeyChecksumDigits = 6;
// kKeyBytesMax is the length of the longest key.
inline constexpr size_t kKeyBytesMax =
    kInferencePrefix.size() + kKeyRandomDigits + kKeyChecksumDigits;

// key_checksum is the checksum of 24 digits.
std::array<char, kKeyChecksumDigits> key_checksum(std::string_view random_digits);

// key_kind is the kind of a well-formed key with a right checksum; nullopt for anything else.
std::optional<KeyKind> key_kind(std::string_view text);

// key_digest is what a key is looked up by.
inline crypto::Sha256Digest key_digest(std::string_view key) {
  return crypto::sha256(key);
}

// shown_part is what may be shown of a well-formed key, to tell it from others: its prefix and the
// first four digits.
std::string shown_part(std::string_view key);

// generate_key draws a new key. It allocates: for start-up and administration.
crypto::Secret generate_key(KeyKind kind);

}  // namespace flexd::account
