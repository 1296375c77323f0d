// writer.hpp: writes server-sent events (WHATWG HTML, "Server-sent events").
//
// One call writes one whole frame, so that a reader never waits for the other half. Lines end with
// LF; a frame has at most one `event` and, unless the data has line ends of its own, one `data`
// line.
#pragma once

#include <string_view>

namespace flexd::sse {

// write_event writes a frame to a sink that has append(std::string_view). An empty `event` leaves
// the line out. Line ends in `data` become lines; `event` has none.
template <typename Sink>
void write_event(Sink& sink, std::string_view event, std::string_view data) {
  if (!event.empty()) {
    sink.append("event: ");
    sink.append(event);
    sink.append("\n");
  }
  for (;;) {
    const size_t eol = data.find_first_of("\r\n");
    sink.append("data: ");
    sink.append(data.substr(0, eol));
    sink.append("\n");
    if (eol == std::string_view::npos) break;
    data.remove_prefix(data.substr(eol).starts_with("\r\n") ? eol + 2 : eol + 1);
  }
  sink.append("\n");
}

// write_comment writes a frame that every reader ignores; it keeps a silent connection alive.
// `text` has no line ends.
template <typename Sink>
void write_comment(Sink& sink, std::string_view text) {
  sink.append(": ");
  sink.append(text);
  sink.append("\n\n");
}

}  // namespace flexd::sse
