// catalog.hpp: the one list of what flexd counts: name, help and labels of every metric.
//
// An entry is a family; its labels have fixed sets of values, so that every series exists from the
// start and a worker's storage has a fixed size. The exposition (exposition.hpp) prefixes each name
// with `flexd_`. Order in the arrays is order in the enums; a static_assert holds them together.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace flexd::metrics {

// Label is one dimension of a family: its name and all the values it can take.
struct Label {
  std::string_view name;
  std::span<const std::string_view> values;
};
inline constexpr size_t kLabelsMax = 3;

// The values of labels. The enum that indexes a list stands beside it; where a higher area has an
// enum of its own in the same order (race::Reason, errors::Provider), it may be used in its place.

// Outcome is how a request ended.
enum class Outcome : uint8_t {
  ok,              // an answer, whole
  provider_error,  // the provider's own error, passed on
  own_error,       // one of flexd's errors
  stream_failed,   // an answer that had begun and broke
  client_closed,   // the caller left first
};
inline constexpr std::array<std::string_view, 5> kOutcomes = {"ok", "provider_error", "own_error",
                                                              "stream_failed", "client_closed"};
// Reason is the routing reason; `none` where nothing was routed.
enum class Reason : uint8_t {
  tier_direct,
  flex_won,
  flex_deadline,
  flex_capacity,
  flex_upstream_error,
  flex_not_started,
  flex_slots_full,
  none,
};
inline constexpr std::array<std::string_view, 8> kReasons = {
    "tier_direct",         "flex_won",         "flex_deadline",   "flex_capacity",
    "flex_upstream_error", "flex_not_started", "flex_slots_full", "none"};
inline constexpr std::array<std::string_view, 3> kProviders = {"openai", "gemini", "anthropic"};
// Tier is the tier an attempt asked for.
enum class Tier : uint8_t { flex, standard, priority, automatic };
inline constexpr std::array<std::string_view, 4> kTiers = {"flex", "standard", "priority", "auto"};
// AttemptResult is how one attempt ended.
enum class AttemptResult : uint8_t {
  answered,         // it was the answer, whole
  refused,          // an HTTP error or a failure event
  broken,           // it ended without a word, or in the middle
  cancelled,        // given up by flexd: the other attempt won, or the caller left
  never_processed,  // provably not begun by the provider; sent again
};
inline constexpr std::array<std::string_view, 5> kAttemptResults = {"answered", "refused", "broken",
                                                                    "cancelled", "never_processed"};
// StatusClass is the first digit of a response's status; 1 is never counted.
enum class StatusClass : uint8_t { s2xx, s3xx, s4xx, s5xx };
inline constexpr std::array<std::string_view, 4> kStatusClasses = {"2xx", "3xx", "4xx", "5xx"};
// Side tells the two ends of the gateway apart.
enum class Side : uint8_t { client, origin };
inline constexpr std::array<std::string_view, 2> kSides = {"client", "origin"};
// ConnectResult is how an attempt to open an origin connection ended.
enum class ConnectResult : uint8_t { ok, name, connect, timeout, tls, certificate, protocol };
inline constexpr std::array<std::string_view, 7> kConnectResults = {
    "ok", "name", "connect", "timeout", "tls", "certificate", "protocol"};
// AuthFailure is why a request was not authenticated.
enum class AuthFailure : uint8_t {
  missing,     // no key, or a malformed Authorization
  shape,       // not the form of a key, or a wrong checksum
  unknown,     // a well-formed key that nobody has
  wrong_type,  // a management key
  expired,
  deactivated,
};
inline constexpr std::array<std::string_view, 6> kAuthFailures = {
    "missing", "shape", "unknown", "wrong_type", "expired", "deactivated"};
// Limit is a bound that turned a request away, or into its lesser form.
enum class Limit : uint8_t {
  failed_authentications,  // 429 instead of 401
  organization,            // 429
  key,                     // 429: its requests per minute
  budget,                  // 402: its month
  credit,                  // 402: prepaid
  billing,                 // 402: durations are paused
  race_slots,              // standard at once
  memory,                  // 503
  clients,                 // connection refused
};
inline constexpr std::array<std::string_view, 9> kLimits = {"failed_authentications",
                                                            "organization",
                                                            "key",
                                                            "budget",
                                                            "credit",
                                                            "billing",
                                                            "race_slots",
                                                            "memory",
                                                            "clients"};

