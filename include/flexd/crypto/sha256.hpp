// sha256.hpp: SHA-256 (FIPS 180-4), at once or in pieces.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace flexd::crypto {

inline constexpr size_t kSha256Bytes = 32;
using Sha256Digest = std::array<uint8_t, kSha256Bytes>;

// sha256 is the digest of `bytes`.
Sha256Digest sha256(std::string_view bytes);

// Sha256 digests bytes that come in pieces. Copyable; a copy goes on by itself. The state is wiped
// when it is destroyed.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = default;
  Sha256& operator=(const Sha256&) = default;

  void update(std::string_view bytes);
  // finish gives the digest of all updates; the object is then as new.
  Sha256Digest finish();

 private:
  void reset();
  // Room for the library's context, whose type stays out of this header.
  alignas(8) std::array<std::byte, 112> context_;
};

}  // namespace flexd::crypto
