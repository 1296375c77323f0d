#include "command_line.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "flexd/config/paths.hpp"
#include "suggest.hpp"

namespace flexd::ctl {
namespace {

constexpr size_t kEchoBytesMax = 24;
constexpr const char* kGeneralHelp = "flexctl --help lists the commands";

std::unexpected<Refusal> usage_error(std::string message) {
  Refusal refusal{Failure{std::move(message)}};
  refusal.exit_code = kExitUsage;
  return fail(std::move(refusal));
}

// is_word tells what may be repeated in a message: a secret is longer, or has digits.
bool is_word(std::string_view text) {
  return !text.empty() && text.size() <= kEchoBytesMax && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-';
  });
}

// full_name is "org create" of a command below the program.
std::string full_name(const CLI::App& command) {
  const CLI::App* const parent = command.get_parent();
  if (parent == nullptr) return "";
  const std::string above = full_name(*parent);
  return above.empty() ? command.get_name() : above + " " + command.get_name();
}

using Subcommands = std::vector<const CLI::App*>;

Subcommands subcommands_of(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App*) { return true; });
}

// collect_names adds the full names of groups and commands.
void collect_names(const CLI::App& app, std::vector<std::string>& names) {
  for (const CLI::App* command : subcommands_of(app)) {
    names.push_back(full_name(*command));
    collect_names(*command, names);
  }
}

// typed_words are the words before the first option, where commands are; common options may stand
// before them.
std::vector<std::string> typed_words(int argc, const char* const* argv) {
  std::vector<std::string> words;
  for (int i = 1; i < argc; ++i) {
    const std::string_view text = argv[i];
    if (text == "--store" || text == "--master-key-file") {
      ++i;
    } else if (!text.starts_with('-')) {
      words.emplace_back(text);
    } else if (!words.empty() && !text.starts_with("--store=") && text != "--json" &&
               !text.starts_with("--master-key-file=")) {
      break;
    }
  }
  return words;
}

const CLI::App* find_subcommand(const CLI::App& app, std::string_view name) {
  for (const CLI::App* command : subcommands_of(app)) {
    if (command->get_name() == name) return command;
  }
  return nullptr;
}

std::string list_of(const CLI::App& app) {
  std::string list;
  for (const CLI::App* command : subcommands_of(app)) {
    list += (list.empty() ? "" : ", ") + command->get_name();
  }
  return list;
}

// check_words sees to it that the words begin with a command, as CLI11 would only say that a word
// was not expected.
Result<void, Refusal> check_words(const CLI::App& app, const std::vector<std::string>& words) {
  const CLI::App* at = &app;
  size_t depth = 0;
  while (!subcommands_of(*at).empty()) {
    const CLI::App* const next =
        depth < words.size() ? find_subcommand(*at, words[depth]) : nullptr;
    if (next == nullptr) break;
    at = next;
    ++depth;
  }
  if (subcommands_of(*at).empty()) return {};
  const std::string group = full_name(*at);
  if (depth == words.size()) {
    return usage_error(group.empty() ? fmt::format("a command is missing ({})", kGeneralHelp)
                                     : fmt::format("{} which? {}", group, list_of(*at)));
  }
  std::vector<std::string> names;
  collect_names(app, names);
  const std::string_view meant = nearest_command(words, names);
  const std::string what = is_word(words[depth])
                               ? fmt::format("there is no command `{}{}{}`", group,
                                             group.empty() ? "" : " ", words[depth])
                               : "this is no command";
  if (!meant.empty()) return usage_error(fmt::format("{}; did you mean `{}`?", what, meant));
  if (group.empty()) return usage_error(fmt::format("{} ({})", what, kGeneralHelp));
  return usage_error(fmt::format("{}: {} has {}", what, group, list_of(*at)));
}

// chosen is the command that was named.
const CLI::App& chosen(const CLI::App& app) {
  const CLI::App* at = &app;
  while (!at->get_subcommands().empty()) at = at->get_subcommands().front();
  return *at;
}

// explain_extras says which argument is too much: options by their name, others not at all.
std::string explain_extras(const CLI::App& app, const CLI::App& command) {
  for (const std::string& text : app.remaining(true)) {
    if (!text.starts_with('-')) continue;
    const std::string option = text.substr(0, text.find('='));
    if (!is_word(option)) return "there is no such option";
    std::vector<std::string> names;
    for (const CLI::Option* known : command.get_options()) {
      for (const std::string& name : known->get_lnames()) names.push_back("--" + name);
    }
    const std::string_view meant = nearest(option, names);
    if (meant.empty()) return fmt::format("there is no option {}", option);
    return fmt::format("there is no option {}; did you mean {}?", option, meant);
  }
  const std::string name = full_name(command);
  if (name == "provider-key set" || name == "key check") {
    return "an argument too many; the key itself is read from stdin, never from the command line";
  }
  return "an argument too many";
}

std::string one_line(std::string text) {
  std::ranges::replace(text, '\n', ' ');
  while (text.ends_with(' ')) text.pop_back();
  return text;
}

void add_commands(CLI::App& app, Context& context) {
  app.set_version_flag("--version", std::string("flexctl ") + FLEXD_VERSION);
  app.get_formatter()->column_width(32);
  app.get_formatter()->label("REQUIRED", "");
  app.footer("Help for a command: flexctl org create --help");
  add_common(app, context);
  add_init(app, context);
  add_org(app, context);
  add_key(app, context);
  add_provider_key(app, context);
  add_model(app, context);
  add_usage(app, context);
  add_rotate_master_key(app, context);
}

bool asks_for_text(int argc, const char* const* argv) {
  return std::any_of(argv + 1, argv + argc, [](std::string_view text) {
    return text == "--help" || text == "-h" || text == "--version";
  });
}

}  // namespace

Result<std::string, Refusal> read_command_line(int argc, const char* const* argv,
                                               Context& context) {
  CLI::App app{"flexctl: manages the store of flexd: organizations, keys, limits and money.",
               "flexctl"};
  add_commands(app, context);
  if (!asks_for_text(argc, argv)) {
    if (auto checked = check_words(app, typed_words(argc, argv)); !checked) {
      return fail(std::move(checked.error()));
    }
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    return app.help();
  } catch (const CLI::CallForVersion&) {
    return std::string("flexctl ") + FLEXD_VERSION + "\n";
  } catch (const CLI::ParseError& error) {
    const CLI::App& command = chosen(app);
    const bool extras = dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr;
    const std::string name = full_name(command);
    return usage_error(fmt::format("{}{}{} (flexctl {}{}--help)", name, name.empty() ? "" : ": ",
                                   extras ? explain_extras(app, command) : one_line(error.what()),
                                   name, name.empty() ? "" : " "));
  }
  if (context.store.empty()) context.store = config::default_store_path();
  if (context.master_key_file.empty()) {
    context.master_key_file = config::default_master_key_path(context.store);
  }
  return std::string();
}

}  // namespace flexd::ctl
