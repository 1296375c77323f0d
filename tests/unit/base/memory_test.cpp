// Block pool, buffer, byte chain and slab.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "flexd/base/block_pool.hpp"
#include "flexd/base/buffer.hpp"
#include "flexd/base/byte_chain.hpp"
#include "flexd/base/copy.hpp"
#include "flexd/base/result.hpp"
#include "flexd/base/slab.hpp"

using namespace flexd;

TEST_CASE("block pool: classes") {
  CHECK(BlockPool::class_bytes(1) == 4096);
  CHECK(BlockPool::class_bytes(4096) == 4096);
  CHECK(BlockPool::class_bytes(4097) == 16384);
  CHECK(BlockPool::class_bytes(kBlockBytesMax) == kBlockBytesMax);
  CHECK(BlockPool::class_bytes(kBlockBytesMax + 1) == 0);
}

TEST_CASE("block pool: budget, alignment, reuse") {
  BlockPool pool(3 * 4096);
  std::byte* a = pool.take(100);
  std::byte* b = pool.take(4096);
  std::byte* c = pool.take(1);
  REQUIRE(a != nullptr);
  REQUIRE(b != nullptr);
  REQUIRE(c != nullptr);
  CHECK(reinterpret_cast<uintptr_t>(a) % 64 == 0);
  CHECK(pool.take(1) == nullptr);
  CHECK(pool.in_use_bytes() == 3 * 4096);
  std::memset(b, 7, 4096);
  pool.give(b, 4096);
  CHECK(pool.take(10) == b);  // the block freed last comes first
  CHECK(pool.system_takes() == 3);
  for (std::byte* block : {a, b, c}) pool.give(block, 4096);
  CHECK(pool.in_use_bytes() == 0);
}

TEST_CASE("block pool: kept blocks of one size make room for another") {
  BlockPool pool(16 * 4096);
  std::vector<std::byte*> blocks;
  for (int i = 0; i < 16; i++) blocks.push_back(pool.take(4096));
  for (std::byte* block : blocks) pool.give(block, 4096);
  CHECK(pool.held_bytes() == 16 * 4096);
  std::byte* large = pool.take(65536);
  REQUIRE(large != nullptr);
  CHECK(pool.held_bytes() <= pool.budget_bytes());
  pool.give(large, 65536);
}

TEST_CASE("block pool: no system memory once warm, whatever the order") {
  BlockPool pool(64U << 20U);
  std::mt19937 random(11);
  uint64_t warm = 0;
  for (int round = 0; round < 3; round++) {
    std::vector<std::pair<std::byte*, size_t>> blocks;
    for (int i = 0; i < 200; i++) {
      const size_t bytes = kBlockClasses[static_cast<size_t>(i) % 4];
      blocks.emplace_back(pool.take(bytes), bytes);
    }
    std::shuffle(blocks.begin(), blocks.end(), random);
    for (auto [block, bytes] : blocks) pool.give(block, bytes);
    if (round == 0) warm = pool.system_takes();
  }
  CHECK(pool.system_takes() == warm);
}

TEST_CASE("buffer: grows, consumes, moves, keeps its padding") {
  BlockPool pool(1U << 20U);
  {
    Buffer buffer(pool);
    std::string expected;
    for (int i = 0; i < 3000; i++) {
      const std::string piece = "piece " + std::to_string(i) + ";";
      REQUIRE(buffer.append(piece));
      expected += piece;
    }
    CHECK(buffer.view() == expected);
    CHECK(buffer.capacity_bytes() >= buffer.size() + kBufferPadding);
    buffer.consume(100);
    expected.erase(0, 100);
    CHECK(buffer.view() == expected);
    Buffer other = std::move(buffer);
    CHECK(other.view() == expected);
    other.truncate(5);
    CHECK(other.view() == expected.substr(0, 5));
    other = Buffer(pool);
    CHECK(pool.in_use_bytes() == 0);
  }
  CHECK(pool.in_use_bytes() == 0);
}

