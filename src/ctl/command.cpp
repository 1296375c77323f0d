#include "command.hpp"

#include <fmt/format.h>

#include <charconv>

#include "flexd/crypto/bytes.hpp"
#include "words.hpp"

namespace flexd::ctl {

void Document::print(Context& context) {
  json_.end_object();
  context.out.reserve(context.out.size() + sink_.text.size() + 1);
  context.out += sink_.text;
  context.out += '\n';
}

void wipe_text(std::string& text) {
  crypto::wipe(text.data(), text.size());
  text.clear();
}

void add_common(CLI::App& app, Context& context) {
  constexpr const char* kGroup = "Common options";
  parsed_option(app, "--store", context.store, parse_text,
                "The store ($STATE_DIRECTORY/flexd.db, else ./flexd.db)")
      ->type_name("PATH")
      ->group(kGroup);
  parsed_option(app, "--master-key-file", context.master_key_file, parse_text,
                "The master key (in $CREDENTIALS_DIRECTORY, else beside the store)")
      ->type_name("FILE")
      ->group(kGroup);
  app.add_flag("--json", context.json, "Print one JSON document")->group(kGroup);
}

CLI::App& declare(CLI::App& parent, Context& context, const char* name, const char* help,
                  const char* example) {
  CLI::App& command = *parent.add_subcommand(name, help);
  add_common(command, context);
  command.footer(fmt::format("Example:\n  {}", example));
  return command;
}

Result<std::string> parse_text(std::string_view text) {
  if (text.empty()) return fail_with("it is empty");
  return std::string(text);
}

Result<int64_t> parse_count(std::string_view text, const store::Bounds& bounds) {
  int64_t number = 0;
  const auto [at, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || at != text.data() + text.size() || !bounds.hold(number)) {
    return fail_with(std::string(bounds.words));
  }
  return number;
}

Result<size_t> parse_word(std::string_view text, std::span<const std::string_view> words) {
  std::string rule;
  for (size_t i = 0; i < words.size(); ++i) {
    if (text == words[i]) return i;
    if (i > 0) rule += i + 1 == words.size() ? " or " : ", ";
    rule += words[i];
  }
  return fail_with(rule);
}

Result<std::string> parse_key_id(std::string_view text) {
  constexpr std::string_view kPrefix = "key_";
  constexpr size_t kDigits = 12;
  const bool right = text.size() == kPrefix.size() + kDigits && text.starts_with(kPrefix) &&
                     text.substr(kPrefix.size()).find_first_not_of("0123456789abcdef") == text.npos;
  if (right) return std::string(text);
  return fail_with("the id of a key, key_ and 12 digits, as `flexctl key list ORG` shows it");
}

CLI::Option* org_argument(CLI::App& command, std::string& target, const char* name) {
  return parsed_option(command, name, target, parse_text, "The organization, by its name or id")
      ->required();
}

CLI::Option* key_id_argument(CLI::App& command, std::string& target) {
  return parsed_option(command, "ID", target, parse_key_id,
                       "The key's id, such as key_0123456789ab")
      ->required();
}

std::unexpected<Refusal> failure(const store::Error& error) {
  return fail(Refusal(error));
}

std::unexpected<Refusal> value_failure(const store::Error& error) {
  return fail(Refusal(error, error.kind == store::Error::Kind::invalid));
}

Result<StorePointer, Refusal> open_existing(const Context& context) {
  auto opened = store::open_store(context.store, store::OpenMode::existing);
  if (!opened) return failure(opened.error());
  return std::move(*opened);
}

store::StoreResult<store::Organization> owner_of(store::Store& store, const store::Key& key) {
  auto contents = store.load();
  if (!contents) return fail(std::move(contents.error()));
  for (store::Organization& organization : contents->organizations) {
    if (organization.number == key.organization) return std::move(organization);
  }
  return fail(store::Error{store::Error::Kind::not_found, "the key has no organization"});
}

void put_key(store::JsonWriter& json, const store::Key& key, std::string_view organization_name,
             int64_t now_s) {
  store::write_key_members(json, key, organization_name, now_s);
  json.key("state").string(key_state_word(key_state(key, now_s)));
}

Result<crypto::MasterKeys> read_master_keys(const Context& context) {
  return crypto::MasterKeys::read(context.master_key_file);
}

}  // namespace flexd::ctl
