#include "error.h"

#include "kernel_choice.h"

namespace halfbyte::cuda {

void check(cudaError_t status, const char* what, int ordinal) {
    if (status == cudaSuccess) return;
    cudaGetLastError();
    if (const std::string asked = asked_kernel(what); status == cudaErrorNotSupported && !asked.empty())
        fail(HALFBYTE_STATUS_NOT_SUPPORTED,
             "HALFBYTE_CUDA_KERNELS asks for '%s=%s', and that kernel cannot take this product on cuda:%d; "
             "expected another one's name (docs/kernels.md says what each takes), or none.",
             what, asked.c_str(), ordinal);
    fail(status == cudaErrorMemoryAllocation ? HALFBYTE_STATUS_OUT_OF_MEMORY : HALFBYTE_STATUS_DEVICE_ERROR,
         "%s failed on cuda:%d: %s (%s).", what, ordinal, cudaGetErrorString(status), cudaGetErrorName(status));
}

}  // namespace halfbyte::cuda
