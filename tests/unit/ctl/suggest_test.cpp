#include "suggest.hpp"

#include <doctest/doctest.h>

#include <vector>

using flexd::ctl::edit_distance;
using flexd::ctl::nearest;
using flexd::ctl::nearest_command;

namespace {

const std::vector<std::string> kCommands = {
    "init",      "org",        "org create",       "org list",         "org show",
    "key",       "key create", "key list",         "provider-key set", "provider-key",
    "model set", "usage",      "rotate-master-key"};

std::string_view meant(std::vector<std::string> words) {
  return nearest_command(words, kCommands);
}

}  // namespace

TEST_CASE("edits") {
  CHECK(edit_distance("", "") == 0);
  CHECK(edit_distance("", "abc") == 3);
  CHECK(edit_distance("abc", "") == 3);
  CHECK(edit_distance("same", "same") == 0);
  CHECK(edit_distance("crate", "create") == 1);
  CHECK(edit_distance("crreate", "create") == 1);
  CHECK(edit_distance("craete", "create") == 1);  // two neighbors swapped
  CHECK(edit_distance("kitten", "sitting") == 3);
}

TEST_CASE("the nearest word is near") {
  const std::vector<std::string> words = {"--expires", "--model", "--rpm"};
  CHECK(nearest("--expire", words) == "--expires");
  CHECK(nearest("--mdoel", words) == "--model");
  CHECK(nearest("--verbose", words).empty());
  CHECK(nearest("", words).empty());
  // A word with none of its letters right is not what was meant.
  CHECK(nearest("x", std::vector<std::string>{"y"}).empty());
}

TEST_CASE("the nearest command") {
  CHECK(meant({"ogr", "create", "acme"}) == "org create");
  CHECK(meant({"org", "crate", "acme"}) == "org create");
  CHECK(meant({"create", "org"}) == "org create");
  CHECK(meant({"keys", "list", "acme"}) == "key list");
  CHECK(meant({"provider", "key", "set", "acme"}) == "provider-key set");
  CHECK(meant({"providerkey"}) == "provider-key");
  CHECK(meant({"usgae"}) == "usage");
  CHECK(meant({"rotate-masterkey"}) == "rotate-master-key");
  CHECK(meant({"serve"}).empty());
  CHECK(meant({"org", "delete", "acme"}).empty());
  CHECK(meant({}).empty());
}
