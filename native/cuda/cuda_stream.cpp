#include "cuda_stream.h"

#include <memory>

#include "error.h"
#include "kernel_choice.h"

namespace halfbyte::cuda {
namespace {

constexpr int kOldestCapability = 75;  // Turing: the oldest with code in this library

int ordinal_of(int32_t device) { return device - HALFBYTE_DEVICE_CUDA; }

int attribute(cudaDeviceAttr which, int ordinal) {
    int value = 0;
    check(cudaDeviceGetAttribute(&value, which, ordinal), "cudaDeviceGetAttribute", ordinal);
    return value;
}

std::string full_name(int ordinal) {
    cudaDeviceProp properties{};
    check(cudaGetDeviceProperties(&properties, ordinal), "cudaGetDeviceProperties", ordinal);
    return std::string(properties.name) + " (sm_" + std::to_string(properties.major * 10 + properties.minor) + ")";
}

std::string explain_absence(cudaError_t status) {
    if (status == cudaErrorInsufficientDriver) return "there is no NVIDIA driver, or one too old for " HALFBYTE_CUDA_NAME;
    if (status == cudaErrorNoDevice || status == cudaSuccess)
        return "the NVIDIA driver shows no device to this process; CUDA_VISIBLE_DEVICES may hide it, or a container not have it";
    return std::string("the NVIDIA driver does not start: ") + cudaGetErrorString(status);
}

std::unique_ptr<CudaStream> new_stream(int32_t device) {
    check_asked_kernels();
    const int ordinal = ordinal_of(device);
    const int capability =
        attribute(cudaDevAttrComputeCapabilityMajor, ordinal) * 10 + attribute(cudaDevAttrComputeCapabilityMinor, ordinal);
    if (capability < kOldestCapability)
        fail(HALFBYTE_STATUS_NO_DEVICE, "cuda:%d, %s, is too old: Halfbyte needs compute capability %d.%d or newer.", ordinal,
             full_name(ordinal).c_str(), kOldestCapability / 10, kOldestCapability % 10);
    auto stream = std::make_unique<CudaStream>();
    stream->device = device;
    stream->backend = cuda_backend();
    stream->ordinal = ordinal;
    stream->has_pools = attribute(cudaDevAttrMemoryPoolsSupported, ordinal) != 0;
    return stream;
}

void copy_with(cudaMemcpyKind kind, Stream& stream, void* destination, const void* source, int64_t bytes) {
    const CudaStream& cuda = cuda_stream(stream);
    const OnDevice on(cuda.ordinal);
    check(cudaMemcpyAsync(destination, source, static_cast<size_t>(bytes), kind, cuda.handle), "cudaMemcpyAsync", cuda.ordinal);
}

}  // namespace

OnDevice::OnDevice(int ordinal) {
    check(cudaGetDevice(&previous_), "cudaGetDevice", ordinal);
    if (previous_ == ordinal) return;
    check(cudaSetDevice(ordinal), "cudaSetDevice", ordinal);
    changed_ = true;
}

OnDevice::~OnDevice() {
    if (changed_ && cudaSetDevice(previous_) != cudaSuccess) cudaGetLastError();
}

// ---- devices -------------------------------------------------------------------------------------------------------------------

int32_t device_count(std::string* why_none) {
    int count = 0;
    const cudaError_t status = cudaGetDeviceCount(&count);
    if (status == cudaSuccess && count > 0) return count;
    cudaGetLastError();  // no driver, one too old for this runtime, or no device: all of them mean none
    if (why_none != nullptr) *why_none = explain_absence(status);
    return 0;
}

std::string device_name(int32_t device) { return full_name(ordinal_of(device)); }

void device_memory(int32_t device, int64_t* free_bytes, int64_t* total_bytes) {
    const OnDevice on(ordinal_of(device));
    size_t available = 0, total = 0;
    check(cudaMemGetInfo(&available, &total), "cudaMemGetInfo", ordinal_of(device));
    *free_bytes = static_cast<int64_t>(available);
    *total_bytes = static_cast<int64_t>(total);
}

// ---- streams -------------------------------------------------------------------------------------------------------------------

Stream* stream_create(int32_t device) {
    std::unique_ptr<CudaStream> stream = new_stream(device);
    const OnDevice on(stream->ordinal);
    check(cudaStreamCreateWithFlags(&stream->handle, cudaStreamNonBlocking), "cudaStreamCreateWithFlags", stream->ordinal);
    stream->is_owned = true;
    return stream.release();
}

Stream* stream_wrap(int32_t device, void* native_stream) {
    std::unique_ptr<CudaStream> stream = new_stream(device);
    stream->handle = static_cast<cudaStream_t>(native_stream);
    return stream.release();
}

void stream_synchronize(Stream& stream) {
    const CudaStream& cuda = cuda_stream(stream);
    const OnDevice on(cuda.ordinal);
    check(cudaStreamSynchronize(cuda.handle), "Work enqueued before", cuda.ordinal);
}

void stream_destroy(Stream* stream) {
    const std::unique_ptr<CudaStream> cuda(&cuda_stream(*stream));
    if (!cuda->is_owned) return;
    const OnDevice on(cuda->ordinal);
    check(cudaStreamDestroy(cuda->handle), "cudaStreamDestroy", cuda->ordinal);  // the runtime lets the work on it finish
}

std::string stream_describe(Stream& stream) {
    const CudaStream& cuda = cuda_stream(stream);
    return "cuda:" + std::to_string(cuda.ordinal) + ", " + full_name(cuda.ordinal) + (cuda.is_owned ? "" : ", the caller's stream");
}

// ---- memory --------------------------------------------------------------------------------------------------------------------

void* allocate(Stream& stream, int64_t bytes) {
    if (bytes == 0) return nullptr;
    const CudaStream& cuda = cuda_stream(stream);
    const OnDevice on(cuda.ordinal);
    const auto size = static_cast<size_t>(bytes);
    void* memory = nullptr;
    const cudaError_t status = cuda.has_pools ? cudaMallocAsync(&memory, size, cuda.handle) : cudaMalloc(&memory, size);
    if (status == cudaSuccess) return memory;
    cudaGetLastError();
    // Sizes beyond what any device has are an invalid value to some drivers.
    size_t available = 0, total = 0;
    const bool is_known = cudaMemGetInfo(&available, &total) == cudaSuccess;
    if (!is_known) cudaGetLastError();
    if (status == cudaErrorMemoryAllocation || (is_known && size > total))
        fail(HALFBYTE_STATUS_OUT_OF_MEMORY, "Could not allocate %lld bytes on cuda:%d: %lld of %lld bytes are free.",
             static_cast<long long>(bytes), cuda.ordinal, static_cast<long long>(available), static_cast<long long>(total));
    check(status, cuda.has_pools ? "cudaMallocAsync" : "cudaMalloc", cuda.ordinal);
    return nullptr;
}

void free_memory(Stream& stream, void* memory) {
    const CudaStream& cuda = cuda_stream(stream);
    const OnDevice on(cuda.ordinal);
    // cudaFree waits for the device first, which is more than stream order asks.
    check(cuda.has_pools ? cudaFreeAsync(memory, cuda.handle) : cudaFree(memory), cuda.has_pools ? "cudaFreeAsync" : "cudaFree",
          cuda.ordinal);
}

void copy_from_host(Stream& stream, void* destination, const void* source, int64_t bytes) {
    copy_with(cudaMemcpyHostToDevice, stream, destination, source, bytes);
}

void copy_to_host(Stream& stream, void* destination, const void* source, int64_t bytes) {
    copy_with(cudaMemcpyDeviceToHost, stream, destination, source, bytes);
}

void copy(Stream& stream, void* destination, const void* source, int64_t bytes) {
    copy_with(cudaMemcpyDeviceToDevice, stream, destination, source, bytes);
}

void fill(Stream& stream, void* destination, int32_t value, int64_t bytes) {
    const CudaStream& cuda = cuda_stream(stream);
    const OnDevice on(cuda.ordinal);
    check(cudaMemsetAsync(destination, value, static_cast<size_t>(bytes), cuda.handle), "cudaMemsetAsync", cuda.ordinal);
}

}  // namespace halfbyte::cuda
