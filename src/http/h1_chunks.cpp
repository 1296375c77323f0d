#include "flexd/http/h1_chunks.hpp"

#include <algorithm>

#include "flexd/base/ascii.hpp"
#include "flexd/base/assert.hpp"
#include "h1_scan.hpp"

namespace flexd::http {
ChunkEvent ChunkDecoder::next(std::string_view& input) {
  using Kind = ChunkEvent::Kind;
  for (;;) {
    if (state_ == State::done) return {Kind::done, H1Verdict::complete, {}};
    if (state_ == State::refused) return {Kind::refused, verdict_, {}};
    if (input.empty()) return {};
    if (state_ == State::data) {
      const size_t size = static_cast<size_t>(std::min<uint64_t>(chunk_left_, input.size()));
      const std::string_view data = input.substr(0, size);
      input.remove_prefix(size);
      chunk_left_ -= size;
      body_bytes_ += size;
      if (chunk_left_ == 0) state_ = State::data_cr;
      return {Kind::data, H1Verdict::incomplete, data};
    }
    const H1Verdict verdict = step(input.front());
    if (verdict > H1Verdict::incomplete) {
      state_ = State::refused;
      verdict_ = verdict;
    } else {
      input.remove_prefix(1);
    }
  }
}

// step reads one byte outside the data; what it returns is `incomplete` or a refusal.
H1Verdict ChunkDecoder::step(char c) {
  switch (state_) {
    case State::size_first:
    case State::size:
      return step_size(c);
    case State::extension_name_first:
    case State::extension_name:
    case State::extension_value_first:
    case State::extension_token:
    case State::extension_quoted:
    case State::extension_escaped:
    case State::extension_quoted_end:
      if (c == '\n') return H1Verdict::bare_lf;
      if (c != '\r' && ++extension_bytes_ > kChunkExtensionBytesMax) {
        return H1Verdict::chunk_extensions_too_long;
      }
      return step_extension(c);
    case State::data_cr:
      if (c != '\r') return c == '\n' ? H1Verdict::bare_lf : H1Verdict::chunk_end_missing;
      state_ = State::data_lf;
      return H1Verdict::incomplete;
    case State::trailer_first:
    case State::trailer_name:
    case State::trailer_value:
      if (++trailer_bytes_ > kTrailerBytesMax) return H1Verdict::trailers_too_long;
      return step_trailer(c);
    case State::size_lf:
    case State::data_lf:
    case State::trailer_lf:
    case State::last_lf:
      return step_line_feed(c);
    case State::data:
    case State::done:
    case State::refused:
      break;
  }
  return H1Verdict::incomplete;
}

H1Verdict ChunkDecoder::step_size(char c) {
  if (scan::is(c, scan::kHex)) {
    if (size_digits_ == kChunkSizeDigitsMax) return H1Verdict::chunk_size_too_long;
    ++size_digits_;
    chunk_left_ = chunk_left_ * 16 + static_cast<uint64_t>(hex_value(c));
    state_ = State::size;
    return H1Verdict::incomplete;
  }
  if (c == '\n') return H1Verdict::bare_lf;
  if (state_ == State::size_first) return H1Verdict::chunk_size_invalid;
  if (c == '\r') {
    state_ = State::size_lf;
  } else if (c == ';') {
    if (++extension_bytes_ > kChunkExtensionBytesMax) return H1Verdict::chunk_extensions_too_long;
    state_ = State::extension_name_first;
  } else {
    return H1Verdict::chunk_size_invalid;
  }
  return H1Verdict::incomplete;
}

// step_extension follows chunk-ext of RFC 9112 7.1.1: *( ";" token [ "=" ( token / quoted ) ] ).
H1Verdict ChunkDecoder::step_extension(char c) {
  const bool token = scan::is(c, scan::kToken);
  switch (state_) {
    case State::extension_name_first:
      state_ = State::extension_name;
      return token ? H1Verdict::incomplete : H1Verdict::chunk_extension_invalid;
    case State::extension_name:
      if (token) return H1Verdict::incomplete;
      if (c != '=') return step_extension_end(c);
      state_ = State::extension_value_first;
      return H1Verdict::incomplete;
    case State::extension_value_first:
      state_ = c == '"' ? State::extension_quoted : State::extension_token;
      return token || c == '"' ? H1Verdict::incomplete : H1Verdict::chunk_extension_invalid;
    case State::extension_token:
      return token ? H1Verdict::incomplete : step_extension_end(c);
    case State::extension_quoted:
      if (c == '"') state_ = State::extension_quoted_end;
      if (c == '\\') state_ = State::extension_escaped;
      return scan::is(c, scan::kValue) ? H1Verdict::incomplete : H1Verdict::chunk_extension_invalid;
    case State::extension_escaped:
      state_ = State::extension_quoted;
      return scan::is(c, scan::kValue) ? H1Verdict::incomplete : H1Verdict::chunk_extension_invalid;
    default:
      return step_extension_end(c);
  }
}

H1Verdict ChunkDecoder::step_extension_end(char c) {
  if (c != ';' && c != '\r') return H1Verdict::chunk_extension_invalid;
  state_ = c == ';' ? State::extension_name_first : State::size_lf;
  return H1Verdict::incomplete;
}

H1Verdict ChunkDecoder::step_trailer(char c) {
  if (state_ == State::trailer_first) {
    if (c == '\r') {
      state_ = State::last_lf;
      return H1Verdict::incomplete;
    }
    if (c == ' ' || c == '\t') return H1Verdict::line_folded;
    if (c == ':') return H1Verdict::name_empty;
    if (++trailers_ > kTrailersMax) return H1Verdict::trailers_too_many;
    state_ = State::trailer_name;
  }
  if (state_ == State::trailer_value) {
    if (c == '\r') state_ = State::trailer_lf;
    if (c == '\r' || scan::is(c, scan::kValue)) return H1Verdict::incomplete;
    return c == '\n' ? H1Verdict::bare_lf : H1Verdict::value_invalid;
  }
  if (scan::is(c, scan::kFieldName)) return H1Verdict::incomplete;
  if (c == ':') {
    state_ = State::trailer_value;
    return H1Verdict::incomplete;
  }
  if (c == '_') return H1Verdict::name_underscore;
  if (c == ' ' || c == '\t') return H1Verdict::space_before_colon;
  return c == '\n' ? H1Verdict::bare_lf : H1Verdict::name_invalid;
}

H1Verdict ChunkDecoder::step_line_feed(char c) {
  if (c != '\n') return H1Verdict::bare_cr;
  switch (state_) {
    case State::size_lf:
      state_ = chunk_left_ == 0 ? State::trailer_first : State::data;
      break;
    case State::data_lf:
      size_digits_ = 0;
      state_ = State::size_first;
      break;
    case State::trailer_lf:
      state_ = State::trailer_first;
      break;
    default:
      state_ = State::done;
      break;
  }
  return H1Verdict::incomplete;
}

ChunkHead::ChunkHead(uint64_t data_bytes) : begin_(kChunkSizeDigitsMax) {
  FLEXD_ASSERT(data_bytes != 0);
  text_[kChunkSizeDigitsMax] = '\r';
  text_[kChunkSizeDigitsMax + 1] = '\n';
  for (; data_bytes != 0; data_bytes >>= 4) {
    text_[--begin_] = "0123456789abcdef"[data_bytes & 15];
  }
}

}  // namespace flexd::http
