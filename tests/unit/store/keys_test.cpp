#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "flexd/store/bounds.hpp"
#include "flexd/store/store.hpp"
#include "scratch.hpp"
#include "sqlite.hpp"

namespace flexd::store {
namespace {

using Kind = Error::Kind;

// same says whether two keys are equal in all that an operator sets.
bool same(const Key& a, const Key& b) {
  return a.organization == b.organization && a.name == b.name && a.management == b.management &&
         a.digest == b.digest && a.shown == b.shown && a.expires_at_s == b.expires_at_s &&
         a.deactivated == b.deactivated && a.native_parameters == b.native_parameters &&
         a.start_within == b.start_within && a.models == b.models &&
         a.requests_per_minute == b.requests_per_minute && a.budget_requests == b.budget_requests &&
         a.budget_nanos == b.budget_nanos;
}

TEST_CASE("a key comes back as it was made, with the largest numbers") {
  const Scratch scratch;
  const auto store = open(scratch);
  Key key = sample_key(must(store->create_organization("acme")).number, "one");
  key.name = "it's \"quoted\"; DROP TABLE keys; --";
  key.management = true;
  key.expires_at_s = std::numeric_limits<int64_t>::max();
  key.deactivated = true;
  key.native_parameters = true;
  key.start_within = "600s";
  key.models = {"gpt-5.2", "claude-*", "*"};
  key.requests_per_minute = 1'000'000;
  key.budget_requests = 1'000'000'000'000;
  key.budget_nanos = 0;
  const Key made = must(store->create_key(key));
  CHECK(same(made, key));
  CHECK(made.number > 0);
  CHECK(made.id.size() == 16);
  CHECK(made.id.starts_with("key_"));
  CHECK(made.created_at_s > 1'700'000'000);
  CHECK(made.revoked_at_s == 0);
  CHECK(made.month == 0);

  const Key plain = must(store->create_key(sample_key(key.organization, "two")));
  CHECK_FALSE(plain.budget_requests.has_value());
  CHECK_FALSE(plain.budget_nanos.has_value());
  CHECK(plain.models.empty());

  for (const Key& found :
       {must(store->find_key(made.id)), must(store->find_key(key.digest)),
        must(store->keys(key.organization)).at(0), must(store->load()).keys.at(0)}) {
    CHECK(same(found, key));
    CHECK(found.number == made.number);
    CHECK(found.id == made.id);
    CHECK(found.created_at_s == made.created_at_s);
  }
  CHECK(refused(store->find_key(crypto::sha256("three"))).kind == Kind::not_found);
  CHECK(refused(store->find_key("key_")).kind == Kind::not_found);
  CHECK(refused(store->find_key("' OR 1 = 1 --")).kind == Kind::not_found);
}

TEST_CASE("a new key is new, whatever the fields that are the store's say") {
  const Scratch scratch;
  const auto store = open(scratch);
  Key key = sample_key(must(store->create_organization("acme")).number, "one");
  key.number = 77;
  key.id = "mine";
  key.created_at_s = 1;
  key.revoked_at_s = 2;
  key.last_used_at_s = 3;
  key.month = 4;
  key.month_requests = 5;
  key.month_nanos = 6;
  const Key made = must(store->create_key(key));
  CHECK(made.number != 77);
  CHECK(made.id != "mine");
  CHECK(made.created_at_s != 1);
  CHECK(made.revoked_at_s == 0);
  CHECK(made.last_used_at_s == 0);
  CHECK(made.month == 0);
  CHECK(made.month_requests == 0);
  CHECK(made.month_nanos == 0);
}

TEST_CASE("a key needs its organization and a digest of its own") {
  const Scratch scratch;
  const auto store = open(scratch);
  const Number acme = must(store->create_organization("acme")).number;
  const Number other = must(store->create_organization("other")).number;
  must(store->create_key(sample_key(acme, "one")));
  CHECK(refused(store->create_key(sample_key(acme, "one"))).kind == Kind::exists);
  CHECK(refused(store->create_key(sample_key(other, "one"))).kind == Kind::exists);
  CHECK(refused(store->create_key(sample_key(99, "two"))).kind == Kind::not_found);
  CHECK(refused(store->create_key(sample_key(0, "two"))).kind == Kind::not_found);
  CHECK(must(store->load()).keys.size() == 1);
}

TEST_CASE("what a key may not be") {
  const Scratch scratch;
  const auto store = open(scratch);
  const Key good = sample_key(must(store->create_organization("acme")).number, "one");
  std::vector<Key> bad(17, good);
  bad[0].name = std::string(65, 'n');
  bad[1].name = "m\xc3\xbcller";
  bad[2].name = "a\nb";
  bad[3].expires_at_s = -1;
  bad[4].budget_requests = -1;
  bad[5].budget_nanos = std::numeric_limits<int64_t>::min();
  bad[6].models = {""};
  bad[7].models = {"gpt-5", "*-mini"};
  bad[8].models = {"a b"};
  bad[9].models = {std::string(129, 'm')};
  bad[10].models = std::vector<std::string>(101, "m");
  bad[11].start_within = std::string(33, '1');
  bad[12].shown = std::string(33, 'f');
  bad[13].models = {"**"};
  bad[14].requests_per_minute = 1'000'001;
  bad[15].budget_requests = 1'000'000'000'001;
  bad[16].budget_nanos = 1'000'000'000'000'000'001;
  for (size_t i = 0; i < bad.size(); ++i) {
    CAPTURE(i);
    CHECK(refused(store->create_key(bad[i])).kind == Kind::invalid);
  }
  Key most = good;
  most.name = std::string(64, 'n');
  most.models = std::vector<std::string>(100, std::string(127, 'm') + "*");
  most.requests_per_minute = 1'000'000;
  most.budget_requests = 1'000'000'000'000;
  most.budget_nanos = 1'000'000'000'000'000'000;
  CHECK(same(must(store->create_key(most)), most));
  CHECK(must(store->load()).keys.size() == 1);
}

TEST_CASE("an organization has so many keys at most, and others are not held up by it") {
  const Scratch scratch;
  const auto store = open(scratch);
  const Number acme = must(store->create_organization("acme")).number;
  const Number other = must(store->create_organization("other")).number;
  const Key first = must(store->create_key(sample_key(acme, "first")));
  {
    const Database database = must(Database::open(scratch.path()));
    must(database.run(
        ("WITH RECURSIVE n (i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < " +
         std::to_string(kKeysMax - 1) + ") INSERT INTO keys SELECT i, format('key_%012x', i), " +
         std::to_string(acme) +
         ", '', 0, randomblob(32), 'flex_live_0123', 1, 0, 0, 0, 0, '', 0, NULL, NULL FROM n")
            .c_str()));
  }
  must(store->change_key(first.id, KeyChange::revoke));
  must(store->create_key(sample_key(acme, "last")));
  const uint64_t version = must(store->version());
  const Error error = refused(store->create_key(sample_key(acme, "one too many")));
  CHECK(error.kind == Kind::full);
  CHECK(error.full_of == "API keys");
  CHECK(error.message.find("acme has 200000 keys") != std::string::npos);
  CHECK(must(store->version()) == version);
  must(store->create_key(sample_key(other, "of the other")));
}

TEST_CASE("the keys of an organization have so many models on their lists at most, all together") {
  const Scratch scratch;
  const auto store = open(scratch);
  const Number acme = must(store->create_organization("acme")).number;
  const Number other = must(store->create_organization("other")).number;
  const auto make = [&](Number organization, std::string_view secret, size_t models) {
    Key key = sample_key(organization, secret);
    key.models.assign(models, "gpt-5*");
    return store->create_key(key);
  };
  // Another's do not count.
  must(make(other, "of the other", kModelPatternsMax));
  const Key first = must(make(acme, "first", 1));
  constexpr size_t kKeys = kOrganizationPatternsMax / kModelPatternsMax;
  {
    const Database database = must(Database::open(scratch.path()));
    const std::string begin =
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ";
    must(database.run((begin + std::to_string(kKeys) +
                       ") INSERT INTO keys SELECT 100 + i, format('key_%012x', i), " +
                       std::to_string(acme) +
                       ", '', 0, randomblob(32), 'flex_live_0123', 1, 0, 0, 0, 0, '', 0, NULL, "
                       "NULL FROM n")
                          .c_str()));
    must(database.run((begin + std::to_string(kOrganizationPatternsMax - 4) +
                       ") INSERT INTO key_models SELECT 100 + 1 + (i - 1) / " +
                       std::to_string(kModelPatternsMax) + ", i, 'gpt-' || i FROM n")
                          .c_str()));
  }
  must(store->change_key(first.id, KeyChange::revoke));
  const uint64_t version = must(store->version());
  const Error error = refused(make(acme, "four", 4));
  CHECK(error.kind == Kind::full);
  CHECK(error.full_of == "models on the lists of its API keys");
  CHECK(error.message.find("acme has 199997 models on the lists of its keys") == 0);
  CHECK(error.message.find("4 more would be over the 200000") != std::string::npos);
  CHECK(must(store->version()) == version);
  must(make(acme, "three", 3));
  CHECK(refused(make(acme, "one", 1)).kind == Kind::full);
  must(make(acme, "any model", 0));
  must(make(other, "of the other too", 1));
}

TEST_CASE("keys of one organization come in order of creation, each with its own models") {
  const Scratch scratch;
  const auto store = open(scratch);
  const Number organizations[] = {must(store->create_organization("a")).number,
                                  must(store->create_organization("b")).number};
  for (int i = 0; i < 30; ++i) {
    Key key = sample_key(organizations[i % 2], std::to_string(i));
    key.name = std::to_string(i);
    for (int m = 0; m < i % 4; ++m) key.models.push_back(key.name + "-" + std::to_string(9 - m));
    must(store->create_key(key));
  }
  const auto check = [](const std::vector<Key>& keys, int first, int by) {
    for (size_t k = 0; k < keys.size(); ++k) {
      const int i = first + static_cast<int>(k) * by;
      CHECK(keys[k].name == std::to_string(i));
      REQUIRE(keys[k].models.size() == static_cast<size_t>(i % 4));
      for (size_t m = 0; m < keys[k].models.size(); ++m) {
        CHECK(keys[k].models[m] == std::to_string(i) + "-" + std::to_string(9 - m));
      }
    }
  };
  const auto odd = must(store->keys(organizations[1]));
  CHECK(odd.size() == 15);
  check(odd, 1, 2);
  const auto all = must(store->load()).keys;
  CHECK(all.size() == 30);
  check(all, 0, 1);
  CHECK(must(store->keys(99)).empty());
  const auto page =
      must(store->keys({.organization = organizations[1], .after = odd.at(3).number, .limit = 5}));
  REQUIRE(page.size() == 5);
  CHECK(page.front().number == odd.at(4).number);
  CHECK(page.front().models == odd.at(4).models);
  CHECK(page.back().models == odd.at(8).models);
}

TEST_CASE("a key is deactivated, activated, revoked, and then stays so") {
  const Scratch scratch;
  const auto store = open(scratch);
  Key sample = sample_key(must(store->create_organization("acme")).number, "one");
  sample.models = {"gpt-*"};
  const Key made = must(store->create_key(sample));
  CHECK(must(store->change_key(made.id, KeyChange::deactivate)).deactivated);
  CHECK(must(store->find_key(made.id)).deactivated);
  CHECK_FALSE(must(store->change_key(made.id, KeyChange::activate)).deactivated);
  CHECK_FALSE(must(store->find_key(made.id)).deactivated);

  const Key revoked = must(store->change_key(made.id, KeyChange::revoke));
  CHECK(revoked.revoked_at_s > 1'700'000'000);
  CHECK(revoked.models == sample.models);
  const uint64_t version = must(store->version());
  CHECK(must(store->change_key(made.id, KeyChange::revoke)).revoked_at_s == revoked.revoked_at_s);
  CHECK(must(store->version()) == version);
  CHECK(refused(store->change_key(made.id, KeyChange::activate)).kind == Kind::invalid);
  CHECK(refused(store->change_key(made.id, KeyChange::deactivate)).kind == Kind::invalid);
  CHECK(must(store->find_key(sample.digest)).revoked_at_s == revoked.revoked_at_s);
  CHECK(must(store->keys(sample.organization)).size() == 1);
  CHECK(refused(store->create_key(sample)).kind == Kind::exists);
  CHECK(refused(store->change_key("key_000000000000", KeyChange::revoke)).kind == Kind::not_found);
}

}  // namespace
}  // namespace flexd::store
