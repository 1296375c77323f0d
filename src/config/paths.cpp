#include "flexd/config/paths.hpp"

#include <unistd.h>

#include <cstdlib>

namespace flexd::config {
namespace {

constexpr std::string_view kStoreName = "flexd.db";
constexpr std::string_view kMasterKeyName = "master.key";

// environment is the value of a variable, empty where it is not set.
std::string_view environment(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? std::string_view{} : std::string_view(value);
}

std::string in_folder(std::string_view folder, std::string_view name) {
  std::string path(folder);
  if (!path.empty() && !path.ends_with('/')) path += '/';
  path += name;
  return path;
}

}  // namespace

std::string default_store_path() {
  const std::string_view folders = environment("STATE_DIRECTORY");
  return in_folder(folders.substr(0, folders.find(':')), kStoreName);
}

std::string default_master_key_path(std::string_view store) {
  const std::string_view credentials = environment("CREDENTIALS_DIRECTORY");
  if (!credentials.empty()) {
    std::string path = in_folder(credentials, kMasterKeyName);
    if (access(path.c_str(), F_OK) == 0) return path;
  }
  const size_t slash = store.rfind('/');
  if (slash == std::string_view::npos || store.find("://") != std::string_view::npos) {
    return std::string(kMasterKeyName);
  }
  return in_folder(store.substr(0, slash + 1), kMasterKeyName);
}

}  // namespace flexd::config
