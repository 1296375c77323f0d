// Snapshots of what a store holds: SnapshotBuilder.
#include "flexd/account/snapshot.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "flexd/base/log.hpp"
#include "flexd/crypto/seal.hpp"

namespace flexd::account {
namespace {

using errors::Provider;

constexpr int32_t kNovember = 2026 * 12 + 10;

// Folder is a new folder, removed with what is in it.
class Folder {
 public:
  Folder() { REQUIRE(::mkdtemp(path_.data()) != nullptr); }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::string file(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_ = std::filesystem::temp_directory_path() / "flexd-snapshot-XXXXXX";
};

// LogTrap has what this thread logs.
class LogTrap {
 public:
  LogTrap() { set_thread_log(&log_); }
  ~LogTrap() {
    set_thread_log(nullptr);
    ::close(fds_.read);
    ::close(fds_.write);
  }
  LogTrap(const LogTrap&) = delete;
  LogTrap& operator=(const LogTrap&) = delete;

  // take is the text since the last call.
  std::string take() {
    writer_.drain();
    std::string text;
    char bytes[4096];
    ssize_t count = 0;
    while ((count = ::read(fds_.read, bytes, sizeof(bytes))) > 0) {
      text.append(bytes, static_cast<size_t>(count));
    }
    return text;
  }

 private:
  struct Fds {
    int read = -1;
    int write = -1;
    Fds() {
      int both[2];
      REQUIRE(::pipe2(both, O_CLOEXEC | O_NONBLOCK) == 0);
      read = both[0];
      write = both[1];
    }
  };
  Fds fds_;
  LogWriter writer_{fds_.write, false};
  Log log_{writer_.add_ring(), LogFormat::text, LogLevel::info};
};

size_t count_of(std::string_view text, std::string_view what) {
  size_t count = 0;
  for (size_t at = text.find(what); at != std::string_view::npos; at = text.find(what, at + 1)) {
    ++count;
  }
  return count;
}

store::Organization organization_of(store::Number number) {
  store::Organization organization;
  organization.number = number;
  organization.id = "org_" + std::to_string(number);
  organization.name = "name-" + std::to_string(number);
  return organization;
}

store::Key key_of(store::Number number, store::Number organization) {
  store::Key key;
  key.number = number;
  key.id = "key_" + std::to_string(number);
  key.organization = organization;
  key.digest = key_digest(std::to_string(number));
  return key;
}

store::SealedProviderKey sealed_of(const std::string& master_key_path, store::Number organization,
                                   const std::string& provider, const std::string& secret) {
  const auto keys = crypto::MasterKeys::read(master_key_path);
  REQUIRE(keys.has_value());
  store::SealedProviderKey key;
  key.organization = organization;
  key.provider = provider;
  key.secret_id = "secret-" + provider;
  key.sealed = keys->seal(secret, store::associated_data("org_" + std::to_string(organization),
                                                         provider, key.secret_id));
  return key;
}

const KeyRecord* find(const SnapshotPointer& snapshot, store::Number key) {
  return snapshot->lookup(key_digest(std::to_string(key)));
}
const KeyRecord* find(SnapshotPointer&& snapshot, store::Number key) = delete;  // it would dangle

struct World {
  Folder folder;
  std::string path = folder.file("master.key");
  LimitArena arena;
  LogTrap log;
  store::Contents contents;
  SnapshotBuilder builder{arena, {.requests = {7, 9}, .race_slots = 5}, path};

