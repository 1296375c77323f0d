#include "flexd/account/key.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>

#include "flexd/account/authorization.hpp"

namespace flexd::account {
namespace {

using errors::Dialect;

// The checksum of 24 digits 0123... was computed with sha256sum.
constexpr std::string_view kDigits = "0123456789abcdef01234567";
constexpr std::string_view kKey = "flex_live_0123456789abcdef012345678865fe";
constexpr std::string_view kManagementKey = "flexm_0123456789abcdef012345678865fe";

TEST_CASE("a key is its prefix, 24 digits and their checksum") {
  CHECK(kKey.size() == kKeyBytesMax);
  CHECK(key_kind(kKey) == KeyKind::inference);
  CHECK(key_kind(kManagementKey) == KeyKind::management);
  const auto checksum = key_checksum(kDigits);
  CHECK(kKey.ends_with(std::string_view(checksum.data(), checksum.size())));
}

TEST_CASE("any other character, length or prefix is no key") {
  const std::string key(kKey);
  for (size_t i = 0; i < key.size(); ++i) {
    for (int c = 0; c < 256; ++c) {
      std::string other = key;
      if (other[i] == static_cast<char>(c)) continue;
      other[i] = static_cast<char>(c);
      CHECK_FALSE(key_kind(other));
    }
    CHECK_FALSE(key_kind(key.substr(0, i)));
    CHECK_FALSE(key_kind(key.substr(i + 1)));
  }
  for (const std::string& other :
       {key + "0", " " + key, key + "\n", std::string("flexm_") + key.substr(11),
        std::string("FLEX_LIVE_") + key.substr(10), std::string()}) {
    CHECK_FALSE(key_kind(other));
  }
  // Upper-case digits are refused even where their checksum would fit.
  const std::string upper = "0123456789ABCDEF01234567";
  const auto checksum = key_checksum(upper);
  CHECK_FALSE(key_kind("flex_live_" + upper + std::string(checksum.data(), checksum.size())));
}

TEST_CASE("generated keys are well-formed and differ") {
  const crypto::Secret a = generate_key(KeyKind::inference);
  const crypto::Secret b = generate_key(KeyKind::inference);
  CHECK(key_kind(a.reveal()) == KeyKind::inference);
  CHECK(a.reveal() != b.reveal());
  CHECK(key_kind(generate_key(KeyKind::management).reveal()) == KeyKind::management);
}

PresentedKey bearer(const std::string& value) {
  return presented_key({.authorization = value, .x_api_key = {}, .x_goog_api_key = {}},
                       Dialect::responses);
}

TEST_CASE("Authorization holds exactly one Bearer token") {
  const std::string key(kKey);
  for (const std::string& good :
       {"Bearer " + key, "bearer " + key, "BEARER " + key, "bEaReR   " + key,
        " Bearer " + key + " ", "Bearer " + key + "\t"}) {
    CAPTURE(good);
    CHECK(bearer(good).what == Presented::inference);
  }
  CHECK(presented_key({.authorization = "Bearer " + key}, Dialect::chat).what ==
        Presented::inference);
  for (const std::string& bad :
       {std::string(), std::string(" "), std::string("Bearer"), std::string("Bearer "),
        "Bearer" + key, "Basic " + key, key, "Bearer " + key + " " + key, "Bearer " + key + ",",
        "Bearer " + key + ", Bearer " + key, "Bearer \"" + key + "\"", "Bearer:" + key,
        "Token Bearer " + key, std::string("Bearer a\0b", 10), "Bearer\t" + key}) {
    CAPTURE(bad);
    CHECK(bearer(bad).what == Presented::malformed);
  }
  CHECK(bearer("Bearer sk-123").what == Presented::wrong_shape);
  CHECK(bearer("Bearer " + key.substr(0, 39) + "z").what == Presented::wrong_shape);
  CHECK(bearer("Bearer " + std::string(kManagementKey)).what == Presented::management);
}

TEST_CASE("the vendors' own headers count on their own surface, without Authorization") {
  struct Case {
    Dialect dialect;
    bool x_api_key;
    bool x_goog_api_key;
  };
  for (const Case& c :
       {Case{Dialect::responses, false, false}, Case{Dialect::chat, false, false},
        Case{Dialect::messages, true, false}, Case{Dialect::interactions, false, true}}) {
    const auto of = [](bool counts) { return counts ? Presented::inference : Presented::missing; };
    CHECK(presented_key({{}, kKey, {}}, c.dialect).what == of(c.x_api_key));
    CHECK(presented_key({{}, {}, kKey}, c.dialect).what == of(c.x_goog_api_key));
    CHECK(presented_key({{}, {}, {}}, c.dialect).what == Presented::missing);
    CHECK(presented_key({"Bearer sk-1", kKey, kKey}, c.dialect).what == Presented::wrong_shape);
    CHECK(presented_key({"Basic x", kKey, kKey}, c.dialect).what == Presented::malformed);
  }
  CHECK(presented_key({{}, "", {}}, Dialect::messages).what == Presented::missing);
  CHECK(presented_key({{}, "sk-ant-1", {}}, Dialect::messages).what == Presented::wrong_shape);
  CHECK(presented_key({{}, kKey, {}}, Dialect::messages).key == kKey);
}

}  // namespace
}  // namespace flexd::account
