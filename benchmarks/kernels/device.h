// Memory of the device and a description of the machine. What goes wrong is an exception with a sentence.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>
#include <string>
#include <utility>

#include "halfbyte.h"

namespace halfbyte::benchmark {

void check(cudaError_t status, const char* what);
void check(int32_t status);  // of halfbyte.h

class Buffer {
   public:
    Buffer() = default;
    explicit Buffer(int64_t bytes);
    ~Buffer();
    Buffer(Buffer&& other) noexcept { swap(other); }
    Buffer& operator=(Buffer&& other) noexcept {
        swap(other);
        return *this;
    }

    template <class T = void>
    T* as(int64_t byte_offset = 0) const {
        return reinterpret_cast<T*>(static_cast<char*>(data_) + byte_offset);
    }
    int64_t bytes() const { return bytes_; }

   private:
    void swap(Buffer& other) {
        std::swap(data_, other.data_);
        std::swap(bytes_, other.bytes_);
    }

    void* data_ = nullptr;
    int64_t bytes_ = 0;
};

// `count` pieces of equal size, each aligned as an allocation is.
class Slab {
   public:
    Slab() = default;
    Slab(int count, int64_t bytes) : stride_((bytes + 255) / 256 * 256), count_(count), buffer_(stride_ * count) {}
    template <class T = void>
    T* at(int index) const {
        return buffer_.as<T>(stride_ * (index % count_));
    }
    int count() const { return count_; }
    int64_t bytes() const { return buffer_.bytes(); }

   private:
    int64_t stride_ = 0;
    int count_ = 0;
    Buffer buffer_;
};

struct Machine {
    std::string gpu, driver, runtime, library;
    int capability = 0, multiprocessors = 0;
    int64_t l2_bytes = 0, memory_bytes = 0;
    int sm_clock_mhz = 0, memory_clock_mhz = 0;  // the highest that the device reports
};
Machine describe_machine();

}  // namespace halfbyte::benchmark
