#include "backend.h"

#include "error.h"

namespace halfbyte {

const Backend& backend_of(int32_t device) {
    if (device == HALFBYTE_DEVICE_CPU) return cpu_backend();
    if (device < HALFBYTE_DEVICE_CUDA)
        fail(HALFBYTE_STATUS_NO_DEVICE, "Device %d does not exist; expected %d (CPU) or %d + a CUDA ordinal.", device,
             HALFBYTE_DEVICE_CPU, HALFBYTE_DEVICE_CUDA);
    const int32_t ordinal = device - HALFBYTE_DEVICE_CUDA;
    const Backend* cuda = cuda_backend();
    if (cuda == nullptr)
        fail(HALFBYTE_STATUS_NO_DEVICE, "cuda:%d was asked for, but this is the CPU-only library; install the CUDA one.", ordinal);
    const int32_t count = cuda->device_count();
    if (ordinal >= count)
        fail(HALFBYTE_STATUS_NO_DEVICE, "cuda:%d was asked for, but this machine has %d usable CUDA device(s).", ordinal, count);
    return *cuda;
}

}  // namespace halfbyte
