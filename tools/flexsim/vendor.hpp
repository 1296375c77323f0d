// vendor.hpp: the providers that flexsim plays. The path of a request picks one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace flexd::flexsim {

enum class Vendor : uint8_t {
  openai,     // POST /v1/responses
  gemini,     // POST /v1/interactions, /v1beta/interactions
  anthropic,  // POST /v1/messages
};
inline constexpr size_t kVendors = 3;

// vendor_name is the name in reports: "openai", "gemini", "anthropic".
[[nodiscard]] constexpr std::string_view vendor_name(Vendor vendor) {
  constexpr std::string_view kVendorNames[kVendors] = {"openai", "gemini", "anthropic"};
  return kVendorNames[static_cast<size_t>(vendor)];
}

}  // namespace flexd::flexsim
