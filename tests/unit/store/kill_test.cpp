// Processes that write to a store are killed at random moments. What they said was committed must
// be there, whole, and the file must be sound.
#include <fcntl.h>
#include <spawn.h>
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <map>
#include <random>
#include <set>
#include <string>
#include <thread>

#include "flexd/store/store.hpp"
#include "schema.hpp"
#include "scratch.hpp"

extern char** environ;

namespace flexd::store {
namespace {

using std::chrono::microseconds;

// Writer is a process of store_writer.cpp and the end of its pipe.
class Writer {
 public:
  Writer(const std::string& path, const std::string& seed) {
    const char* program = std::getenv("STORE_WRITER");
    REQUIRE(program != nullptr);
    std::array<int, 2> ends{};
    REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    std::string words[] = {program, "endless", path, "acme", seed};
    char* arguments[] = {words[0].data(), words[1].data(), words[2].data(),
                         words[3].data(), words[4].data(), nullptr};
    REQUIRE(::posix_spawn(&pid_, program, &actions, nullptr, arguments, environ) == 0);
    posix_spawn_file_actions_destroy(&actions);
    ::close(ends[1]);
    from_ = ends[0];
  }
  ~Writer() {
    if (pid_ > 0) kill();
    ::close(from_);
  }
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  // wait_lines waits until it has said so many lines.
  void wait_lines(int count) {
    while (std::ranges::count(text_, '\n') < count && read_more()) {
    }
  }
  // kill kills it and returns all that it said.
  std::string kill() {
    REQUIRE(::kill(pid_, SIGKILL) == 0);
    int status = 0;
    REQUIRE(::waitpid(pid_, &status, 0) == pid_);
    pid_ = 0;
    // It ran until then: an end of its own would be a failure of its own.
    CHECK(WIFSIGNALED(status));
    while (read_more()) {
    }
    return text_;
  }

 private:
  bool read_more() {
    std::array<char, 4096> part{};
    const ssize_t count = ::read(from_, part.data(), part.size());
    if (count < 0 && errno == EINTR) return true;
    if (count > 0) text_.append(part.data(), static_cast<size_t>(count));
    return count > 0;
  }

  pid_t pid_ = 0;
  int from_ = -1;
  std::string text_;
};

// Said is what writers have reported: names of keys.
struct Said {
  std::set<std::string> made;
  std::set<std::string> used;
  std::set<std::string> revoked;

  void add(const std::string& text) {
    size_t at = 0;
    for (size_t end = 0; (end = text.find('\n', at)) != std::string::npos; at = end + 1) {
      const std::string line = text.substr(at, end - at);
      const std::string name = line.substr(line.find(' ') + 1);
      if (line.starts_with("key ")) made.insert(name);
      if (line.starts_with("used ")) used.insert(name);
      if (line.starts_with("revoked ")) revoked.insert(name);
    }
    CHECK(at == text.size());
  }
};

void check_sound(const std::string& path) {
  const Database database = must(Database::open(path));
  Statement statement(database, "PRAGMA integrity_check");
  REQUIRE(must(statement.step()));
  CHECK(statement.text(0) == "ok");
  Statement foreign(database, "PRAGMA foreign_key_check");
  CHECK_FALSE(must(foreign.step()));
}

// check_contents looks for all that was said, and for anything that is half there.
void check_contents(Store& store, const Said& said) {
  const Contents contents = must(store.load());
  std::map<std::string, const Key*> keys;
  int64_t uses = 0;
  for (const Key& key : contents.keys) {
    keys[key.name] = &key;
    CHECK(key.digest == crypto::sha256(key.name));
    CHECK(key.models == std::vector{key.name + "-a", key.name + "-b", key.name + "-*"});
    uses += key.month_requests;
  }
  CHECK(keys.size() == contents.keys.size());
  const auto find = [&](const std::string& name) {
    const auto at = keys.find(name);
    if (at == keys.end()) FAIL("a committed key is lost: ", name);
    return at->second;
  };
  for (const std::string& name : said.made) find(name);
  for (const std::string& name : said.used) CHECK(find(name)->month_requests == 1);
  for (const std::string& name : said.revoked) CHECK(find(name)->revoked_at_s != 0);
  // Usage, use and spending of a record_usage are one transaction.
  const auto total = must(store.usage({}));
  CHECK(total.at(0).counts.requests == uses);
  for (const Organization& organization : contents.organizations) {
    CHECK(organization.spent_nanos == 7 * uses);
  }
}

TEST_CASE("200 kills lose nothing that was committed and leave nothing by halves") {
  const Scratch scratch;
  const std::string path = scratch.path();
  std::mt19937 random(20'261'121);
  std::uniform_int_distribution<int> some_lines(0, 3);
  std::uniform_real_distribution<double> fraction(0, 1);
  Said said;
  microseconds line_takes{2'000};
  size_t in_the_middle = 0;
  for (int round = 0; round < 200; ++round) {
    CAPTURE(round);
    // In half of the rounds another connection reads all along, so that the log is left as it was;
    // in the others the next one to open has to recover it.
    std::atomic<bool> stop = false;
    std::thread reader;
    {
      Writer writer(path, std::to_string(round));
      if (round % 4 != 3) writer.wait_lines(1);
      const auto begin = std::chrono::steady_clock::now();
      const int lines = some_lines(random);
      if (round % 2 == 0) {
        reader = std::thread([&] {
          const auto store = must(open_store(path, OpenMode::create));
          uint64_t last = 0;
          while (!stop) {
            const uint64_t version = must(store->load()).version;
            CHECK(version >= last);
            last = version;
          }
        });
      }
      if (round % 4 != 3 && lines != 0) {
        writer.wait_lines(1 + lines);
        const auto took = std::chrono::steady_clock::now() - begin;
        line_takes = std::chrono::duration_cast<microseconds>(took / lines);
      }
      // Somewhere in the next transaction or the one after it, however slow the disk is.
      std::this_thread::sleep_for(line_takes * 2 * fraction(random));
      const std::string text = writer.kill();
      if (text.find("key ") != std::string::npos) ++in_the_middle;
      said.add(text);
    }
    stop = true;
    if (reader.joinable()) reader.join();
    check_contents(*must(open_store(path, OpenMode::create)), said);
    check_sound(path);
  }
  // Otherwise the moments were badly chosen, and the test says little.
  CHECK(in_the_middle > 60);
  MESSAGE(said.made.size(), " keys, ", said.revoked.size(), " revocations");
}

TEST_CASE(
    "a process killed while it makes the store leaves a file that the next one makes one of") {
  std::mt19937 random(7);
  std::uniform_int_distribution<int> delay_us(0, 10'000);
  for (int round = 0; round < 40; ++round) {
    CAPTURE(round);
    const Scratch scratch;
    Said said;
    {
      Writer writer(scratch.path(), "x");
      std::this_thread::sleep_for(microseconds(delay_us(random)));
      said.add(writer.kill());
    }
    const auto store = open(scratch);
    check_contents(*store, said);
    must(store->create_organization("after"));
    check_sound(scratch.path());
  }
}

}  // namespace
}  // namespace flexd::store
