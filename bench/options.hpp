// options.hpp: what flexbench was asked to do, and the request it sends.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace flexd::bench {

// Options is filled from the command line; `flexbench --help` explains every member.
struct Options {
  std::string host;
  std::string port;
  std::string path = "/";
  std::string method = "POST";
  std::vector<std::string> headers;
  std::string body_file;
  std::uint64_t body_bytes = 1024;
  std::uint32_t connections = 64;
  std::uint64_t count = 0;  // 0: no limit, the duration ends the run
  double duration_s = 0;    // 0: no limit, the count ends the run
  double rate_per_s = 0;    // 0: closed loop
  double timeout_s = 30;    // an answer later than this is an error
  int expect_status = 200;
  std::uint64_t expect_events = 0;  // 0: any number
  std::uint64_t expect_bytes = 0;   // 0: any length
  std::uint64_t abort_after = 0;    // 0: read every answer to its end
  bool json = false;
};

// parse_options reads the command line. It returns true to go on; otherwise `exit_code` holds the
// status to leave with (0 after --help, 2 after a bad flag) and a message has been printed.
bool parse_options(int argc, char** argv, Options& options, int& exit_code);

// build_body returns the body to send: the template in `body_file`, or a small Responses request,
// with the word @PAD@ replaced by so many letters that the whole has `body_bytes` bytes (or by
// nothing where the template is longer). Throws std::runtime_error when the file cannot be read.
std::string build_body(const Options& options);

// build_request returns the bytes of one whole request, head and body.
std::string build_request(const Options& options, const std::string& body);

}  // namespace flexd::bench
