// seal.hpp: the opaque texts that carry a model's thoughts from turn to turn, and their check.
//
// A provider takes back only what it made: a blob has its provider's opening and a checksum, so
// that one which a gateway damaged, or took from another provider, is refused.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "vendor.hpp"

namespace flexd::flexsim {

// crc32 is the checksum of gzip (RFC 1952 8).
[[nodiscard]] uint32_t crc32(std::string_view text);

// seal makes a blob for the answer `id`: 8 characters of the provider's, the id (48 characters) and
// 8 of checksum, all of base64's alphabet.
[[nodiscard]] std::string seal(Vendor vendor, std::string_view id);

// is_seal_of tells whether that provider made the blob.
[[nodiscard]] bool is_seal_of(Vendor vendor, std::string_view blob);

}  // namespace flexd::flexsim
