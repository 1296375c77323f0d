// timer_wheel.hpp: many timers, few of which ever fire. Hierarchical wheel, O(1) set and cancel.
//
// A Timer is a member of the object that waits; it is not copied or moved while set, and cancels
// itself when destroyed. Times are absolute monotonic nanoseconds on the reactor's clock. A timer
// fires once, never before its time, in the first `advance` at or after it. Timers of different
// ticks (kTickNs) fire in the order of expiry, those of one tick in any order. A callback may set
// or cancel any timer, its own too, and may destroy its owner.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace flexd {

class TimerWheel;

class Timer {
 public:
  // Callback gets the context given at construction.
  using Callback = void (*)(void* context);

  Timer(Callback callback, void* context) : callback_(callback), context_(context) {}
  ~Timer() { cancel(); }
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  bool is_set() const { return wheel_ != nullptr; }
  uint64_t expiry_ns() const { return expiry_ns_; }
  void cancel();

 private:
  friend class TimerWheel;
  Callback callback_;
  void* context_;
  uint64_t expiry_ns_ = 0;
  TimerWheel* wheel_ = nullptr;  // set while linked
  Timer* next_ = nullptr;
  Timer** back_ = nullptr;  // the pointer that points at this timer
  uint32_t slot_ = 0;
};

// timer_callback adapts a member function of T: Timer t{timer_callback<T, &T::on_timer>, this}.
template <typename T, void (T::*Member)()>
void timer_callback(void* context) {
  (static_cast<T*>(context)->*Member)();
}

class TimerWheel {
 public:
  static constexpr uint64_t kTickNs = 1'000'000;

  explicit TimerWheel(uint64_t now_ns);
  ~TimerWheel();
  TimerWheel(const TimerWheel&) = delete;
  TimerWheel& operator=(const TimerWheel&) = delete;

  // set arms `timer` for `expiry_ns`, replacing an earlier setting. A time in the past fires at the
  // next `advance`.
  void set(Timer& timer, uint64_t expiry_ns);
  // advance fires what is due at `now_ns`. Time never goes back.
  void advance(uint64_t now_ns);
  // next_expiry_ns is a time not after the earliest expiry (exact within one tick while it is
  // near), or UINT64_MAX if no timer is set: how long a loop may sleep.
  uint64_t next_expiry_ns() const;
  size_t count() const { return count_; }
  // fired counts timers that fired since the start.
  uint64_t fired() const { return fired_; }

 private:
  friend class Timer;
  static constexpr uint32_t kBits = 6;
  static constexpr uint32_t kSlots = 1U << kBits;
  static constexpr uint32_t kWheels = 6;

  void link(Timer& timer);
  void unlink(Timer& timer);
  static void push(Timer*& list, Timer& timer, uint32_t slot);
  bool next_slot(uint32_t& wheel, uint32_t& slot, uint64_t& tick) const;
  void cascade(uint32_t wheel, uint32_t slot);
  Timer** collect(uint64_t now_ns, Timer** end);

  uint64_t tick_;  // the present tick
  size_t count_ = 0;
  uint64_t fired_ = 0;
  std::array<uint64_t, kWheels> occupied_{};  // a bit a slot
  std::array<std::array<Timer*, kSlots>, kWheels> slots_{};
  Timer* due_ = nullptr;  // of the present tick or earlier, not yet fired
};

}  // namespace flexd
