#include "options.hpp"

#include <fmt/core.h>
#include <strings.h>

#include <CLI/CLI.hpp>
#include <fstream>
#include <iterator>
#include <stdexcept>

namespace flexd::bench {
namespace {

constexpr const char* kBuiltInBody =
    R"({"model":"gpt-5-mini","start_within":"default","input":"@PAD@"})";

// split_url takes http://HOST[:PORT][/PATH] apart. There is no TLS: load is put on a plain
// listener.
void split_url(const std::string& url, Options& options) {
  constexpr std::string_view kScheme = "http://";
  if (!url.starts_with(kScheme)) throw CLI::ValidationError("URL", "must begin with http://");
  const std::string rest = url.substr(kScheme.size());
  const std::size_t slash = rest.find('/');
  const std::string authority = rest.substr(0, slash);
  if (slash != std::string::npos) options.path = rest.substr(slash);
  const std::size_t colon = authority.rfind(':');
  const bool has_port =
      colon != std::string::npos && authority.find(']', colon) == std::string::npos;
  options.host = authority.substr(0, has_port ? colon : std::string::npos);
  options.port = has_port ? authority.substr(colon + 1) : "80";
  if (options.host.empty() || options.port.empty()) {
    throw CLI::ValidationError("URL", "has no host or no port");
  }
}

void add_flags(CLI::App& app, Options& options, std::string& url) {
  app.add_option("url", url, "http://HOST:PORT/PATH to load")->required();
  app.add_option("-X,--method", options.method, "request method (POST)");
  app.add_option("-H,--header", options.headers, "'Name: value', repeatable")
      ->allow_extra_args(false);
  app.add_option("--body-file", options.body_file,
                 "template of the body; @PAD@ in it is replaced by filler");
  app.add_option("--body-bytes", options.body_bytes, "size the filler brings the body to (1024)");
  app.add_option("-c,--connections", options.connections, "kept-alive connections (64)")
      ->check(CLI::Range(1, 60000));
  app.add_option("-n,--count", options.count, "stop after so many requests");
  app.add_option("-d,--seconds", options.duration_s, "stop sending after so many seconds");
  app.add_option("-r,--rate", options.rate_per_s,
                 "open loop: requests a second, latency from the intended send time; without it "
                 "every connection sends its next request when it has its answer");
  app.add_option("--timeout", options.timeout_s, "seconds until an answer counts as failed (30)");
  app.add_option("--expect-status", options.expect_status, "status every answer must have (200)");
  app.add_option("--expect-events", options.expect_events, "events every answer must have");
  app.add_option("--expect-bytes", options.expect_bytes, "body bytes every answer must have");
  app.add_option("--abort-after", options.abort_after,
                 "close the connection after so many events, and report when");
  app.add_flag("--json", options.json, "print one JSON object instead of text");
}

}  // namespace

bool parse_options(int argc, char** argv, Options& options, int& exit_code) {
  CLI::App app{
      "flexbench: HTTP/1.1 load from one thread, closed or open loop, with SSE timing.\n"
      "Exits 1 when any answer was not as expected, 2 on a bad flag."};
  std::string url;
  add_flags(app, options, url);
  try {
    app.parse(argc, argv);
    split_url(url, options);
    if (options.count == 0 && options.duration_s <= 0) {
      throw CLI::ValidationError("--count", "give --count or --seconds, or the run never ends");
    }
    if (options.rate_per_s < 0) throw CLI::ValidationError("--rate", "must not be negative");
  } catch (const CLI::ParseError& error) {
    exit_code = app.exit(error) == 0 ? 0 : 2;
    return false;
  }
  return true;
}

std::string build_body(const Options& options) {
  std::string body = kBuiltInBody;
  if (!options.body_file.empty()) {
    std::ifstream in(options.body_file, std::ios::binary);
    if (!in) throw std::runtime_error(fmt::format("cannot read {}", options.body_file));
    body.assign(std::istreambuf_iterator<char>(in), {});
  }
  constexpr std::string_view kPad = "@PAD@";
  const std::size_t at = body.find(kPad);
  if (at == std::string::npos) return body;
  const std::size_t bare = body.size() - kPad.size();
  body.replace(at, kPad.size(),
               options.body_bytes > bare ? static_cast<std::size_t>(options.body_bytes) - bare : 0,
               'x');
  return body;
}

std::string build_request(const Options& options, const std::string& body) {
  std::string request = fmt::format("{} {} HTTP/1.1\r\n", options.method, options.path);
  bool has_host = false;
  bool has_type = false;
  for (const std::string& header : options.headers) {
    has_host = has_host || strncasecmp(header.c_str(), "host:", 5) == 0;
    has_type = has_type || strncasecmp(header.c_str(), "content-type:", 13) == 0;
    request += header + "\r\n";
  }
  if (!has_host) request += fmt::format("Host: {}:{}\r\n", options.host, options.port);
  if (options.method != "GET" && options.method != "HEAD") {
    if (!has_type) request += "Content-Type: application/json\r\n";
    request += fmt::format("Content-Length: {}\r\n\r\n", body.size()) + body;
  } else {
    request += "\r\n";
  }
  return request;
}

}  // namespace flexd::bench
