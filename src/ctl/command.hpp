// command.hpp: what every command of flexctl has in common: where it works, what it says, and how
// it is declared.
//
// A command is declared on a CLI::App, which throws on wrong usage while it reads the command line.
// All values are checked there; then `Context::action` holds what is to be done.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "flexd/base/result.hpp"
#include "flexd/crypto/seal.hpp"
#include "flexd/store/bounds.hpp"
#include "flexd/store/json.hpp"
#include "flexd/store/store.hpp"

namespace flexd::ctl {

inline constexpr int kExitFailed = 1;
inline constexpr int kExitUsage = 2;

// Refusal is why a command failed: one line for stderr, and what the program exits with.
struct Refusal {
  std::string message;
  int exit_code = kExitFailed;

  Refusal(Failure failure) : message(std::move(failure.message)) {}
  // A store finds out what may not be a name, for example: that is wrong usage.
  Refusal(const store::Error& error, bool is_usage = false)
      : message(error.message), exit_code(is_usage ? kExitUsage : kExitFailed) {}
};

// Outcome is what becomes of a command.
using Outcome = Result<void, Refusal>;

struct Context {
  std::string store;            // --store
  std::string master_key_file;  // --master-key-file
  bool json = false;            // --json
  int64_t now_s = 0;            // Unix time at the start
  std::function<Outcome()> action;
  // out is what goes to stdout at the end, of a failed command, too.
  std::string out;
};

// wipe_text overwrites a text that held a secret. What it left behind when it grew stays in memory
// until the program ends, which is soon.
void wipe_text(std::string& text);

// Document is the one JSON object that a command prints. Its text is wiped: it may hold a new key.
class Document {
 public:
  Document() : json_(sink_) {
    sink_.text.reserve(4096);  // so that a secret is not left behind when it grows
    json_.begin_object();
  }
  ~Document() { wipe_text(sink_.text); }
  Document(const Document&) = delete;
  Document& operator=(const Document&) = delete;

  store::JsonWriter& json() { return json_; }
  // print ends the object and puts it out.
  void print(Context& context);

 private:
  store::StringSink sink_;
  store::JsonWriter json_;
};

// declare adds a command to its group, or to the program; every command takes the common options.
// `example` is one whole command line.
CLI::App& declare(CLI::App& parent, Context& context, const char* name, const char* help,
                  const char* example);
// add_common adds --store, --master-key-file and --json.
void add_common(CLI::App& app, Context& context);

// on_run says what a command does, with `args`, which live as long as it may run.
template <typename Args>
void on_run(CLI::App& command, Context& context, const std::shared_ptr<Args>& args,
            Outcome (*run)(Context&, const Args&)) {
  command.callback([&context, args, run] {
    context.action = [&context, args, run] { return run(context, *args); };
  });
}

// parsed_option adds an option or (by a name without dashes) an argument whose text `parse` makes a
// value of. Messages do not repeat the text: it may be a secret in the wrong place.
template <typename T, typename Parse>
CLI::Option* parsed_option(CLI::App& command, const char* name, T& target, Parse parse,
                           const char* help) {
  return command
      .add_option_function<std::string>(
          name,
          [&target, name, parse](const std::string& text) {
            auto value = parse(text);
            if (!value) throw CLI::ValidationError(name, value.error().message);
            target = std::move(*value);
          },
          help)
      ->type_name("");
}

// parse_text takes any text but an empty one, which is mostly a variable that was not set.
Result<std::string> parse_text(std::string_view text);
// parse_count reads a whole number within the bounds, whose words it fails with.
Result<int64_t> parse_count(std::string_view text, const store::Bounds& bounds);
// parse_word finds `text` in `words`; its place.
Result<size_t> parse_word(std::string_view text, std::span<const std::string_view> words);
// parse_key_id takes the id of a key, not the key.
Result<std::string> parse_key_id(std::string_view text);

// org_argument and key_id_argument are the arguments that most commands have.
CLI::Option* org_argument(CLI::App& command, std::string& target, const char* name = "ORG");
CLI::Option* key_id_argument(CLI::App& command, std::string& target);

// StorePointer is an opened store.
using StorePointer = std::unique_ptr<store::Store>;
// open_existing opens the store that the context names.
Result<StorePointer, Refusal> open_existing(const Context& context);
// failure is a store's error as a command's; value_failure is one of a call with new values, which
// may be invalid.
std::unexpected<Refusal> failure(const store::Error& error);
std::unexpected<Refusal> value_failure(const store::Error& error);
// owner_of is the organization of a key.
store::StoreResult<store::Organization> owner_of(store::Store& store, const store::Key& key);
// put_key writes the members of a key (store/json.hpp) and its state.
void put_key(store::JsonWriter& json, const store::Key& key, std::string_view organization_name,
             int64_t now_s);
// read_master_keys reads the file that the context names.
Result<crypto::MasterKeys> read_master_keys(const Context& context);

// The commands, by group.
void add_init(CLI::App& app, Context& context);
void add_org(CLI::App& app, Context& context);
void add_key(CLI::App& app, Context& context);
void add_key_check(CLI::App& group, Context& context);
void add_provider_key(CLI::App& app, Context& context);
void add_model(CLI::App& app, Context& context);
void add_usage(CLI::App& app, Context& context);
void add_rotate_master_key(CLI::App& app, Context& context);

}  // namespace flexd::ctl
