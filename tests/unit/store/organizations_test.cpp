#include <cstdint>
#include <limits>
#include <string>

#include "flexd/store/bounds.hpp"
#include "flexd/store/store.hpp"
#include "scratch.hpp"
#include "sqlite.hpp"

namespace flexd::store {
namespace {

using Kind = Error::Kind;

TEST_CASE("an organization is found by id and by name, as it was made") {
  const Scratch scratch;
  const auto store = open(scratch);
  const Organization made = must(store->create_organization("acme"));
  CHECK(made.number > 0);
  CHECK(made.id.size() == 16);
  CHECK(made.id.starts_with("org_"));
  CHECK(made.id.find_first_not_of("0123456789abcdef", 4) == std::string::npos);
  CHECK(made.created_at_s > 1'700'000'000);
  CHECK(made.billing == Billing::ok);
  CHECK_FALSE(made.requests_per_second.has_value());
  CHECK_FALSE(made.race_slots.has_value());
  CHECK_FALSE(made.credit_nanos.has_value());
  CHECK(made.spent_nanos == 0);

  const Organization other = must(store->create_organization("acme.2"));
  CHECK(other.id != made.id);
  CHECK(must(store->find_organization("acme")).number == made.number);
  CHECK(must(store->find_organization(made.id)).name == "acme");
  CHECK(must(store->find_organization(other.id)).number == other.number);
  for (const char* absent : {"acm", "ACME", "", "org_", "acme ", "acme' OR '1'='1", "%"}) {
    CHECK(refused(store->find_organization(absent)).kind == Kind::not_found);
  }
}

TEST_CASE("names of organizations are unique and of plain characters") {
  const Scratch scratch;
  const auto store = open(scratch);
  must(store->create_organization("acme"));
  CHECK(refused(store->create_organization("acme")).kind == Kind::exists);
  must(store->create_organization("ACME"));
  must(store->create_organization(std::string(64, 'x')));
  must(store->create_organization("a-b_c.D0"));
  must(store->create_organization("org_0123456789a"));   // a digit short of an id
  must(store->create_organization("org_0123456789aZ"));  // not hex
  for (const std::string& bad :
       {std::string(), std::string(65, 'x'), std::string("a b"), std::string("a'b"),
        std::string("a\"b"), std::string("a;b"), std::string("m\xc3\xbcller"), std::string("a\nb"),
        std::string("a\0b", 3), std::string("a/b"), std::string("org_0123456789ab"),
        std::string("x'); DROP TABLE organizations; --")}) {
    CAPTURE(bad);
    CHECK(refused(store->create_organization(bad)).kind == Kind::invalid);
  }
  CHECK(must(store->load()).organizations.size() == 6);
}

TEST_CASE("change_organization sets what it names, and a limit goes back to the flag's") {
  const Scratch scratch;
  const auto store = open(scratch);
  const Number number = must(store->create_organization("acme")).number;
  const uint32_t most = 1'000'000;
  Organization now = must(store->change_organization(
      number, {.billing = Billing::overdue, .requests_per_second = most, .race_slots = 1U}));
  CHECK(now.billing == Billing::overdue);
  CHECK(now.requests_per_second == most);
  CHECK(now.race_slots == 1U);

  now = must(store->change_organization(number, {.race_slots = std::optional<uint32_t>()}));
  now = must(store->find_organization("acme"));
  CHECK(now.billing == Billing::overdue);
  CHECK(now.requests_per_second == most);
  CHECK_FALSE(now.race_slots.has_value());

  must(store->change_organization(number, {.billing = Billing::no_payment_method}));
  CHECK(must(store->find_organization("acme")).billing == Billing::no_payment_method);
  must(store->change_organization(number, {.billing = Billing::ok}));
  CHECK(must(store->find_organization("acme")).billing == Billing::ok);

  CHECK(refused(store->change_organization(number + 1, {})).kind == Kind::not_found);
  CHECK(refused(store->change_organization(number, {.billing = static_cast<Billing>(3)})).kind ==
        Kind::invalid);
}

TEST_CASE("limits of an organization stay within their bounds, and a refusal changes nothing") {
  const Scratch scratch;
  const auto store = open(scratch);
  const Number number = must(store->create_organization("acme")).number;
  const uint64_t version = must(store->version());
  const auto refuse = [&](OrganizationChange change, const Bounds& bounds) {
    change.billing = Billing::overdue;
    const Error error = refused(store->change_organization(number, change));
    CHECK(error.kind == Kind::invalid);
    CHECK(error.message.find(bounds.words) != std::string::npos);
  };
  refuse({.requests_per_second = 1'000'001U}, kRequestsPerSecondBounds);
  refuse({.race_slots = 1'000'001U}, kRaceSlotsBounds);
  refuse({.race_slots = 0U}, kRaceSlotsBounds);
  CHECK(must(store->version()) == version);
  CHECK(must(store->find_organization("acme")).billing == Billing::ok);
  const Organization now = must(
      store->change_organization(number, {.requests_per_second = 0U, .race_slots = 1'000'000U}));
  CHECK(now.requests_per_second == 0U);
  CHECK(now.race_slots == 1'000'000U);
}

TEST_CASE("credit adds up within 0 and int64") {
  const Scratch scratch;
  const auto store = open(scratch);
  const Number number = must(store->create_organization("acme")).number;
  const int64_t most = std::numeric_limits<int64_t>::max();
  const int64_t least = std::numeric_limits<int64_t>::min();
  const auto credit = [&] { return must(store->find_organization("acme")).credit_nanos; };

  CHECK(refused(store->add_credit(number, -1)).kind == Kind::invalid);
  CHECK_FALSE(credit().has_value());
  CHECK(refused(store->add_credit(number, 0)).kind == Kind::invalid);
  CHECK_FALSE(credit().has_value());
  CHECK(must(store->add_credit(number, 5 * kNanosPerDollar)).credit_nanos == 5 * kNanosPerDollar);
  CHECK(must(store->add_credit(number, -5 * kNanosPerDollar)).credit_nanos == 0);
  CHECK(refused(store->add_credit(number, -1)).kind == Kind::invalid);
  CHECK(refused(store->add_credit(number, least)).kind == Kind::invalid);
  CHECK(must(store->add_credit(number, most)).credit_nanos == most);
  CHECK(refused(store->add_credit(number, 1)).kind == Kind::invalid);
  CHECK(refused(store->add_credit(number, most)).kind == Kind::invalid);
  CHECK(credit() == most);
  CHECK(refused(store->add_credit(number + 1, 1)).kind == Kind::not_found);
  CHECK_FALSE(
      must(store->change_organization(number, {.end_prepaid = true})).credit_nanos.has_value());
  CHECK_FALSE(credit().has_value());
}

TEST_CASE("credit after an end of prepayment owes nothing for the time before") {
  const Scratch scratch;
  const auto store = open(scratch);
  const Number number = must(store->create_organization("acme")).number;
  const Number key = must(store->create_key(sample_key(number, "1"))).number;
  must(store->add_credit(number, 100));
  UsageRow row{.organization = number, .key = key, .counts = {.requests = 1, .drawn_nanos = 300}};
  must(store->record_usage(std::vector{row}, {}));
  must(store->change_organization(number, {.end_prepaid = true}));
  const Organization again = must(store->add_credit(number, 50));
  CHECK(again.credit_nanos.value() - again.spent_nanos == 50);
}

TEST_CASE("a model's maintenance is set and replaced, and leaves nothing when it is over") {
  const Scratch scratch;
  const auto store = open(scratch);
  CHECK(must(store->load()).models.empty());
  must(store->set_model({.name = "gpt-5.2", .maintenance = true, .retry_after_s = 300}));
  must(store->set_model({.name = "claude-x", .maintenance = true}));
  must(store->set_model({.name = "gpt-5.2", .maintenance = true, .retry_after_s = 86'400}));
  for (const uint32_t bad : {0U, 86'401U}) {
    const Error error =
        refused(store->set_model({.name = "gpt-5.2", .maintenance = true, .retry_after_s = bad}));
    CHECK(error.kind == Kind::invalid);
    CHECK(error.message.find(kRetryAfterBounds.words) != std::string::npos);
  }
  const auto models = must(store->load()).models;
  REQUIRE(models.size() == 2);
  CHECK(models[0].name == "claude-x");
  CHECK(models[0].maintenance);
  CHECK(models[0].retry_after_s == 60);
  CHECK(models[1].maintenance);
  CHECK(models[1].retry_after_s == 86'400);
  must(store->set_model({.name = "gpt-5.2", .maintenance = false, .retry_after_s = 300}));
  const Contents after = must(store->load());
  REQUIRE(after.models.size() == 1);
  CHECK(after.models[0].name == "claude-x");
  const Database database = must(Database::open(scratch.path()));
  CHECK(must(database.number("SELECT count(*) FROM models")) == 1);
  // What is not there changes nothing when it is taken away, and nobody needs to load anew.
  must(store->set_model({.name = "gpt-5.2", .maintenance = false}));
  must(store->set_model({.name = "never-heard-of"}));
  CHECK(must(store->version()) == after.version);
  // As an earlier flexd left it.
  must(database.run("INSERT INTO models VALUES ('old', 0, 60)"));
  CHECK(must(store->load()).models.size() == 1);
  for (const char* bad : {"", "gpt-*", "*", "a b", "a\tb", "m\xc3\xb6", "g*t"}) {
    CAPTURE(bad);
    CHECK(refused(store->set_model({.name = bad})).kind == Kind::invalid);
  }
  must(store->set_model({.name = std::string(128, 'm')}));
  CHECK(refused(store->set_model({.name = std::string(129, 'm')})).kind == Kind::invalid);
}

}  // namespace
}  // namespace flexd::store
