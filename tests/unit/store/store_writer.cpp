// store_writer.cpp: a process that writes to a store until it is killed, or in many short sessions.
//
//   store_writer endless PATH ORGANIZATION SEED   says on stdout what it has committed, a line
//   each:
//       ready | key SEED-N | revoked SEED-N | used SEED-N
//   store_writer sessions PATH SEED COUNT         opens, makes one key and closes, COUNT times
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "flexd/store/store.hpp"

namespace flexd::store {
namespace {

template <typename T>
T must(StoreResult<T> result) {
  if (!result) {
    std::fprintf(stderr, "store_writer: %s\n", result.error().message.c_str());
    std::exit(1);
  }
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

// One write: a line is whole or not there.
void say(const std::string& line) {
  const std::string text = line + "\n";
  if (::write(STDOUT_FILENO, text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
    std::exit(1);
  }
}

Key key_of(Number organization, const std::string& name) {
  Key key;
  key.organization = organization;
  key.name = name;
  key.digest = crypto::sha256(name);
  key.shown = "flex_live_0123";
  key.models = {name + "-a", name + "-b", name + "-*"};
  return key;
}

int endless(const std::string& path, const std::string& organization, const std::string& seed) {
  const auto store = must(open_store(path, OpenMode::create));
  const auto found = store->find_organization(organization);
  const Number owner =
      found ? found->number : must(store->create_organization(organization)).number;
  say("ready");
  for (int n = 0;; ++n) {
    const std::string name = seed + "-" + std::to_string(n);
    const Key key = must(store->create_key(key_of(owner, name)));
    say("key " + name);
    UsageRow row{.organization = owner, .key = key.number, .day = n, .model = name};
    row.counts = {.requests = 1, .drawn_nanos = 7};
    must(store->record_usage(std::vector{row},
                             std::vector{KeyUse{.key = key.number, .month = 1, .requests = 1}}));
    say("used " + name);
    if (n % 2 == 1) {
      must(store->change_key(key.id, KeyChange::revoke));
      say("revoked " + name);
    }
  }
}

int sessions(const std::string& path, const std::string& seed, int count) {
  for (int n = 0; n < count; ++n) {
    const auto store = must(open_store(path, OpenMode::create));
    auto owner = store->create_organization("together");
    if (!owner) owner = must(store->find_organization("together"));
    must(store->create_key(key_of(owner->number, seed + "-" + std::to_string(n))));
  }
  return 0;
}

}  // namespace
}  // namespace flexd::store

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv, argv + argc);
  if (words.size() == 5 && words[1] == "endless") {
    return flexd::store::endless(words[2], words[3], words[4]);
  }
  if (words.size() == 5 && words[1] == "sessions") {
    return flexd::store::sessions(words[2], words[3], std::stoi(words[4]));
  }
  std::fputs("usage: store_writer endless|sessions PATH …\n", stderr);
  return 2;
}
