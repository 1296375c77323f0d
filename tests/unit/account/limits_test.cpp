#include "flexd/account/limits.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "flexd/account/auth_failures.hpp"

namespace flexd::account {
namespace {

constexpr uint64_t kSecondNs = 1'000'000'000;
constexpr int kThreads = 4;

template <typename Body>
void in_threads(Body body) {
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) threads.emplace_back(body, i);
  for (std::thread& thread : threads) thread.join();
}

IpBytes v4(uint32_t address) {
  return {0,
          0,
          0,
          0,
          0,
          0,
          0,
          0,
          0,
          0,
          0xFF,
          0xFF,
          static_cast<uint8_t>(address >> 24U),
          static_cast<uint8_t>(address >> 16U),
          static_cast<uint8_t>(address >> 8U),
          static_cast<uint8_t>(address)};
}

TEST_CASE("race slots are taken up to the limit and given back") {
  RaceSlots slots;
  CHECK_FALSE(slots.try_acquire(0));
  CHECK(slots.try_acquire(2));
  CHECK(slots.try_acquire(2));
  CHECK_FALSE(slots.try_acquire(2));
  CHECK(slots.try_acquire(3));  // a raised limit holds at once
  slots.release();
  slots.release();
  CHECK_FALSE(slots.try_acquire(1));
  CHECK(slots.in_use() == 1);
}

TEST_CASE("four threads never hold more race slots than the limit") {
  RaceSlots slots;
  constexpr int kLimit = 3;
  std::atomic<int> held{0};
  std::atomic<int> most{0};
  std::atomic<int> taken{0};
  in_threads([&](int) {
    for (int i = 0; i < 20'000; ++i) {
      if (!slots.try_acquire(kLimit)) continue;
      const int now = ++held;
      int seen = most.load();
      while (now > seen && !most.compare_exchange_weak(seen, now)) {
      }
      ++taken;
      --held;
      slots.release();
    }
  });
  CHECK(most <= kLimit);
  CHECK(taken > 0);
  CHECK(slots.in_use() == 0);
}

TEST_CASE("a rate admits its burst at once and then its pace") {
  RateCell cell;
  const Rate rate{10, 5};
  uint64_t now_ns = 1000 * kSecondNs;
  for (int i = 0; i < 5; ++i) CHECK(cell.admit(now_ns, rate));
  CHECK_FALSE(cell.admit(now_ns, rate));
  CHECK_FALSE(cell.admit(now_ns + 99'999'999, rate));
  now_ns += kSecondNs / 10;
  CHECK(cell.admit(now_ns, rate));
  CHECK_FALSE(cell.admit(now_ns, rate));
  // Over a minute of asking 100 times a second, the pace holds.
  int admitted = 0;
  for (int i = 1; i <= 6000; ++i)
    admitted += cell.admit(now_ns + i * kSecondNs / 100, rate) ? 1 : 0;
  CHECK(admitted == 600);
  // A long silence earns one burst and no more.
  now_ns += 3600 * kSecondNs;
  for (int i = 0; i < 5; ++i) CHECK(cell.admit(now_ns, rate));
  CHECK_FALSE(cell.admit(now_ns, rate));
}

TEST_CASE("no rate is no limit, and no burst is one") {
  RateCell cell;
  for (int i = 0; i < 1000; ++i) CHECK(cell.admit(5, {0, 0}));
  CHECK(cell.admit(kSecondNs, {1, 0}));
  CHECK_FALSE(cell.admit(kSecondNs, {1, 0}));
}

TEST_CASE("four threads admit no more than the limit") {
  RateCell cell;
  const Rate rate{1000, 1000};
  std::atomic<int> admitted{0};
  in_threads([&](int) {
    for (int i = 0; i < 10'000; ++i) {
      if (cell.admit(77 * kSecondNs, rate)) ++admitted;
    }
  });
  CHECK(admitted == 1000);
}

TEST_CASE("failures of an address count to the limit in a minute") {
  AuthFailures failures(3, 42);
  const IpBytes ip = v4(0x7F000001);
  const uint64_t start_ns = 500 * kSecondNs;
  for (int i = 0; i < 3; ++i) CHECK_FALSE(failures.record_failure(ip, start_ns));
  CHECK(failures.record_failure(ip, start_ns));
  CHECK(failures.record_failure(ip, start_ns + 59 * kSecondNs));
  CHECK_FALSE(failures.record_failure(v4(0x7F000002), start_ns));
  for (int i = 0; i < 3; ++i) CHECK_FALSE(failures.record_failure(ip, start_ns + 60 * kSecondNs));
  CHECK(failures.record_failure(ip, start_ns + 60 * kSecondNs));
}

TEST_CASE("a worker whose clock is a moment behind still counts into the same window") {
  AuthFailures failures(1, 42);
  const IpBytes ip = v4(1);
  CHECK_FALSE(failures.record_failure(ip, 100 * kSecondNs));
  CHECK(failures.record_failure(ip, 100 * kSecondNs - 1));
}

TEST_CASE("IPv6 counts by /64, IPv4 by address, and the two do not mix") {
  AuthFailures failures(1, 7);
  IpBytes a{0x20, 0x01, 0x0D, 0xB8, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
  IpBytes neighbor = a;
  neighbor[8] = 99;
  neighbor[15] = 99;
  IpBytes other = a;
  other[7] = 5;
  CHECK_FALSE(failures.record_failure(a, 0));
  CHECK(failures.record_failure(neighbor, 0));
  CHECK_FALSE(failures.record_failure(other, 0));
  CHECK_FALSE(failures.record_failure(v4(0), 0));
  CHECK_FALSE(failures.record_failure(IpBytes{}, 0));
  CHECK_FALSE(failures.record_failure(v4(1), 0));
}

TEST_CASE("0 is no limit, and a huge limit is bounded") {
  AuthFailures none(0, 1);
  for (int i = 0; i < 1000; ++i) CHECK_FALSE(none.record_failure(v4(1), 0));
  AuthFailures huge(UINT32_MAX, 1);
  bool over = false;
  for (uint32_t i = 0; i < 70'000; ++i) over = huge.record_failure(v4(1), 0);
  CHECK(over);
}

TEST_CASE("a million addresses stay in bounded memory and a steady offender is still caught") {
  AuthFailures failures(10, 12345);
  CHECK(failures.memory_bytes() == AuthFailures::kSets * AuthFailures::kWays * 8);
  const IpBytes offender = v4(0xC0000201);
  uint64_t now_ns = 10 * kSecondNs;
  int offender_over = 0;
  int early = 0;
  for (uint32_t i = 0; i < 1'000'000; ++i) {
    now_ns += 10'000;  // 100,000 addresses a second
    if (failures.record_failure(v4(i), now_ns)) ++early;
    if (i % 100 == 0 && failures.record_failure(offender, now_ns)) ++offender_over;
  }
  CHECK(failures.memory_bytes() == AuthFailures::kSets * AuthFailures::kWays * 8);
  CHECK(early == 0);  // one failure each: nobody is over
  CHECK(offender_over > 5'000);
}

TEST_CASE("a million IPv6 networks are as bounded, and a subscriber's addresses are one") {
  AuthFailures failures(10, 999);
  const size_t bytes = failures.memory_bytes();
  IpBytes ip{0x20, 0x01, 0x0D, 0xB8};
  uint64_t now_ns = 10 * kSecondNs;
  int early = 0;
  for (uint32_t i = 0; i < 1'000'000; ++i) {
    now_ns += 10'000;
    for (size_t byte = 0; byte < 4; ++byte) ip[4 + byte] = static_cast<uint8_t>(i >> (8 * byte));
    if (failures.record_failure(ip, now_ns)) ++early;
  }
  CHECK(failures.memory_bytes() == bytes);
  CHECK(early == 0);
  // A subscriber walks through a million addresses of one /64: all count as one from the eleventh.
  int over = 0;
  for (uint32_t i = 0; i < 1'000'000; ++i) {
    now_ns += 10'000;
    for (size_t byte = 0; byte < 4; ++byte) ip[12 + byte] = static_cast<uint8_t>(i >> (8 * byte));
    if (failures.record_failure(ip, now_ns)) ++over;
  }
  CHECK(over >= 1'000'000 - 10);
  CHECK(failures.memory_bytes() == bytes);
}

TEST_CASE("an IPv4 address counts as one, also where a socket of IPv6 saw it") {
  AuthFailures failures(1, 5);
  CHECK_FALSE(failures.record_failure(*parse_ip("192.0.2.1"), 0));
  CHECK(failures.record_failure(*parse_ip("::ffff:192.0.2.1"), 0));
}

TEST_CASE("four threads let no more failures through than the limit and one each") {
  AuthFailures failures(500, 3);
  std::atomic<int> admitted{0};
  in_threads([&](int) {
    for (int i = 0; i < 5'000; ++i) {
      if (!failures.record_failure(v4(9), kSecondNs)) ++admitted;
    }
  });
  CHECK(admitted >= 500);
  CHECK(admitted <= 500 + kThreads);
}

}  // namespace
}  // namespace flexd::account
