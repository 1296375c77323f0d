#include <doctest/doctest.h>
#include <fmt/format.h>

#include <array>
#include <string>
#include <type_traits>
#include <utility>

#include "flexd/crypto/bytes.hpp"
#include "flexd/crypto/secret.hpp"
#include "flexd/crypto/sha256.hpp"

namespace flexd::crypto {
namespace {

static_assert(!fmt::is_formattable<Secret>::value, "a secret must not be formatted");
static_assert(!std::is_copy_constructible_v<Secret> && !std::is_copy_assignable_v<Secret>);
static_assert(!std::is_convertible_v<Secret, std::string_view>);

std::string hex(std::span<const uint8_t> bytes) {
  std::string text(2 * bytes.size(), ' ');
  hex_encode(bytes, text);
  return text;
}

TEST_CASE("sha256 gives the digests of FIPS 180-4's examples") {
  CHECK(hex(sha256("")) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(hex(sha256("abc")) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(hex(sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")) ==
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

TEST_CASE("Sha256 in pieces equals sha256 at once, and starts anew after finish") {
  std::string text;
  for (int i = 0; i < 300; ++i) text += static_cast<char>(i * 7);
  for (size_t cut = 0; cut <= text.size(); cut += 13) {
    Sha256 digest;
    digest.update(std::string_view(text).substr(0, cut));
    Sha256 copy = digest;
    digest.update(std::string_view(text).substr(cut));
    CHECK(digest.finish() == sha256(text));
    copy.update("other");
    CHECK(copy.finish() == sha256(text.substr(0, cut) + "other"));
    digest.update("abc");
    CHECK(digest.finish() == sha256("abc"));
  }
}

TEST_CASE("constant_time_equal tells equal from unequal at every place") {
  const std::string text(32, 'a');
  CHECK(constant_time_equal(text, text));
  for (size_t i = 0; i < text.size(); ++i) {
    std::string other = text;
    other[i] = static_cast<char>(other[i] ^ 1);
    CHECK_FALSE(constant_time_equal(text, other));
  }
  CHECK_FALSE(constant_time_equal(text, text.substr(1)));
  CHECK(constant_time_equal(std::string_view(), std::string_view()));
}

TEST_CASE("random_bytes fills the whole span and differs each time") {
  std::array<uint8_t, 64> a{};
  std::array<uint8_t, 64> b{};
  random_bytes(a);
  random_bytes(b);
  CHECK(a != b);
  const std::array<uint8_t, 8> zero{};
  CHECK_FALSE(std::equal(zero.begin(), zero.end(), a.end() - 8));
}

TEST_CASE("hex goes both ways and refuses what is not hex") {
  const std::array<uint8_t, 4> bytes = {0x00, 0x9f, 0xa0, 0xff};
  CHECK(hex(bytes) == "009fa0ff");
  std::array<uint8_t, 4> back{};
  CHECK(hex_decode("009fa0ff", back));
  CHECK(back == bytes);
  CHECK(hex_decode("009FA0FF", back));
  for (const char* bad : {"", "009fa0f", "009fa0fff", "009fa0fg", "009fa0f ", "0x9fa0ff"}) {
    CHECK_FALSE(hex_decode(bad, back));
  }
}

TEST_CASE("a secret moves, clones and clears") {
  Secret secret("hunter2");
  CHECK(secret.reveal() == "hunter2");
  Secret moved = std::move(secret);
  CHECK(secret.empty());  // NOLINT(bugprone-use-after-move): what is left is the point
  CHECK(moved.reveal() == "hunter2");
  const Secret twin = moved.clone();
  moved.clear();
  CHECK(moved.empty());
  CHECK(twin.reveal() == "hunter2");
  moved = twin.clone();
  CHECK(moved.size() == 7);
  CHECK(Secret("").empty());
}

TEST_CASE("wipe overwrites") {
  std::array<char, 16> memory;
  memory.fill('x');
  wipe(memory.data(), memory.size());
  for (const char c : memory) CHECK(c == 0);
}

}  // namespace
}  // namespace flexd::crypto
