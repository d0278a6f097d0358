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
        fail(HALFBYTE_STATUS_NO_DEVICE, "cuda:%d cannot be used: this library, halfbyte_cpu, was built without CUDA.", ordinal);
    std::string why_none;
    const int32_t count = cuda->device_count(&why_none);
    if (count == 0) fail(HALFBYTE_STATUS_NO_DEVICE, "cuda:%d cannot be used: %s.", ordinal, why_none.c_str());
    if (ordinal >= count)
        fail(HALFBYTE_STATUS_NO_DEVICE, "cuda:%d cannot be used: this machine has %d usable CUDA device(s), counted from cuda:0.",
             ordinal, count);
    return *cuda;
}

}  // namespace halfbyte
