#include "flexd/sse/scanner.hpp"

#include <algorithm>
#include <cstring>

#include "flexd/base/assert.hpp"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace flexd::sse {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
// kUndecidedMax is how long a frame may grow before the sink is asked about it without a data line.
constexpr size_t kUndecidedMax = 4096;
constexpr size_t kNone = std::string_view::npos;

// find_eol is the offset of the first LF or CR at or after `from`, or kNone.
size_t find_eol(std::string_view text, size_t from) {
  const char* at = text.data() + from;
  const char* end = text.data() + text.size();
#if defined(__SSE2__)
  for (; end - at >= 16; at += 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    const __m128i found = _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('\n')),
                                       _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\r')));
    const auto mask = static_cast<uint32_t>(_mm_movemask_epi8(found));
    if (mask != 0)
      return static_cast<size_t>(at - text.data()) + static_cast<size_t>(__builtin_ctz(mask));
  }
#endif
  while (at != end && *at != '\n' && *at != '\r') ++at;
  return at == end ? kNone : static_cast<size_t>(at - text.data());
}

// FieldLine is a line taken apart. A comment has an empty name.
struct FieldLine {
  std::string_view name;
  std::string_view value;
};

FieldLine field_of(std::string_view line) {
  const size_t colon = line.find(':');
  if (colon == kNone) return {line, line.substr(line.size())};
  std::string_view value = line.substr(colon + 1);
  if (value.starts_with(' ')) value.remove_prefix(1);
  return {line.substr(0, colon), value};
}

}  // namespace

Scanner::Scanner(BlockPool& pool, const ScannerLimits& limits)
    : limits_(limits), held_(pool), joined_(pool) {}

Result<void, ScanError> Scanner::feed(std::string_view chunk, Sink& sink) {
  if (failed_) return fail(error_);
  if (chunk.empty()) return {};
  if (after_cr_) {
    after_cr_ = false;
    if (chunk.front() == '\n') {
      chunk.remove_prefix(1);
      const auto taken = take_line_feed(sink);
      if (!taken) return taken;
    }
  }
  while (!chunk.empty()) {
    const auto fed = frame_.in_parts    ? feed_parts(chunk, sink)
                     : between_frames() ? feed_whole(chunk, sink)
                                        : feed_held(chunk, sink);
    if (!fed) return fed;
  }
  return {};
}

Result<void, ScanError> Scanner::finish(Sink& sink) {
  if (failed_) return fail(error_);
  after_cr_ = false;
  if (between_frames()) return {};
  if (frame_.in_parts) {
    read_head({line_head_.data(), line_head_size_});
    return hand_out({}, sink, false);
  }
  const std::string_view frame = held_.view();
  const auto read = read_line(frame, line_begin_, frame.size());
  if (!read) return read;
  return hand_out(frame, sink, false);
}

Result<void, ScanError> Scanner::fail_for_good(ScanError error) {
  failed_ = true;
  error_ = error;
  held_.clear();
  joined_.clear();
  return fail(error);
}

// take_line_feed takes the LF of a CR LF whose CR was the last byte of the chunk before.
Result<void, ScanError> Scanner::take_line_feed(Sink& sink) {
  if (between_frames()) {
    sink.frame(Frame{.raw = "\n"});
    return {};
  }
  if (frame_.in_parts) {
    ++frame_bytes_;
    sink.part("\n");
    return {};
  }
  const auto held = hold("\n");
  line_begin_ = held_.size();
  return held;
}

// line_end is the offset behind the line whose end was found at `eol`.
size_t Scanner::line_end(std::string_view chunk, size_t eol) {
  const size_t next = eol + 1;
  if (chunk[eol] == '\n') return next;
  if (next == chunk.size()) {
    after_cr_ = true;
    return next;
  }
  return chunk[next] == '\n' ? next + 1 : next;
}

std::string_view Scanner::line_text(std::string_view line) const {
  if (at_stream_start_ && line.starts_with(kByteOrderMark)) {
    line.remove_prefix(kByteOrderMark.size());
  }
  return line;
}

