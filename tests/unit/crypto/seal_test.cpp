#include "flexd/crypto/seal.hpp"

#include <doctest/doctest.h>
#include <openssl/aead.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "../scratch_folder.hpp"
#include "flexd/crypto/bytes.hpp"

namespace flexd::crypto {
namespace {

struct Scratch : ScratchFolder {
  Scratch() : ScratchFolder("master.key") {}
};

template <typename T>
T must(Result<T> result) {
  if (!result) FAIL(result.error().message);
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

// refused is the message of a failure, which names the path.
template <typename T>
std::string refused(const Result<T>& result, const std::string& path) {
  REQUIRE_FALSE(result.has_value());
  CHECK(result.error().message.find(path) != std::string::npos);
  CHECK(result.error().message.find('\n') == std::string::npos);
  return result.error().message;
}

std::string text_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void write_file(const std::string& path, const std::string& text, mode_t mode = 0600) {
  std::ofstream(path, std::ios::binary) << text;
  REQUIRE(::chmod(path.c_str(), mode) == 0);
}

bool opens(const MasterKeys& keys, const std::string& sealed, const std::string& associated,
           std::string_view expected) {
  const auto secret = keys.open(sealed, associated);
  return secret && secret->reveal() == expected;
}

TEST_CASE("what is sealed opens under the same key and data, and no two seals are alike") {
  const Scratch scratch;
  must(create_master_key_file(scratch.path()));
  const MasterKeys keys = must(MasterKeys::read(scratch.path()));
  std::set<std::string> seals;
  for (const size_t size : {0, 1, 15, 16, 17, 512, 100'000}) {
    const std::string secret(size, 's');
    for (const std::string& associated : {std::string(), std::string("org_1\nopenai\nx")}) {
      const std::string sealed = keys.seal(secret, associated);
      CHECK(sealed.size() == 1 + 12 + size + 16);
      CHECK(sealed[0] == 1);
      CHECK((size < 15 || sealed.find(secret) == std::string::npos));
      CHECK(opens(keys, sealed, associated, secret));
      CHECK(seals.insert(sealed).second);
      CHECK(seals.insert(keys.seal(secret, associated)).second);
    }
  }
}

TEST_CASE("a change of any bit, any length or the associated data does not open") {
  const Scratch scratch;
  must(create_master_key_file(scratch.path()));
  const MasterKeys keys = must(MasterKeys::read(scratch.path()));
  const std::string sealed = keys.seal("sk-secret", "org_1\nopenai\nx");
  for (size_t i = 0; i < sealed.size() * 8; ++i) {
    std::string other = sealed;
    other[i / 8] = static_cast<char>(other[i / 8] ^ (1 << i % 8));
    CHECK_FALSE(keys.open(other, "org_1\nopenai\nx").has_value());
  }
  for (size_t size = 0; size < sealed.size(); ++size) {
    CHECK_FALSE(keys.open(sealed.substr(0, size), "org_1\nopenai\nx").has_value());
  }
  CHECK_FALSE(keys.open(sealed + "x", "org_1\nopenai\nx").has_value());
  for (const char* associated : {"", "org_2\nopenai\nx", "org_1\nopenai\n", "org_1\nopenai\nxx"}) {
    CHECK_FALSE(keys.open(sealed, associated).has_value());
  }
  must(create_master_key_file(scratch.path("other")));
  const MasterKeys others = must(MasterKeys::read(scratch.path("other")));
  CHECK_FALSE(others.open(sealed, "org_1\nopenai\nx").has_value());
}

TEST_CASE("seals have the form of the header: AES-256-GCM as the library by itself reads it") {
  const Scratch scratch;
  std::array<uint8_t, 32> key{};
  for (size_t i = 0; i < key.size(); ++i) key[i] = static_cast<uint8_t>(i);
  std::string digits(64, ' ');
  hex_encode(key, digits);
  write_file(scratch.path(), digits);  // without an end of the line
  const std::string sealed = must(MasterKeys::read(scratch.path())).seal("hunter2", "whose");
  EVP_AEAD_CTX* context = EVP_AEAD_CTX_new(EVP_aead_aes_256_gcm(), key.data(), key.size(), 16);
  std::array<uint8_t, 64> out{};
  size_t size = 0;
  const auto* bytes = reinterpret_cast<const uint8_t*>(sealed.data());
  CHECK(EVP_AEAD_CTX_open(context, out.data(), &size, out.size(), bytes + 1, 12, bytes + 13,
                          sealed.size() - 13, reinterpret_cast<const uint8_t*>("whose"), 5) == 1);
  CHECK(std::string(out.begin(), out.begin() + static_cast<long>(size)) == "hunter2");
  EVP_AEAD_CTX_free(context);
}

TEST_CASE("a new master key file has mode 0600, and one that is there is left alone") {
  const Scratch scratch;
  const mode_t before = ::umask(0);
  must(create_master_key_file(scratch.path()));
  ::umask(before);
  struct stat status{};
  REQUIRE(::stat(scratch.path().c_str(), &status) == 0);
  CHECK((status.st_mode & 07777U) == 0600);
  const std::string text = text_of(scratch.path());
  CHECK(text.size() == 65);
  CHECK(scratch.files() == 1);
  CHECK(refused(create_master_key_file(scratch.path()), scratch.path()).find("already") !=
        std::string::npos);
  CHECK(text_of(scratch.path()) == text);
  CHECK(scratch.files() == 1);
  must(create_master_key_file(scratch.path("second")));
  CHECK(text_of(scratch.path("second")) != text);
  refused(create_master_key_file(scratch.path("none/master.key")), "none/master.key");
  std::filesystem::create_symlink("nowhere", scratch.path("link"));
  refused(create_master_key_file(scratch.path("link")), "link");
}

TEST_CASE("files that are no master key files are refused") {
  const Scratch scratch;
  const std::string good(64, 'a');
  const std::string path = scratch.path();
  const auto says = [&](const std::string& text, const char* part) {
    write_file(path, text);
    const std::string message = refused(MasterKeys::read(path), path);
    CAPTURE(message);
    CHECK(message.find(part) != std::string::npos);
    CHECK(message.find(good.substr(0, 8)) == std::string::npos);
  };
  CHECK(refused(MasterKeys::read(path), path).find("flexctl init") != std::string::npos);
  says("", "empty");
  says("\n", "line 1");
  says(good.substr(1), "line 1");
  says(good + "a", "line 1");
  says(good + "\n\n", "line 2");
  says(good + "\r\n", "line 1");
  says(good + "\n" + std::string(64, 'g') + "\n", "line 2");
  says(std::string("\0", 1) + good, "line 1");
  std::string nine;
  for (size_t i = 0; i < kMasterKeysMax; ++i) nine += good + "\n";
  write_file(path, nine);
  CHECK(must(MasterKeys::read(path)).count() == kMasterKeysMax);
  says(nine + good + "\n", "more than 8");
  says(nine + "x", "more than 8");
  write_file(path, std::string(64, 'A'));
  CHECK(must(MasterKeys::read(path)).count() == 1);
  refused(MasterKeys::read(scratch.folder()), scratch.folder());
  REQUIRE(::mkfifo(scratch.path("fifo").c_str(), 0600) == 0);
  refused(MasterKeys::read(scratch.path("fifo")), "fifo");
}

TEST_CASE("a file open to others is refused, but for the service manager's credentials") {
  const Scratch scratch;
  const std::string path = scratch.path();
  must(create_master_key_file(path));
  for (const mode_t mode : {0640, 0604, 0660, 0610, 0444, 0777}) {
    REQUIRE(::chmod(path.c_str(), mode) == 0);
    CHECK(refused(MasterKeys::read(path), path).find("chmod 600") != std::string::npos);
  }
  for (const mode_t mode : {0400, 0600, 0700}) {
    REQUIRE(::chmod(path.c_str(), mode) == 0);
    must(MasterKeys::read(path));
  }
  REQUIRE(::chmod(path.c_str(), 0440) == 0);
  const std::string folder = scratch.folder();
  for (const std::string& credentials : {folder, folder + "/"}) {
    REQUIRE(::setenv("CREDENTIALS_DIRECTORY", credentials.c_str(), 1) == 0);
    must(MasterKeys::read(path));
  }
  std::filesystem::create_directory(scratch.path("below"));
  std::filesystem::copy_file(path, scratch.path("below/master.key"));
  refused(MasterKeys::read(scratch.path("below/master.key")), "below");
  for (const std::string& credentials :
       {folder + "x", folder.substr(0, folder.size() - 1), std::string(), std::string("/")}) {
    REQUIRE(::setenv("CREDENTIALS_DIRECTORY", credentials.c_str(), 1) == 0);
    refused(MasterKeys::read(path), path);
  }
  REQUIRE(::unsetenv("CREDENTIALS_DIRECTORY") == 0);
}

TEST_CASE("a rotation opens old seals until it ends, and seals under the new key at once") {
  const Scratch scratch;
  const std::string path = scratch.path();
  must(create_master_key_file(path));
  const std::string old_text = text_of(path);
  const std::string old_seal = must(MasterKeys::read(path)).seal("secret", "a");
  must(add_master_key(path));
  CHECK(text_of(path).ends_with(old_text));
  CHECK(text_of(path).size() == 2 * old_text.size());
  const MasterKeys both = must(MasterKeys::read(path));
  CHECK(both.count() == 2);
  CHECK(opens(both, old_seal, "a", "secret"));
  const std::string new_seal = both.seal("secret", "a");
  must(end_master_key_rotation(path));
  const MasterKeys newest = must(MasterKeys::read(path));
  CHECK(newest.count() == 1);
  CHECK(opens(newest, new_seal, "a", "secret"));
  CHECK_FALSE(newest.open(old_seal, "a").has_value());
  const std::string text = text_of(path);
  must(end_master_key_rotation(path));
  CHECK(text_of(path) == text);

  struct stat status{};
  REQUIRE(::stat(path.c_str(), &status) == 0);
  CHECK((status.st_mode & 07777U) == 0600);
  CHECK(scratch.files() == 1);
  refused(add_master_key(scratch.path("none")), "none");
  refused(end_master_key_rotation(scratch.path("none")), "none");
}

TEST_CASE("a rotation stops at the most keys, goes through links, and keeps the file's owner") {
  const Scratch scratch;
  const std::string path = scratch.path();
  must(create_master_key_file(path));
  for (size_t i = 1; i < kMasterKeysMax; ++i) must(add_master_key(path));
  const std::string text = text_of(path);
  CHECK(refused(add_master_key(path), path).find("8 keys") != std::string::npos);
  CHECK(text_of(path) == text);
  if (::geteuid() == 0) REQUIRE(::chown(path.c_str(), 65'534, 65'533) == 0);
  std::filesystem::create_symlink("master.key", scratch.path("link"));
  must(end_master_key_rotation(scratch.path("link")));
  CHECK(std::filesystem::is_symlink(scratch.path("link")));
  CHECK(must(MasterKeys::read(path)).count() == 1);
  struct stat status{};
  REQUIRE(::stat(path.c_str(), &status) == 0);
  CHECK(status.st_uid == (::geteuid() == 0 ? 65'534 : ::geteuid()));
  CHECK((::geteuid() != 0 || status.st_gid == 65'533));
}

TEST_CASE("the lock keeps a second holder waiting until the first is done") {
  const Scratch scratch;
  std::vector<int> order;
  std::thread second;
  {
    const MasterKeyLock first = must(MasterKeyLock::take(scratch.path()));
    second = std::thread([&] {
      const MasterKeyLock lock = must(MasterKeyLock::take(scratch.path()));
      order.push_back(2);
    });
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    order.push_back(1);
  }
  second.join();
  CHECK(order == std::vector{1, 2});
}

TEST_CASE("all names of one file take one lock") {
  const Scratch scratch;
  const Scratch elsewhere;
  must(create_master_key_file(scratch.path()));
  std::filesystem::create_symlink(scratch.path(), elsewhere.path());
  std::filesystem::create_symlink(elsewhere.path(), scratch.path("again"));
  std::filesystem::create_directory_symlink(scratch.folder(), elsewhere.path("folder"));
  for (const std::string& name :
       {elsewhere.path(), scratch.path("again"), elsewhere.path("folder/master.key")}) {
    CAPTURE(name);
    std::atomic<bool> first_is_done = false;
    std::thread second;
    {
      const MasterKeyLock first = must(MasterKeyLock::take(scratch.path()));
      second = std::thread([&] {
        const MasterKeyLock lock = must(MasterKeyLock::take(name));
        CHECK(first_is_done);
      });
      std::this_thread::sleep_for(std::chrono::milliseconds(60));
      first_is_done = true;
    }
    second.join();
    // It is the file that is replaced, not the link.
    must(add_master_key(name));
    must(end_master_key_rotation(name));
    CHECK(std::filesystem::is_symlink(elsewhere.path()));
    CHECK(must(MasterKeys::read(scratch.path())).count() == 1);
    CHECK(text_of(scratch.path()) == text_of(name));
  }
  // The file of another folder has another lock.
  must(create_master_key_file(elsewhere.path("own.key")));
  const MasterKeyLock one = must(MasterKeyLock::take(scratch.path()));
  const MasterKeyLock other = must(MasterKeyLock::take(elsewhere.path("own.key")));
}

TEST_CASE("the lock moves, and needs a folder") {
  const Scratch scratch;
  MasterKeyLock moved = must(MasterKeyLock::take(scratch.path()));
  const MasterKeyLock last = std::move(moved);
  refused(MasterKeyLock::take(scratch.path("none/master.key")), "none");
}

}  // namespace
}  // namespace flexd::crypto
