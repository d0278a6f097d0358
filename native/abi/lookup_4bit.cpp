// halfbyte.h section 6: rows of a 4-bit weight.
#include "call.h"
#include "checks.h"

using namespace halfbyte;
using abi::live_stream;
using abi::Ranges;

namespace {

IndexType index_type_of(int32_t index_type) {
    if (index_type != HALFBYTE_INDEX_TYPE_INT32 && index_type != HALFBYTE_INDEX_TYPE_INT64)
        fail(HALFBYTE_STATUS_INVALID_DTYPE, "index_type is %d; expected 1 (int32) or 2 (int64).", index_type);
    return static_cast<IndexType>(index_type);
}

template <class Index>
void require_rows(const void* indices, int64_t M, int64_t N) {
    for (int64_t m = 0; m < M; ++m) {
        const int64_t row = static_cast<const Index*>(indices)[m];
        if (row < 0 || row >= N)
            fail(HALFBYTE_STATUS_INVALID_VALUE, "indices[%lld] is %lld; expected 0 or more and less than weight.N, %lld.",
                 static_cast<long long>(m), static_cast<long long>(row), static_cast<long long>(N));
    }
}

}  // namespace

int32_t halfbyte_lookup_4bit(halfbyte_stream stream, const halfbyte_weight_4bit* weight, const void* indices, int32_t index_type,
                             int64_t M, void* output, int32_t dtype, int64_t ldoutput) {
    return abi::call([&] {
        Stream& live = live_stream(stream);
        abi::require_host(weight, "weight");
        const DType type = abi::dtype_of(dtype, {"dtype"});
        const IndexType indices_type = index_type_of(index_type);
        abi::check_shape(live, *weight, -1);
        abi::checked_bytes(M, size_of(indices_type), "M");
        Ranges ranges;
        abi::add_inputs(ranges, *weight, -1);
        ranges.input({"indices"}, indices, M, size_of(indices_type));
        ranges.output({"output"}, output, M, weight->K, ldoutput, {"ldoutput"}, size_of(type));
        ranges.finish();
        if (live.device == HALFBYTE_DEVICE_CPU) {  // elsewhere they cannot be read without waiting
            if (indices_type == IndexType::kInt32) require_rows<int32_t>(indices, M, weight->N);
            else require_rows<int64_t>(indices, M, weight->N);
        }
        if (M == 0 || weight->K == 0) return;
        live.backend->lookup_4bit(live, {*weight, indices, indices_type, M, output, type, ldoutput});
    });
}