  World() {
    contents.organizations = {organization_of(1), organization_of(2)};
    contents.keys = {key_of(1, 1), key_of(2, 2)};
  }
  void create_master_key() const { REQUIRE(crypto::create_master_key_file(path).has_value()); }
  std::string provider_key(const SnapshotPointer& snapshot, store::Number key, Provider provider) {
    const KeyRecord* record = find(snapshot, key);
    REQUIRE(record != nullptr);
    return std::string(snapshot->organization(*record).provider_key(provider).reveal());
  }
};

TEST_CASE("snapshot: an empty store is a snapshot without keys") {
  World world;
  const SnapshotPointer snapshot = world.builder.build({}, kNovember);
  CHECK(snapshot->key_count() == 0);
  CHECK(snapshot->organization_count() == 0);
  CHECK(snapshot->model("gpt-5.5") == nullptr);
  CHECK(world.log.take().empty());  // no provider key, so nobody misses the master key
}

TEST_CASE("snapshot: a key comes with all that is stored of it") {
  World world;
  store::Key& key = world.contents.keys[1];
  key.name = "ci";
  key.management = true;
  key.deactivated = true;
  key.native_parameters = true;
  key.expires_at_s = 77;
  key.start_within = "00h-00m-30s";
  key.models = {"gpt-5.5", "claude-*"};
  key.requests_per_minute = 60;
  key.budget_requests = 1'000;
  key.budget_nanos = 0;
  const SnapshotPointer snapshot = world.builder.build(world.contents, kNovember);
  const KeyRecord* record = find(snapshot, 2);
  REQUIRE(record != nullptr);
  CHECK(record->number == 2);
  CHECK(record->id == "key_2");
  CHECK(record->name == "ci");
  CHECK(record->kind == KeyKind::management);
  CHECK(record->deactivated);
  CHECK(record->native_parameters);
  CHECK(record->expires_at_s == 77);
  CHECK(record->start_within == "00h-00m-30s");
  CHECK(record->models == key.models);
  CHECK(record->requests_per_minute == 60);
  CHECK(record->budget_requests == 1'000);
  CHECK(record->budget_nanos == 0);
  CHECK(record->cells == &world.arena.key(2));
  CHECK(snapshot->organization(*record).id == "org_2");

  const KeyRecord* plain = find(snapshot, 1);
  REQUIRE(plain != nullptr);
  CHECK(plain->kind == KeyKind::inference);
  CHECK(plain->cells == nullptr);
  CHECK_FALSE(plain->budget_requests.has_value());
  CHECK_FALSE(plain->budget_nanos.has_value());
}

TEST_CASE("snapshot: numbers below 0 close rather than open") {
  World world;
  world.contents.keys[0].expires_at_s = -1;
  world.contents.keys[0].budget_nanos = -5;
  const SnapshotPointer snapshot = world.builder.build(world.contents, kNovember);
  const KeyRecord* record = find(snapshot, 1);
  REQUIRE(record != nullptr);
  CHECK(record->expires_at_s == 1);
  CHECK(record->budget_nanos == 0);
}

TEST_CASE("snapshot: a revoked key is not there, nor one of no organization") {
  World world;
  world.contents.keys[0].revoked_at_s = 1;
  world.contents.keys.push_back(key_of(3, 99));
  const SnapshotPointer snapshot = world.builder.build(world.contents, kNovember);
  CHECK(snapshot->key_count() == 1);
  CHECK(find(snapshot, 1) == nullptr);
  CHECK(find(snapshot, 2) != nullptr);
  CHECK(find(snapshot, 3) == nullptr);
}

TEST_CASE("snapshot: an organization's limits are its own or the defaults") {
  World world;
  world.contents.organizations[1].requests_per_second = 100;
  world.contents.organizations[1].race_slots = 0;
  world.contents.organizations[1].billing = store::Billing::overdue;
  world.contents.organizations[1].credit_nanos = 0;
  const SnapshotPointer snapshot = world.builder.build(world.contents, kNovember);
  const Organization& defaults = snapshot->organization(*find(snapshot, 1));
  CHECK(defaults.number == 1);
  CHECK(defaults.name == "name-1");
  CHECK(defaults.requests.per_second == 7);
  CHECK(defaults.requests.burst == 9);
  CHECK(defaults.race_slots == 5);
  CHECK(defaults.billing == store::Billing::ok);
  CHECK_FALSE(defaults.prepaid);
  CHECK(defaults.cells == &world.arena.organization(1));
  const Organization& own = snapshot->organization(*find(snapshot, 2));
  CHECK(own.requests.per_second == 100);
  CHECK(own.requests.burst == 100);
  CHECK(own.race_slots == 0);
  CHECK(own.billing == store::Billing::overdue);
  CHECK(own.prepaid);
  CHECK(own.credit_nanos == 0);
}

TEST_CASE("snapshot: cells are raised to what the store knows and are not reset by a build") {
  World world;
  world.contents.organizations[0].spent_nanos = 50;
  store::Key& key = world.contents.keys[0];
  key.budget_nanos = 1'000;
  key.month = kNovember;
  key.month_requests = 4;
  key.month_nanos = 40;
  REQUIRE(world.builder.build(world.contents, kNovember)->key_count() == 2);
  KeyCells& cells = world.arena.key(1);
  SpentCell& spent = world.arena.organization(1).spent;
  CHECK(cells.requests.get(kNovember) == 4);
  CHECK(cells.nanos.get(kNovember) == 40);
  CHECK(spent.get() == 50);
  cells.nanos.add(kNovember, 60);
  spent.add(1);
  REQUIRE(world.builder.build(world.contents, kNovember)->key_count() == 2);
  CHECK(cells.nanos.get(kNovember) == 100);
  CHECK(spent.get() == 51);
}

TEST_CASE("snapshot: what the store has of another month leaves the cells of this one") {
  World world;
  store::Key& key = world.contents.keys[0];
  key.budget_requests = 3;
  KeyCells& cells = world.arena.key(1);
  // Two years ahead, a month ahead, and long over.
  for (const int32_t month : {kNovember + 24, kNovember + 1, kNovember - 1, 0}) {
    CAPTURE(month);
    key.month = month;
    key.month_requests = 900;
    key.month_nanos = 900;
    CHECK(cells.requests.get(kNovember) == 0);
    CHECK(cells.requests.try_add(kNovember, 2, 3));
    CHECK(cells.requests.try_add(kNovember, 1, 3));
    REQUIRE(world.builder.build(world.contents, kNovember)->key_count() == 2);
    CHECK_FALSE(cells.requests.try_add(kNovember, 1, 3));
    CHECK(cells.requests.get(kNovember) == 3);
    CHECK(cells.nanos.get(kNovember) == 0);
    CHECK(cells.nanos.get(month) == 0);
    cells.requests.add(kNovember + 12, 1);  // empties it
  }
}

TEST_CASE("snapshot: models stand by name") {
  World world;
  world.contents.models = {{"o3", true, 120}, {"gpt-5.5", false, 60}, {"claude-x", true, 5}};
  const SnapshotPointer snapshot = world.builder.build(world.contents, kNovember);
  REQUIRE(snapshot->models().size() == 3);
  CHECK(snapshot->models()[0].name == "claude-x");
  REQUIRE(snapshot->model("o3") != nullptr);
  CHECK(snapshot->model("o3")->maintenance);
  CHECK(snapshot->model("o3")->retry_after_s == 120);
  CHECK_FALSE(snapshot->model("gpt-5.5")->maintenance);
  CHECK(snapshot->model("gpt-5") == nullptr);
  CHECK(snapshot->model("z") == nullptr);
  CHECK(snapshot->model("") == nullptr);
}

TEST_CASE("snapshot: provider keys are opened for their organization alone") {
  World world;
  world.create_master_key();
  world.contents.provider_keys = {
      sealed_of(world.path, 1, "openai", "sk-one"), sealed_of(world.path, 1, "gemini", "AIza one"),
      sealed_of(world.path, 2, "openai", "sk-two"), sealed_of(world.path, 2, "unknown", "x")};
  const SnapshotPointer snapshot = world.builder.build(world.contents, kNovember);
  CHECK(world.provider_key(snapshot, 1, Provider::openai) == "sk-one");
  CHECK(world.provider_key(snapshot, 1, Provider::gemini) == "AIza one");
  CHECK(world.provider_key(snapshot, 1, Provider::anthropic).empty());
  CHECK(world.provider_key(snapshot, 2, Provider::openai) == "sk-two");
  const Organization& one = snapshot->organization(*find(snapshot, 1));
  CHECK(one.authorization(Provider::openai) == "Bearer sk-one");
  CHECK(one.authorization(Provider::gemini) == "AIza one");
  CHECK(one.authorization(Provider::anthropic).empty());
  CHECK(world.log.take().empty());
}

TEST_CASE("snapshot: a sealed key that was moved or changed is absent and logged once") {
  World world;
  world.create_master_key();
  store::SealedProviderKey moved = sealed_of(world.path, 1, "openai", "sk-planted-secret");
  world.contents.provider_keys = {moved};
  REQUIRE(world.provider_key(world.builder.build(world.contents, kNovember), 1, Provider::openai) ==
          "sk-planted-secret");
  moved.organization = 2;
  world.contents.provider_keys.push_back(moved);
  store::SealedProviderKey changed = sealed_of(world.path, 2, "gemini", "AIza");
  changed.sealed.back() = static_cast<char>(changed.sealed.back() ^ 1);
  world.contents.provider_keys.push_back(changed);
  for (int i = 0; i < 3; ++i) {
    const SnapshotPointer snapshot = world.builder.build(world.contents, kNovember);
    CHECK(world.provider_key(snapshot, 1, Provider::openai) == "sk-planted-secret");
    CHECK(world.provider_key(snapshot, 2, Provider::openai).empty());
    CHECK(world.provider_key(snapshot, 2, Provider::gemini).empty());
  }
  const std::string text = world.log.take();
  CHECK(count_of(text, "WARN provider_key_unreadable") == 2);
  CHECK(count_of(text, "organization=org_2 name=name-2 provider=openai") == 1);
  CHECK(count_of(text, "organization=org_2 name=name-2 provider=gemini") == 1);
  CHECK(count_of(text, "sk-planted-secret") == 0);
}

TEST_CASE(
    "snapshot: without the master key's file every provider key is absent until it is there") {
  World world;
  world.contents.provider_keys.push_back({.organization = 1,
                                          .provider = "anthropic",
                                          .secret_id = "s",
                                          .sealed = "junk",
                                          .shown = "",
                                          .created_at_s = 0});
  CHECK(world.provider_key(world.builder.build(world.contents, kNovember), 1, Provider::anthropic)
            .empty());
  CHECK(world.provider_key(world.builder.build(world.contents, kNovember), 1, Provider::anthropic)
            .empty());
  const std::string absent = world.log.take();
  CHECK(count_of(absent, "provider_key_unreadable") == 1);
  CHECK(count_of(absent, world.path) == 1);

  world.create_master_key();  // another cause now: told again, once
  REQUIRE(world.builder.build(world.contents, kNovember)->key_count() == 2);
  REQUIRE(world.builder.build(world.contents, kNovember)->key_count() == 2);
  const std::string other_key = world.log.take();
  CHECK(count_of(other_key, "another master key") == 1);
  CHECK(count_of(other_key, "restart flexd") == 0);
  world.contents.provider_keys[0].sealed = "other junk";  // other bytes: told again
  REQUIRE(world.builder.build(world.contents, kNovember)->key_count() == 2);
  CHECK(count_of(world.log.take(), "provider_key_unreadable") == 1);
  // A copy that the service manager made is not that of a rotation.
  const std::string folder = std::filesystem::path(world.path).parent_path();
  REQUIRE(::setenv("CREDENTIALS_DIRECTORY", folder.c_str(), 1) == 0);
  world.contents.provider_keys[0].sealed = "sealed under the new one";
  REQUIRE(world.builder.build(world.contents, kNovember)->key_count() == 2);
  ::unsetenv("CREDENTIALS_DIRECTORY");
  CHECK(count_of(world.log.take(), "restart flexd") == 1);
  world.contents.provider_keys = {sealed_of(world.path, 1, "anthropic", "sk-ant")};
  CHECK(world.provider_key(world.builder.build(world.contents, kNovember), 1,
                           Provider::anthropic) == "sk-ant");
  CHECK(world.log.take().empty());
}

TEST_CASE("snapshot: a file that is open to others opens nothing") {
  World world;
  world.create_master_key();
  world.contents.provider_keys = {sealed_of(world.path, 1, "openai", "sk")};
  REQUIRE(::chmod(world.path.c_str(), 0644) == 0);
  CHECK(world.provider_key(world.builder.build(world.contents, kNovember), 1, Provider::openai)
            .empty());
  REQUIRE(::chmod(world.path.c_str(), 0600) == 0);
  CHECK(world.provider_key(world.builder.build(world.contents, kNovember), 1, Provider::openai) ==
        "sk");
}

TEST_CASE("snapshot: a rotation of the master key leaves what was opened in service") {
  World world;
  world.create_master_key();
  world.contents.provider_keys = {sealed_of(world.path, 1, "openai", "sk-old")};
  REQUIRE(world.builder.build(world.contents, kNovember)->key_count() == 2);
  // Sealed anew under a key that this process cannot read.
  REQUIRE(crypto::add_master_key(world.path).has_value());
  REQUIRE(crypto::end_master_key_rotation(world.path).has_value());
  const store::SealedProviderKey anew = sealed_of(world.path, 1, "openai", "sk-old");
  const store::SealedProviderKey later = sealed_of(world.path, 1, "gemini", "AIza");
  const std::string away = world.folder.file("away");
  std::filesystem::rename(world.path, away);
  world.contents.provider_keys = {anew, later};
  const SnapshotPointer blind = world.builder.build(world.contents, kNovember);
  CHECK(world.provider_key(blind, 1, Provider::openai) == "sk-old");
  CHECK(world.provider_key(blind, 1, Provider::gemini).empty());
  CHECK(count_of(world.log.take(), "provider_key_unreadable") == 1);
  // And one that can be read again is noticed.
  std::filesystem::rename(away, world.path);
  CHECK(world.provider_key(world.builder.build(world.contents, kNovember), 1, Provider::gemini) ==
        "AIza");
}

TEST_CASE("snapshot: a provider key that is removed or replaced is forgotten") {
  World world;
  world.create_master_key();
  const store::SealedProviderKey first = sealed_of(world.path, 1, "openai", "sk-first");
  world.contents.provider_keys = {first};
  REQUIRE(world.provider_key(world.builder.build(world.contents, kNovember), 1, Provider::openai) ==
          "sk-first");
  world.contents.provider_keys.clear();
  CHECK(world.provider_key(world.builder.build(world.contents, kNovember), 1, Provider::openai)
            .empty());
  // It is not remembered: without the master key it does not come back.
  std::filesystem::remove(world.path);
  world.contents.provider_keys = {first};
  CHECK(world.provider_key(world.builder.build(world.contents, kNovember), 1, Provider::openai)
            .empty());
}

TEST_CASE("snapshot: a secret that cannot stand in a header is absent") {
  World world;
  world.create_master_key();
  for (const std::string& secret : {std::string("sk\n"), std::string("sk\0x", 4), std::string(),
                                    std::string("sk-\xC3\xA9"), std::string("\x7F")}) {
    world.contents.provider_keys = {sealed_of(world.path, 1, "openai", secret)};
    CHECK(world.provider_key(world.builder.build(world.contents, kNovember), 1, Provider::openai)
              .empty());
    CHECK(count_of(world.log.take(), "header field") == 1);
  }
}

TEST_CASE("snapshot: 100,000 keys with limits are all found, and none that is not there") {
  constexpr store::Number kCount = 100'000;
  World world;
  world.contents.keys.clear();
  for (store::Number number = 1; number <= kCount; ++number) {
    store::Key key = key_of(number, number % 2 + 1);
    key.requests_per_minute = 60;
    key.budget_requests = number;
    key.month = kNovember;
    key.month_requests = number % 7;
    world.contents.keys.push_back(std::move(key));
  }
  const SnapshotPointer snapshot = world.builder.build(world.contents, kNovember);
  const SnapshotPointer again = world.builder.build(world.contents, kNovember);
  CHECK(snapshot->key_count() == kCount);
  for (store::Number number = 1; number <= kCount; ++number) {
    const KeyRecord* key = find(again, number);
    REQUIRE(key != nullptr);
    REQUIRE(key->number == number);
    REQUIRE(key->budget_requests == static_cast<uint64_t>(number));
    REQUIRE(key->cells == find(snapshot, number)->cells);
    REQUIRE(key->cells->requests.get(kNovember) == static_cast<uint64_t>(number % 7));
    REQUIRE(snapshot->organization(*key).number == number % 2 + 1);
    REQUIRE(find(again, kCount + number) == nullptr);
  }
}

}  // namespace
}  // namespace flexd::account
