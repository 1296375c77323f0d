// authorization.hpp: which key does a request present?
//
// `Authorization: Bearer <key>` (RFC 9110 section 11.6.2, RFC 6750 section 2.1) on every surface.
// In its absence the header that the vendor's own SDK sends: x-api-key on messages, x-goog-api-key
// on interactions. Nothing is looked up here.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "flexd/errors/dialect.hpp"

namespace flexd::account {

// Credentials are the values of a request's three headers, nullopt where one is absent. A header
// that came more than once is given as an empty value, which is malformed.
struct Credentials {
  std::optional<std::string_view> authorization;
  std::optional<std::string_view> x_api_key;
  std::optional<std::string_view> x_goog_api_key;
};

// Presented says what the headers hold.
enum class Presented : uint8_t {
  missing,      // no header that counts for the dialect
  malformed,    // Authorization is there and is not one Bearer token
  wrong_shape,  // a token that cannot be a key, or whose checksum is wrong
  inference,    // a well-formed key that calls models
  management,   // a well-formed key that manages
};

struct PresentedKey {
  Presented what = Presented::missing;
  std::string_view key;  // of `inference` and `management`: a view of the header's value
};

// presented_key finds the key. An Authorization header decides alone, also when it is malformed.
PresentedKey presented_key(const Credentials& credentials, errors::Dialect dialect);

}  // namespace flexd::account
