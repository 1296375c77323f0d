// exposition.hpp: all workers' metrics as one Prometheus page.
//
// Text format 0.0.4: https://prometheus.io/docs/instrumenting/exposition_formats/. For the admin
// listener's thread: it allocates.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "flexd/metrics/core.hpp"

namespace flexd::metrics {

// kContentType is the Content-Type of the page.
inline constexpr std::string_view kContentType = "text/plain; version=0.0.4; charset=utf-8";

// write_text appends the page to `out`: every family of the catalog, summed over `cores`, and
// flexd_build_info with the program's version. Series that never counted are there with 0, except
// those of labelled families and histograms, which appear once they have: 0 for all of their
// combinations would be a page of noise. A labelled family always has its HELP and TYPE lines.
void write_text(std::span<const Core* const> cores, std::string_view version, std::string& out);

// append_help_escaped and append_label_escaped add text as a HELP line and a label value spell it.
void append_help_escaped(std::string_view text, std::string& out);
void append_label_escaped(std::string_view text, std::string& out);

}  // namespace flexd::metrics
