#include "flexd/base/splice.hpp"

namespace flexd {

void SpliceList::add(Splice splice) {
  FLEXD_ASSERT(size_ < kSplicesMax);
  // Text put in front of a byte stands before the edit that replaces this byte.
  const auto goes_after = [&splice](const Splice& other) {
    return other.offset > splice.offset ||
           (other.offset == splice.offset && splice.length == 0 && other.length > 0);
  };
  size_t place = size_;
  for (; place > 0 && goes_after(splices_[place - 1]); --place) {
    splices_[place] = splices_[place - 1];
  }
  splices_[place] = splice;
  ++size_;
  const auto apart = [this](size_t left, size_t right) {
    return uint64_t{splices_[left].offset} + splices_[left].length <= splices_[right].offset;
  };
  FLEXD_ASSERT(place == 0 || apart(place - 1, place));
  FLEXD_ASSERT(place + 1 == size_ || apart(place, place + 1));
}

uint64_t SpliceList::edited_size(size_t body_size) const {
  uint64_t size = body_size;
  for (size_t i = 0; i < size_; ++i) {
    FLEXD_ASSERT(uint64_t{splices_[i].offset} + splices_[i].length <= body_size);
    size += splices_[i].text.size();
    size -= splices_[i].length;
  }
  return size;
}

std::string_view SplicedReader::next(size_t count_max) {
  if (count_max == 0 || left_ == 0) return {};
  for (;;) {
    std::string_view source;
    if (in_text_) {
      const Splice& splice = splices_[splice_];
      if (text_at_ == splice.text.size()) {
        at_ = size_t{splice.offset} + splice.length;
        in_text_ = false;
        text_at_ = 0;
        ++splice_;
        continue;
      }
      source = splice.text.substr(text_at_);
    } else {
      const size_t limit = splice_ < splices_.size() ? splices_[splice_].offset : body_.size();
      if (at_ == limit) {
        in_text_ = true;  // bytes are left, so an edit is next
        continue;
      }
      source = body_.substr(at_, limit - at_);
    }
    const std::string_view piece = source.substr(0, count_max);
    (in_text_ ? text_at_ : at_) += piece.size();
    left_ -= piece.size();
    return piece;
  }
}

}  // namespace flexd
