// A backend is this table, filled in. The ABI validates a call and forwards it through the table of the stream's device.
#pragma once

#include <string>

#include "operations.h"

namespace halfbyte {

// What a halfbyte_stream handle points to. Backends derive their own stream from it.
struct Backend;
struct Stream {
    static constexpr uint64_t kAlive = 0x48616c6662797465;  // "Halfbyte": tells a live handle from a stale or foreign pointer

    uint64_t alive = kAlive;
    int32_t device = HALFBYTE_DEVICE_CPU;
    const Backend* backend = nullptr;
};

// Every function reports failure by throwing halfbyte::Error. Operations return when their work is enqueued (CUDA) or done (CPU).
// `..._workspace` functions return bytes.
struct Backend {
    const char* name;

    // Devices. `device` is a number of enum halfbyte_device that this backend owns.
    int32_t (*device_count)(std::string* why_none);  // why_none: null, or receives the reason where the count is 0
    std::string (*device_name)(int32_t device);
    void (*device_memory)(int32_t device, int64_t* free_bytes, int64_t* total_bytes);

    // Streams.
    Stream* (*stream_create)(int32_t device);
    Stream* (*stream_wrap)(int32_t device, void* native_stream);  // null where there is nothing to wrap
    void (*stream_synchronize)(Stream& stream);
    void (*stream_destroy)(Stream* stream);
    std::string (*stream_describe)(Stream& stream);

    // Memory.
    void* (*allocate)(Stream& stream, int64_t bytes);
    void (*free)(Stream& stream, void* memory);
    void (*copy_from_host)(Stream& stream, void* destination, const void* source, int64_t bytes);
    void (*copy_to_host)(Stream& stream, void* destination, const void* source, int64_t bytes);
    void (*copy)(Stream& stream, void* destination, const void* source, int64_t bytes);
    void (*fill)(Stream& stream, void* destination, int32_t value, int64_t bytes);

    // Operations, one file each in the backend's folder.
    void (*quantize_4bit)(Stream& stream, const Quantize4Bit& op);
    void (*dequantize_4bit)(Stream& stream, const Dequantize4Bit& op);
    void (*lookup_4bit)(Stream& stream, const Lookup4Bit& op);
    void (*quantize_blockwise)(Stream& stream, const QuantizeBlockwise& op);
    void (*dequantize_blockwise)(Stream& stream, const DequantizeBlockwise& op);
    void (*double_quantize)(Stream& stream, const DoubleQuantize& op);
    void (*double_dequantize)(Stream& stream, const DoubleDequantize& op);
    void (*quantize_int8_rows)(Stream& stream, const QuantizeInt8Rows& op);
    int64_t (*quantize_int8_rows_workspace)(Stream& stream, int64_t rows, int64_t cols, float threshold);
    void (*dequantize_int8)(Stream& stream, const DequantizeInt8& op);
    void (*matmul_4bit)(Stream& stream, const MatMul4Bit& op);
    int64_t (*matmul_4bit_workspace)(Stream& stream, const MatMul4Bit& op);  // data pointers of `op` are not set
    void (*matmul_4bit_transposed)(Stream& stream, const MatMul4BitTransposed& op);
    int64_t (*matmul_4bit_transposed_workspace)(Stream& stream, const MatMul4BitTransposed& op);
    void (*matmul_int8)(Stream& stream, const MatMulInt8& op);
    int64_t (*matmul_int8_workspace)(Stream& stream, const MatMulInt8& op);
    void (*matmul_int8_transposed)(Stream& stream, const MatMulInt8Transposed& op);
    int64_t (*matmul_int8_transposed_workspace)(Stream& stream, const MatMulInt8Transposed& op);
};

// The backends linked into this library. cuda_backend() is null in a library without CUDA.
const Backend& cpu_backend();
const Backend* cuda_backend();

// The backend that owns `device`; throws NO_DEVICE with the reason.
const Backend& backend_of(int32_t device);

}  // namespace halfbyte