TEST_CASE("buffer: exactly full, and refused beyond the budget without a change") {
  BlockPool pool(4096 + 16384);
  Buffer buffer(pool);
  REQUIRE(buffer.append(std::string(4096 - kBufferPadding, 'x')));
  CHECK(buffer.capacity_bytes() == 4096);
  REQUIRE(buffer.append("y"));
  CHECK(buffer.capacity_bytes() == 16384);
  const std::string before(buffer.view());
  CHECK_FALSE(buffer.append(std::string(100'000, 'z')));
  CHECK(buffer.view() == before);
  CHECK_FALSE(buffer.reserve(SIZE_MAX));
}

TEST_CASE("buffer: room for what is written later") {
  BlockPool pool(4096 + 16384);
  Buffer buffer(pool);
  REQUIRE(buffer.append("a"));
  const size_t rest = 4096 - kBufferPadding - 1;
  char* const at = buffer.extend(rest);
  REQUIRE(at == buffer.data() + 1);
  std::memset(at, 'b', rest);
  CHECK(buffer.capacity_bytes() == 4096);
  CHECK(buffer.view() == "a" + std::string(rest, 'b'));
  char* const last = buffer.extend(1);
  REQUIRE(last != nullptr);
  *last = 'c';
  CHECK(buffer.view() == "a" + std::string(rest, 'b') + "c");
  CHECK(buffer.extend(100'000) == nullptr);
  CHECK(buffer.view() == "a" + std::string(rest, 'b') + "c");
}

TEST_CASE("copies of every short length, and of nothing beside") {
  std::string from(70, ' ');
  for (size_t i = 0; i < from.size(); ++i) from[i] = static_cast<char>('0' + i);
  for (size_t size = 0; size <= from.size(); ++size) {
    std::string to(from.size() + 2, '!');
    char* const end = copy_text(std::string_view(from).substr(0, size), to.data() + 1);
    CHECK(end == to.data() + 1 + size);
    CHECK(to == "!" + from.substr(0, size) + std::string(from.size() + 1 - size, '!'));
  }
}

TEST_CASE("byte chain: against a string, at random") {
  BlockPool pool(8U << 20U);
  for (uint32_t seed = 1; seed <= 20; seed++) {
    CAPTURE(seed);
    std::mt19937 random(seed);
    ByteChain chain(pool);
    std::string model;
    for (int step = 0; step < 500; step++) {
      const auto kind = random() % 6;
      if (kind < 2) {
        const std::string bytes(random() % 9000, static_cast<char>('a' + random() % 26));
        REQUIRE(chain.append(bytes));
        model += bytes;
      } else if (kind == 2) {
        auto room = chain.reserve();
        REQUIRE_FALSE(room.empty());
        const size_t count = random() % (room.size() + 1);
        std::memset(room.data(), '#', count);
        chain.commit(count);
        model.append(count, '#');
      } else if (kind == 3) {
        ByteChain other(pool);
        REQUIRE(other.append("other"));
        if (random() % 2 == 0) discard(other.reserve(), "leaves an empty segment");
        chain.append(std::move(other));
        model += "other";
      } else {
        const size_t count = random() % (model.size() + 1);
        chain.consume(count);
        model.erase(0, count);
      }
      REQUIRE(chain.size() == model.size());
      REQUIRE(model.starts_with(chain.front()));
      CHECK(chain.front().empty() == model.empty());
    }
    std::string copy(model.size(), '\0');
    CHECK(chain.copy_out(0, copy) == model.size());
    CHECK(copy == model);
    std::vector<iovec> parts(10'000);
    const size_t filled = chain.fill_iovecs(parts);
    std::string joined;
    for (size_t i = 0; i < filled; i++) {
      joined.append(static_cast<char*>(parts[i].iov_base), parts[i].iov_len);
    }
    CHECK(joined == model);
    chain.consume(chain.size());
    CHECK(pool.in_use_bytes() == 0);
  }
}

TEST_CASE("byte chain: bytes do not move while more is appended") {
  BlockPool pool(1U << 20U);
  ByteChain chain(pool);
  REQUIRE(chain.append("front"));
  const char* front = chain.front().data();
  REQUIRE(chain.append(std::string(50'000, 'x')));
  CHECK(chain.front().data() == front);
  CHECK(chain.front().starts_with("front"));
}

TEST_CASE("byte chain: no room") {
  BlockPool pool(2 * 4096);
  ByteChain chain(pool);
  CHECK_FALSE(chain.append(std::string(10'000, 'x')));
  CHECK(chain.size() <= 8192);
  chain.clear();
  CHECK(pool.in_use_bytes() == 0);
}

TEST_CASE("slab: capacity, LIFO, stale handles") {
  struct Thing {
    explicit Thing(int n) : number(n) {}
    int number;
  };
  Slab<Thing> slab(3);
  const SlabHandle a = slab.create(1);
  const SlabHandle b = slab.create(2);
  const SlabHandle c = slab.create(3);
  CHECK_FALSE(static_cast<bool>(slab.create(4)));
  CHECK(slab.count() == 3);
  slab.destroy(b);
  CHECK(slab.get(b) == nullptr);
  slab.destroy(a);
  const SlabHandle again = slab.create(5);
  CHECK(again.slot == a.slot);
  CHECK(again != a);
  CHECK(slab.get(a) == nullptr);
  CHECK(slab.get(again)->number == 5);
  CHECK(slab.get(c)->number == 3);
  CHECK(slab.get(SlabHandle{}) == nullptr);
  CHECK(slab.get(77, 1) == nullptr);
}

TEST_CASE("slab: generations wrap past zero") {
  Slab<int> slab(1);
  const SlabHandle first = slab.create(0);
  slab.destroy(first);
  uint32_t seen_zero = 0;
  for (uint32_t i = 0; i < kGenerationMask - 1; i++) {
    const SlabHandle handle = slab.create(0);
    seen_zero += handle.generation == 0 ? 1 : 0;
    slab.destroy(handle);
  }
  CHECK(seen_zero == 0);
  CHECK(slab.create(0) == first);
}

TEST_CASE("slab: destructors run, addresses are stable") {
  auto alive = std::make_shared<int>(0);
  {
    Slab<std::shared_ptr<int>> slab(40'000);
    const SlabHandle first = slab.create(alive);
    const auto* address = slab.get(first);
    for (int i = 0; i < 39'999; i++) REQUIRE(static_cast<bool>(slab.create(alive)));
    CHECK(slab.get(first) == address);
    size_t visited = 0;
    slab.for_each([&](SlabHandle, auto&) { visited++; });
    CHECK(visited == 40'000);
    CHECK(alive.use_count() == 40'001);
  }
  CHECK(alive.use_count() == 1);
}
