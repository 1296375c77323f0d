#include "table.hpp"

#include <algorithm>
#include <array>
#include <span>
#include <utility>

#include "flexd/base/assert.hpp"
#include "flexd/json/text.hpp"

namespace flexd::ctl {
namespace {

constexpr size_t kGap = 2;
constexpr size_t kIndent = 4;
// kCellMin is what a shortened column keeps at least.
constexpr size_t kCellMin = 6;
constexpr std::string_view kEllipsis = "…";

struct Range {
  uint32_t first;
  uint32_t last;
};

// Unicode 15, East Asian Width W and F, in whole blocks where they are nearly all wide.
constexpr Range kWide[] = {{0x1100, 0x115F},   {0x2E80, 0xA4CF},   {0xAC00, 0xD7A3},
                           {0xF900, 0xFAFF},   {0xFE30, 0xFE6F},   {0xFF00, 0xFF60},
                           {0xFFE0, 0xFFE6},   {0x1F300, 0x1F64F}, {0x1F680, 0x1F6FF},
                           {0x1F900, 0x1FAFF}, {0x20000, 0x3FFFD}};
// Marks that stand on the character before them, and characters that are not seen.
constexpr Range kZero[] = {{0x0300, 0x036F}, {0x1AB0, 0x1AFF}, {0x1DC0, 0x1DFF},
                           {0x200B, 0x200F}, {0x20D0, 0x20FF}, {0xFE00, 0xFE0F}};

bool within(std::span<const Range> ranges, uint32_t point) {
  return std::any_of(ranges.begin(), ranges.end(),
                     [point](Range r) { return point >= r.first && point <= r.last; });
}

// code_point decodes a well-formed sequence of `bytes` bytes.
uint32_t code_point(std::string_view text, size_t bytes) {
  constexpr std::array<uint8_t, 5> kLead = {0, 0x7F, 0x1F, 0x0F, 0x07};
  uint32_t point = static_cast<uint8_t>(text[0]) & kLead[bytes];
  for (size_t i = 1; i < bytes; ++i) {
    point = point << 6U | (static_cast<uint8_t>(text[i]) & 0x3FU);
  }
  return point;
}

size_t point_width(uint32_t point) {
  if (within(kZero, point)) return 0;
  return within(kWide, point) ? 2 : 1;
}

// is_control: C0, DEL, C1, and the marks that turn the direction of writing around.
bool is_control(uint32_t point) {
  return point < 0x20 || (point >= 0x7F && point < 0xA0) || (point >= 0x2028 && point <= 0x202E) ||
         (point >= 0x2066 && point <= 0x2069);
}

size_t width_of(std::span<const size_t> widths) {
  size_t sum = 0;
  for (const size_t width : widths) sum += width + kGap;
  return sum == 0 ? 0 : sum - kGap;
}

// shorten takes from the widest columns, not below what is `least`, until all fit into `room`.
void shorten(std::span<size_t> widths, std::span<const size_t> least, size_t room) {
  for (size_t width = width_of(widths); width > room; --width) {
    size_t widest = widths.size();
    for (size_t i = 0; i < widths.size(); ++i) {
      if (widths[i] > least[i] && (widest == widths.size() || widths[i] > widths[widest])) {
        widest = i;
      }
    }
    if (widest == widths.size()) return;
    --widths[widest];
  }
}

// pad puts `cell` into `width` columns.
void pad(std::string& line, std::string_view cell, size_t width, bool right) {
  const size_t used = display_width(cell);
  const size_t space = width > used ? width - used : 0;
  if (right) line.append(space, ' ');
  line += cell;
  if (!right) line.append(space, ' ');
}

void end_line(std::string& text) {
  while (text.ends_with(' ')) text.pop_back();
  text += '\n';
}

}  // namespace

size_t display_width(std::string_view text) {
  size_t width = 0;
  while (!text.empty()) {
    const size_t bytes = json::utf8_sequence_bytes(text);
    width += bytes == 0 ? 1 : point_width(code_point(text, bytes));
    text.remove_prefix(std::max<size_t>(bytes, 1));
  }
  return width;
}

std::string printable(std::string_view text) {
  std::string clean;
  clean.reserve(text.size());
  while (!text.empty()) {
    const size_t bytes = json::utf8_sequence_bytes(text);
    if (bytes == 0 || is_control(code_point(text, bytes))) {
      clean += '?';
    } else {
      clean += text.substr(0, bytes);
    }
    text.remove_prefix(std::max<size_t>(bytes, 1));
  }
  return clean;
}

std::string shortened(std::string_view text, size_t width) {
  if (display_width(text) <= width) return std::string(text);
  size_t taken = 0;
  size_t columns = 1;  // of the ellipsis
  while (taken < text.size()) {
    const size_t bytes = std::max<size_t>(json::utf8_sequence_bytes(text.substr(taken)), 1);
    const size_t more = display_width(text.substr(taken, bytes));
    if (columns + more > width) break;
    columns += more;
    taken += bytes;
  }
  return width == 0 ? std::string() : std::string(text.substr(0, taken)) + std::string(kEllipsis);
}

void Table::add(std::vector<std::string> cells) {
  FLEXD_ASSERT(cells.size() == columns_.size() && !total_);
  for (std::string& cell : cells) cell = printable(cell);
  rows_.push_back(std::move(cells));
}

void Table::add_total(std::vector<std::string> cells) {
  add(std::move(cells));
  total_ = true;
}

Table::Layout Table::layout() const {
  Layout layout;
  std::vector<size_t>& widths = layout.widths;
  std::vector<size_t> least;  // what each column can be shortened to
  for (size_t i = 0; i < columns_.size(); ++i) {
    const size_t title = display_width(columns_[i].title);
    size_t width = title;
    for (const auto& row : rows_) width = std::max(width, display_width(row[i]));
    widths.push_back(std::min(width, kTableColumnsMax - kIndent));
    const bool keep = columns_[i].align != Align::left;
    least.push_back(keep ? widths[i] : std::min(widths[i], std::max(kCellMin, title)));
  }
  if (width_of(least) <= kTableColumnsMax) {
    shorten(widths, least, kTableColumnsMax);
    layout.lines.push_back({0, columns_.size()});
    return layout;
  }
  // On several lines nothing has to be short.
  for (size_t begin = 0; begin < columns_.size(); begin = layout.lines.back().end) {
    const size_t room = kTableColumnsMax - (begin == 0 ? 0 : kIndent);
    size_t end = begin + 1;
    while (end < columns_.size() &&
           width_of(std::span(widths).subspan(begin, end + 1 - begin)) <= room) {
      ++end;
    }
    layout.lines.push_back({begin, end});
  }
  return layout;
}

void Table::put_row(std::string& text, const Layout& layout,
                    const std::vector<std::string>& cells) const {
  for (const Line& line : layout.lines) {
    if (line.begin > 0) text.append(kIndent, ' ');
    for (size_t i = line.begin; i < line.end; ++i) {
      if (i > line.begin) text.append(kGap, ' ');
      const size_t width = layout.widths[i];
      pad(text, shortened(cells[i], width), width, columns_[i].align == Align::right);
    }
    end_line(text);
  }
}

std::string Table::text() const {
  const Layout layout = this->layout();
  std::string text;
  std::vector<std::string> titles;
  titles.reserve(columns_.size());
  for (const Column& column : columns_) titles.push_back(column.title);
  put_row(text, layout, titles);
  for (size_t i = 0; i < rows_.size(); ++i) {
    if (total_ && i + 1 == rows_.size()) {
      size_t width = 0;
      for (const Line& line : layout.lines) {
        const std::span columns =
            std::span(layout.widths).subspan(line.begin, line.end - line.begin);
        width = std::max(width, width_of(columns) + (line.begin == 0 ? 0 : kIndent));
      }
      text.append(width, '-');
      text += '\n';
    }
    put_row(text, layout, rows_[i]);
  }
  return text;
}

void Fields::add(std::string_view name, std::string_view value) {
  fields_.emplace_back(name, printable(value));
}

std::string Fields::text() const {
  size_t names = 0;
  for (const auto& [name, value] : fields_) names = std::max(names, display_width(name));
  std::string text;
  for (const auto& [name, value] : fields_) {
    pad(text, name, names + kGap, false);
    text += shortened(value, kTableColumnsMax - names - kGap);
    end_line(text);
  }
  return text;
}

}  // namespace flexd::ctl
