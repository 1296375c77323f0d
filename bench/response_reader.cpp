#include "response_reader.hpp"

#include <algorithm>
#include <charconv>
#include <memory>

namespace flexd::bench {
namespace {

bool equals_ignoring_case(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) {
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
    return lower(x) == lower(y);
  });
}

bool starts_ignoring_case(std::string_view text, std::string_view prefix) {
  return text.size() >= prefix.size() &&
         equals_ignoring_case(text.substr(0, prefix.size()), prefix);
}

// parse_number takes the whole text as a decimal number.
template <typename Number>
bool parse_number(std::string_view text, Number& number) {
  const char* const end = std::to_address(text.end());
  const auto parsed = std::from_chars(std::to_address(text.begin()), end, number);
  return parsed.ec == std::errc{} && parsed.ptr == end;
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

void EventCounter::line_part(std::string_view part) {
  if (part.empty()) return;
  for (std::size_t i = 0; i < part.size() && line_bytes_ + i < prefix_.size(); ++i) {
    prefix_[line_bytes_ + i] = part[i];
  }
  line_bytes_ += part.size();
  last_is_cr_ = part.back() == '\r';
}

void EventCounter::line_end() {
  const std::size_t length = line_bytes_ - (last_is_cr_ ? 1 : 0);
  if (length == 0) {
    if (has_data_) ++events_;
    has_data_ = false;
  } else if (length >= prefix_.size() &&
             std::string_view(prefix_.data(), prefix_.size()) == "data:") {
    has_data_ = true;
  }
  line_bytes_ = 0;
  last_is_cr_ = false;
}

void EventCounter::feed(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::size_t newline = bytes.find('\n');
    if (newline == std::string_view::npos) {
      line_part(bytes);
      return;
    }
    line_part(bytes.substr(0, newline));
    line_end();
    bytes.remove_prefix(newline + 1);
  }
}

void ResponseReader::reset() {
  state_ = State::kReading;
  phase_ = Phase::kHead;
  status_ = 0;
  remaining_ = 0;
  body_bytes_ = 0;
  size_digits_ = 0;
  trailer_line_bytes_ = 0;
  has_begun_ = has_length_ = is_chunked_ = is_event_stream_ = wants_close_ = false;
  counter_.reset();
  head_.clear();
  sample_.clear();
}

std::size_t ResponseReader::feed(std::string_view bytes) {
  std::size_t used = 0;
  while (state_ == State::kReading && used < bytes.size()) {
    const std::string_view rest = bytes.substr(used);
    has_begun_ = true;
    if (phase_ == Phase::kHead) {
      used += feed_head(rest);
    } else if (phase_ == Phase::kBody || phase_ == Phase::kUntilClose ||
               phase_ == Phase::kChunkData) {
      used += feed_body(rest);
    } else {
      used += feed_chunked(rest);
    }
  }
  return used;
}

void ResponseReader::on_eof() {
  if (state_ != State::kReading) return;
  state_ = phase_ == Phase::kUntilClose ? State::kDone : State::kBroken;
  wants_close_ = true;
}

// The usual answer has its whole head in one piece, which is parsed where it lies.
std::size_t ResponseReader::feed_head(std::string_view bytes) {
  constexpr std::string_view kEnd = "\r\n\r\n";
  if (head_.empty()) {
    const std::size_t end = bytes.find(kEnd);
    if (end != std::string_view::npos) {
      parse_head(bytes.substr(0, end + 2));
      return end + kEnd.size();
    }
  }
  const std::size_t held = head_.size();
  if (held + bytes.size() > kHeadBytesMax) {
    broken();
    return 0;
  }
  head_.append(bytes);
  const std::size_t end = head_.find(kEnd, held < 3 ? 0 : held - 3);
  if (end == std::string::npos) return bytes.size();
  const std::size_t used = end + kEnd.size() - held;
  const std::string head = std::move(head_);
  head_.clear();
  parse_head(std::string_view(head).substr(0, end + 2));
  return used;
}

void ResponseReader::parse_head(std::string_view head) {
  const bool is_http_1 = head.starts_with("HTTP/1.1 ") || head.starts_with("HTTP/1.0 ");
  const auto status = head.substr(std::min<std::size_t>(head.size(), 9), 3);
  if (!is_http_1 || !parse_number(status, status_) || status_ < 100) {
    broken();
    return;
  }
  wants_close_ = head[7] == '0';
  head.remove_prefix(head.find("\r\n") + 2);
  while (!head.empty() && state_ == State::kReading) {
    const std::size_t end = head.find("\r\n");
    parse_field(head.substr(0, end));
    head.remove_prefix(end + 2);
  }
  if (state_ == State::kReading) head_end();
}

