#include "flexd/config/flags.hpp"

#include <doctest/doctest.h>

#include <vector>

#include "flexd/config/paths.hpp"

using flexd::Result;
using flexd::config::kMillisecondNs;
using flexd::config::kSecondNs;
using flexd::config::OriginUrl;
using flexd::config::parse_duration;
using flexd::config::parse_flags;
using flexd::config::parse_origin_url;
using flexd::config::Parsed;

namespace {

Result<Parsed> parse(std::vector<const char*> flags) {
  flags.insert(flags.begin(), "flexd");
  return parse_flags(static_cast<int>(flags.size()), flags.data());
}

}  // namespace

TEST_CASE("durations") {
  CHECK(*parse_duration("250ms") == 250 * kMillisecondNs);
  CHECK(*parse_duration("30s") == 30 * kSecondNs);
  CHECK(*parse_duration("10m") == 600 * kSecondNs);
  CHECK(*parse_duration("0") == 0);
  CHECK(*parse_duration("0s") == 0);
  for (const char* bad :
       {"", "s", "5", "-1s", "1.5s", "1 s", "30S", "99999999999999999999s", "9999999999h", "5sx"}) {
    CAPTURE(bad);
    CHECK(!parse_duration(bad));
  }
}

TEST_CASE("origin urls") {
  const auto plain = parse_origin_url("https://api.example.com");
  REQUIRE(plain);
  CHECK(plain->host == "api.example.com");
  CHECK(plain->port == 443);
  CHECK(plain->authority() == "api.example.com");
  const auto full = parse_origin_url("http://[::1]:9000/openai/");
  REQUIRE(full);
  CHECK(full->scheme == OriginUrl::Scheme::http);
  CHECK(full->host == "::1");
  CHECK(full->port == 9000);
  CHECK(full->path_prefix == "/openai");
  CHECK(full->authority() == "[::1]:9000");
  CHECK(parse_origin_url("h2c://127.0.0.1:81")->scheme == OriginUrl::Scheme::h2c);
  for (const char* bad :
       {"", "api.example.com", "ftp://x", "https://", "https://:443", "https://a:", "https://a:0",
        "https://a:70000", "https://a:1x", "https://u@h", "https://a/b?c", "https://[::1",
        "https://[::1]x", "https://a b"}) {
    CAPTURE(bad);
    CHECK(!parse_origin_url(bad));
  }
}

TEST_CASE("defaults are the documented ones") {
  const auto parsed = parse({});
  REQUIRE(parsed);
  CHECK(parsed->kind == Parsed::Kind::run);
  CHECK(parsed->settings.listen == std::vector<std::string>{"127.0.0.1:8080"});
  CHECK(parsed->settings.early_headers_ns == 25 * kSecondNs);
  CHECK(parsed->settings.drain_timeout_ns == 900 * kSecondNs);
  CHECK(parsed->settings.workers == 0);
  CHECK(parsed->settings.gemini.host == "generativelanguage.googleapis.com");
  CHECK(parsed->settings.anthropic.host == "api.anthropic.com");
  CHECK(!parsed->settings.native_parameters);
}

TEST_CASE("flags are read") {
  const auto parsed = parse({"--listen",
                             "127.0.0.1:1",
                             "--listen",
                             "[::1]:2",
                             "--workers",
                             "3",
                             "--race",
                             "sequential",
                             "--standard-lead",
                             "auto",
                             "--early-headers",
                             "0",
                             "--openai-url",
                             "http://127.0.0.1:9",
                             "--gemini-url",
                             "h2c://g:8/x/",
                             "--anthropic-url",
                             "https://[::1]:7/y",
                             "--native-parameters",
                             "--log-level",
                             "debug",
                             "--log-format",
                             "json",
                             "--check-config"});
  REQUIRE(parsed);
  CHECK(parsed->kind == Parsed::Kind::check_config);
  CHECK(parsed->settings.listen == std::vector<std::string>{"127.0.0.1:1", "[::1]:2"});
  CHECK(parsed->settings.workers == 3);
  CHECK(parsed->settings.race == flexd::config::RaceMode::sequential);
  CHECK(parsed->settings.standard_lead_auto);
  CHECK(parsed->settings.early_headers_ns == 0);
  CHECK(parsed->settings.openai.port == 9);
  CHECK(parsed->settings.gemini.scheme == OriginUrl::Scheme::h2c);
  CHECK(parsed->settings.gemini.authority() == "g:8");
  CHECK(parsed->settings.gemini.path_prefix == "/x");
  CHECK(parsed->settings.anthropic.host == "::1");
  CHECK(parsed->settings.anthropic.path_prefix == "/y");
  CHECK(parsed->settings.native_parameters);
  CHECK(parsed->settings.log_level == flexd::LogLevel::debug);
}