// ProxyRefusal is why a connection was closed instead of taking its PROXY header.
enum class ProxyRefusal : uint8_t {
  malformed,  // no header, a broken one, or half of one
  timeout,    // not whole in time
  untrusted,  // the peer is no trusted proxy
};
inline constexpr std::array<std::string_view, 3> kProxyRefusals = {"malformed", "timeout",
                                                                   "untrusted"};

// TokenKind is what tokens of answers are; cached and cache_write are of the input, reasoning of
// the output.
enum class TokenKind : uint8_t { input, cached, cache_write, output, reasoning };
inline constexpr std::array<std::string_view, 5> kTokenKinds = {"input", "cached", "cache_write",
                                                                "output", "reasoning"};

// Counter names a family that only grows.
enum class Counter : uint8_t {
  requests,
  responses,
  attempts,
  possible_double_bills,
  resent_attempts,
  early_headers,
  keepalive_comments,
  auth_failures,
  limited,
  snapshots,
  store_errors,
  tokens,
  list_cost_nanodollars,
  saved_nanodollars,
  usage_requests_lost,
  accepted_connections,
  accept_errors,
  proxy_headers_refused,
  origin_connects,
  origin_tls_resumed,
  origin_goaways,
  origin_refused_streams,
  protocol_errors,
  received_bytes,
  sent_bytes,
  reader_pauses,
  receive_starved,
  turns,
  system_calls,
  timers_fired,
  mail_dropped,
  log_lines_dropped,
};
// Gauge names a value that goes up and down; a scrape shows the sum over workers.
enum class Gauge : uint8_t {
  client_connections,
  origin_connections,
  origin_streams,
  requests_in_flight,
  races_in_flight,
  block_bytes_in_use,
  block_bytes_budget,
  block_system_takes,
  timers_set,
  store_failing,
};
// Histogram names a distribution of times.
enum class Histogram : uint8_t {
  request_duration,
  start_latency,
  first_byte,
  origin_connect,
  turn_duration,
};

// Family describes one metric. `name` is without prefix; counters end in _total, times in _seconds.
struct Family {
  std::string_view name;
  std::string_view help;
  std::array<Label, kLabelsMax> labels{};

  // series_count is the number of combinations of label values; 1 without labels.
  constexpr size_t series_count() const {
    size_t count = 1;
    for (const Label& label : labels) count *= label.name.empty() ? 1 : label.values.size();
    return count;
  }
};

inline constexpr size_t kCounterCount = static_cast<size_t>(Counter::log_lines_dropped) + 1;
inline constexpr size_t kGaugeCount = static_cast<size_t>(Gauge::store_failing) + 1;
inline constexpr size_t kHistogramCount = static_cast<size_t>(Histogram::turn_duration) + 1;

