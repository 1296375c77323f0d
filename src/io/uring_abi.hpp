// uring_abi.hpp: what kernel headers newer than liburing 2.3 name, and checks of what we rely on.
#pragma once

#include <liburing.h>

#ifndef IORING_SETUP_NO_SQARRAY
// Never to be set with liburing 2.3: it would write its index array over the ring's heads.
#define IORING_SETUP_NO_SQARRAY (1U << 16)
#endif

namespace flexd::io {

static_assert(sizeof(io_uring_sqe) == 64);
static_assert(sizeof(io_uring_cqe) == 16);
static_assert(sizeof(io_uring_buf) == 16);
static_assert(sizeof(io_uring_buf_reg) == 40);
static_assert(sizeof(__kernel_timespec) == 16);

}  // namespace flexd::io
