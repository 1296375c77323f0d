// cursor.hpp: walks JSON text in place, one level at a time, and hands out its parts as views.
//
// A Value is the text of one JSON value. Looking into it finds member and element boundaries and
// nothing more; numbers and strings are converted only when asked. A path reads as it is written:
//
//   const Value event{data};
//   if (event["response"]["status"].equals("completed")) ...
//   for (const Member& member : Members(event["usage"])) ...
//
// Text that json::find or json::validate has passed is walked exactly. Other text, such as a
// provider's event, is walked as far as it makes sense: no function here reads outside the text,
// loops or asserts, whatever it holds, but what is found in broken text is only as good as the
// text.
//
// A walk reads every value that it passes, to find its end. Where a document is walked level by
// level, give the walks its outline (outline.hpp): they then step over long values.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <span>
#include <string_view>

#include "flexd/json/finder.hpp"
#include "flexd/json/outline.hpp"

namespace flexd::json {

constexpr bool is_hex_digit(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

// type_at is the type of a value by its first byte; what cannot begin one counts as a number.
inline Type type_at(char first) {
  static constexpr std::array<Type, 256> kTypes = [] {
    std::array<Type, 256> types{};
    types.fill(Type::kNumber);
    types['"'] = Type::kString;
    types['{'] = Type::kObject;
    types['['] = Type::kArray;
    types['t'] = types['f'] = Type::kBool;
    types['n'] = Type::kNull;
    return types;
  }();
  return kTypes[static_cast<uint8_t>(first)];
}

// Value is a view of one JSON value. An empty Value stands for one that is not there; every
// question may be put to it.
struct Value {
  // text begins at the value's first byte. It ends where the value ends, if the Value came from
  // this file; a Value made from a whole document may have white space behind it.
  std::string_view text;

  // value_in is the value that `document` holds, without the white space around it.
  static Value value_in(std::string_view document);
  // front_of is the same without a walk to the value's end: all of `document` from its first byte
  // that is no white space. For documents that are known to be good, or are validated anyway.
  static Value front_of(std::string_view document);

  bool exists() const { return !text.empty(); }
  // type is told by the first byte; what cannot be a value counts as a number.
  Type type() const { return text.empty() ? Type::kNumber : type_at(text.front()); }
  bool is(Type wanted) const { return exists() && type() == wanted; }
  bool is_null() const { return is(Type::kNull); }

  // operator[] is the first member whose unescaped name is `name` (plain ASCII). Absent if there
  // is none or this is not an object.
  Value operator[](std::string_view name) const;
  // contents is the raw text of a string between its quotes, escapes unread; empty for other types.
  std::string_view contents() const {
    if (text.size() < 2 || text.front() != '"' || text.back() != '"') return {};
    return {text.data() + 1, text.size() - 2};
  }
  // equals compares a string, unescaped, with plain ASCII `word`. False for other types.
  bool equals(std::string_view word) const {
    if (text.size() != word.size() + 2) return text.size() > word.size() + 2 && unescapes_to(word);
    return text.front() == '"' && text.back() == '"' &&
           same_bytes({text.data() + 1, word.size()}, word) &&
           word.find('\\') == std::string_view::npos;
  }
  // to_bool, to_int64 and to_uint64 are nullopt for other types, for a number with a fraction or an
  // exponent, and for one outside the range.
  std::optional<bool> to_bool() const;
  std::optional<int64_t> to_int64() const;
  std::optional<uint64_t> to_uint64() const;

 private:
  bool unescapes_to(std::string_view word) const;
};

// decode unescapes a string into UTF-8. A string without escapes is returned as a view of itself;
// otherwise the result stands in `buffer`. A lone surrogate becomes U+FFFD. nullopt if the value is
// not a string, has a broken escape, or does not fit. The result is never longer than contents().
std::optional<std::string_view> decode(Value string, std::span<char> buffer);

// Member is one member of an object; `name` is the quoted, escaped string as it stands.
struct Member {
  Value name;
  Value value;
};

// Members walks an object in order; empty for other values. Broken text ends the walk.
class Members {
 public:
  // `outline` is of the document that the object stands in, or nullptr.
  explicit Members(Value object, const Outline* outline = nullptr);

  // next moves to the next member, to the first at first; false at the end.
  bool next();
  const Member& member() const { return member_; }

  class Iterator {
   public:
    explicit Iterator(Members& members) : members_(&members), more_(members.next()) {}
    const Member& operator*() const { return members_->member(); }
    Iterator& operator++() {
      more_ = members_->next();
      return *this;
    }
    bool operator==(std::default_sentinel_t /*end*/) const { return !more_; }

   private:
    Members* members_;
    bool more_;
  };
  // A range-for takes what is left.
  Iterator begin() { return Iterator(*this); }
  static std::default_sentinel_t end() { return {}; }

 private:
  const char* at_ = nullptr;
  const char* end_ = nullptr;
  const Outline* outline_;
  Member member_;
};

// Elements walks an array in order; empty for other values. Broken text ends the walk.
class Elements {
 public:
  explicit Elements(Value array, const Outline* outline = nullptr);

  bool next();
  Value element() const { return element_; }

  class Iterator {
   public:
    explicit Iterator(Elements& elements) : elements_(&elements), more_(elements.next()) {}
    Value operator*() const { return elements_->element(); }
    Iterator& operator++() {
      more_ = elements_->next();
      return *this;
    }
    bool operator==(std::default_sentinel_t /*end*/) const { return !more_; }

   private:
    Elements* elements_;
    bool more_;
  };
  Iterator begin() { return Iterator(*this); }
  static std::default_sentinel_t end() { return {}; }

 private:
  const char* at_ = nullptr;
  const char* end_ = nullptr;
  const Outline* outline_;
  Value element_;
};

// member_of is object[name], for a document whose outline is known.
Value member_of(Value object, std::string_view name, const Outline* outline);

// field_named is the index in `names` of a member's name, escapes or not; names.size() if it is
// none of them.
size_t field_named(Value name, const Names& names);

// FieldWalk finds several members in one walk: found[i] becomes the first member that
// names.field_of calls i, or absent. `found` has names.size() places, and outlives the walk as
// `names` does.
class FieldWalk {
 public:
  FieldWalk(Value object, const Names& names, std::span<Value> found,
            const Outline* outline = nullptr);

  // next moves on to a member that does not go into `found`: one that is not on the list, or whose
  // name has stood there before. False at the end, when all are found.
  bool next();
  // Of the member that next has come to: field is names.size() if it is not on the list.
  const Member& member() const { return member_; }
  size_t field() const { return field_; }

 private:
  const char* at_ = nullptr;
  const char* end_ = nullptr;
  const Outline* outline_;
  const Names& names_;
  std::span<Value> found_;
  Member member_;
  size_t field_ = 0;
  uint32_t seen_ = 0;
  bool first_ = true;
};

// members_of finds several members in one walk: found[i] becomes the first member that
// names.field_of calls i, or absent. `found` has names.size() places.
void members_of(Value object, const Names& names, std::span<Value> found,
                const Outline* outline = nullptr);

}  // namespace flexd::json
