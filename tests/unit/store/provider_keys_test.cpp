#include <cstdint>
#include <fstream>
#include <iterator>
#include <string>

#include "flexd/store/store.hpp"
#include "scratch.hpp"

namespace flexd::store {
namespace {

using Kind = Error::Kind;

SealedProviderKey sample(Number organization, const std::string& provider) {
  return {.organization = organization,
          .provider = provider,
          .secret_id = "s1",
          .sealed = std::string("\x01\0\xff'\"", 5) + provider,
          .shown = "wxyz"};
}

std::string bytes_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST_CASE("a provider key is set, replaced and removed") {
  const Scratch scratch;
  const auto store = open(scratch);
  const Number acme = must(store->create_organization("acme")).number;
  const Number other = must(store->create_organization("other")).number;
  SealedProviderKey key = sample(acme, "openai");
  must(store->set_provider_key(key));
  must(store->set_provider_key(sample(acme, "anthropic")));
  must(store->set_provider_key(sample(other, "openai")));
  key.secret_id = "s2";
  key.sealed = std::string(4096, '\0');
  key.shown = "";
  must(store->set_provider_key(key));

  const auto keys = must(store->provider_keys(acme));
  REQUIRE(keys.size() == 2);
  CHECK(keys[0].provider == "anthropic");
  CHECK(keys[0].sealed == sample(acme, "anthropic").sealed);
  CHECK(keys[0].created_at_s > 1'700'000'000);
  CHECK(keys[1].secret_id == "s2");
  CHECK(keys[1].sealed == key.sealed);
  CHECK(keys[1].shown.empty());
  CHECK(must(store->load()).provider_keys.size() == 3);

  must(store->remove_provider_key(acme, "openai"));
  CHECK(refused(store->remove_provider_key(acme, "openai")).kind == Kind::not_found);
  CHECK(refused(store->remove_provider_key(acme, "x' OR '1'='1")).kind == Kind::not_found);
  CHECK(refused(store->remove_provider_key(99, "openai")).kind == Kind::not_found);
  CHECK(must(store->provider_keys(acme)).size() == 1);
  CHECK(must(store->provider_keys(other)).size() == 1);
}

TEST_CASE("what a provider key may not be") {
  const Scratch scratch;
  const auto store = open(scratch);
  const Number acme = must(store->create_organization("acme")).number;
  CHECK(refused(store->set_provider_key(sample(99, "openai"))).kind == Kind::not_found);
  for (const char* provider : {"", "OpenAI", "openai ", "azure"}) {
    CHECK(refused(store->set_provider_key(sample(acme, provider))).kind == Kind::invalid);
  }
  SealedProviderKey key = sample(acme, "openai");
  key.sealed.clear();
  CHECK(refused(store->set_provider_key(key)).kind == Kind::invalid);
  key.sealed = std::string(4097, 's');
  CHECK(refused(store->set_provider_key(key)).kind == Kind::invalid);
  key = sample(acme, "openai");
  key.secret_id.clear();
  CHECK(refused(store->set_provider_key(key)).kind == Kind::invalid);
  key.secret_id = "a\nb";
  CHECK(refused(store->set_provider_key(key)).kind == Kind::invalid);
  CHECK(must(store->load()).provider_keys.empty());
}

TEST_CASE("reseal replaces all sealed bytes or none") {
  const Scratch scratch;
  const auto store = open(scratch);
  const Organization acme = must(store->create_organization("acme"));
  const Organization other = must(store->create_organization("other"));
  must(store->set_provider_key(sample(acme.number, "openai")));
  must(store->set_provider_key(sample(other.number, "gemini")));
  const uint64_t before = must(store->version());

  int calls = 0;
  const auto failing = [&](const Organization&,
                           const SealedProviderKey&) -> StoreResult<std::string> {
    if (++calls == 2) return std::unexpected(Error{Kind::invalid, "does not open"});
    return "anew";
  };
  const Error error = refused(store->reseal(failing));
  CHECK(error.message == "does not open");
  CHECK(calls == 2);
  const auto empty = [](const Organization&, const SealedProviderKey&) -> StoreResult<std::string> {
    return "";
  };
  CHECK(refused(store->reseal(empty)).kind == Kind::invalid);
  CHECK(must(store->provider_keys(acme.number))[0].sealed == sample(0, "openai").sealed);
  CHECK(must(store->version()) == before);

  const auto good = [&](const Organization& organization,
                        const SealedProviderKey& key) -> StoreResult<std::string> {
    CHECK(organization.number == key.organization);
    return associated_data(organization.id, key.provider, key.secret_id);
  };
  CHECK(must(store->reseal(good)) == 2);
  CHECK(must(store->version()) != before);
  const auto keys = must(store->load()).provider_keys;
  CHECK(keys[0].sealed == acme.id + "\nopenai\ns1");
  CHECK(keys[0].shown == "wxyz");
  CHECK(keys[1].sealed == other.id + "\ngemini\ns1");
}

TEST_CASE("a sealed key that is gone leaves no bytes in the files") {
  const Scratch scratch;
  const auto store = open(scratch);
  const Number acme = must(store->create_organization("acme")).number;
  const auto occurs = [&](const std::string& marked) {
    return bytes_of(scratch.path()).find(marked) != std::string::npos ||
           bytes_of(scratch.path("flexd.db-wal")).find(marked) != std::string::npos;
  };
  SealedProviderKey key = sample(acme, "openai");
  for (const std::string marked : {"MARKED-ONE", "MARKED-TWO"}) {
    key.sealed = marked;
    must(store->set_provider_key(key));
    CHECK(occurs(marked));
  }
  CHECK_FALSE(occurs("MARKED-ONE"));
  must(store->reseal([](const Organization&, const SealedProviderKey&) -> StoreResult<std::string> {
    return "MARKED-THREE";
  }));
  CHECK_FALSE(occurs("MARKED-TWO"));
  CHECK(occurs("MARKED-THREE"));
  must(store->remove_provider_key(acme, "openai"));
  CHECK_FALSE(occurs("MARKED-THREE"));
}

}  // namespace
}  // namespace flexd::store
