// flags.hpp: the command line of flexd. Uses CLI11, which throws: for start-up only, linked by the
// programs alone (config_flags_dep).
#pragma once

#include <string>

#include "flexd/base/result.hpp"
#include "flexd/config/settings.hpp"

namespace flexd::config {

// Parsed is what the command line asks for.
struct Parsed {
  enum class Kind : uint8_t {
    run,           // start the gateway with `settings`
    check_config,  // say that the configuration is good
    print,         // print `text` on stdout and exit 0 (--help, --version)
  };
  Kind kind = Kind::run;
  Settings settings;
  std::string text;
};

// parse_flags reads argv. A failure is one line for stderr; the program then exits with 2.
Result<Parsed> parse_flags(int argc, const char* const* argv);

}  // namespace flexd::config
