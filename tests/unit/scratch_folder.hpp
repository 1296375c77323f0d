// scratch_folder.hpp: a folder that goes with the object, for tests that write files.
#pragma once

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <iterator>
#include <string>
#include <utility>

namespace flexd {

class ScratchFolder {
 public:
  // `file` is the one that the test is mostly about.
  explicit ScratchFolder(std::string file) : file_(std::move(file)) {
    std::string name = (std::filesystem::temp_directory_path() / "flexd-test-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    folder_ = name;
  }
  ~ScratchFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;

  std::string path() const { return folder_ / file_; }
  std::string path(const std::string& name) const { return folder_ / name; }
  const std::filesystem::path& folder() const { return folder_; }
  size_t files() const {
    return static_cast<size_t>(std::distance(std::filesystem::directory_iterator(folder_), {}));
  }

 private:
  std::filesystem::path folder_;
  std::string file_;
};

}  // namespace flexd
