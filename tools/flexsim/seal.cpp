#include "seal.hpp"

#include <array>

#include "flexd/base/ascii.hpp"

namespace flexd::flexsim {
namespace {

constexpr std::string_view kOpenings[kVendors] = {"gAAAAABf", "CiFlexsi", "EqFlexsi"};
constexpr size_t kChecksumDigits = 8;

std::string checksum(std::string_view text) {
  const uint32_t crc = crc32(text);
  std::array<uint8_t, 4> bytes;
  for (size_t i = 0; i < bytes.size(); i++) bytes[i] = static_cast<uint8_t>(crc >> (24 - 8 * i));
  std::string digits(kChecksumDigits, '0');
  write_hex(bytes, digits.data());
  return digits;
}

}  // namespace

uint32_t crc32(std::string_view text) {
  uint32_t crc = 0xffffffffU;
  for (const char c : text) {
    crc ^= static_cast<uint8_t>(c);
    for (int bit = 0; bit < 8; bit++) crc = (crc >> 1U) ^ (0xedb88320U & (0U - (crc & 1U)));
  }
  return ~crc;
}

std::string seal(Vendor vendor, std::string_view id) {
  std::string blob(kOpenings[static_cast<size_t>(vendor)]);
  blob += id;
  return blob + checksum(blob);
}

bool is_seal_of(Vendor vendor, std::string_view blob) {
  if (!blob.starts_with(kOpenings[static_cast<size_t>(vendor)])) return false;
  if (blob.size() <= kOpenings[0].size() + kChecksumDigits) return false;
  const size_t end = blob.size() - kChecksumDigits;
  return blob.substr(end) == checksum(blob.substr(0, end));
}

}  // namespace flexd::flexsim
