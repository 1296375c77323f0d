// edit.hpp: turns "replace this member, drop that one" into splices of the document.
//
// The edited document is good JSON again, and every byte outside the named members is as it was
// sent: a prompt keeps its exact form. Edits of neighboring members never overlap and never leave a
// comma too many or too few.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "flexd/base/splice.hpp"
#include "flexd/json/finder.hpp"

namespace flexd::json {

// Edit collects edits of one document's outermost object. Each field is edited at most once; a
// field to be edited must be there (Fields::has). An edit costs one of the kSplicesMax splices, an
// insertion two. Texts are JSON, outlive the splices and are not looked at.
class Edit {
 public:
  explicit Edit(const Fields& fields) : fields_(fields) {}

  // replace_member puts `"name":value` in the place of a member.
  void replace_member(size_t field, std::string_view member);
  // replace_value puts another value behind the member's name.
  void replace_value(size_t field, std::string_view value);
  // remove drops a member and the comma that joined it to its neighbor: the one behind it, or the
  // one before it if it is the last. Members next to each other go as one range, with the white
  // space between them.
  void remove(size_t field);
  // insert puts `"name":value` at the front of the object, after what was inserted before.
  void insert(std::string_view member);

  // splices is the list of all that was asked for.
  SpliceList splices() const;

 private:
  struct Change {
    const Field* field;
    Span range;
    std::string_view text;
    bool removes;
  };

  void add(size_t field, Span range, std::string_view text, bool removes);

  const Fields& fields_;
  std::array<Change, kSplicesMax> changes_{};  // in the order of their place in the document
  size_t change_count_ = 0;
  std::array<std::string_view, kSplicesMax / 2> inserts_;
  size_t insert_count_ = 0;
  size_t removed_count_ = 0;
};

}  // namespace flexd::json
