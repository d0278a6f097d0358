#include "error.h"

namespace halfbyte::cuda {

void check(cudaError_t status, const char* what, int ordinal) {
    if (status == cudaSuccess) return;
    cudaGetLastError();
    fail(status == cudaErrorMemoryAllocation ? HALFBYTE_STATUS_OUT_OF_MEMORY : HALFBYTE_STATUS_DEVICE_ERROR,
         "%s failed on cuda:%d: %s (%s).", what, ordinal, cudaGetErrorString(status), cudaGetErrorName(status));
}

}  // namespace halfbyte::cuda
