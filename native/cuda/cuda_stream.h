// A CUDA stream: an in-order queue of work on one device. Nothing here waits for the device but stream_synchronize, copies from and
// to pageable memory, and free on a device without memory pools.
#pragma once

#include <cuda_runtime_api.h>

#include <string>

#include "core/backend.h"

namespace halfbyte::cuda {

struct CudaStream : Stream {
    int ordinal = 0;
    cudaStream_t handle = nullptr;
    bool is_owned = false;   // else an engine's own, adopted
    bool has_pools = false;  // the device allocates and frees in stream order
};

inline CudaStream& cuda_stream(Stream& stream) { return static_cast<CudaStream&>(stream); }

// Makes a device current for the calling thread, and the one before it again at the end.
class OnDevice {
   public:
    explicit OnDevice(int ordinal);
    ~OnDevice();
    OnDevice(const OnDevice&) = delete;
    OnDevice& operator=(const OnDevice&) = delete;

   private:
    int previous_ = 0;
    bool changed_ = false;
};

// The entries of the backend table, in its order.
int32_t device_count(std::string* why_none);
std::string device_name(int32_t device);
void device_memory(int32_t device, int64_t* free_bytes, int64_t* total_bytes);
Stream* stream_create(int32_t device);
Stream* stream_wrap(int32_t device, void* native_stream);
void stream_synchronize(Stream& stream);
void stream_destroy(Stream* stream);
std::string stream_describe(Stream& stream);
void* allocate(Stream& stream, int64_t bytes);
void free_memory(Stream& stream, void* memory);
void copy_from_host(Stream& stream, void* destination, const void* source, int64_t bytes);
void copy_to_host(Stream& stream, void* destination, const void* source, int64_t bytes);
void copy(Stream& stream, void* destination, const void* source, int64_t bytes);
void fill(Stream& stream, void* destination, int32_t value, int64_t bytes);

}  // namespace halfbyte::cuda