// feed_whole reads the frames that lie whole in the chunk, and holds what is left of it.
Result<void, ScanError> Scanner::feed_whole(std::string_view& chunk, Sink& sink) {
  size_t line_begin = 0;
  for (;;) {
    const size_t eol = find_eol(chunk, line_begin);
    if (eol == kNone) {
      line_begin_ = line_begin;
      const auto held = hold(chunk);
      chunk = {};
      return held ? decide(sink) : held;
    }
    const size_t next = line_end(chunk, eol);
    if (line_text(chunk.substr(line_begin, eol - line_begin)).empty()) {
      const std::string_view raw = chunk.substr(0, next);
      chunk.remove_prefix(next);
      const auto out = hand_out(raw, sink, true);
      if (!out || chunk.empty()) return out;
      line_begin = 0;
      continue;
    }
    const auto read = read_line(chunk, line_begin, eol);
    if (!read) return read;
    line_begin = next;
  }
}

// feed_held reads one line of a frame that began in an earlier chunk.
Result<void, ScanError> Scanner::feed_held(std::string_view& chunk, Sink& sink) {
  const size_t eol = find_eol(chunk, 0);
  const size_t next = eol == kNone ? chunk.size() : line_end(chunk, eol);
  const auto held = hold(chunk.substr(0, next));
  if (!held) return held;
  chunk.remove_prefix(next);
  if (eol == kNone) return decide(sink);
  const std::string_view frame = held_.view();
  const size_t end = frame.size() - (next - eol);
  if (line_text(frame.substr(line_begin_, end - line_begin_)).empty()) {
    return hand_out(frame, sink, true);
  }
  const auto read = read_line(frame, line_begin_, end);
  line_begin_ = frame.size();
  // If more of the chunk is there, the frame may end in it: there is no question yet.
  return read && chunk.empty() ? decide(sink) : read;
}

// feed_parts passes on what the chunk has of a frame whose data nobody wants.
Result<void, ScanError> Scanner::feed_parts(std::string_view& chunk, Sink& sink) {
  size_t line_begin = 0;
  for (;;) {
    const size_t eol = find_eol(chunk, line_begin);
    if (eol == kNone) break;
    std::string_view line = chunk.substr(line_begin, eol - line_begin);
    if (line_bytes_ > 0) {
      keep_line_head(line);
      line = {line_head_.data(), line_head_size_};
    }
    const size_t next = line_end(chunk, eol);
    if (line_text(line).empty()) {
      const std::string_view raw = chunk.substr(0, next);
      chunk.remove_prefix(next);
      return hand_out(raw, sink, true);
    }
    read_head(line);
    line_bytes_ = 0;
    line_head_size_ = 0;
    line_begin = next;
  }
  keep_line_head(chunk.substr(line_begin));
  frame_bytes_ += chunk.size();
  sink.part(chunk);
  chunk = {};
  return {};
}

Result<void, ScanError> Scanner::hold(std::string_view bytes) {
  frame_bytes_ += bytes.size();
  if (!held_.append(bytes)) return fail_for_good(ScanError::kNoMemory);
  return {};
}

// decide looks at a held, unfinished frame: collect on, pass on, or give up.
Result<void, ScanError> Scanner::decide(Sink& sink) {
  if (is_wanted(held_.view(), sink)) {
    if (frame_bytes_ > limits_.frame_bytes_max) return fail_for_good(ScanError::kFrameTooLarge);
  } else if (frame_bytes_ >= limits_.part_bytes_min) {
    start_parts(sink);
  }
  return {};
}

bool Scanner::is_wanted(std::string_view frame, Sink& sink) {
  if (frame_.asked) return frame_.wanted;
  const size_t undecided_max =
      std::min(std::max(limits_.part_bytes_min, kUndecidedMax), limits_.frame_bytes_max);
  const bool time_to_ask = frame_.data_lines > 0 || frame.size() > undecided_max ||
                           line_text(frame.substr(line_begin_)).starts_with("data:");
  if (!time_to_ask) return true;
  frame_.asked = true;
  frame_.wanted = sink.wants_data(frame.substr(frame_.event.begin, frame_.event.size));
  return frame_.wanted;
}

