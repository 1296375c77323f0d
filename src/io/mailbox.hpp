// mailbox.hpp: a bounded queue of Mail from any thread to one reactor, without locks.
//
// Each cell carries a turn number that says whether it is free for the n-th round of writers or
// filled for the n-th round of the reader (the bounded queue of D. Vyukov). Order is that of the
// winning of a cell; one sender's messages keep their order.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>

#include "flexd/io/reactor.hpp"

namespace flexd::io {

class Mailbox {
 public:
  Mailbox() {
    for (size_t i = 0; i < kMailMax; i++) cells_[i].turn.store(i, std::memory_order_relaxed);
  }

  // push adds a message; false if the box is full. From any thread.
  bool push(const Mail& mail) {
    size_t at = write_.load(std::memory_order_relaxed);
    while (true) {
      Cell& cell = cells_[at % kMailMax];
      const size_t turn = cell.turn.load(std::memory_order_acquire);
      if (turn == at) {
        if (!write_.compare_exchange_weak(at, at + 1, std::memory_order_relaxed)) continue;
        cell.mail = mail;
        cell.turn.store(at + 1, std::memory_order_release);
        return true;
      }
      if (turn < at) return false;
      at = write_.load(std::memory_order_relaxed);
    }
  }

  // pop takes the oldest message; false if there is none. The reactor's thread only.
  bool pop(Mail& mail) {
    Cell& cell = cells_[read_ % kMailMax];
    if (cell.turn.load(std::memory_order_acquire) != read_ + 1) return false;
    mail = cell.mail;
    cell.turn.store(read_ + kMailMax, std::memory_order_release);
    read_++;
    return true;
  }

  // empty is the reader's view.
  bool empty() const {
    return cells_[read_ % kMailMax].turn.load(std::memory_order_acquire) != read_ + 1;
  }

 private:
  static_assert((kMailMax & (kMailMax - 1)) == 0);
  struct Cell {
    std::atomic<size_t> turn;
    Mail mail;
  };
  std::array<Cell, kMailMax> cells_;
  alignas(64) std::atomic<size_t> write_{0};
  alignas(64) size_t read_ = 0;
};

}  // namespace flexd::io
