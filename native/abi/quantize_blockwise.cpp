// halfbyte.h section 7: blockwise 8-bit quantization, both ways.
#include "call.h"
#include "checks.h"
#include "core/formats.h"

using namespace halfbyte;
using abi::live_stream;
using abi::Ranges;

int32_t halfbyte_quantize_blockwise(halfbyte_stream stream, const void* input, int32_t dtype, int64_t n, int64_t blocksize,
                                    const float* codebook, uint8_t* codes, float* absmax) {
    return abi::call([&] {
        Stream& live = live_stream(stream);
        const DType type = abi::dtype_of(dtype, {"dtype"});
        abi::checked_bytes(n, size_of(type), "n");
        abi::require_blocksize(blocksize, {"blocksize"});
        Ranges ranges;
        ranges.input({"input"}, input, n, size_of(type));
        if (codebook != nullptr) ranges.input({"codebook"}, codebook, 256, 4);
        ranges.output({"codes"}, codes, n, 1);
        ranges.output({"absmax"}, absmax, ceil_div(n, blocksize), 4);
        ranges.finish();
        // It can be read only where it is host memory; on other devices it is the caller's word.
        if (codebook != nullptr && live.device == HALFBYTE_DEVICE_CPU) abi::require_code_table(codebook, 256);
        if (n == 0) return;
        live.backend->quantize_blockwise(live, {input, type, n, blocksize, codebook, codes, absmax});
    });
}

int32_t halfbyte_dequantize_blockwise(halfbyte_stream stream, const uint8_t* codes, const float* absmax, int64_t n,
                                      int64_t blocksize, const float* codebook, void* output, int32_t dtype) {
    return abi::call([&] {
        Stream& live = live_stream(stream);
        const DType type = abi::dtype_of(dtype, {"dtype"});
        abi::checked_bytes(n, size_of(type), "n");
        abi::require_blocksize(blocksize, {"blocksize"});
        Ranges ranges;
        ranges.input({"codes"}, codes, n, 1);
        ranges.input({"absmax"}, absmax, ceil_div(n, blocksize), 4);
        if (codebook != nullptr) ranges.input({"codebook"}, codebook, 256, 4);
        ranges.output({"output"}, output, n, size_of(type));
        ranges.finish();
        if (n == 0) return;
        live.backend->dequantize_blockwise(live, {codes, absmax, n, blocksize, codebook, output, type});
    });
}
