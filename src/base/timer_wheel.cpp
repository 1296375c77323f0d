// The wheels are those of a hashed hierarchy: a timer stands in the wheel of the highest group of
// six bits in which its tick differs from the present tick, so that every timer of a lower wheel is
// earlier than every timer of a higher one, and no slot at or behind the present one is occupied.
// The last wheel alone is circular: a timer beyond its end waits there and is placed anew when its
// slot comes. Ticks round down; exact times decide who fires.
#include "flexd/base/timer_wheel.hpp"

#include <algorithm>
#include <bit>

#include "flexd/base/assert.hpp"

namespace flexd {

namespace {

// kDueSlot marks timers of the list `due_`.
constexpr uint32_t kDueSlot = UINT32_MAX;
// kFiringSlot marks timers that are about to fire.
constexpr uint32_t kFiringSlot = UINT32_MAX - 1;
// kScanMax bounds the search for the exact expiry in a crowded slot.
constexpr uint32_t kScanMax = 16;

}  // namespace

void Timer::cancel() {
  if (wheel_ != nullptr) wheel_->unlink(*this);
}

TimerWheel::TimerWheel(uint64_t now_ns) : tick_(now_ns / kTickNs) {}

TimerWheel::~TimerWheel() {
  while (due_ != nullptr) unlink(*due_);
  for (auto& wheel : slots_) {
    for (Timer*& slot : wheel) {
      while (slot != nullptr) unlink(*slot);
    }
  }
}

void TimerWheel::set(Timer& timer, uint64_t expiry_ns) {
  timer.cancel();
  timer.expiry_ns_ = expiry_ns;
  timer.wheel_ = this;
  count_++;
  link(timer);
}

void TimerWheel::push(Timer*& list, Timer& timer, uint32_t slot) {
  timer.next_ = list;
  timer.back_ = &list;
  timer.slot_ = slot;
  if (list != nullptr) list->back_ = &timer.next_;
  list = &timer;
}

void TimerWheel::link(Timer& timer) {
  uint64_t tick = timer.expiry_ns_ / kTickNs;
  if (tick <= tick_) {
    push(due_, timer, kDueSlot);
    return;
  }
  constexpr uint32_t kLast = kWheels - 1;
  // The last wheel is filled at most one slot short of a round, or a slot would mean two times.
  constexpr uint64_t kReach = (1ULL << (kBits * kWheels)) - (1ULL << (kBits * kLast));
  tick = std::min(tick, tick_ + kReach);
  const auto high_bit = static_cast<uint32_t>(std::bit_width(tick ^ tick_) - 1);
  const uint32_t wheel = std::min(high_bit / kBits, kLast);
  const auto slot = static_cast<uint32_t>(tick >> (kBits * wheel)) % kSlots;
  push(slots_[wheel][slot], timer, wheel * kSlots + slot);
  occupied_[wheel] |= 1ULL << slot;
}

void TimerWheel::unlink(Timer& timer) {
  *timer.back_ = timer.next_;
  if (timer.next_ != nullptr) timer.next_->back_ = timer.back_;
  if (timer.slot_ < kWheels * kSlots) {
    const uint32_t wheel = timer.slot_ / kSlots;
    const uint32_t slot = timer.slot_ % kSlots;
    if (slots_[wheel][slot] == nullptr) occupied_[wheel] &= ~(1ULL << slot);
  }
  timer.wheel_ = nullptr;
  timer.next_ = nullptr;
  timer.back_ = nullptr;
  count_--;
}

// next_slot finds the earliest occupied slot and the tick it starts at.
bool TimerWheel::next_slot(uint32_t& wheel, uint32_t& slot, uint64_t& tick) const {
  for (wheel = 0; wheel < kWheels; wheel++) {
    if (occupied_[wheel] == 0) continue;
    const uint64_t here = tick_ >> (kBits * wheel);
    const auto first = static_cast<int>((here + 1) % kSlots);
    const auto ahead = static_cast<uint32_t>(std::countr_zero(std::rotr(occupied_[wheel], first)));
    slot = (static_cast<uint32_t>(first) + ahead) % kSlots;
    tick = (here + 1 + ahead) << (kBits * wheel);
    return true;
  }
  return false;
}

// cascade takes the timers out of a slot whose time has come and places them by the present tick:
// into a lower wheel, or among the due.
void TimerWheel::cascade(uint32_t wheel, uint32_t slot) {
  Timer* timer = slots_[wheel][slot];
  slots_[wheel][slot] = nullptr;
  occupied_[wheel] &= ~(1ULL << slot);
  while (timer != nullptr) {
    Timer* next = timer->next_;
    link(*timer);
    timer = next;
  }
}

// collect moves the due timers whose exact time has come to the end of `firing`.
Timer** TimerWheel::collect(uint64_t now_ns, Timer** end) {
  Timer* timer = due_;
  while (timer != nullptr) {
    Timer* next = timer->next_;
    if (timer->expiry_ns_ <= now_ns) {
      *timer->back_ = next;
      if (next != nullptr) next->back_ = timer->back_;
      *end = nullptr;
      push(*end, *timer, kFiringSlot);
      end = &timer->next_;
    }
    timer = next;
  }
  return end;
}

void TimerWheel::advance(uint64_t now_ns) {
  const uint64_t target = now_ns / kTickNs;
  Timer* firing = nullptr;
  Timer** end = collect(now_ns, &firing);
  uint32_t wheel = 0;
  uint32_t slot = 0;
  uint64_t tick = 0;
  while (next_slot(wheel, slot, tick) && tick <= target) {
    tick_ = tick;
    cascade(wheel, slot);
    end = collect(now_ns, end);
  }
  tick_ = std::max(tick_, target);
  // Callbacks run last, over a list that any of them may change. What they set for the past waits
  // in `due_` for the next call, so that this loop ends.
  while (firing != nullptr) {
    Timer* timer = firing;
    unlink(*timer);
    fired_++;
    timer->callback_(timer->context_);
  }
}

uint64_t TimerWheel::next_expiry_ns() const {
  uint64_t earliest = UINT64_MAX;
  for (const Timer* timer = due_; timer != nullptr; timer = timer->next_) {
    earliest = std::min(earliest, timer->expiry_ns_);
  }
  if (earliest != UINT64_MAX) return earliest;
  uint32_t wheel = 0;
  uint32_t slot = 0;
  uint64_t tick = 0;
  if (!next_slot(wheel, slot, tick)) return UINT64_MAX;
  if (wheel > 0) return tick * kTickNs;
  uint32_t scanned = 0;
  for (const Timer* timer = slots_[0][slot]; timer != nullptr; timer = timer->next_) {
    if (++scanned > kScanMax) return tick * kTickNs;
    earliest = std::min(earliest, timer->expiry_ns_);
  }
  return earliest;
}

}  // namespace flexd