TEST_CASE("trusted proxies may be several, and take no word that is not theirs") {
  const auto none = parse({});
  REQUIRE(none);
  CHECK(none->settings.trusted_proxies.empty());
  CHECK(!none->settings.proxy_protocol);
  const auto parsed = parse({"--trusted-proxy", "10.0.0.0/8", "--proxy-protocol",
                             "--trusted-proxy=2001:db8::/32", "--trusted-proxy", "192.0.2.1"});
  REQUIRE(parsed);
  CHECK(parsed->settings.proxy_protocol);
  const auto& networks = parsed->settings.trusted_proxies;
  REQUIRE(networks.size() == 3);
  CHECK(networks[0].contains(*flexd::parse_ip("10.9.9.9")));
  CHECK(networks[1].contains(*flexd::parse_ip("2001:db8::9")));
  CHECK(networks[2].contains(*flexd::parse_ip("192.0.2.1")));
  CHECK(!networks[2].contains(*flexd::parse_ip("192.0.2.2")));
  CHECK(!parse({"--trusted-proxy", "10.0.0.0/8", "192.0.2.1"}));
}

TEST_CASE("a bad flag is one line that names it") {
  const std::vector<std::vector<const char*>> bad = {
      {"--lisen", "x"},
      {"--workers", "0"},
      {"--workers", "many"},
      {"--race", "fast"},
      {"--standard-lead", "1"},
      {"--idle-timeout", "5"},
      {"--idle-timeout", "0"},
      {"--openai-url", "x"},
      {"--gemini-url", "generativelanguage.googleapis.com"},
      {"--anthropic-url", "https://a?b"},
      {"--log-level", "loud"},
      {"--race-slots-per-org", "0"},
      {"--trusted-proxy", "10.0.0.0/33"},
      {"--trusted-proxy", "balancer.example.com"},
      {"--trusted-proxy", ""},
      {"--trusted-proxy"},
      {"stray"},
  };
  for (const auto& flags : bad) {
    CAPTURE(flags.front());
    const auto parsed = parse(flags);
    REQUIRE(!parsed);
    const std::string& message = parsed.error().message;
    CHECK(message.find('\n') == std::string::npos);
    CHECK(message.find(flags.front()) != std::string::npos);
  }
}

TEST_CASE("the store and its key have a place, unless --dev needs none") {
  const auto named = parse({"--store", "/var/lib/x.db", "--master-key-file", "/etc/k"});
  REQUIRE(named);
  CHECK(named->settings.store == "/var/lib/x.db");
  CHECK(named->settings.master_key_file == "/etc/k");
  const auto beside = parse({"--store", "/srv/flex/x.db"});
  REQUIRE(beside);
  CHECK(beside->settings.master_key_file == "/srv/flex/master.key");
  const auto nothing = parse({});
  REQUIRE(nothing);
  CHECK(nothing->settings.store == flexd::config::default_store_path());
  CHECK(!nothing->settings.master_key_file.empty());
  const auto dev = parse({"--dev"});
  REQUIRE(dev);
  CHECK(dev->settings.store.empty());
  CHECK(dev->settings.master_key_file.empty());
  for (const char* flag : {"--store", "--master-key-file"}) {
    CAPTURE(flag);
    const auto both = parse({"--dev", flag, "x"});
    REQUIRE(!both);
    CHECK(both.error().message.find("--dev") != std::string::npos);
    CHECK(both.error().message.find("--store") != std::string::npos);
  }
}

TEST_CASE("help names every flag and hides the measuring ones") {
  const auto parsed = parse({"--help"});
  REQUIRE(parsed);
  CHECK(parsed->kind == Parsed::Kind::print);
  for (const char* flag : {"--listen", "--admin-listen", "--trusted-proxy", "--proxy-protocol",
                           "--dev", "--openai-url", "--gemini-url", "--anthropic-url",
                           "--native-parameters", "--origin-ca", "--race", "--standard-lead",
                           "--early-headers", "--drain-timeout", "--check-config", "--version"}) {
    CAPTURE(flag);
    CHECK(parsed->text.find(flag) != std::string::npos);
  }
  CHECK(parsed->text.find("--exit-after") == std::string::npos);
}
