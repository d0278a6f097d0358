// A test is a function that says what it expects; main() runs them all and counts.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <cstdio>
#include <functional>
#include <string>
#include <vector>

#include "emulation.h"

namespace test {

struct Case {
    const char* name;
    void (*run)();
};
std::vector<Case>& cases();

struct Register {
    Register(const char* name, void (*run)()) { cases().push_back({name, run}); }
};

// Notes a failure of the running test; the test goes on.
void fail(const char* file, int line, const std::string& what);

#define TEST(name)                                            \
    static void name();                                       \
    static const test::Register register_##name(#name, name); \
    static void name()
#define EXPECT(condition)                                             \
    do {                                                              \
        if (!(condition)) test::fail(__FILE__, __LINE__, #condition); \
    } while (false)
#define EXPECT_EQUAL(a, b)                                                                                                   \
    do {                                                                                                                     \
        auto va = (a);                                                                                                       \
        auto vb = static_cast<decltype(va)>(b);                                                                              \
        if (!(va == vb))                                                                                                     \
            test::fail(__FILE__, __LINE__, std::string(#a " == " #b ": ") + std::to_string(va) + ", " + std::to_string(vb)); \
    } while (false)

// Memory of the emulated device, with the host's side of it.
template <class T>
class Buffer {
   public:
    explicit Buffer(size_t size) : size_(size) { cudaMalloc(reinterpret_cast<void**>(&data_), size * sizeof(T)); }
    explicit Buffer(const std::vector<T>& values) : Buffer(values.size()) {
        cudaMemcpy(data_, values.data(), size_ * sizeof(T), cudaMemcpyHostToDevice);
    }
    Buffer(const Buffer&) = delete;
    Buffer& operator=(const Buffer&) = delete;
    ~Buffer() { cudaFree(data_); }

    T* data() const { return data_; }
    std::vector<T> values() const {
        std::vector<T> result(size_);
        cudaMemcpy(result.data(), data_, size_ * sizeof(T), cudaMemcpyDeviceToHost);
        return result;
    }

   private:
    T* data_ = nullptr;
    size_t size_;
};

// Forward, reverse and two random orders, so that results must agree.
void run_in_all_orders();
void run_in_order(halfbyte::emulation::Order order);

// Expects that the launch met `fault`, and that the report names `text`.
void expect_fault(const char* file, int line, cudaError_t status, halfbyte::emulation::Fault fault, const std::string& text);
#define EXPECT_FAULT(status, fault, text) test::expect_fault(__FILE__, __LINE__, status, halfbyte::emulation::Fault::fault, text)

// Expects that it met none.
void expect_success(const char* file, int line, cudaError_t status);
#define EXPECT_SUCCESS(status) test::expect_success(__FILE__, __LINE__, status)

// Repeatable pseudo-random numbers.
class Random {
   public:
    explicit Random(uint64_t seed) : state_(seed * 2 + 1) {}
    uint32_t next();
    int between(int low, int high) { return low + static_cast<int>(next() % static_cast<uint32_t>(high - low + 1)); }
    float uniform() { return static_cast<float>(next() >> 8) * 0x1p-23f - 1.0f; }

   private:
    uint64_t state_;
};

}  // namespace test
