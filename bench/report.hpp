// report.hpp: prints a finished run, for a person or for a program.
#pragma once

#include <string>

#include "load.hpp"

namespace flexd::bench {

// render_text returns a few lines for a person; durations in microseconds.
std::string render_text(const Options& options, const Report& report);

// render_json returns one JSON object with a fixed set of members; durations in microseconds, the
// times of aborts in nanoseconds.
std::string render_json(const Options& options, const Report& report);

}  // namespace flexd::bench
