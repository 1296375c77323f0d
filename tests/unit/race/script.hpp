// script.hpp: races written down as lines, for tests.
#pragma once

#include <sstream>
#include <string>

#include "flexd/race/race.hpp"

namespace flexd::race {

inline const char* action_word(Action action) {
  switch (action) {
    case Action::send_flex:
      return "send-flex";
    case Action::send_standard:
      return "send-standard";
    case Action::cancel_flex:
      return "cancel-flex";
    case Action::cancel_standard:
      return "cancel-standard";
    case Action::commit_flex:
      return "commit-flex";
    case Action::commit_standard:
      return "commit-standard";
    case Action::answer_standard:
      return "answer-standard";
    case Action::fail_unreachable:
      return "fail";
  }
  return "?";
}

inline std::string words_of(const Actions& actions) {
  std::string words;
  for (const Action action : actions) {
    if (!words.empty()) words += ' ';
    words += action_word(action);
  }
  return words;
}

// apply performs one event by its name: time, gone, {flex,standard} followed by started, capacity,
// error, lost, unprocessed or locked. `error` and `locked` are answers of the provider's.
inline Actions apply(Race& race, const std::string& event, uint64_t now_ns) {
  std::istringstream words(event);
  std::string who;
  std::string what;
  words >> who >> what;
  if (who == "time") return race.on_time(now_ns);
  if (who == "gone") return race.on_client_gone();
  const Tier tier = who == "flex" ? Tier::flex : Tier::standard;
  if (what == "started") return race.on_started(tier, now_ns);
  if (what == "capacity") return race.on_lost(tier, Loss::capacity, true, now_ns);
  if (what == "error") return race.on_lost(tier, Loss::upstream_error, true, now_ns);
  if (what == "lost") return race.on_lost(tier, Loss::not_started, false, now_ns);
  if (what == "unprocessed") return race.on_lost(tier, Loss::never_processed, false, now_ns);
  return race.on_lost(tier, Loss::conversation_locked, true, now_ns);
}

}  // namespace flexd::race
