#include "secret_input.hpp"

#include <doctest/doctest.h>

#include <string>

using flexd::ctl::clean_secret;
using flexd::ctl::kSecretBytesMax;

TEST_CASE("one line break is taken off the end") {
  CHECK(clean_secret("sk-abc")->reveal() == "sk-abc");
  CHECK(clean_secret("sk-abc\n")->reveal() == "sk-abc");
  CHECK(clean_secret("sk-abc\r\n")->reveal() == "sk-abc");
}

TEST_CASE("what is no secret is refused without showing it") {
  for (const std::string& bad :
       {std::string(), std::string("\n"), std::string("\r\n"), std::string("marked\n\n"),
        std::string("marked\nmarked"), std::string("marked\rmarked"), std::string("marked\tx"),
        std::string("marked x"), std::string(" marked"), std::string("marked "),
        std::string("marked\0", 7), std::string("marked\x7f"), std::string("marked\x1b[0m")}) {
    CAPTURE(bad);
    const auto secret = clean_secret(bad);
    REQUIRE(!secret);
    CHECK(secret.error().message.find("marked") == std::string::npos);
  }
}

TEST_CASE("the bound on length") {
  const std::string longest(kSecretBytesMax, 'k');
  CHECK(clean_secret(longest)->size() == kSecretBytesMax);
  CHECK(clean_secret(longest + "\r\n")->size() == kSecretBytesMax);
  CHECK(!clean_secret(longest + "k"));
  CHECK(!clean_secret(longest + "k\n"));
}
