// flexctl model set|list
#include <fmt/format.h>

#include "command.hpp"
#include "listing.hpp"

namespace flexd::ctl {
namespace {

constexpr std::string_view kOnOff[] = {"off", "on"};

struct SetArgs {
  store::Model model;
};
struct ListArgs {};

void put_model(store::JsonWriter& json, const store::Model& model) {
  json.key("name").string(model.name).key("maintenance").boolean(model.maintenance);
  json.key("retry_after_s").integer(model.retry_after_s);
}

Outcome set(Context& context, const SetArgs& args) {
  auto opened = open_existing(context);
  if (!opened) return fail(std::move(opened.error()));
  const store::Model& model = args.model;
  if (const auto done = (*opened)->set_model(model); !done) return value_failure(done.error());
  if (context.json) {
    Document document;
    put_model(document.json(), model);
    document.print(context);
  } else if (model.maintenance) {
    context.out += fmt::format("{} is under maintenance; callers are told to retry after {} s\n",
                               model.name, model.retry_after_s);
  } else {
    context.out += fmt::format("{} is not under maintenance\n", model.name);
  }
  return {};
}

Outcome list(Context& context, const ListArgs& /*args*/) {
  auto opened = open_existing(context);
  if (!opened) return fail(std::move(opened.error()));
  const auto contents = (*opened)->load();
  if (!contents) return failure(contents.error());
  using enum Table::Align;
  print_list(context,
             {.name = "models",
              .organization = {},
              .none = "no model is under maintenance",
              .columns = {{"name"}, {"maintenance", whole}, {"retry after", right}}},
             contents->models, put_model,
             [](const store::Model& model) -> std::vector<std::string> {
               return {model.name, std::string(kOnOff[model.maintenance ? 1 : 0]),
                       fmt::format("{} s", model.retry_after_s)};
             });
  return {};
}

void add_set(CLI::App& group, Context& context) {
  CLI::App& command = declare(group, context, "set",
                              "Take a model out of service (503 for its requests), or back into it",
                              "flexctl model set gpt-5.4 --maintenance on --retry-after 600");
  auto args = std::make_shared<SetArgs>();
  command.add_option("NAME", args->model.name, "The model's name")->type_name("")->required();
  parsed_option(
      command, "--maintenance", args->model.maintenance,
      [](const std::string& text) -> Result<bool> {
        const auto word = parse_word(text, kOnOff);
        if (!word) return fail(word.error());
        return *word == 1;
      },
      "Whether it is under maintenance")
      ->type_name("on|off")
      ->required();
  parsed_option(
      command, "--retry-after", args->model.retry_after_s,
      [](const std::string& text) -> Result<uint32_t> {
        const auto seconds = parse_count(text, store::kRetryAfterBounds);
        if (!seconds) return fail(seconds.error());
        return static_cast<uint32_t>(*seconds);
      },
      "Seconds after which callers are told to try again (60)")
      ->type_name("S");
  on_run(command, context, args, set);
}

}  // namespace

void add_model(CLI::App& app, Context& context) {
  CLI::App& group = *app.add_subcommand("model", "Models and their maintenance: set, list");
  add_set(group, context);
  CLI::App& command =
      declare(group, context, "list", "List the models under maintenance", "flexctl model list");
  on_run(command, context, std::make_shared<ListArgs>(), list);
}

}  // namespace flexd::ctl
