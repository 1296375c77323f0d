// Random races against rules that are read off the whole history, not off a state.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "flexd/race/race.hpp"
#include "script.hpp"

namespace flexd::race {
namespace {

// Entry is one thing that happened: an event that was put in, or an action that came out.
struct Entry {
  uint64_t at_ns;
  bool is_action;
  std::string word;
};
using History = std::vector<Entry>;

bool ends_with(const std::string& word, const char* end) {
  return word.ends_with(end);
}

// is_open reads off the history whether an attempt of `tier` is under way at its end.
bool is_open(const History& history, const std::string& tier) {
  bool open = false;
  const std::string send = "send-" + tier;
  const std::string cancel = "cancel-" + tier;
  for (const Entry& entry : history) {
    if (entry.word == send) open = true;
    if (entry.word == cancel) open = false;
    if (!entry.is_action && entry.word.starts_with(tier) && !ends_with(entry.word, " started")) {
      open = false;
    }
  }
  return open;
}

size_t count_of(const History& history, std::string_view word) {
  return static_cast<size_t>(std::count_if(history.begin(), history.end(),
                                           [&](const Entry& e) { return e.word == word; }));
}

const Entry* first_of(const History& history, std::string_view word) {
  const auto found =
      std::find_if(history.begin(), history.end(), [&](const Entry& e) { return e.word == word; });
  return found == history.end() ? nullptr : &*found;
}

const Entry* last_of(const History& history, std::string_view start) {
  const auto found = std::find_if(history.rbegin(), history.rend(), [&](const Entry& e) {
    return !e.is_action && e.word.starts_with(start);
  });
  return found == history.rend() ? nullptr : &*found;
}

bool decided(const History& history) {
  return std::any_of(history.begin(), history.end(), [](const Entry& e) {
    return e.is_action &&
           (e.word.starts_with("commit") || e.word.starts_with("answer") || e.word == "fail");
  });
}

struct World {
  Options options;
  uint64_t start_ns;
  uint64_t deadline_ns;
  uint64_t lead_ns;
  bool one_at_a_time;
};

World world_of(const Options& options, uint64_t start_ns) {
  World world{options, start_ns, 0, 0, options.conversation || options.mode == Mode::sequential};
  uint64_t window = options.window_ns;
  if (options.patience_ns != 0) {
    const int64_t left =
        static_cast<int64_t>(options.patience_ns) - static_cast<int64_t>(30 * kSecondNs);
    const auto bound = static_cast<uint64_t>(std::max(left, static_cast<int64_t>(5 * kSecondNs)));
    if (bound < window) window = bound;
  }
  world.deadline_ns = start_ns + window;
  world.lead_ns = options.lead_ns * 2 > window ? window / 2 : options.lead_ns;
  return world;
}

// expected_next says by the contract's sentences what must follow the last event of the history.
std::vector<std::string> expected_next(const World& world, const History& history) {
  const Entry& event = history.back();
  const bool over = decided(history) || first_of(history, "gone") != nullptr;
  const uint64_t now = event.at_ns;
  const uint64_t standard_due = world.deadline_ns - world.lead_ns;
  const bool flex_open = is_open(history, "flex");
  const bool standard_open = is_open(history, "standard");
  std::vector<std::string> next;
  if (event.word == "gone") {
    if (count_of(history, "gone") > 1) return next;
    if (flex_open) next.emplace_back("cancel-flex");
    if (standard_open) next.emplace_back("cancel-standard");
    return next;
  }
  if (over) return next;
  const bool standard_ever = count_of(history, "send-standard") > 0;
  const Entry* standard_end = standard_open ? nullptr : last_of(history, "standard ");
  const bool refused = standard_end != nullptr && !ends_with(standard_end->word, " lost") &&
                       !ends_with(standard_end->word, " unprocessed");
  const Entry* first_standard = first_of(history, "send-standard");
  const bool locked = standard_end != nullptr && ends_with(standard_end->word, " locked") &&
                      world.options.conversation && world.options.slot &&
                      standard_end->at_ns + kSecondNs / 4 <= first_standard->at_ns + 3 * kSecondNs;

  if (event.word == "flex started") {
    if (standard_open) next.emplace_back("cancel-standard");
    next.emplace_back("commit-flex");
  } else if (event.word == "standard started") {
    if (flex_open) next.emplace_back("cancel-flex");
    next.emplace_back("commit-standard");
  } else if (event.word.starts_with("flex ")) {
    const uint64_t limit = world.one_at_a_time ? standard_due : world.deadline_ns;
    if (event.word == "flex unprocessed" && now < limit &&
        count_of(history, "flex unprocessed") < 3) {
      next.emplace_back("send-flex");
    } else if (!standard_ever) {
      next.emplace_back("send-standard");
    } else if (refused) {
      next.emplace_back("answer-standard");
    } else if (!standard_open) {
      next.emplace_back("fail");
    }
  } else if (event.word == "standard unprocessed" &&
             count_of(history, "standard unprocessed") < 3) {
    next.emplace_back("send-standard");
  } else if (event.word.starts_with("standard ")) {
    if (locked) return next;
    if (!flex_open) {
      next.emplace_back(refused ? "answer-standard" : "fail");
    } else if (refused && now >= world.deadline_ns) {
      next.emplace_back("cancel-flex");
      next.emplace_back("answer-standard");
    }
  } else if (!standard_ever) {
    if (now < standard_due) return next;
    if (world.one_at_a_time) next.emplace_back("cancel-flex");
    next.emplace_back("send-standard");
  } else if (locked) {
    if (now >= standard_end->at_ns + kSecondNs / 4) next.emplace_back("send-standard");
  } else if (refused && now >= world.deadline_ns) {
    next.emplace_back("cancel-flex");
    next.emplace_back("answer-standard");
  }
  return next;
}

// expected_reason is read off what came before the standard attempt first went out.
Reason expected_reason(const World& world, const History& history) {
  if (first_of(history, "commit-flex") != nullptr) return Reason::flex_won;
  if (!world.options.slot) return Reason::flex_slots_full;
  std::string before;
  uint64_t at_ns = 0;
  for (const Entry& entry : history) {
    if (entry.word == "send-standard") break;
    if (!entry.is_action) {
      before = entry.word;
      at_ns = entry.at_ns;
    }
  }
  if (before == "time" || at_ns >= world.deadline_ns - world.lead_ns) return Reason::flex_deadline;
  if (before == "flex capacity") return Reason::flex_capacity;
  if (before == "flex lost" || before == "flex unprocessed") return Reason::flex_not_started;
  return Reason::flex_upstream_error;
}

// check_shape holds the actions to what must be true of any race.
std::optional<std::string> check_shape(const History& before, const Actions& actions,
                                       const World& world, bool gone) {
  History history = before;
  for (const Action action : actions) {
    const std::string word = action_word(action);
    if (decided(history) && !gone) return "acts after the decision: " + word;
    for (const char* tier : {"flex", "standard"}) {
      const bool open = is_open(history, tier);
      if (word == std::string("send-") + tier && open) return "two attempts: " + word;
      if (word == std::string("cancel-") + tier && !open) return "nothing to cancel: " + word;
      if (word == std::string("commit-") + tier && !open) return "nothing to commit: " + word;
    }
    history.push_back({history.back().at_ns, true, word});
    if (world.one_at_a_time && is_open(history, "flex") && is_open(history, "standard")) {
      return "two attempts at a time";
    }
  }
  const bool committed_flex = first_of(history, "commit-flex") != nullptr;
  if (decided(history) && !gone) {
    if (!committed_flex && is_open(history, "flex")) return "flex left open";
    const bool committed_standard = first_of(history, "commit-standard") != nullptr;
    if (!committed_standard && is_open(history, "standard")) return "standard left open";
  }
  return std::nullopt;
}

Options random_options(std::mt19937_64& random) {
  const auto below = [&](uint64_t n) { return random() % n; };
  Options options;
  options.window_ns = (5 + below(20)) * kSecondNs;
  if (below(3) == 0) options.patience_ns = (1 + below(60)) * kSecondNs;
  if (below(2) == 0) options.lead_ns = below(15'000) * 1'000'000;
  if (below(3) == 0) options.mode = Mode::sequential;
  options.conversation = below(4) == 0;
  options.slot = below(12) != 0;
  return options;
}

// random_event favors what can happen, and sometimes says what cannot.
std::string random_event(std::mt19937_64& random, const History& history) {
  static constexpr const char* kEnds[] = {"started", "capacity",    "error",
                                          "lost",    "unprocessed", "locked"};
  const bool stray = random() % 20 == 0;
  if (random() % 60 == 0) return "gone";
  std::vector<std::string> tiers;
  for (const char* tier : {"flex", "standard"}) {
    if (stray || is_open(history, tier)) tiers.emplace_back(tier);
  }
  if (tiers.empty() || random() % 3 == 0) return "time";
  // Starts are rarer than losses, so that races last.
  const size_t end = random() % 8;
  return tiers[random() % tiers.size()] + " " + kEnds[end >= 6 ? 4 + end % 2 : end];
}

// run_race plays one random race and gives the first thing that is wrong with it.
std::optional<std::string> run_race(uint64_t seed) {
  std::mt19937_64 random(seed);
  const uint64_t start_ns = 1 + random() % (1'000 * kSecondNs);
  const World world = world_of(random_options(random), start_ns);
  Race race(world.options, start_ns);
  History history{{start_ns, false, "begin"}};
  for (const Action action : race.start(start_ns)) {
    history.push_back({start_ns, true, action_word(action)});
  }
  uint64_t now = start_ns;
  for (int step = 0; step < 24; ++step) {
    std::string event = random_event(random, history);
    const uint64_t later = now + random() % (2 * kSecondNs);
    // A timer may be overdue: an event can be looked at before it.
    const uint64_t wake = std::max(race.wake_ns(), now);
    if (event == "time" && wake != kNever && random() % 4 != 0) {
      now = wake;  // the owner's timer
    } else if (wake != kNever && later > wake) {
      now = wake + random() % 3;  // an event that ties with the timer, or a late timer
    } else {
      now = later;
    }
    const bool after_end = decided(history) || count_of(history, "gone") > 0;
    const bool known = event == "time" || event == "gone" ||
                       (!after_end && is_open(history, event.substr(0, event.find(' '))));
    const Actions actions = apply(race, event, now);
    if (!known) {
      if (!actions.empty()) return "acts on a stray event: " + event;
      continue;
    }
    history.push_back({now, false, event});
    if (auto wrong = check_shape(history, actions, world, event == "gone")) return wrong;
    const std::vector<std::string> expected = expected_next(world, history);
    std::string expected_words;
    for (const std::string& word : expected) {
      expected_words += (expected_words.empty() ? "" : " ") + word;
    }
    if (words_of(actions) != expected_words) {
      return event + ": got [" + words_of(actions) + "], not [" + expected_words + "]";
    }
    for (const Action action : actions) history.push_back({now, true, action_word(action)});
    if (decided(history) && first_of(history, "gone") == nullptr) {
      if (!race.is_decided() || race.wake_ns() != kNever) return "does not know it is decided";
      if (race.reason() != expected_reason(world, history)) return "wrong reason";
    } else if (first_of(history, "gone") == nullptr && race.wake_ns() == kNever &&
               !is_open(history, "flex") && !is_open(history, "standard")) {
      return "waits for nothing";
    }
  }
  return std::nullopt;
}

TEST_CASE("race: 120,000 random races keep the rules") {
  constexpr uint64_t kFirstSeed = 20'250'101;
  for (uint64_t seed = kFirstSeed; seed < kFirstSeed + 120'000; ++seed) {
    const std::optional<std::string> wrong = run_race(seed);
    if (wrong) FAIL("seed " << seed << ": " << *wrong);
  }
}

}  // namespace
}  // namespace flexd::race
