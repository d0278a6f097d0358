// halfbyte.h section 8: the statistics in 8 bits, both ways.
#include "call.h"
#include "checks.h"
#include "core/formats.h"

using namespace halfbyte;
using abi::live_stream;
using abi::Ranges;

int32_t halfbyte_double_quantize(halfbyte_stream stream, const float* absmax, int64_t count, uint8_t* codes, float* nested_absmax,
                                 float* offset) {
    return abi::call([&] {
        Stream& live = live_stream(stream);
        abi::checked_bytes(count, 4, "count");
        Ranges ranges;
        ranges.input({"absmax"}, absmax, count, 4);
        ranges.output({"codes"}, codes, count, 1);
        ranges.output({"nested_absmax"}, nested_absmax, ceil_div(count, kNestedBlocksize), 4);
        ranges.output({"offset"}, offset, 1, 4);
        ranges.finish();
        live.backend->double_quantize(live, {absmax, count, codes, nested_absmax, offset});
    });
}

int32_t halfbyte_double_dequantize(halfbyte_stream stream, const uint8_t* codes, const float* nested_absmax, const float* offset,
                                   const float* codebook, int64_t count, float* absmax) {
    return abi::call([&] {
        Stream& live = live_stream(stream);
        abi::checked_bytes(count, 4, "count");
        Ranges ranges;
        ranges.input({"codes"}, codes, count, 1);
        ranges.input({"nested_absmax"}, nested_absmax, ceil_div(count, kNestedBlocksize), 4);
        ranges.input({"offset"}, offset, 1, 4);
        if (codebook != nullptr) ranges.input({"codebook"}, codebook, 256, 4);
        ranges.output({"absmax"}, absmax, count, 4);
        ranges.finish();
        if (count == 0) return;
        live.backend->double_dequantize(live, {codes, nested_absmax, offset, codebook, count, absmax});
    });
}
