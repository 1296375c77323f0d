// flexctl init, flexctl rotate-master-key
#include <fmt/format.h>
#include <unistd.h>

#include "command.hpp"
#include "words.hpp"

namespace flexd::ctl {
namespace {

struct NoArgs {};

bool is_there(const std::string& path) {
  return access(path.c_str(), F_OK) == 0;
}

// count_provider_keys is how many secrets of the store a master key has to open.
store::StoreResult<size_t> count_provider_keys(store::Store& store) {
  const auto contents = store.load();
  if (!contents) return fail(contents.error());
  return contents->provider_keys.size();
}

// check_replaceable refuses a new master key for a store whose secrets only the old one opens.
Outcome check_replaceable(const Context& context, store::Store& store) {
  const auto sealed = count_provider_keys(store);
  if (!sealed) return failure(sealed.error());
  if (*sealed == 0) return {};
  return fail_with(
      fmt::format("the store {} has {} sealed under a master key that is not at {}: put the file "
                  "back, name it by --master-key-file, or remove what it sealed first",
                  context.store, count_text(*sealed, "provider key"), context.master_key_file));
}

void print_made(Context& context, bool store_made, bool key_made) {
  if (context.json) {
    Document document;
    store::JsonWriter& json = document.json();
    json.key("store").string(context.store).key("store_created").boolean(store_made);
    json.key("master_key_file").string(context.master_key_file);
    json.key("master_key_created").boolean(key_made);
    document.print(context);
    return;
  }
  context.out +=
      fmt::format("{} {}\n", store_made ? "made the store" : "kept the store", context.store);
  context.out += fmt::format("{} {}\n", key_made ? "made the master key" : "kept the master key",
                             context.master_key_file);
  if (key_made) {
    context.out +=
        "Keep a copy of the master key apart from the store: without it no provider key opens.\n";
  }
}

Outcome init(Context& context, const NoArgs& /*args*/) {
  const auto lock = crypto::MasterKeyLock::take(context.master_key_file);
  if (!lock) return fail(lock.error());
  auto store = store::open_store(context.store, store::OpenMode::existing);
  if (!store && store.error().kind != store::Error::Kind::not_found) return failure(store.error());
  const bool store_made = !store;
  const bool key_made = !is_there(context.master_key_file);
  if (!key_made) {
    if (!store_made) {
      return fail_with(
          fmt::format("the store {} and the master key {} are there already; nothing "
                      "was changed",
                      context.store, context.master_key_file));
    }
    // A key that is no good would only be noticed with the first provider key.
    if (const auto keys = read_master_keys(context); !keys) return fail(keys.error());
  } else {
    if (!store_made) {
      if (auto checked = check_replaceable(context, **store); !checked) return checked;
    }
    // Before the store: whoever stops here can run it again.
    if (const auto made = crypto::create_master_key_file(context.master_key_file); !made) {
      return fail(made.error());
    }
  }
  if (store_made) {
    store = store::open_store(context.store, store::OpenMode::create);
    if (!store) return failure(store.error());
  }
  print_made(context, store_made, key_made);
  return {};
}

// check_all_open names the first provider key that no key of the file opens.
Outcome check_all_open(store::Store& store, const crypto::MasterKeys& keys) {
  const auto contents = store.load();
  if (!contents) return failure(contents.error());
  for (const store::SealedProviderKey& key : contents->provider_keys) {
    for (const store::Organization& organization : contents->organizations) {
      if (organization.number != key.organization) continue;
      if (keys.open(key.sealed,
                    store::associated_data(organization.id, key.provider, key.secret_id))) {
        continue;
      }
      return fail_with(fmt::format(
          "the provider key of {} for {} does not open with this master key; nothing was changed. "
          "Set it again or remove it, then rotate",
          organization.name, key.provider));
    }
  }
  return {};
}

// seal_anew opens each provider key with whichever key does and seals it under the newest.
store::StoreResult<size_t> seal_anew(store::Store& store, const crypto::MasterKeys& keys) {
  return store.reseal(
      [&keys](const store::Organization& organization,
              const store::SealedProviderKey& key) -> store::StoreResult<std::string> {
        const std::string associated =
            store::associated_data(organization.id, key.provider, key.secret_id);
        const auto secret = keys.open(key.sealed, associated);
        if (!secret) {
          return fail(store::Error{store::Error::Kind::invalid,
                                   fmt::format("the provider key of {} for {} does not open",
                                               organization.name, key.provider)});
        }
        return keys.seal(secret->reveal(), associated);
      });
}

// A crash between the steps leaves a file with two keys, which opens everything. The next run finds
// it and goes on from there, without a third key.
Outcome rotate(Context& context, const NoArgs& /*args*/) {
  const auto lock = crypto::MasterKeyLock::take(context.master_key_file);
  if (!lock) return fail(lock.error());
  auto opened = open_existing(context);
  if (!opened) return fail(std::move(opened.error()));
  const auto before = read_master_keys(context);
  if (!before) return fail(before.error());
  if (auto checked = check_all_open(**opened, *before); !checked) return checked;
  const bool resumed = before->count() > 1;
  if (!resumed) {
    if (const auto added = crypto::add_master_key(context.master_key_file); !added) {
      return fail(added.error());
    }
  }
  const auto keys = read_master_keys(context);
  if (!keys) return fail(keys.error());
  const auto sealed = seal_anew(**opened, *keys);
  if (!sealed) return failure(sealed.error());
  if (const auto ended = crypto::end_master_key_rotation(context.master_key_file); !ended) {
    return fail(ended.error());
  }
  if (context.json) {
    Document document;
    store::JsonWriter& json = document.json();
    json.key("master_key_file").string(context.master_key_file);
    json.key("provider_keys").integer(*sealed).key("resumed").boolean(resumed);
    document.print(context);
  } else {
    context.out += fmt::format("{}: {} now under the new master key\n",
                               resumed ? "finished an earlier rotation" : "rotated",
                               count_text(*sealed, "provider key"));
    context.out +=
        "A flexd that runs as a systemd service has a copy of the old key: restart it, or it "
        "cannot open\nprovider keys that are set from now on (systemctl restart flexd).\n";
  }
  return {};
}

}  // namespace

void add_init(CLI::App& app, Context& context) {
  CLI::App& command = declare(app, context, "init", "Make the store and the master key",
                              "flexctl init --store /var/lib/flexd/flexd.db");
  on_run(command, context, std::make_shared<NoArgs>(), init);
}

void add_rotate_master_key(CLI::App& app, Context& context) {
  CLI::App& command = declare(app, context, "rotate-master-key",
                              "Draw a new master key and seal all provider keys under it",
                              "flexctl rotate-master-key --master-key-file /etc/flexd/master.key");
  on_run(command, context, std::make_shared<NoArgs>(), rotate);
}

}  // namespace flexd::ctl
