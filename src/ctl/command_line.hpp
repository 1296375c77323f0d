// command_line.hpp: reads the command line of flexctl, and says in one line what is wrong with it.
#pragma once

#include <string>

#include "command.hpp"

namespace flexd::ctl {

// read_command_line fills `context`. The text, if any, is printed instead of running an action:
// --help, --version. A refusal is wrong usage; it never repeats an argument that could be a secret.
Result<std::string, Refusal> read_command_line(int argc, const char* const* argv, Context& context);

}  // namespace flexd::ctl
