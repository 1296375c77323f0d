#include "flexd/config/paths.hpp"

#include <doctest/doctest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

using flexd::config::default_master_key_path;
using flexd::config::default_store_path;

namespace {

// Variable sets one variable of the environment for the time of a test.
class Variable {
 public:
  Variable(const char* name, const char* value) : name_(name) { set(value); }
  ~Variable() { unsetenv(name_); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;
  void set(const char* value) {
    if (value == nullptr) {
      unsetenv(name_);
    } else {
      setenv(name_, value, 1);
    }
  }

 private:
  const char* name_;
};

}  // namespace

TEST_CASE("the store is in the state directory, or here") {
  Variable state("STATE_DIRECTORY", nullptr);
  CHECK(default_store_path() == "flexd.db");
  state.set("");
  CHECK(default_store_path() == "flexd.db");
  state.set("/var/lib/flexd");
  CHECK(default_store_path() == "/var/lib/flexd/flexd.db");
  state.set("/var/lib/flexd/:/var/lib/other");
  CHECK(default_store_path() == "/var/lib/flexd/flexd.db");
}

TEST_CASE("the master key is beside the store") {
  const Variable credentials("CREDENTIALS_DIRECTORY", nullptr);
  CHECK(default_master_key_path("flexd.db") == "master.key");
  CHECK(default_master_key_path("./flexd.db") == "./master.key");
  CHECK(default_master_key_path("/flexd.db") == "/master.key");
  CHECK(default_master_key_path("/srv/a/b.db") == "/srv/a/master.key");
  CHECK(default_master_key_path("postgres://host/base") == "master.key");
  CHECK(default_master_key_path("") == "master.key");
}

TEST_CASE("the master key is among the credentials if it is there") {
  std::string folder = (std::filesystem::temp_directory_path() / "flexd-paths-XXXXXX").string();
  REQUIRE(mkdtemp(folder.data()) != nullptr);
  const Variable credentials("CREDENTIALS_DIRECTORY", folder.c_str());
  CHECK(default_master_key_path("/srv/flexd.db") == "/srv/master.key");
  const std::string file = folder + "/master.key";
  std::ofstream(file) << "x";
  CHECK(default_master_key_path("/srv/flexd.db") == file);
  std::filesystem::remove_all(folder);
}
