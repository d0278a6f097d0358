// Shadows native/cuda/device/ptx/barrier.cuh. Kernels run one after another here; what one does before it has waited for the other
// is checked all the same.
#pragma once

#include <cuda_runtime.h>

namespace halfbyte::cuda::ptx {

inline void barrier_sync(unsigned barrier, unsigned threads, HALFBYTE_HERE) {
    emulation::named_barrier_sync(barrier, threads, where);
}
inline void barrier_arrive(unsigned barrier, unsigned threads, HALFBYTE_HERE) {
    emulation::named_barrier_arrive(barrier, threads, where);
}
inline void grid_dependency_wait() { emulation::grid_dependency_wait(); }
inline void grid_dependency_launch() {}

}  // namespace halfbyte::cuda::ptx
