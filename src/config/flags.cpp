#include "flexd/config/flags.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>

#include "flexd/config/paths.hpp"

namespace flexd::config {
namespace {

// Group names order the help text.
constexpr const char* kListening = "Listening";
constexpr const char* kStore = "Organizations and keys";
constexpr const char* kProviders = "Providers";
constexpr const char* kRace = "The race";
constexpr const char* kLimits = "Limits";
constexpr const char* kClocks = "Clocks (durations are written 250ms, 30s, 10m)";
constexpr const char* kOperation = "Operation";

// duration_option adds a flag that takes a duration.
void duration_option(CLI::App& app, const char* flag, uint64_t& target, const char* help,
                     const char* group, const char* shown_default) {
  app.add_option_function<std::string>(
         flag,
         [&target, flag](const std::string& text) {
           const Result<uint64_t> value = parse_duration(text);
           if (!value) throw CLI::ValidationError(flag, value.error().message);
           target = *value;
         },
         fmt::format("{} ({})", help, shown_default))
      ->type_name("DURATION")
      ->group(group);
}

void url_option(CLI::App& app, const char* flag, OriginUrl& target, const char* help) {
  app.add_option_function<std::string>(
         flag,
         [&target, flag](const std::string& text) {
           const Result<OriginUrl> value = parse_origin_url(text);
           if (!value) throw CLI::ValidationError(flag, value.error().message);
           target = *value;
         },
         help)
      ->type_name("URL")
      ->group(kProviders);
}

void network_option(CLI::App& app, const char* flag, std::vector<Network>& target,
                    const char* help) {
  app.add_option_function<std::vector<std::string>>(
         flag,
         [&target, flag](const std::vector<std::string>& texts) {
           for (const std::string& text : texts) {
             const Result<Network> value = Network::parse(text);
             if (!value) throw CLI::ValidationError(flag, value.error().message);
             target.push_back(*value);
           }
         },
         help)
      ->type_name("CIDR")
      ->group(kListening)
      ->take_all()
      ->allow_extra_args(false);
}

void add_listening(CLI::App& app, Settings& settings, std::string& workers) {
  app.add_option("--listen", settings.listen,
                 "Address for callers; may be repeated; port 0 takes a free one (127.0.0.1:8080)")
      ->type_name("ADDR:PORT")
      ->group(kListening)
      ->take_all();
  app.add_option("--admin-listen", settings.admin_listen,
                 "Address of /healthz, /readyz and /metrics; empty for none (127.0.0.1:8081)")
      ->type_name("ADDR:PORT|unix:PATH")
      ->group(kListening);
  network_option(app, "--trusted-proxy", settings.trusted_proxies,
                 "Believe X-Forwarded-For of peers in this network; may be repeated (none)");
  app.add_flag("--proxy-protocol", settings.proxy_protocol,
               "Every connection of a caller begins with a PROXY header, version 1 or 2")
      ->group(kListening);
  app.add_option("--workers", workers, "Threads that serve requests, one a core (auto)")
      ->type_name("N|auto")
      ->group(kListening);
  app.add_flag("--pin", settings.pin, "Bind each worker to a core of its own")->group(kListening);
}

void add_store(CLI::App& app, Settings& settings) {
  app.add_option("--store", settings.store,
                 "Where organizations, keys and usage are kept; `flexctl init` makes it "
                 "(flexd.db in $STATE_DIRECTORY, else here)")
      ->type_name("PATH")
      ->group(kStore);
  app.add_option("--master-key-file", settings.master_key_file,
                 "The key that opens the provider keys in the store (master.key in "
                 "$CREDENTIALS_DIRECTORY, else beside the store)")
      ->type_name("FILE")
      ->group(kStore);
  app.add_flag("--dev", settings.dev,
               "First look, without a store: provider keys from OPENAI_API_KEY, GEMINI_API_KEY and "
               "ANTHROPIC_API_KEY, one fresh caller key printed, nothing kept")
      ->group(kStore);
  app.add_option("--dev-start-within", settings.dev_start_within,
                 "start_within of requests that have none, for the key of --dev: clients that "
                 "cannot add a body field need it (none)")
      ->type_name("VALUE")
      ->group(kStore);
}

void add_providers(CLI::App& app, Settings& settings) {
  url_option(app, "--openai-url", settings.openai, "Where OpenAI is (https://api.openai.com)");
  url_option(app, "--gemini-url", settings.gemini,
             "Where Gemini is (https://generativelanguage.googleapis.com)");
  url_option(app, "--anthropic-url", settings.anthropic,
             "Where Anthropic is (https://api.anthropic.com)");
  app.add_option("--origin-ca", settings.origin_ca_file,
                 "Trust these certificate authorities (PEM) instead of the system's")
      ->type_name("FILE")
      ->group(kProviders);
  app.add_option("--flex-models", settings.flex_models_file,
                 "Models with a flex tier, one name a line (built in)")
      ->type_name("FILE")
      ->group(kProviders);
  app.add_option("--prices", settings.prices_file, "List prices of models (built in)")
      ->type_name("FILE")
      ->group(kProviders);
  app.add_flag("--native-parameters", settings.native_parameters,
               "Let parameters that only one provider has (top_k, stop_sequences, cache_control, "
               "citations, seed) through to it in its own dialect")
      ->group(kProviders);
}

void add_race(CLI::App& app, Settings& settings, std::string& race, std::string& lead) {
  app.add_option("--race", race,
                 "When the window closes: keep flex beside standard, or cancel it first (overlap)")
      ->check(CLI::IsMember({"overlap", "sequential"}))
      ->type_name("overlap|sequential")
      ->group(kRace);
  app.add_option("--standard-lead", lead,
                 "Open the standard attempt this long before the window closes; auto: the p95 "
                 "start time seen for the model (0)")
      ->type_name("DURATION|auto")
      ->group(kRace);
  app.add_option("--race-slots-per-org", settings.race_slots_per_org,
                 "Races of one organization at a time; past it requests go to standard (1000)")
      ->check(CLI::Range(1U, 1'000'000U))
      ->type_name("N")
      ->group(kRace);
  duration_option(app, "--early-headers", settings.early_headers_ns,
                  "Send the headers of a non-streaming answer this long after the window closed; "
                  "0 is never",
                  kRace, "25s");
  duration_option(app, "--sse-keepalive", settings.sse_keepalive_ns,
                  "Comment after this much silence on a stream; 0 is never", kRace, "15s");
}

void add_limits(CLI::App& app, Settings& settings) {
  app.add_option("--auth-failures-per-minute", settings.auth_failures_per_minute,
                 "Failed authentications of one client address before 429; 0 is no limit (30)")
      ->type_name("N")
      ->group(kLimits);
  app.add_option("--org-requests-per-second", settings.org_requests_per_second,
                 "Requests of one organization; 0 is no limit (0)")
      ->type_name("N")
      ->group(kLimits);
  app.add_option("--max-clients", settings.max_clients, "Client connections in all (20000)")
      ->check(CLI::Range(1U, 1'000'000U))
      ->type_name("N")
      ->group(kLimits);
}

void add_clocks(CLI::App& app, Settings& s) {
  duration_option(app, "--connect-timeout", s.connect_timeout_ns,
                  "To a provider: connecting, and again for the TLS handshake", kClocks, "5s");
  duration_option(app, "--first-byte-timeout", s.first_byte_timeout_ns,
                  "For a direct or standard attempt to show a first sign of its answer", kClocks,
                  "900s");
  duration_option(app, "--idle-timeout", s.idle_timeout_ns,
                  "Between meaningful events of an answer under way", kClocks, "600s");
  duration_option(app, "--header-timeout", s.header_timeout_ns, "For a caller's request head",
                  kClocks, "10s");
  duration_option(app, "--body-timeout", s.body_timeout_ns, "Without progress of a caller's body",
                  kClocks, "60s");
  duration_option(app, "--keepalive-timeout", s.keepalive_timeout_ns,
                  "For an idle caller connection", kClocks, "75s");
  duration_option(app, "--drain-timeout", s.drain_timeout_ns,
                  "After SIGTERM, for answers under way", kClocks, "900s");
}

void add_operation(CLI::App& app, Settings& settings, std::string& level, std::string& format,
                   bool& check) {
  app.add_option("--doc-url-base", settings.doc_url_base,
                 "Where doc_url of an error points, before '#' and its code")
      ->type_name("URL")
      ->group(kOperation);
  app.add_option("--log-level", level, "error, warn, info or debug (info)")
      ->check(CLI::IsMember({"error", "warn", "info", "debug"}))
      ->type_name("LEVEL")
      ->group(kOperation);
  app.add_option("--log-format", format, "json or text (json; text on a terminal)")
      ->check(CLI::IsMember({"json", "text"}))
      ->type_name("FORMAT")
      ->group(kOperation);
  app.add_flag("--allow-core-dumps", settings.allow_core_dumps,
               "Let a crash write a core file, which would hold keys")
      ->group(kOperation);
  app.add_flag("--check-config", check, "Check the flags and the files they name, then exit")
      ->group(kOperation);
  // An empty group hides these from the help: they exist for measurements.
  app.add_option("--exit-after", settings.exit_after)->group("");
  app.add_flag("--yield-each-turn", settings.yield_each_turn)->group("");
}

// kDocUrlBaseBytesMax is what an error has room for (errors/render.hpp).
constexpr size_t kDocUrlBaseBytesMax = 256;

struct Words {
  std::string workers = "auto";
  std::string race = "overlap";
  std::string lead = "0";
  std::string level = "info";
  std::string format;
};

Result<void> apply_words(const Words& words, Settings& settings) {
  if (words.workers != "auto") {
    uint32_t count = 0;
    const char* const end = words.workers.data() + words.workers.size();
    const auto [at, error] = std::from_chars(words.workers.data(), end, count);
    if (error != std::errc{} || at != end || count == 0 || count > 1024) {
      return fail_with("--workers: a number from 1 to 1024, or auto");
    }
    settings.workers = count;
  }
  settings.race = words.race == "overlap" ? RaceMode::overlap : RaceMode::sequential;
  if (words.lead == "auto") {
    settings.standard_lead_auto = true;
  } else {
    const Result<uint64_t> lead = parse_duration(words.lead);
    if (!lead) return fail_with("--standard-lead: " + lead.error().message + ", or auto");
    settings.standard_lead_ns = *lead;
  }
  constexpr std::string_view kLevels[] = {"error", "warn", "info", "debug"};
  for (size_t i = 0; i < std::size(kLevels); ++i) {
    if (words.level == kLevels[i]) settings.log_level = static_cast<LogLevel>(i);
  }
  if (words.format == "json") settings.log_format = LogShape::json;
  if (words.format == "text") settings.log_format = LogShape::text;
  if (settings.doc_url_base.size() > kDocUrlBaseBytesMax) {
    return fail_with("--doc-url-base: longer than 256 bytes");
  }
  for (const auto& [flag, value] : {std::pair{"--connect-timeout", settings.connect_timeout_ns},
                                    {"--first-byte-timeout", settings.first_byte_timeout_ns},
                                    {"--idle-timeout", settings.idle_timeout_ns},
                                    {"--header-timeout", settings.header_timeout_ns},
                                    {"--body-timeout", settings.body_timeout_ns},
                                    {"--keepalive-timeout", settings.keepalive_timeout_ns}}) {
    if (value == 0) return fail_with(std::string(flag) + ": it cannot be 0");
  }
  return {};
}

// place_store says where the store and its key are, if no flag did.
Result<void> place_store(Settings& settings) {
  if (settings.dev) {
    if (settings.store.empty() && settings.master_key_file.empty()) return {};
    return fail_with("--dev serves without a store: leave --store and --master-key-file away");
  }
  if (settings.store.empty()) settings.store = default_store_path();
  if (settings.master_key_file.empty()) {
    settings.master_key_file = default_master_key_path(settings.store);
  }
  return {};
}

// one_line keeps an error message to a single line.
std::string one_line(std::string text) {
  std::replace(text.begin(), text.end(), '\n', ' ');
  while (text.ends_with(' ')) text.pop_back();
  return text;
}

}  // namespace

Result<Parsed> parse_flags(int argc, const char* const* argv) {
  Parsed parsed;
  Settings& settings = parsed.settings;
  Words words;
  bool check = false;
  CLI::App app{
      "flexd: a gateway for language-model APIs that tries the cheap tier first and keeps a start "
      "deadline.",
      "flexd"};
  app.set_version_flag("--version", std::string("flexd ") + FLEXD_VERSION);
  app.get_formatter()->column_width(42);
  add_listening(app, settings, words.workers);
  add_store(app, settings);
  add_providers(app, settings);
  add_race(app, settings, words.race, words.lead);
  add_limits(app, settings);
  add_clocks(app, settings);
  add_operation(app, settings, words.level, words.format, check);
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    parsed.kind = Parsed::Kind::print;
    parsed.text = app.help();
    return parsed;
  } catch (const CLI::CallForVersion&) {
    parsed.kind = Parsed::Kind::print;
    parsed.text = std::string("flexd ") + FLEXD_VERSION + "\n";
    return parsed;
  } catch (const CLI::ParseError& error) {
    return fail_with(one_line(error.what()) + " (flexd --help lists the flags)");
  }
  if (auto applied = apply_words(words, settings); !applied) return fail(applied.error());
  if (auto placed = place_store(settings); !placed) return fail(placed.error());
  if (check) parsed.kind = Parsed::Kind::check_config;
  return parsed;
}

}  // namespace flexd::config
