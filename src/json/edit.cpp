#include "flexd/json/edit.hpp"

#include "flexd/base/assert.hpp"

namespace flexd::json {
namespace {

Splice splice_of(Span range, std::string_view text) {
  return {.offset = range.begin, .length = range.end - range.begin, .text = text};
}

// removal_range is what goes when the members from `first` to `last`, neighbors all, are dropped.
Span removal_range(const Field& first, const Field& last) {
  if (last.comma_after != kNoComma) return {first.member.begin, last.comma_after + 1};
  if (first.comma_before != kNoComma) return {first.comma_before, last.member.end};
  return {first.member.begin, last.member.end};
}

}  // namespace

void Edit::add(size_t field, Span range, std::string_view text, bool removes) {
  FLEXD_ASSERT(change_count_ + 2 * insert_count_ < kSplicesMax);
  const Field* changed = fields_[field];
  size_t place = change_count_++;
  for (; place > 0 && changes_[place - 1].range.begin >= range.begin; --place) {
    FLEXD_ASSERT(changes_[place - 1].field != changed);
    changes_[place] = changes_[place - 1];
  }
  FLEXD_ASSERT(place == 0 || changes_[place - 1].field != changed);
  changes_[place] = {.field = changed, .range = range, .text = text, .removes = removes};
}

void Edit::replace_member(size_t field, std::string_view member) {
  FLEXD_ASSERT(fields_.has(field));
  add(field, fields_[field]->member, member, false);
}

void Edit::replace_value(size_t field, std::string_view value) {
  FLEXD_ASSERT(fields_.has(field));
  add(field, fields_[field]->value, value, false);
}

void Edit::remove(size_t field) {
  FLEXD_ASSERT(fields_.has(field));
  add(field, fields_[field]->member, {}, true);
  ++removed_count_;
}

void Edit::insert(std::string_view member) {
  FLEXD_ASSERT(change_count_ + 2 * (insert_count_ + 1) <= kSplicesMax);
  inserts_[insert_count_++] = member;
}

SpliceList Edit::splices() const {
  SpliceList list;
  const bool members_stay = fields_.member_count() > removed_count_;
  const Span front = {fields_.object().begin + 1, fields_.object().begin + 1};
  for (size_t i = 0; i < insert_count_; ++i) {
    list.add(splice_of(front, inserts_[i]));
    if (members_stay || i + 1 < insert_count_) list.add(splice_of(front, ","));
  }
  for (size_t i = 0; i < change_count_; ++i) {
    if (!changes_[i].removes) {
      list.add(splice_of(changes_[i].range, changes_[i].text));
      continue;
    }
    const Field* first = changes_[i].field;
    const auto is_next = [&](size_t next) {
      return next < change_count_ && changes_[next].removes &&
             changes_[next].field->position == changes_[next - 1].field->position + 1;
    };
    while (is_next(i + 1)) ++i;
    list.add(splice_of(removal_range(*first, *changes_[i].field), {}));
  }
  return list;
}

}  // namespace flexd::json