// read_line reads frame[begin, end), a line without its end.
Result<void, ScanError> Scanner::read_line(std::string_view frame, size_t begin, size_t end) {
  const std::string_view line = line_text(frame.substr(begin, end - begin));
  at_stream_start_ = false;
  if (line.empty()) return {};
  const FieldLine field = field_of(line);
  const Range range = {.begin = static_cast<size_t>(field.value.data() - frame.data()),
                       .size = field.value.size()};
  if (field.name.empty()) {
    frame_.has_comment = true;
    return {};
  }
  frame_.has_field = true;
  if (field.name == "data") {
    if (++frame_.data_lines > 1) return join_data(frame, field.value);
    frame_.data = range;
  } else if (field.name == "event") {
    frame_.event = range;
  }
  return {};
}

Result<void, ScanError> Scanner::join_data(std::string_view frame, std::string_view value) {
  const std::string_view first = frame.substr(frame_.data.begin, frame_.data.size);
  const bool room = (frame_.data_lines > 2 || joined_.append(first)) && joined_.append("\n") &&
                    joined_.append(value);
  if (!room) return fail_for_good(ScanError::kNoMemory);
  return {};
}

// read_head reads a line of which only the start may be there.
void Scanner::read_head(std::string_view line) {
  line = line_text(line);
  at_stream_start_ = false;
  if (line.empty()) return;
  const FieldLine field = field_of(line);
  if (field.name.empty()) {
    frame_.has_comment = true;
    return;
  }
  frame_.has_field = true;
  if (field.name == "data") ++frame_.data_lines;
  if (field.name == "event") keep_event(field.value);
}

void Scanner::keep_line_head(std::string_view bytes) {
  line_bytes_ += bytes.size();
  const size_t count = std::min(bytes.size(), line_head_.size() - line_head_size_);
  if (count > 0) std::memcpy(line_head_.data() + line_head_size_, bytes.data(), count);
  line_head_size_ += count;
}

void Scanner::keep_event(std::string_view event) {
  event_head_size_ = std::min(event.size(), event_head_.size());
  if (event_head_size_ > 0) std::memcpy(event_head_.data(), event.data(), event_head_size_);
}

void Scanner::start_parts(Sink& sink) {
  const std::string_view frame = held_.view();
  keep_event(frame.substr(frame_.event.begin, frame_.event.size));
  line_bytes_ = 0;
  line_head_size_ = 0;
  keep_line_head(frame.substr(line_begin_));
  frame_.in_parts = true;
  sink.part(frame);
  held_.clear();
  joined_.clear();
}

Result<void, ScanError> Scanner::hand_out(std::string_view raw, Sink& sink, bool terminated) {
  Frame frame{.raw = raw,
              .has_data = frame_.data_lines > 0,
              .comment_only = frame_.has_comment && !frame_.has_field,
              .in_parts = frame_.in_parts,
              .terminated = terminated};
  if (frame_.in_parts) {
    frame.event = {event_head_.data(), event_head_size_};
  } else {
    line_begin_ = raw.size();
    if (raw.size() > limits_.frame_bytes_max && is_wanted(raw, sink)) {
      return fail_for_good(ScanError::kFrameTooLarge);
    }
    frame.event = raw.substr(frame_.event.begin, frame_.event.size);
    frame.data =
        frame_.data_lines > 1 ? joined_.view() : raw.substr(frame_.data.begin, frame_.data.size);
  }
  sink.frame(frame);
  end_frame();
  return {};
}

void Scanner::end_frame() {
  if (frame_.data_lines > 1) joined_.clear();
  if (frame_bytes_ > 0) held_.clear();
  frame_ = {};
  frame_bytes_ = 0;
  at_stream_start_ = false;
}

}  // namespace flexd::sse
