// limits.hpp: the bounds that keep the process from growing, and their sum.
//
// Whatever a client or a provider sends, memory stays under `worker_bytes_max` for each worker.
// A bound that concerns one protocol alone (the depth of JSON, the size of a head) stands with its
// parser; the sizes here are those that several areas share or that weigh in the sum.
#pragma once

#include <cstddef>
#include <cstdint>

namespace flexd::limits {

inline constexpr size_t kMebibyte = 1U << 20U;

// kBodyBytesMax: a request body of exactly this size is accepted, one byte more is a 413.
inline constexpr size_t kBodyBytesMax = 1'000'000;
// kHeldEventBytesMax bounds the events one attempt of a race holds before commit.
inline constexpr size_t kHeldEventBytesMax = 4 * kMebibyte;
// kFoldBytesMax bounds a streamed answer folded for a caller that does not stream.
inline constexpr size_t kFoldBytesMax = 32 * kMebibyte;
// kDrainBytesMax and kDrainNs bound what is read of a request that was answered before its end.
inline constexpr size_t kDrainBytesMax = kMebibyte;
inline constexpr uint64_t kDrainNs = 5'000'000'000;

// kLogRingBytes is each thread's ring of unwritten log lines; a full ring drops lines and counts.
inline constexpr size_t kLogRingBytes = kMebibyte;
// kLogLineBytesMax is the longest line, of the access log too; longer fields are cut.
inline constexpr size_t kLogLineBytesMax = 8192;

// Approximate sizes of what is kept per connection, and of the ring, for the sum below.
inline constexpr size_t kSocketBytes = 512;         // the reactor's part
inline constexpr size_t kConnectionBytes = 24'576;  // protocol state: parser, session, TLS, request
inline constexpr size_t kRingBytes =
    4 * kMebibyte;  // submission and completion rings, send headers

// WorkerSizes are the choices that the sum depends on.
struct WorkerSizes {
  size_t memory_budget_bytes;  // of the block pool: bodies, held events, output
  size_t sockets_max;
  size_t recv_buffers;
  size_t recv_buffer_bytes;
};

// worker_bytes_max is the memory one worker may come to use.
constexpr size_t worker_bytes_max(const WorkerSizes& sizes) {
  return sizes.memory_budget_bytes + sizes.recv_buffers * sizes.recv_buffer_bytes +
         sizes.sockets_max * (kSocketBytes + kConnectionBytes) + kLogRingBytes + kRingBytes;
}

}  // namespace flexd::limits
