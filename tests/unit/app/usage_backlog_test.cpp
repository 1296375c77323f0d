#include "usage_backlog.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace flexd;
using app::UsageBacklog;
using store::Error;

namespace {

// Book is a store of usage that can be made to fail.
struct Book {
  std::vector<store::UsageRow> rows;
  std::vector<store::KeyUse> uses;
  bool available = true;
  store::Number unknown = -1;  // an organization that is not there
  store::Number unknown_key = -1;
  size_t calls = 0;
  size_t fails_at = 0;  // the call that finds the disk full

  UsageBacklog::Record recorder() {
    return [this](auto new_rows, auto new_uses) { return record(new_rows, new_uses); };
  }
  store::StoreResult<void> record(std::span<const store::UsageRow> new_rows,
                                  std::span<const store::KeyUse> new_uses) {
    ++calls;
    if (!available || calls == fails_at)
      return fail(Error{Error::Kind::unavailable, "the disk is full"});
    for (const store::UsageRow& row : new_rows) {
      if (row.organization == unknown) return fail(Error{Error::Kind::not_found, "no such"});
    }
    for (const store::KeyUse& use : new_uses) {
      if (use.key == unknown_key) return fail(Error{Error::Kind::not_found, "no such"});
    }
    rows.insert(rows.end(), new_rows.begin(), new_rows.end());
    uses.insert(uses.end(), new_uses.begin(), new_uses.end());
    return {};
  }
};

store::UsageRow row(store::Number organization, std::string model, int64_t requests = 1) {
  store::UsageRow made;
  made.organization = organization;
  made.key = 7;
  made.day = 20'000;
  made.model = std::move(model);
  made.counts.requests = requests;
  made.counts.cost_nanos = 5 * requests;
  return made;
}

store::KeyUse use(store::Number key, int32_t month, int64_t at_s) {
  return {.key = key, .last_used_at_s = at_s, .month = month, .requests = 1, .nanos = 5};
}

}  // namespace

TEST_CASE("usage backlog: what is added is written once") {
  UsageBacklog backlog;
  Book book;
  CHECK(backlog.write(book.recorder()).has_value());
  CHECK(book.calls == 0);  // nothing to write
  backlog.add({row(1, "a"), row(1, "b")}, {use(7, 1, 100)});
  CHECK(backlog.request_count() == 2);
  CHECK(backlog.write(book.recorder()).has_value());
  CHECK(backlog.empty());
  CHECK(backlog.write(book.recorder()).has_value());
  CHECK(book.calls == 1);
  CHECK(book.rows.size() == 2);
  REQUIRE(book.uses.size() == 1);
  CHECK(book.uses.front().last_used_at_s == 100);
}

TEST_CASE("usage backlog: while the store cannot be written, the same is added up") {
  UsageBacklog backlog;
  Book book;
  book.available = false;
  for (int i = 1; i <= 10; ++i) {
    backlog.add({row(1, "a", i)}, {use(7, 1, 1000 - i), use(7, 2, i)});
    CHECK(!backlog.write(book.recorder()).has_value());
  }
  CHECK(book.calls == 10);
  CHECK(backlog.request_count() == 55);
  book.available = true;
  CHECK(backlog.write(book.recorder()).has_value());
  CHECK(backlog.empty());
  REQUIRE(book.rows.size() == 1);
  CHECK(book.rows.front().organization == 1);
  CHECK(book.rows.front().key == 7);
  CHECK(book.rows.front().day == 20'000);
  CHECK(book.rows.front().model == "a");
  CHECK(book.rows.front().counts.requests == 55);
  CHECK(book.rows.front().counts.cost_nanos == 275);
  REQUIRE(book.uses.size() == 2);
  CHECK(book.uses.front().month == 1);
  CHECK(book.uses.front().requests == 10);
  CHECK(book.uses.front().nanos == 50);
  CHECK(book.uses.front().last_used_at_s == 999);
  CHECK(book.uses.back().last_used_at_s == 10);
  CHECK(backlog.lost() == app::UsageLoss());
}

TEST_CASE("usage backlog: past its bound new combinations are lost, and counted") {
  UsageBacklog backlog(3);
  for (int i = 0; i < 5; ++i) {
    backlog.add({row(1, std::to_string(i), 2)}, {use(i, 1, 1)});
  }
  backlog.add({row(1, "0", 1)}, {use(0, 1, 9)});  // known: it finds its place
  CHECK(backlog.request_count() == 7);
  CHECK(backlog.lost() == app::UsageLoss{.requests = 4, .key_uses = 2});
  Book book;
  CHECK(backlog.write(book.recorder()).has_value());
  CHECK(book.rows.size() == 3);
  CHECK(book.uses.size() == 3);
}

TEST_CASE("usage backlog: what the store will never take holds nothing else back") {
  UsageBacklog backlog;
  Book book;
  book.unknown = 2;
  backlog.add({row(1, "a"), row(2, "a", 3), row(3, "a")}, {use(7, 1, 1)});
  CHECK(backlog.write(book.recorder()).has_value());
  CHECK(backlog.empty());
  CHECK(backlog.lost() == app::UsageLoss{.requests = 3});
  CHECK(book.rows.size() == 2);
  CHECK(book.uses.size() == 1);
}

TEST_CASE("usage backlog: what is refused is found by halves") {
  for (const int bad : {0, 1, 511, 998, 999}) {
    CAPTURE(bad);
    UsageBacklog backlog;
    Book book;
    book.unknown = bad + 1;
    book.unknown_key = bad + 1;
    for (int i = 0; i < 1000; ++i) backlog.add({row(i + 1, "a", 2)}, {use(i + 1, 1, 1)});
    CHECK(backlog.use_count() == 1000);
    CHECK(backlog.write(book.recorder()).has_value());
    CHECK(backlog.empty());
    CHECK(backlog.lost() == app::UsageLoss{.requests = 2, .key_uses = 1});
    CHECK(book.rows.size() == 999);
    CHECK(book.uses.size() == 999);
    CHECK(book.calls <= 1 + 2 * (2 * 10 + 1));
  }
}

TEST_CASE("usage backlog: a disk that fills up on the way loses nothing and doubles nothing") {
  for (size_t fails_at = 1; fails_at < 30; ++fails_at) {
    CAPTURE(fails_at);
    UsageBacklog backlog;
    Book book;
    book.unknown = 5;
    book.unknown_key = 2;
    book.fails_at = fails_at;
    for (int i = 1; i <= 9; ++i) backlog.add({row(i, "a")}, {use(i, 1, 1)});
    if (!backlog.write(book.recorder()).has_value()) {
      CHECK(!backlog.empty());
      CHECK(book.rows.size() + backlog.request_count() + backlog.lost().requests == 9);
      CHECK(book.uses.size() + backlog.use_count() + backlog.lost().key_uses == 9);
      CHECK(backlog.write(book.recorder()).has_value());
    }
    CHECK(backlog.empty());
    CHECK(book.rows.size() == 8);
    CHECK(book.uses.size() == 8);
    CHECK(backlog.lost() == app::UsageLoss{.requests = 1, .key_uses = 1});
  }
}