inline constexpr std::array<Family, kCounterCount> kCounters = {{
    {"requests_total",
     "Requests ended, by outcome and routing reason.",
     {{{"outcome", kOutcomes}, {"reason", kReasons}}}},
    {"responses_total",
     "Responses sent to callers, by class of status.",
     {{{"class", kStatusClasses}}}},
    {"attempts_total",
     "Attempts at providers ended, by provider, tier asked for and result.",
     {{{"provider", kProviders}, {"tier", kTiers}, {"result", kAttemptResults}}}},
    {"possible_double_bills_total",
     "Attempts given up, or broken off while another was sent too, that the provider may charge "
     "for.",
     {{{"provider", kProviders}}}},
    {"resent_attempts_total",
     "Attempts sent again because the provider had provably not processed them.",
     {{{"provider", kProviders}}}},
    {"early_headers_total", "Answers whose headers were sent before the body was whole."},
    {"keepalive_comments_total", "Comments written into silent streams."},
    {"auth_failures_total",
     "Requests that were not authenticated, by cause.",
     {{{"cause", kAuthFailures}}}},
    {"limited_total",
     "Requests and connections that met a limit, by limit.",
     {{{"limit", kLimits}}}},
    {"snapshots_total", "Snapshots of the store made, the first included."},
    {"store_errors_total", "Failures to read or write the store."},
    {"tokens_total", "Tokens that providers reported, by kind.", {{{"kind", kTokenKinds}}}},
    {"list_cost_nanodollars_total", "List cost of answers, at the tiers that served them."},
    {"saved_nanodollars_total", "What the same answers would have cost more on standard."},
    {"usage_requests_lost_total", "Requests whose usage could not be stored."},
    {"accepted_connections_total", "Client connections accepted."},
    {"accept_errors_total", "Failures to accept a client connection."},
    {"proxy_headers_refused_total",
     "Client connections closed for want of a good PROXY header, by cause.",
     {{{"cause", kProxyRefusals}}}},
    {"origin_connects_total",
     "Connections to providers tried, by provider and result.",
     {{{"provider", kProviders}, {"result", kConnectResults}}}},
    {"origin_tls_resumed_total", "TLS handshakes with providers that resumed a session."},
    {"origin_goaways_total",
     "GOAWAY frames received from providers.",
     {{{"provider", kProviders}}}},
    {"origin_refused_streams_total",
     "Streams that a provider refused unprocessed.",
     {{{"provider", kProviders}}}},
    {"protocol_errors_total", "Violations of protocol by a peer.", {{{"side", kSides}}}},
    {"received_bytes_total", "Bytes received, before decryption.", {{{"side", kSides}}}},
    {"sent_bytes_total", "Bytes sent, after encryption.", {{{"side", kSides}}}},
    {"reader_pauses_total",
     "Times receiving was paused because the other side was slow to read.",
     {{{"side", kSides}}}},
    {"receive_starved_total", "Receives that found no free buffer."},
    {"turns_total", "Turns of the event loops."},
    {"system_calls_total", "Entries into the kernel by the event loops."},
    {"timers_fired_total", "Timers that fired."},
    {"mail_dropped_total", "Messages between threads that found the mailbox full."},
    {"log_lines_dropped_total", "Log lines dropped because the writer was behind."},
}};

inline constexpr std::array<Family, kGaugeCount> kGauges = {{
    {"client_connections", "Client connections open."},
    {"origin_connections", "Connections to providers open.", {{{"provider", kProviders}}}},
    {"origin_streams", "Attempts open at providers.", {{{"provider", kProviders}}}},
    {"requests_in_flight", "Requests being served."},
    {"races_in_flight", "Races not yet decided."},
    {"block_bytes_in_use", "Bytes lent out by the block pools."},
    {"block_bytes_budget", "Bytes the block pools may lend out."},
    {"block_system_takes", "Blocks fetched from the system; constant once warm."},
    {"timers_set", "Timers waiting."},
    {"store_failing", "1 while the store cannot be read; the last snapshot is served."},
}};

inline constexpr std::array<Family, kHistogramCount> kHistograms = {{
    {"request_duration_seconds",
     "From the last byte of a request to the last byte of its answer.",
     {{{"reason", kReasons}}}},
    {"start_latency_seconds",
     "From sending an attempt to the event that proves its start.",
     {{{"provider", kProviders}, {"tier", kTiers}}}},
    {"first_byte_seconds",
     "From the last byte of a request to the first byte of its answer to the caller."},
    {"origin_connect_seconds",
     "From the wish for a connection to a provider to its readiness.",
     {{{"provider", kProviders}}}},
    {"turn_duration_seconds", "Work of one turn of an event loop, waiting excluded."},
}};

// kBucketsNs are the upper bounds of every histogram's buckets; above the last is +Inf. They reach
// from the work of one turn (50 us) to the longest window (600 s).
inline constexpr std::array<uint64_t, 21> kBucketsNs = {
    50'000,         100'000,         250'000,        500'000,       1'000'000,      2'500'000,
    5'000'000,      10'000'000,      25'000'000,     50'000'000,    100'000'000,    250'000'000,
    500'000'000,    1'000'000'000,   2'500'000'000,  5'000'000'000, 10'000'000'000, 30'000'000'000,
    60'000'000'000, 300'000'000'000, 600'000'000'000};
// kBucketWords are the same bounds in seconds, as the exposition spells them.
inline constexpr std::array<std::string_view, kBucketsNs.size()> kBucketWords = {
    "0.00005", "0.0001", "0.00025", "0.0005", "0.001", "0.0025", "0.005",
    "0.01",    "0.025",  "0.05",    "0.1",    "0.25",  "0.5",    "1",
    "2.5",     "5",      "10",      "30",     "60",    "300",    "600"};

}  // namespace flexd::metrics
