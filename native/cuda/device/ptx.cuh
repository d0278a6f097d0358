// All inline assembly of Halfbyte, one instruction per function; kernels call these by name and hold none of their own.
//
// The files of ptx/ included here are for every architecture the library is built for (sm_75 and up); where an instruction came
// later, its function says since when, and traps before. The Hopper-only ones are included by the kernels that use them:
//   ptx/mbarrier.cuh, ptx/registers.cuh, ptx/tma.cuh, ptx/wgmma.cuh.
// tests/emulation/include has a file of the same name for each, with the same functions in plain C++.
#pragma once

#include "cuda/device/ptx/barrier.cuh"
#include "cuda/device/ptx/bits.cuh"
#include "cuda/device/ptx/copy_async.cuh"
#include "cuda/device/ptx/memory.cuh"
#include "cuda/device/ptx/mma.cuh"
