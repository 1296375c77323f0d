// flexbench: puts HTTP/1.1 load on a proxy and measures what comes back. bench/README.md shows how.
#include <fmt/core.h>

#include <cstdio>
#include <exception>

#include "load.hpp"
#include "options.hpp"
#include "report.hpp"

int main(int argc, char** argv) {
  using namespace flexd::bench;
  try {
    Options options;
    int exit_code = 0;
    if (!parse_options(argc, argv, options, exit_code)) return exit_code;
    const std::string request = build_request(options, build_body(options));
    Load load(options, request);
    const Report& report = load.run();
    fmt::print("{}", options.json ? render_json(options, report) : render_text(options, report));
    return report.errors == 0 && report.requests != 0 ? 0 : 1;
  } catch (const std::exception& error) {
    fmt::print(stderr, "flexbench: {}\n", error.what());
    return 1;
  }
}
