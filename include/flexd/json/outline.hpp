// outline.hpp: where the long values of a document end.
//
// find (finder.hpp) has seen the end of every value and notes that of the long ones in passing. A
// walk that is given the outline (cursor.hpp) steps over a prompt, a list of messages or a schema
// by looking its end up; without one it reads the value again, at each level that holds it.
//
// It is a help and no more: of a value that it does not know the end is looked for.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace flexd::json {

class Outline {
 public:
  // kLongBytes is the size from which on a value is noted, of a string without its quotes: a
  // shorter one is read as quickly as it is looked up.
  static constexpr size_t kLongBytes = 32;
  // kEntriesMax is how many values are noted: the first ones, in the order in which they begin.
  static constexpr size_t kEntriesMax = 256;

  // end_of is the byte after the value that begins at `begin`, or nullptr if that is not known.
  // `begin` may point anywhere.
  const char* end_of(const char* begin) const {
    const auto offset = reinterpret_cast<uintptr_t>(begin) - reinterpret_cast<uintptr_t>(document_);
    const Entry* first = entries_.data();
    for (size_t left = size_; left > 0;) {
      const size_t half = left / 2;
      const Entry& middle = first[half];
      if (middle.begin == offset) return document_ + middle.end;
      if (middle.begin < offset) {
        first += half + 1;
        left -= half + 1;
      } else {
        left = half;
      }
    }
    return nullptr;
  }
  size_t size() const { return size_; }

 private:
  friend class Parser;

  struct Entry {
    uint32_t begin;
    uint32_t end;
  };

  // start forgets everything. Values are added in the order in which they begin.
  void start(const char* document) {
    document_ = document;
    size_ = 0;
  }
  // open begins a value that holds others and gives its place, for close.
  size_t open(uint32_t begin) {
    if (size_ == kEntriesMax) return kEntriesMax;
    entries_[size_].begin = begin;
    return size_++;
  }
  // close forgets a short value, which was the last: what is in it is shorter still.
  void close(size_t place, uint32_t end) {
    if (place == kEntriesMax) return;
    if (end - entries_[place].begin < kLongBytes) {
      size_ = place;
    } else {
      entries_[place].end = end;
    }
  }
  // add_string takes the places of the opening quote and behind the closing one.
  void add_string(uint32_t begin, uint32_t end) {
    if (end - begin >= kLongBytes + 2) close(open(begin), end);
  }

  const char* document_ = nullptr;
  size_t size_ = 0;
  std::array<Entry, kEntriesMax> entries_;  // of which size_ are set
};

}  // namespace flexd::json
