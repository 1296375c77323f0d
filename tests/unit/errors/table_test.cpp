#include "flexd/errors/table.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace flexd::errors {
namespace {

using Cells = std::vector<std::string>;

std::map<std::string, Cells> conformance_rows() {
  const char* dir = std::getenv("FLEXD_CONFORMANCE_DIR");
  REQUIRE(dir != nullptr);
  std::ifstream file(std::string(dir) + "/errors.tsv");
  REQUIRE(file.good());
  std::map<std::string, Cells> rows;
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line.front() == '#') continue;
    Cells cells;
    std::istringstream stream(line);
    for (std::string cell; std::getline(stream, cell, '\t');) cells.push_back(cell);
    REQUIRE_MESSAGE(cells.size() == 10, line);
    REQUIRE_MESSAGE(rows.emplace(cells[0], cells).second, line);
  }
  return rows;
}

std::string param_word(const Row& row) {
  switch (row.param_rule) {
    case ParamRule::none:
      return "-";
    case ParamRule::fixed:
      return "=" + std::string(row.param);
    case ParamRule::caller:
      return "caller";
  }
  return "";
}

TEST_CASE("the table of errors equals the conformance table, both ways") {
  const auto expected = conformance_rows();
  CHECK(expected.size() == rows().size());
  for (const Row& row : rows()) {
    const std::string name(row.name);
    CAPTURE(name);
    REQUIRE(expected.count(name) == 1);
    const Cells& cells = expected.at(name);
    CHECK(cells[1] == std::to_string(row.status));
    CHECK(cells[2] == type_word(type_of(row.code)));
    CHECK(cells[3] == param_word(row));
    CHECK(cells[4] == (row.retryable ? "yes" : "no"));
    CHECK(cells[5] == std::to_string(row.retry_after_s));
    CHECK(cells[6] == (row.on_public_page ? "yes" : "no"));
    CHECK(cells[7] == google_status(row.status));
    CHECK(cells[8] == anthropic_type(row.status));
    CHECK(cells[9] == reach_word(row.reach));
    CHECK(find_code(name) == row.code);
    CHECK(&errors::row(row.code) == &row);
  }
  CHECK_FALSE(find_code("no_such_code"));
}

TEST_CASE("type follows status, and payment_required alone is billing") {
  for (const Row& row : rows()) {
    const std::string_view type = type_word(type_of(row.code));
    CAPTURE(row.name);
    CHECK((type == "billing_error") == (row.code == Code::payment_required));
    CHECK((type == "flexinference_error") == (row.status >= 500));
    if (row.status == 401) CHECK(type == "authentication_error");
    if (row.status == 403) CHECK(type == "permission_error");
    if (row.status == 429) CHECK(type == "rate_limit_error");
    if (row.status == 402 && type != "billing_error") CHECK(type == "insufficient_quota");
  }
}

void check_text(std::string_view message, std::string_view absent) {
  CAPTURE(message);
  CHECK(message.size() >= 60);
  CHECK(message.ends_with('.'));
  CHECK(message.find("  ") == std::string_view::npos);
  const size_t slot = message.find("{}");
  CHECK((slot == std::string_view::npos) == absent.empty());
  if (slot != std::string_view::npos) {
    CHECK(message.find("{}", slot + 2) == std::string_view::npos);
  }
  const size_t param = message.find("{param}");
  if (param != std::string_view::npos) {
    CHECK(param < slot);
    CHECK(message.find("{param}", param + 1) == std::string_view::npos);
  }
}

TEST_CASE("every text is whole, has at most one slot, and differs from every other") {
  std::set<std::string_view> seen;
  for (const Row& row : rows()) {
    check_text(row.message, row.absent);
    CHECK(seen.insert(row.message).second);
    CHECK((row.param_rule == ParamRule::fixed) == !row.param.empty());
  }
  for (const VariantRow& variant : variant_rows()) {
    check_text(variant.message, variant.absent);
    CHECK(seen.insert(variant.message).second);
    CHECK(&variant_row(variant.variant) == &variant);
    // A wait is only asked for where waiting helps.
    if (variant.retry_after_s != 0) CHECK(variant.retryable);
  }
}

}  // namespace
}  // namespace flexd::errors
