// finder.hpp: checks a whole JSON document and says where a few top-level members stand.
//
// A gateway reads a handful of fields of a request and passes everything else on as it came. find
// walks the text once: it holds the document to RFC 8259 and notes the byte ranges of the members
// it was asked for. Nothing is converted, copied or allocated.
//
// Accepted is exactly what RFC 8259 allows, with these decisions where it leaves a choice:
// - UTF-8 is checked (section 8.1); a byte order mark is refused;
// - numbers are checked by their shape and may have any size;
// - `\ud800` without its other half is accepted: JavaScript writes it when it cuts an emoji;
// - nesting deeper than kDepthMax is refused;
// - a listed name must not stand twice, because receivers differ in which of the two they believe.
// Names are compared after unescaping: `"mod\u0065l"` is `model`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "flexd/base/result.hpp"
#include "flexd/json/names.hpp"
#include "flexd/json/outline.hpp"
#include "flexd/json/text.hpp"

namespace flexd::json {

// kDepthMax is how many arrays and objects may be open at once; the outermost counts.
inline constexpr size_t kDepthMax = 128;
enum class Type : uint8_t { kNull, kBool, kNumber, kString, kObject, kArray };

// Span is a range of bytes of the document.
struct Span {
  uint32_t begin = 0;
  uint32_t end = 0;

  size_t size() const { return end - begin; }
  std::string_view of(std::string_view document) const { return document.substr(begin, size()); }
};

// kNoComma stands for "no comma on this side".
inline constexpr uint32_t kNoComma = UINT32_MAX;

// Field is a listed member that the document has.
struct Field {
  Span member;  // from the opening quote of the name to the end of the value
  Span value;   // without white space around it; a string with its quotes
  Type type = Type::kNull;
  uint32_t position = 0;             // the how-manieth member of the object it is, from 0
  uint32_t comma_before = kNoComma;  // offset of the comma between it and the member before
  uint32_t comma_after = kNoComma;   // offset of the comma between it and the member after
};

// Fields is what find notes: for each listed name its member, if the document has one.
class Fields {
 public:
  bool has(size_t field) const { return ((present_ >> field) & 1U) != 0; }
  // operator[] is the member of that field, or nullptr.
  const Field* operator[](size_t field) const { return has(field) ? data() + field : nullptr; }
  // present has a bit for each listed name that the document has.
  uint32_t present() const { return present_; }
  // object is the outermost object, from brace to brace.
  Span object() const { return object_; }
  // member_count counts all members of that object, listed or not.
  uint32_t member_count() const { return member_count_; }
  // may_have_inside is false if surely no object within the outermost has a member of that name
  // (at least a letter, ASCII): to spare a search for one. It is mostly, not always, true of
  // others.
  bool may_have_inside(std::string_view name) const {
    return has_unicode_escapes_ || (inner_names_ & name_bit(name.front(), name.size())) != 0;
  }
  // outline is of the whole document.
  const Outline& outline() const { return outline_; }

 private:
  friend class Parser;

  // name_bit is one of 64 bits for a name, unescaped or not.
  static uint64_t name_bit(char first, size_t size) {
    return uint64_t{1} << ((4 * static_cast<size_t>(static_cast<uint8_t>(first)) + size) & 63U);
  }

  // Raw storage: the few fields of a document are made as they are found.
  Field* data() { return reinterpret_cast<Field*>(storage_); }
  const Field* data() const { return reinterpret_cast<const Field*>(storage_); }

  alignas(Field) std::byte storage_[sizeof(Field) * kNamesMax];
  Outline outline_;
  uint64_t inner_names_ = 0;  // name_bit of all of them
  // Only such an escape can stand for a letter.
  bool has_unicode_escapes_ = false;
  uint32_t present_ = 0;
  Span object_;
  uint32_t member_count_ = 0;
};

enum class Fault : uint8_t {
  kSyntax,     // not JSON
  kUtf8,       // not UTF-8
  kTooDeep,    // nested deeper than kDepthMax
  kDuplicate,  // a listed name stands twice
  kNotObject,  // good JSON, but not an object
};

// Error is the first fault of a document.
struct Error {
  Fault fault = Fault::kSyntax;
  uint32_t offset = 0;  // of the byte that cannot stand there
  uint32_t field = 0;   // of kDuplicate: which name
};

// find checks `document` (shorter than 4 GiB) and fills `fields`, which is meaningful only if there
// is no error. The document outlives nothing: fields hold offsets.
[[nodiscard]] Result<void, Error> find(std::string_view document, const Names& names,
                                       Fields& fields, const TextKernels& kernels = best_kernels());

// validate checks any JSON text, of whatever type at the top, and returns that type.
[[nodiscard]] Result<Type, Error> validate(std::string_view document,
                                           const TextKernels& kernels = best_kernels());

}  // namespace flexd::json
