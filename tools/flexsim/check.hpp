// check.hpp: holds the members of a request to what the provider's API has, and words the refusal
// as that provider does.
//
//   constexpr MemberRule kFunction[] = {{"name", kString, true}, {"strict", kBool | kNull}};
//   if (!check.object(value, kFunction, Path(tools, index))) return false;
//
// A function here is true if all is well. The first thing found wrong is kept as the problem.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "flexd/json/cursor.hpp"
#include "request.hpp"
#include "vendor.hpp"

namespace flexd::flexsim {

// The types that a member may have, one bit each.
inline constexpr unsigned kString = 1;
inline constexpr unsigned kNumber = 2;
inline constexpr unsigned kBool = 4;
inline constexpr unsigned kObject = 8;
inline constexpr unsigned kArray = 16;
inline constexpr unsigned kNull = 32;
inline constexpr unsigned kAnything = 63;

struct MemberRule {
  std::string_view name;
  unsigned types = kAnything;
  bool required = false;  // null does not count as there, unless the types have it
};
using Shape = std::span<const MemberRule>;
using Words = std::span<const std::string_view>;

// Path says where in the request a value stands. It is a chain on the stack: a path lives no longer
// than the one it was made from.
class Path {
 public:
  explicit Path(std::string_view name) : name_(name) {}
  Path(const Path& parent, std::string_view name) : parent_(&parent), name_(name) {}
  Path(const Path& parent, size_t index) : parent_(&parent), index_(index) {}
  // text is "input[0].type"; with Anthropic "messages.0.type".
  std::string text(Vendor vendor) const;

 private:
  const Path* parent_ = nullptr;
  std::string_view name_;  // empty: an index
  size_t index_ = 0;
};

class Checker {
 public:
  explicit Checker(Vendor vendor) : vendor_(vendor) {}

  bool is_good() const { return is_good_; }
  const Problem& problem() const { return problem_; }

  // object: an object with these members and no others. `path` is nullptr for the whole request.
  bool object(json::Value value, Shape shape, const Path* path);
  bool object(json::Value value, Shape shape, const Path& path) {
    return object(value, shape, &path);
  }
  // typed: one of these types.
  bool typed(json::Value value, unsigned types, const Path& path);
  // word: absent, null, or one of these strings.
  bool word(json::Value value, Words words, const Path& path);

  // The rest notes a problem, and is false.
  bool missing(const Path& path);
  bool unknown(const Path& path);
  // bad_value: `message` is a sentence; Anthropic puts the path before it.
  bool bad_value(const Path& path, std::string_view message,
                 std::string_view code = "invalid_value");

 private:
  bool refuse(const Path& path, std::string message, std::string_view code);

  Vendor vendor_;
  bool is_good_ = true;
  Problem problem_;
};

}  // namespace flexd::flexsim
