// The cells that hold keys to ceilings and budgets, and organizations to their credit.
#include <doctest/doctest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "flexd/account/limits.hpp"

namespace flexd::account {
namespace {

constexpr int kThreads = 4;
constexpr uint64_t kStartS = 1'790'000'000;
constexpr uint64_t kMinute = WindowCell::kWindowSeconds;
// November and December 2026, as store::month_of has them.
constexpr int32_t kNovember = 2026 * 12 + 10;
constexpr int32_t kDecember = kNovember + 1;

template <typename Body>
void in_threads(Body body) {
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) threads.emplace_back(body, i);
  for (std::thread& thread : threads) thread.join();
}

TEST_CASE("window: the limit, what remains and when it resets") {
  WindowCell cell;
  for (uint32_t left : {2U, 1U, 0U}) {
    const Window window = cell.admit(kStartS + 5, 3);
    CHECK(window.admitted);
    CHECK(window.remaining == left);
    CHECK(window.resets_at_s == kStartS + 65);
  }
  const Window over = cell.admit(kStartS + 5 + kMinute - 1, 3);
  CHECK_FALSE(over.admitted);
  CHECK(over.remaining == 0);
  CHECK(over.resets_at_s == kStartS + 65);
}

TEST_CASE("window: the next begins with the first request after the end, not on a grid") {
  WindowCell cell;
  CHECK(cell.admit(kStartS, 1).admitted);
  CHECK_FALSE(cell.admit(kStartS + kMinute - 1, 1).admitted);
  const Window next = cell.admit(kStartS + kMinute, 1);
  CHECK(next.admitted);
  CHECK(next.resets_at_s == kStartS + 2 * kMinute);
  const Window later = cell.admit(kStartS + 1'000, 1);
  CHECK(later.admitted);
  CHECK(later.resets_at_s == kStartS + 1'000 + kMinute);
}

TEST_CASE("window: those over the limit do not count, and a changed limit holds at once") {
  WindowCell cell;
  CHECK(cell.admit(kStartS, 2).admitted);
  CHECK(cell.admit(kStartS, 2).admitted);
  for (int i = 0; i < 100; ++i) CHECK_FALSE(cell.admit(kStartS, 2).admitted);
  const Window raised = cell.admit(kStartS, 5);
  CHECK(raised.admitted);
  CHECK(raised.remaining == 2);
  CHECK_FALSE(cell.admit(kStartS, 1).admitted);
}

TEST_CASE("window: a clock behind counts into the window under way, one set back begins anew") {
  WindowCell cell;
  CHECK(cell.admit(kStartS, 1).admitted);
  CHECK_FALSE(cell.admit(kStartS - 1, 1).admitted);
  CHECK_FALSE(cell.admit(kStartS - kMinute + 1, 1).admitted);
  const Window anew = cell.admit(kStartS - kMinute, 1);
  CHECK(anew.admitted);
  CHECK(anew.resets_at_s == kStartS);
}

TEST_CASE("window: the largest limit and the first second of all") {
  WindowCell cell;
  const Window window = cell.admit(kStartS, UINT32_MAX);
  CHECK(window.admitted);
  CHECK(window.remaining == UINT32_MAX - 1);
  WindowCell at_zero;
  CHECK(at_zero.admit(0, 1).admitted);
  CHECK_FALSE(at_zero.admit(0, 1).admitted);
}

TEST_CASE("window: four threads with clocks a second apart admit exactly the limit") {
  WindowCell cell;
  constexpr uint32_t kLimit = 1'000;
  std::atomic<uint32_t> admitted{0};
  std::atomic<bool> wrong{false};
  in_threads([&](int thread) {
    for (int i = 0; i < 10'000; ++i) {
      const Window window = cell.admit(kStartS + static_cast<uint64_t>(thread % 2), kLimit);
      if (window.admitted) ++admitted;
      if (window.remaining >= kLimit) wrong = true;
    }
  });
  CHECK(admitted == kLimit);
  CHECK_FALSE(wrong);
  // And in the window after it again.
  admitted = 0;
  in_threads([&](int thread) {
    for (int i = 0; i < 10'000; ++i) {
      const uint64_t now_s = kStartS + 2 * kMinute + static_cast<uint64_t>(thread % 2);
      if (cell.admit(now_s, kLimit).admitted) ++admitted;
    }
  });
  CHECK(admitted == kLimit);
}

TEST_CASE("month: sums belong to their month") {
  MonthCell cell;
  CHECK(cell.get(kNovember) == 0);
  CHECK(cell.get(0) == 0);
  cell.add(kNovember, 5);
  cell.add(kNovember, 7);
  CHECK(cell.get(kNovember) == 12);
  CHECK(cell.get(kDecember) == 0);
  cell.add(kDecember, 1);
  CHECK(cell.get(kDecember) == 1);
  cell.add(kDecember + 14, 0);  // nothing was said of that month
  CHECK(cell.get(kDecember) == 1);
}

TEST_CASE("month: a worker a moment behind the turn counts into the new month") {
  MonthCell cell;
  cell.add(kNovember, 100);
  CHECK(cell.try_add(kDecember, 1, 3));
  CHECK(cell.try_add(kNovember, 1, 3));
  CHECK(cell.get(kNovember) == 2);
  cell.add(kNovember, 1);
  CHECK_FALSE(cell.try_add(kNovember, 1, 3));
  CHECK_FALSE(cell.try_add(kDecember, 1, 3));
  CHECK(cell.get(kDecember) == 3);
}

TEST_CASE("month: a clock that ran far ahead and was set right does not hold the sum for ever") {
  MonthCell cell;
  cell.add(kDecember + 12, 50);
  CHECK(cell.get(kDecember) == 0);
  CHECK(cell.try_add(kDecember, 1, 10));
  CHECK(cell.get(kDecember) == 1);
}

TEST_CASE("month: what a wrong clock counted ahead is replaced by the running month's sum") {
  MonthCell cell;
  cell.add(kNovember + 24, 50);
  cell.raise(kNovember, 7);
  CHECK(cell.get(kNovember) == 7);
  cell.add(kNovember + 2, 50);
  cell.raise(kNovember, 8);
  CHECK(cell.get(kNovember) == 8);
  cell.add(kNovember + 1, 50);  // another worker is past the turn
  cell.raise(kNovember, 9);
  CHECK(cell.get(kNovember + 1) == 50);
}

TEST_CASE("month: the word turns round after 341 years") {
  MonthCell cell;
  constexpr int32_t kLast = 4095;
  static_assert(kLast % 4096 == 4095);
  cell.add(kLast, 9);
  CHECK(cell.get(kLast) == 9);
  CHECK(cell.get(kLast + 1) == 0);
  cell.add(kLast + 1, 4);
  CHECK(cell.get(kLast + 1) == 4);
  CHECK(cell.get(kLast) == 4);  // taken for a clock a moment behind
  cell.raise(kLast, 1'000);     // but a store's sum of the month before says nothing
  CHECK(cell.get(kLast + 1) == 4);
}

TEST_CASE("month: the sum stays at its largest, and no limit is above that") {
  MonthCell cell;
  cell.add(kNovember, MonthCell::kSumMax - 1);
  CHECK(cell.try_add(kNovember, 1, UINT64_MAX));
  CHECK(cell.get(kNovember) == MonthCell::kSumMax);
  cell.add(kNovember, 1);
  cell.add(kNovember, UINT64_MAX);
  CHECK(cell.get(kNovember) == MonthCell::kSumMax);
  CHECK_FALSE(cell.try_add(kNovember, 1, UINT64_MAX));
  CHECK(cell.get(kDecember) == 0);
  cell.raise(kDecember, UINT64_MAX);
  CHECK(cell.get(kDecember) == MonthCell::kSumMax);
}

TEST_CASE("month: a limit of 0 admits nothing, and a request over it leaves the sum") {
  MonthCell cell;
  CHECK_FALSE(cell.try_add(kNovember, 1, 0));
  CHECK(cell.try_add(kNovember, 5, 1));  // the last one may pass the limit
  CHECK_FALSE(cell.try_add(kNovember, 1, 5));
  CHECK(cell.get(kNovember) == 5);
}

TEST_CASE("month: raise lifts and never lowers") {
  MonthCell cell;
  cell.raise(kNovember, 10);
  CHECK(cell.get(kNovember) == 10);
  cell.raise(kNovember, 4);
  CHECK(cell.get(kNovember) == 10);
  cell.raise(kNovember - 1, 500);
  cell.raise(0, 0);
  CHECK(cell.get(kNovember) == 10);
  cell.raise(kDecember, 3);
  CHECK(cell.get(kDecember) == 3);
  cell.raise(kDecember + 1, 0);  // a new month in which nothing was spent
  CHECK(cell.get(kDecember + 1) == 0);
  CHECK(cell.try_add(kDecember + 1, 1, 1));
}

TEST_CASE("month: raise adds what others wrote to what is counted") {
  MonthCell cell;
  cell.raise(kNovember, 10, 4);
  CHECK(cell.get(kNovember) == 10);
  cell.add(kNovember, 5);
  cell.raise(kNovember, 12, 2);
  CHECK(cell.get(kNovember) == 17);
  cell.raise(kNovember, 30, 3);
  CHECK(cell.get(kNovember) == 30);
  cell.raise(kNovember - 1, 99, 99);  // the cell is past the turn
  CHECK(cell.get(kNovember) == 30);
  cell.raise(kDecember, 0, 6);
  CHECK(cell.get(kDecember) == 6);
  cell.raise(kDecember, 0, UINT64_MAX);
  CHECK(cell.get(kDecember) == MonthCell::kSumMax);
}

TEST_CASE("month: four threads admit exactly the limit, and no sum is lost") {
  MonthCell requests;
  MonthCell nanos;
  std::atomic<int> admitted{0};
  in_threads([&](int) {
    for (int i = 0; i < 10'000; ++i) {
      if (requests.try_add(kNovember, 1, 5'000)) ++admitted;
      nanos.add(kNovember, 3);
      nanos.raise(kNovember, 2);
    }
  });
  CHECK(admitted == 5'000);
  CHECK(requests.get(kNovember) == 5'000);
  CHECK(nanos.get(kNovember) == 3 * 10'000 * kThreads);
}

TEST_CASE("month: threads on both sides of the turn keep to the new month's limit") {
  MonthCell cell;
  cell.add(kNovember, 400);
  std::atomic<int> admitted{0};
  CHECK(cell.try_add(kDecember, 1, 500));
  in_threads([&](int thread) {
    for (int i = 0; i < 5'000; ++i) {
      if (cell.try_add(thread % 2 == 0 ? kNovember : kDecember, 1, 500)) ++admitted;
    }
  });
  CHECK(admitted == 499);
}

TEST_CASE("spent: grows, is raised, and stays at the largest number") {
  SpentCell cell;
  cell.add(10);
  cell.raise(5);
  CHECK(cell.get() == 10);
  cell.raise(50);
  CHECK(cell.get() == 50);
  cell.add(0);
  CHECK(cell.get() == 50);
  cell.raise(20, 1);
  CHECK(cell.get() == 51);
  cell.raise(60, 1);
  CHECK(cell.get() == 60);
  cell.add(UINT64_MAX - 61);
  cell.add(10);
  CHECK(cell.get() == UINT64_MAX);
  cell.add(UINT64_MAX);
  CHECK(cell.get() == UINT64_MAX);
}

TEST_CASE("spent: four threads lose nothing") {
  SpentCell cell;
  in_threads([&](int) {
    for (int i = 0; i < 10'000; ++i) {
      cell.add(7);
      cell.raise(1);
    }
  });
  CHECK(cell.get() == 7 * 10'000 * kThreads);
}

TEST_CASE("cells stay where they are, and those of keys and organizations are apart") {
  LimitArena arena;
  OrganizationCells& one = arena.organization(1);
  KeyCells& key = arena.key(1);
  CHECK(one.race_slots.try_acquire(1));
  CHECK(key.ceiling.admit(kStartS, 1).admitted);
  for (store::Number number = 2; number < 2'000; ++number) {
    arena.organization(number);
    arena.key(number);
  }
  CHECK(&arena.organization(1) == &one);
  CHECK(&arena.key(1) == &key);
  CHECK_FALSE(arena.organization(1).race_slots.try_acquire(1));
  CHECK_FALSE(arena.key(1).ceiling.admit(kStartS, 1).admitted);
  CHECK(&arena.organization(2) != &one);
  CHECK(reinterpret_cast<uintptr_t>(&key) % 64 == 0);
}

}  // namespace
}  // namespace flexd::account
