// h2_resources.hpp: what the HTTP/2 sessions of one worker share: memory, and a buffer for output.
//
// nghttp2 allocates several small objects a stream. They come from the free lists of one
// h2::Resources, so that after warm-up neither it nor flexd calls malloc. Not thread-safe: one a
// worker. It outlives its sessions.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace flexd::http::h2 {

// kFieldBytesMax bounds a header list, counted as RFC 9113 6.5.2 does: name, value and 32 a field.
inline constexpr size_t kFieldBytesMax = 32768;
// kStreamWindowBytes is how much a peer may send on a stream without credit.
inline constexpr int32_t kStreamWindowBytes = 256 * 1024;
// kPieceBytes is the most that one `pull` returns: the plaintext of one TLS record.
inline constexpr size_t kPieceBytes = 16384;
// kGlitchesMax is how much odd but legal behavior of a peer is endured (see glitches in
// h2_client.hpp).
inline constexpr uint32_t kGlitchesMax = 1000;

struct HeadBlock;     // a head under assembly (private)
struct ClientStream;  // private
struct ServerStream;  // private

// MemoryCounters tell what nghttp2 asked for, and how often that reached malloc.
struct MemoryCounters {
  uint64_t allocations = 0;   // calls by nghttp2
  uint64_t system_takes = 0;  // of which served by malloc: constant once warm
  uint64_t in_use_bytes = 0;
  // object_takes counts streams and head buffers made by flexd: constant once warm.
  uint64_t object_takes = 0;
};

class Resources {
 public:
  Resources();
  ~Resources();
  Resources(const Resources&) = delete;
  Resources& operator=(const Resources&) = delete;

  const MemoryCounters& counters() const { return counters_; }

  // The rest is for the sessions.
  [[nodiscard]] void* allocate(size_t bytes);
  [[nodiscard]] void* reallocate(void* memory, size_t bytes);
  void release(void* memory);
  std::span<char> piece() { return piece_; }
  HeadBlock* take_head();
  void give_head(HeadBlock* head);
  ClientStream* take_client_stream();
  void give_client_stream(ClientStream* stream);
  ServerStream* take_server_stream();
  void give_server_stream(ServerStream* stream);

 private:
  static constexpr size_t kClasses = 11;  // 64 bytes to 64 KiB

  struct FreeBlock {
    FreeBlock* next;
  };
  static size_t class_index(size_t bytes);

  MemoryCounters counters_;
  std::array<FreeBlock*, kClasses> free_{};
  std::vector<char> piece_;
  std::vector<std::unique_ptr<HeadBlock>> heads_;
  std::vector<HeadBlock*> free_heads_;
  std::vector<std::unique_ptr<ClientStream>> client_streams_;
  std::vector<ClientStream*> free_client_streams_;
  std::vector<std::unique_ptr<ServerStream>> server_streams_;
  std::vector<ServerStream*> free_server_streams_;
};

}  // namespace flexd::http::h2
