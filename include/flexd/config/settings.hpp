// settings.hpp: everything an operator can decide, as one immutable value.
//
// Made once at start-up from the command line (config/flags.hpp) and validated there; read by all
// threads afterwards. The defaults here are the documented ones.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "flexd/base/ip.hpp"
#include "flexd/base/log.hpp"
#include "flexd/base/result.hpp"

namespace flexd::config {

inline constexpr uint64_t kMillisecondNs = 1'000'000;
inline constexpr uint64_t kSecondNs = 1'000'000'000;

// parse_duration reads "250ms", "30s", "10m" or "0". Result in nanoseconds.
Result<uint64_t> parse_duration(std::string_view text);

// OriginUrl is where a provider is reached. https speaks HTTP/2 or HTTP/1.1 by ALPN, http speaks
// HTTP/1.1, h2c speaks HTTP/2 without TLS (prior knowledge): for peers on the same machine.
struct OriginUrl {
  enum class Scheme : uint8_t { https, http, h2c };
  Scheme scheme = Scheme::https;
  std::string host;  // name or IP literal without brackets
  uint16_t port = 443;
  std::string path_prefix;  // "" or "/x", put before the provider's own path
  // authority is the Host header: the port only where it is not the scheme's own.
  std::string authority() const;
};
Result<OriginUrl> parse_origin_url(std::string_view text);

enum class RaceMode : uint8_t { overlap, sequential };
// LogShape is the format of log lines; automatic is text on a terminal, else JSON.
enum class LogShape : uint8_t { automatic, json, text };

struct Settings {
  std::vector<std::string> listen = {"127.0.0.1:8080"};
  std::string admin_listen = "127.0.0.1:8081";  // or unix:PATH; empty: none
  // trusted_proxies are peers whose X-Forwarded-For is believed; with proxy_protocol, the only ones
  // that may connect. A peer on a unix socket counts as one if there are any.
  std::vector<Network> trusted_proxies;
  // proxy_protocol: each connection of `listen` begins with a PROXY header (http/proxy_header.hpp).
  bool proxy_protocol = false;
  uint32_t workers = 0;  // 0: one a core
  bool pin = false;
  // Without `dev`: the store of organizations and keys, and the file with the master key that opens
  // the provider keys in it. Empty with `dev`.
  std::string store;
  std::string master_key_file;
  bool dev = false;
  // dev_start_within is the default of the --dev key: any form of the field, or empty for none.
  std::string dev_start_within;

  OriginUrl openai{OriginUrl::Scheme::https, "api.openai.com", 443, ""};
  OriginUrl gemini{OriginUrl::Scheme::https, "generativelanguage.googleapis.com", 443, ""};
  OriginUrl anthropic{OriginUrl::Scheme::https, "api.anthropic.com", 443, ""};
  std::string origin_ca_file;    // empty: the system's roots
  std::string flex_models_file;  // empty: the built-in list
  std::string prices_file;       // empty: the built-in prices
  // native_parameters relaxes the rules for parameters that only lack an equivalent elsewhere
  // (surface/request.hpp).
  bool native_parameters = false;

  RaceMode race = RaceMode::overlap;
  uint64_t standard_lead_ns = 0;
  bool standard_lead_auto = false;
  uint32_t race_slots_per_org = 1000;
  uint64_t early_headers_ns = 25 * kSecondNs;  // 0: never
  uint64_t sse_keepalive_ns = 15 * kSecondNs;  // 0: never

  uint32_t auth_failures_per_minute = 30;  // 0: no limit
  uint32_t org_requests_per_second = 0;    // 0: no limit
  uint32_t max_clients = 20'000;           // all workers together

  uint64_t connect_timeout_ns = 5 * kSecondNs;
  uint64_t first_byte_timeout_ns = 900 * kSecondNs;
  uint64_t idle_timeout_ns = 600 * kSecondNs;
  uint64_t header_timeout_ns = 10 * kSecondNs;
  uint64_t body_timeout_ns = 60 * kSecondNs;
  uint64_t keepalive_timeout_ns = 75 * kSecondNs;
  uint64_t drain_timeout_ns = 900 * kSecondNs;

  // doc_url_base: empty means the public page for the public codes and no link for the others.
  std::string doc_url_base;
  LogLevel log_level = LogLevel::info;
  LogShape log_format = LogShape::automatic;
  bool allow_core_dumps = false;

  // memory_budget_bytes bounds each worker's bodies, held events and output (base/limits.hpp).
  size_t memory_budget_bytes = 256U << 20U;

  // For measurements only (hidden flags): stop after so many answered requests; give up the
  // processor each turn, as valgrind's thread scheduler needs.
  uint64_t exit_after = 0;
  bool yield_each_turn = false;
};

}  // namespace flexd::config
