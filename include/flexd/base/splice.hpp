// splice.hpp: a body seen through a short list of edits, without a second copy of it.
//
// A request's body is held once. An attempt differs from it only by splices: byte ranges that are
// replaced by other text. SplicedReader walks the edited body; several may walk one body at once.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "flexd/base/assert.hpp"

namespace flexd {

// kSplicesMax bounds the edits of one attempt: start_within or service_tier, stream, and the
// private fields that are stripped.
inline constexpr size_t kSplicesMax = 16;

// Splice replaces body[offset, offset + length) by `text`, which is static or lives in the list.
struct Splice {
  uint32_t offset = 0;
  uint32_t length = 0;
  std::string_view text;
};

// SpliceList is sorted by offset; its ranges do not overlap. Texts outlive the list.
class SpliceList {
 public:
  // add puts an edit into its place. The caller keeps ranges apart and within kSplicesMax. Edits of
  // length 0 at one offset keep the order they were added in, before the edit that replaces bytes
  // from this offset on.
  void add(Splice splice);
  size_t size() const { return size_; }
  const Splice& operator[](size_t index) const { return splices_[index]; }
  // edited_size is the length of a body of `body_size` bytes after the edits.
  uint64_t edited_size(size_t body_size) const;

 private:
  std::array<Splice, kSplicesMax> splices_{};
  size_t size_ = 0;
};

// SplicedReader yields the edited body piece by piece. The body and the list stay alive and
// unmoved.
class SplicedReader {
 public:
  SplicedReader() = default;
  SplicedReader(std::string_view body, const SpliceList& splices)
      : body_(body), splices_(splices), left_(splices.edited_size(body.size())) {}

  // size_left is how many bytes are still to come.
  uint64_t size_left() const { return left_; }
  // next returns the next contiguous piece, at most `count_max` bytes; empty at the end.
  std::string_view next(size_t count_max);

 private:
  std::string_view body_;
  SpliceList splices_;
  uint64_t left_ = 0;
  size_t at_ = 0;       // offset in the body
  size_t splice_ = 0;   // the next edit
  size_t text_at_ = 0;  // offset in that edit's text
  bool in_text_ = false;
};

}  // namespace flexd
