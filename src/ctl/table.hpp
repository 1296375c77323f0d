// table.hpp: tables for people: aligned, at most 100 columns of a terminal wide.
//
// Cells may hold text from anywhere (models are named by callers): control characters and bytes
// that are not UTF-8 are replaced before they reach a terminal.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace flexd::ctl {

inline constexpr size_t kTableColumnsMax = 100;

// display_width is how many columns of a terminal a well-formed text takes: two for the wide
// characters of East Asia and for pictures, none for combining marks.
size_t display_width(std::string_view text);
// printable is `text` with '?' for each control character and each ill-formed byte.
std::string printable(std::string_view text);
// shortened cuts a text off so that it ends in "…" and takes at most `width` columns.
std::string shortened(std::string_view text, size_t width);

class Table {
 public:
  // Align right is for numbers, which are never shortened; `whole` is for texts that must not be
  // either, such as ids.
  enum class Align : uint8_t { left, right, whole };
  struct Column {
    std::string title;
    Align align = Align::left;
  };

  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

  // add puts a row, with a cell for each column.
  void add(std::vector<std::string> cells);
  // add_total puts the row that stands below a line, at the end.
  void add_total(std::vector<std::string> cells);
  bool empty() const { return rows_.empty(); }

  // text is the table. If it is too wide even with short cells, each row takes several lines with
  // whole cells, the further ones indented.
  std::string text() const;

 private:
  // Line is the columns [begin, end) of a row that stand on one line.
  struct Line {
    size_t begin;
    size_t end;
  };
  struct Layout {
    std::vector<size_t> widths;  // by column
    std::vector<Line> lines;
  };
  Layout layout() const;
  void put_row(std::string& text, const Layout& layout,
               const std::vector<std::string>& cells) const;

  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
  bool total_ = false;  // the last row is one
};

// Fields is a list of names and values, one a line.
class Fields {
 public:
  void add(std::string_view name, std::string_view value);
  std::string text() const;

 private:
  std::vector<std::pair<std::string, std::string>> fields_;
};

}  // namespace flexd::ctl
