#include "suggest.hpp"

#include <algorithm>
#include <vector>

namespace flexd::ctl {
namespace {

size_t edits_allowed(std::string_view typed) {
  return std::clamp<size_t>(typed.size() / 3, 1, 3);
}

}  // namespace

size_t edit_distance(std::string_view a, std::string_view b) {
  // Optimal string alignment; three rows of the table are enough.
  std::vector<size_t> before(b.size() + 1);
  std::vector<size_t> last(b.size() + 1);
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replaced = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({replaced, last[j] + 1, row[j - 1] + 1});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], before[j - 2] + 1);
      }
    }
    before.swap(last);
    last.swap(row);
  }
  return last[b.size()];
}

std::string_view nearest(std::string_view typed, std::span<const std::string> words) {
  std::string_view best;
  size_t least = edits_allowed(typed) + 1;
  for (const std::string& word : words) {
    const size_t edits = edit_distance(typed, word);
    if (edits >= least || edits >= word.size()) continue;
    least = edits;
    best = word;
  }
  return best;
}

std::string_view nearest_command(std::span<const std::string> typed,
                                 std::span<const std::string> commands) {
  if (typed.empty()) return {};
  if (typed.size() >= 2) {
    const std::string swapped = typed[1] + " " + typed[0];
    if (const auto found = nearest(swapped, commands); found == swapped) return found;
  }
  std::string_view best;
  size_t least = SIZE_MAX;
  std::string joined;
  for (size_t count = 0; count < std::min<size_t>(typed.size(), 3); ++count) {
    if (count > 0) joined += ' ';
    joined += typed[count];
    const std::string_view found = nearest(joined, commands);
    if (found.empty()) continue;
    const size_t edits = edit_distance(joined, found);
    if (edits == 0) continue;  // this much was right
    // Of equals the longer: it explains more of what was typed.
    if (edits > least) continue;
    least = edits;
    best = found;
  }
  return best;
}

}  // namespace flexd::ctl
