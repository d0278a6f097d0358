// halfbyte.h section 6: 4-bit quantization, both ways.
#include "call.h"
#include "checks.h"
#include "core/codebooks.h"
#include "core/formats.h"

using namespace halfbyte;
using abi::live_stream;
using abi::Ranges;

namespace {

// The ascending table that decides the codes. For FP4, whose codes are not in the order of values, the backend has its own rule.
const float* table_of(int32_t quant_type, const float* codebook) {
    if (quant_type == HALFBYTE_QUANT_TYPE_CUSTOM) {
        abi::require_host(codebook, "codebook", "16 float32 values in host memory");
        abi::require_code_table(codebook, 16);
        return codebook;
    }
    if (quant_type != HALFBYTE_QUANT_TYPE_NF4 && quant_type != HALFBYTE_QUANT_TYPE_FP4)
        fail(HALFBYTE_STATUS_INVALID_FORMAT, "quant_type is %d; expected 1 (FP4), 2 (NF4) or 3 (custom).", quant_type);
    if (codebook != nullptr)
        fail(HALFBYTE_STATUS_INVALID_FORMAT, "codebook is given for quant_type %d, which has its own; pass null, or quant_type 3.",
             quant_type);
    return quant_type == HALFBYTE_QUANT_TYPE_NF4 ? kNf4.data() : kFp4.data();
}

}  // namespace

int32_t halfbyte_quantize_4bit(halfbyte_stream stream, const void* input, int32_t dtype, int64_t n, int64_t blocksize,
                               int32_t quant_type, const float* codebook, uint8_t* packed, float* absmax) {
    return abi::call([&] {
        Stream& live = live_stream(stream);
        const DType type = abi::dtype_of(dtype, {"dtype"});
        abi::checked_bytes(n, size_of(type), "n");
        abi::require_blocksize(blocksize, {"blocksize"});
        const float* table = table_of(quant_type, codebook);
        Ranges ranges;
        ranges.input({"input"}, input, n, size_of(type));
        ranges.output({"packed"}, packed, packed_bytes(n), 1);
        ranges.output({"absmax"}, absmax, ceil_div(n, blocksize), 4);
        ranges.finish();
        if (n == 0) return;
        live.backend->quantize_4bit(live, {input, type, n, blocksize, static_cast<QuantType>(quant_type), table, packed, absmax});
    });
}

int32_t halfbyte_dequantize_4bit(halfbyte_stream stream, const halfbyte_weight_4bit* weight, void* output, int32_t dtype) {
    return abi::call([&] {
        Stream& live = live_stream(stream);
        abi::require_host(weight, "weight");
        const DType type = abi::dtype_of(dtype, {"dtype"});
        abi::check_shape(live, *weight, -1);
        Ranges ranges;
        abi::add_inputs(ranges, *weight, -1);
        ranges.output({"output"}, output, weight->N * weight->K, size_of(type));
        ranges.finish();
        if (weight->N == 0 || weight->K == 0) return;
        live.backend->dequantize_4bit(live, {*weight, output, type});
    });
}