void ResponseReader::parse_field(std::string_view line) {
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return broken();
  const std::string_view name = line.substr(0, colon);
  const char first = static_cast<char>(line[0] | 0x20);
  if (first != 'c' && first != 't') return;
  std::string_view value = line.substr(colon + 1);
  while (!value.empty() && (value.front() == ' ' || value.front() == '\t')) value.remove_prefix(1);
  while (!value.empty() && (value.back() == ' ' || value.back() == '\t')) value.remove_suffix(1);
  if (equals_ignoring_case(name, "content-length")) {
    if (!parse_number(value, remaining_)) return broken();
    has_length_ = true;
  } else if (equals_ignoring_case(name, "transfer-encoding")) {
    if (!equals_ignoring_case(value, "chunked")) return broken();
    is_chunked_ = true;
  } else if (equals_ignoring_case(name, "content-type")) {
    is_event_stream_ = starts_ignoring_case(value, "text/event-stream");
  } else if (equals_ignoring_case(name, "connection")) {
    wants_close_ = equals_ignoring_case(value, "close");
  }
}

void ResponseReader::head_end() {
  if (status_ < 200) {  // an interim answer: the real one follows
    const bool was_begun = has_begun_;
    reset();
    has_begun_ = was_begun;
    return;
  }
  const bool has_no_body = status_ == 204 || status_ == 304;
  if (has_no_body || (!is_chunked_ && has_length_ && remaining_ == 0)) {
    state_ = State::kDone;
  } else if (is_chunked_) {
    remaining_ = 0;
    phase_ = Phase::kChunkSize;
  } else if (has_length_) {
    phase_ = Phase::kBody;
  } else {
    wants_close_ = true;
    phase_ = Phase::kUntilClose;
  }
}

void ResponseReader::take_body(std::string_view bytes) {
  body_bytes_ += bytes.size();
  if (is_event_stream_) counter_.feed(bytes);
  if (status_ >= 300 && sample_.size() < kSampleBytesMax) {
    sample_.append(bytes.substr(0, kSampleBytesMax - sample_.size()));
  }
}

std::size_t ResponseReader::feed_body(std::string_view bytes) {
  if (phase_ == Phase::kUntilClose) {
    take_body(bytes);
    return bytes.size();
  }
  const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(remaining_, bytes.size()));
  take_body(bytes.substr(0, size));
  remaining_ -= size;
  if (remaining_ == 0) {
    if (phase_ == Phase::kBody) {
      state_ = State::kDone;
    } else {
      phase_ = Phase::kChunkDataEnd;
    }
  }
  return size;
}

std::size_t ResponseReader::feed_chunked(std::string_view bytes) {
  std::size_t used = 0;
  while (used < bytes.size() && state_ == State::kReading && phase_ != Phase::kChunkData) {
    chunk_byte(bytes[used++]);
  }
  return used;
}

void ResponseReader::chunk_byte(char byte) {
  switch (phase_) {
    case Phase::kChunkSize: {
      const int digit = hex_value(byte);
      if (digit >= 0 && size_digits_ < 15) {
        remaining_ = remaining_ * 16 + static_cast<std::uint64_t>(digit);
        ++size_digits_;
      } else if (size_digits_ == 0 || digit >= 0) {
        broken();
      } else if (byte == '\n') {
        chunk_size_end();
      } else {
        phase_ = Phase::kChunkExtension;
      }
      return;
    }
    case Phase::kChunkExtension:
      if (byte == '\n') chunk_size_end();
      return;
    case Phase::kChunkDataEnd:
      if (byte == '\n') {
        phase_ = Phase::kChunkSize;
      } else if (byte != '\r') {
        broken();
      }
      return;
    default:
      trailer_byte(byte);
      return;
  }
}

void ResponseReader::chunk_size_end() {
  phase_ = remaining_ == 0 ? Phase::kTrailer : Phase::kChunkData;
  size_digits_ = 0;
  trailer_line_bytes_ = 0;
}

void ResponseReader::trailer_byte(char byte) {
  if (byte == '\n') {
    if (trailer_line_bytes_ == 0) state_ = State::kDone;
    trailer_line_bytes_ = 0;
  } else if (byte != '\r') {
    ++trailer_line_bytes_;
  }
}

}  // namespace flexd::bench
