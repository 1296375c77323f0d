// listing.hpp: what `… list` prints: one JSON list, or a table.
#pragma once

#include <string>
#include <string_view>

#include "command.hpp"
#include "table.hpp"

namespace flexd::ctl {

// Listing is a list of one kind of thing.
struct Listing {
  const char* name;               // of the member of the JSON document
  std::string_view organization;  // whose they are: a member `org` before it; empty: none
  std::string none;               // what people are told of an empty list
  std::vector<Table::Column> columns;
};

// print_list prints `items`: `put` writes the members of one into an open JSON object, `row` makes
// its cells.
template <typename Items, typename Put, typename Row>
void print_list(Context& context, Listing listing, const Items& items, Put put, Row row) {
  if (context.json) {
    Document document;
    store::JsonWriter& json = document.json();
    if (!listing.organization.empty()) json.key("org").string(listing.organization);
    json.key(listing.name).begin_array();
    for (const auto& item : items) {
      json.begin_object();
      put(json, item);
      json.end_object();
    }
    json.end_array();
    document.print(context);
    return;
  }
  Table table(std::move(listing.columns));
  for (const auto& item : items) table.add(row(item));
  context.out += table.empty() ? listing.none + "\n" : table.text();
}

}  // namespace flexd::ctl
