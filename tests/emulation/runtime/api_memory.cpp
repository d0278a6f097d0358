// The CUDA runtime's functions for memory. Copies check that the device's side lies inside an allocation.
#include <cuda_runtime_api.h>

#include <cstring>
#include <mutex>

#include "api.h"
#include "device_memory.h"
#include "footprint.h"
#include "launch.h"

using namespace halfbyte::emulation;

namespace {

bool is_device_range(const void* p, size_t bytes) {
    const DeviceMemory& memory = DeviceMemory::instance();
    return !memory.contains(p) || memory.is_valid(p, bytes);
}

cudaError_t copy(void* destination, const void* source, size_t bytes) {
    use_context();
    if (bytes == 0) return cudaSuccess;
    const std::lock_guard lock(device_mutex());
    if (destination == nullptr || source == nullptr || !is_device_range(destination, bytes) || !is_device_range(source, bytes))
        return status(cudaErrorInvalidValue);
    forget_predecessor();
    std::memmove(destination, source, bytes);
    return cudaSuccess;
}

}  // namespace

extern "C" {

cudaError_t cudaMalloc(void** memory, size_t bytes) {
    use_context();
    const std::lock_guard lock(device_mutex());
    *memory = bytes == 0 ? nullptr : DeviceMemory::instance().allocate(bytes);
    return status(bytes == 0 || *memory != nullptr ? cudaSuccess : cudaErrorMemoryAllocation);
}
cudaError_t cudaFree(void* memory) {
    const std::lock_guard lock(device_mutex());
    return status(memory == nullptr || DeviceMemory::instance().free(memory) ? cudaSuccess : cudaErrorInvalidValue);
}
cudaError_t cudaMallocAsync(void** memory, size_t bytes, cudaStream_t) { return cudaMalloc(memory, bytes); }
cudaError_t cudaFreeAsync(void* memory, cudaStream_t) { return cudaFree(memory); }
cudaError_t cudaMallocHost(void** memory, size_t bytes) { return cudaMalloc(memory, bytes); }
cudaError_t cudaHostAlloc(void** memory, size_t bytes, unsigned) { return cudaMalloc(memory, bytes); }
cudaError_t cudaFreeHost(void* memory) { return cudaFree(memory); }

cudaError_t cudaMemcpy(void* destination, const void* source, size_t bytes, cudaMemcpyKind) {
    return copy(destination, source, bytes);
}
cudaError_t cudaMemcpyAsync(void* destination, const void* source, size_t bytes, cudaMemcpyKind, cudaStream_t) {
    return copy(destination, source, bytes);
}
cudaError_t cudaMemset(void* memory, int value, size_t bytes) {
    const std::lock_guard lock(device_mutex());
    if (bytes != 0 && !DeviceMemory::instance().is_valid(memory, bytes)) return status(cudaErrorInvalidValue);
    forget_predecessor();
    if (bytes != 0) std::memset(memory, value, bytes);
    return cudaSuccess;
}
cudaError_t cudaMemsetAsync(void* memory, int value, size_t bytes, cudaStream_t) { return cudaMemset(memory, value, bytes); }

cudaError_t cudaPointerGetAttributes(cudaPointerAttributes* attributes, const void* p) {
    const bool device = DeviceMemory::instance().contains(p);
    *attributes = {};
    attributes->type = device ? cudaMemoryTypeDevice : cudaMemoryTypeUnregistered;
    attributes->devicePointer = device ? const_cast<void*>(p) : nullptr;
    return cudaSuccess;
}

}  // extern "C"
