#include "command_line.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using flexd::ctl::Context;
using flexd::ctl::kExitUsage;
using flexd::ctl::read_command_line;

namespace {

struct Reading {
  Context context;
  std::string text;
  std::string error;
  int exit_code = 0;
};

Reading read(std::vector<const char*> words) {
  Reading reading;
  reading.context.now_s = 1'795'266'000;
  words.insert(words.begin(), "flexctl");
  auto text = read_command_line(static_cast<int>(words.size()), words.data(), reading.context);
  if (text) {
    reading.text = *text;
  } else {
    reading.error = text.error().message;
    reading.exit_code = text.error().exit_code;
  }
  return reading;
}

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("every command of the documentation is read") {
  const std::vector<std::vector<const char*>> lines = {
      {"init"},
      {"org", "create", "acme"},
      {"org", "list"},
      {"org", "show", "acme"},
      {"org", "set", "acme", "--billing", "overdue"},
      {"org", "set", "acme", "--billing", "no-payment-method", "--rate", "50"},
      {"org", "set", "acme", "--rate", "default", "--race-slots", "default"},
      {"org", "set", "--rate=0", "acme"},
      {"org", "credit", "acme", "--add-usd", "25.5"},
      {"org", "credit", "acme", "--add-usd", "-5"},
      {"key", "create", "acme"},
      {"key",         "create",       "acme",     "--name",
       "a b",         "--expires",    "30d",      "--start-within",
       "00h-00m-30s", "--model",      "gpt-5*",   "--model",
       "o3",          "--rpm",        "60",       "--budget-requests",
       "1000",        "--budget-usd", "0.000001", "--native-parameters"},
      {"key", "create", "--model", "gpt-5*", "acme"},
      {"key", "create", "acme", "--management", "--name", "n", "--expires", "2030-01-01"},
      {"key", "list", "acme"},
      {"key", "revoke", "key_0123456789ab"},
      {"key", "deactivate", "key_0123456789ab"},
      {"key", "activate", "key_0123456789ab"},
      {"key", "check"},
      {"provider-key", "set", "acme", "openai"},
      {"provider-key", "list", "acme"},
      {"provider-key", "remove", "acme", "gemini"},
      {"model", "set", "gpt-5.4", "--maintenance", "on", "--retry-after", "600"},
      {"model", "list"},
      {"usage"},
      {"usage", "acme", "--since", "7d", "--until", "2026-11-21", "--by",
       "org,key,day,model,provider,asked,served,reason", "--key", "key_0123456789ab"},
      {"rotate-master-key"},
      // Common options stand anywhere; an organization may be called like a command.
      {"--store", "x.db", "--json", "org", "list"},
      {"org", "list", "--json", "--store=x.db", "--master-key-file", "m"},
      {"org", "create", "init"},
      {"key", "list", "key"},
  };
  for (const auto& line : lines) {
    const Reading reading = read(line);
    CAPTURE(line.size() > 1 ? line[1] : line[0]);
    CHECK(reading.error == "");
    CHECK(reading.context.action);
  }
}

TEST_CASE("common options and their defaults") {
  unsetenv("STATE_DIRECTORY");
  unsetenv("CREDENTIALS_DIRECTORY");
  Reading reading = read({"org", "list"});
  CHECK(reading.context.store == "flexd.db");
  CHECK(reading.context.master_key_file == "master.key");
  CHECK(!reading.context.json);
  reading = read({"org", "list", "--store", "/srv/a/b.db", "--json"});
  CHECK(reading.context.store == "/srv/a/b.db");
  CHECK(reading.context.master_key_file == "/srv/a/master.key");
  CHECK(reading.context.json);
  reading = read({"--master-key-file", "m.key", "init"});
  CHECK(reading.context.master_key_file == "m.key");
}

TEST_CASE("wrong usage") {
  const std::vector<std::vector<const char*>> lines = {
      {},
      {"org"},
      {"org", "set", "acme"},
      {"org", "set", "--billing", "ok"},
      {"org", "set", "acme", "--billing", "fine"},
      {"org", "set", "acme", "--rate", "-1"},
      {"org", "set", "acme", "--rate", "1.5"},
      {"org", "set", "acme", "--rate", "1000001"},
      {"org", "set", "acme", "--race-slots", "0"},
      {"org", "create"},
      {"org", "create", "a", "b"},
      {"org", "credit", "acme"},
      {"org", "credit", "acme", "--add-usd", "much"},
      {"key", "create", "acme", "--expires", "2020-01-01"},
      {"key", "create", "acme", "--start-within", "30s"},
      {"key", "create", "acme", "--start-within", "00h-00m-04s"},
      {"key", "create", "acme", "--model", "gpt*5"},
      {"key", "create", "acme", "--model", "a", "--model", "b c"},
      {"key", "create", "acme", "--rpm", "0"},
      {"key", "create", "acme", "--budget-requests", "-1"},
      {"key", "create", "acme", "--budget-usd", "1.0000001"},
      {"key", "create", "acme", "--management", "--rpm", "5"},
      {"key", "create", "acme", "--management", "--native-parameters"},
      {"key", "revoke"},
      {"key", "revoke", "acme"},
      {"key", "revoke", "key_0123456789aB"},
      {"key", "revoke", "key_0123456789abc"},
      {"provider-key", "set", "acme"},
      {"provider-key", "set", "acme", "google"},
      {"model", "set", "gpt-5.4"},
      {"model", "set", "gpt-5.4", "--maintenance", "maybe"},
      {"model", "set", "gpt-5.4", "--maintenance", "on", "--retry-after", "0"},
      {"usage", "--by", ""},
      {"usage", "--by", "day,"},
      {"usage", "--by", "day,day"},
      {"usage", "--by", "color"},
      {"usage", "--since", "once"},
      {"usage", "--key", "x"},
      {"org", "list", "--store"},
      {"org", "list", "--store", ""},
      {"org", "show", ""},
      {"usage", ""},
  };
  for (const auto& line : lines) {
    const Reading reading = read(line);
    CAPTURE(line.empty() ? "" : line.back());
    CAPTURE(reading.error);
    CHECK(reading.exit_code == kExitUsage);
    CHECK(!reading.error.empty());
    CHECK(!has(reading.error, "\n"));
  }
}

TEST_CASE("a mistyped word suggests the nearest") {
  CHECK(has(read({"org", "crate", "acme"}).error, "did you mean `org create`?"));
  CHECK(has(read({"--json", "ogr", "list"}).error, "did you mean `org list`?"));
  CHECK(has(read({"create", "org", "acme"}).error, "did you mean `org create`?"));
  CHECK(has(read({"usgae"}).error, "did you mean `usage`?"));
  CHECK(has(read({"key", "create", "acme", "--expire", "30d"}).error, "did you mean --expires?"));
  CHECK(has(read({"org", "remove", "acme"}).error, "create, list, show, set, credit"));
  CHECK(has(read({"org"}).error, "create, list, show, set, credit"));
}

TEST_CASE("messages do not repeat what may be a secret") {
  const char* const secret = "sk-marked0123456789";
  const std::vector<std::vector<const char*>> lines = {
      {"provider-key", "set", "acme", "openai", secret},
      {"provider-key", "set", "acme", secret},
      {"key", "check", secret},
      {"key", "revoke", secret},
      {secret},
      {"org", secret},
      {"key", "create", "acme", "--model", "gpt 5", secret},
      {"org", "list", "--sk-marked0123456789"},
      {"key", "create", "acme", "--expires", secret},
      {"usage", "--by", secret},
  };
  for (const auto& line : lines) {
    const Reading reading = read(line);
    CAPTURE(reading.error);
    CHECK(reading.exit_code == kExitUsage);
    CHECK(!has(reading.error, "marked"));
  }
  CHECK(has(read({"provider-key", "set", "acme", "openai", secret}).error, "stdin"));
}

TEST_CASE("help") {
  CHECK(has(read({"--help"}).text, "rotate-master-key"));
  const std::string help = read({"key", "create", "--help"}).text;
  CHECK(has(help, "Example:\n  flexctl key create"));
  CHECK(has(help, "--budget-usd"));
  CHECK(has(help, "--json"));
  CHECK(read({"--version"}).text == "flexctl " FLEXD_VERSION "\n");
}
