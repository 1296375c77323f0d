// scanner.hpp: cuts a stream of server-sent events into frames, as the bytes arrive.
//
// The format is that of the WHATWG HTML standard, "Server-sent events", section "Interpreting an
// event stream": lines end with LF, CR LF or CR, mixed as they please; `data:x` and `data: x` are
// the same; several data lines are joined by LF; comments may stand anywhere; a byte order mark
// counts at the start of the stream only. Bytes may be cut anywhere, also between CR and LF.
//
// A frame is what stands up to and including a blank line. Its raw bytes are handed out with what
// was read from them: a relay that writes every frame's `raw` and every `part` in order reproduces
// the stream byte for byte.
//
// Cost: a frame that lies whole in one chunk is looked at where it lies. Only a frame that spans
// chunks is copied, into one pooled buffer; a sink that does not want such a frame's data gets its
// bytes on in parts instead, and nothing is held but the start of a line.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "flexd/base/buffer.hpp"
#include "flexd/base/result.hpp"

namespace flexd::sse {

// kLineHeadMax is how much of a line is kept of a frame that is passed on in parts. Longer event
// names are cut there.
inline constexpr size_t kLineHeadMax = 128;

// Frame is one frame. Its views are valid during the call that hands it out.
struct Frame {
  // raw is the frame as sent, blank line included; of a frame in parts, what follows the last part.
  std::string_view raw;
  // event is the value of the last `event` line, or empty.
  std::string_view event;
  // data is the value of the data lines, joined by LF. Empty for a frame in parts.
  std::string_view data;
  // has_data: there was a data line, so that a reader of the stream sees an event.
  bool has_data = false;
  // comment_only: there were comments, and no field.
  bool comment_only = false;
  // in_parts: bytes of this frame went to Sink::part, and its data is not known.
  bool in_parts = false;
  // terminated: the blank line came. Only `finish` hands out frames without it; by the standard a
  // reader drops those.
  bool terminated = true;
};

// Sink takes frames. It must not call the scanner that calls it, nor destroy it.
class Sink {
 public:
  // frame takes a frame. Besides events and comments, these may be empty: a blank line alone, or
  // the LF of a CR LF that was cut in two.
  virtual void frame(const Frame& frame) = 0;
  // wants_data is asked once, at most, of a frame that does not lie whole in one chunk: must its
  // bytes be collected until it ends? `event` is the name as far as it is known: empty if no
  // `event` line has come before the data.
  virtual bool wants_data(std::string_view event) {
    (void)event;
    return true;
  }
  // part takes the next bytes of a frame that is not collected.
  virtual void part(std::string_view bytes) { (void)bytes; }

 protected:
  ~Sink() = default;
};

enum class ScanError : uint8_t {
  kFrameTooLarge,  // a frame that has to be collected is larger than the limit
  kNoMemory,       // the pool's budget is spent
};

struct ScannerLimits {
  // frame_bytes_max bounds a frame whose data the sink wants.
  size_t frame_bytes_max = size_t{4} << 20U;
  // part_bytes_min is how much of an unwanted frame is held back before parts are passed on: 0
  // passes bytes on as soon as the frame is known not to be wanted.
  size_t part_bytes_min = size_t{64} << 10U;
};

// Scanner reads one stream. Memory comes from `pool` and goes back between frames.
class Scanner {
 public:
  explicit Scanner(BlockPool& pool, const ScannerLimits& limits = {});

  // feed reads the next bytes of the stream. After an error the stream cannot be read on: frames
  // before it have been handed out, and every later call gives the same error.
  [[nodiscard]] Result<void, ScanError> feed(std::string_view chunk, Sink& sink);
  // finish says that the stream has ended. What stands after the last blank line is handed out as
  // one frame with `terminated` false.
  [[nodiscard]] Result<void, ScanError> finish(Sink& sink);

  // between_frames tells whether the bytes fed so far end at the end of a frame.
  bool between_frames() const { return frame_bytes_ == 0; }
  // frame_bytes is how much of the unfinished frame has been fed.
  size_t frame_bytes() const { return frame_bytes_; }
  // held_bytes is how much of it the scanner holds: neither in a frame nor in a part so far.
  size_t held_bytes() const { return held_.size(); }

 private:
  // Range is relative to the first byte of the frame.
  struct Range {
    size_t begin = 0;
    size_t size = 0;
  };
  // Collected is what is known of the current frame.
  struct Collected {
    Range event;
    Range data;
    size_t data_lines = 0;
    bool has_field = false;
    bool has_comment = false;
    bool asked = false;  // the sink was asked whether it wants the data
    bool wanted = true;
    bool in_parts = false;
  };

  Result<void, ScanError> fail_for_good(ScanError error);
  Result<void, ScanError> take_line_feed(Sink& sink);
  Result<void, ScanError> feed_whole(std::string_view& chunk, Sink& sink);
  Result<void, ScanError> feed_held(std::string_view& chunk, Sink& sink);
  Result<void, ScanError> feed_parts(std::string_view& chunk, Sink& sink);
  size_t line_end(std::string_view chunk, size_t eol);
  std::string_view line_text(std::string_view line) const;
  Result<void, ScanError> hold(std::string_view bytes);
  Result<void, ScanError> decide(Sink& sink);
  bool is_wanted(std::string_view frame, Sink& sink);
  Result<void, ScanError> read_line(std::string_view frame, size_t begin, size_t end);
  Result<void, ScanError> join_data(std::string_view frame, std::string_view value);
  void read_head(std::string_view line);
  void keep_line_head(std::string_view bytes);
  void keep_event(std::string_view event);
  void start_parts(Sink& sink);
  Result<void, ScanError> hand_out(std::string_view raw, Sink& sink, bool terminated);
  void end_frame();

  ScannerLimits limits_;
  Buffer held_;    // the unfinished frame, from its first byte, while it is collected
  Buffer joined_;  // the data of a frame with several data lines
  Collected frame_;
  size_t frame_bytes_ = 0;  // of the unfinished frame, fed so far
  size_t line_begin_ = 0;   // of the unfinished line in held_
  size_t line_bytes_ = 0;   // of the unfinished line of a frame in parts
  bool at_stream_start_ = true;
  bool after_cr_ = false;  // the last byte was a CR: an LF that comes now belongs to it
  bool failed_ = false;
  ScanError error_ = ScanError::kNoMemory;
  size_t line_head_size_ = 0;
  size_t event_head_size_ = 0;
  std::array<char, kLineHeadMax> line_head_;   // of a frame in parts: the start of its last line
  std::array<char, kLineHeadMax> event_head_;  // of a frame in parts: its name
};

}  // namespace flexd::sse
