// What the rows share that change format and multiply nothing: 4-bit, 8-bit by blocks, double quantization, 8-bit by rows.
//
// Bytes are what must move: every input read once, every output written once. The peer "copy" copies the tensor of full width,
// float32 for 8-bit blocks and bfloat16 for the rest: the unit in which people know what a pass over a tensor costs.
#pragma once

#include <string>

#include "bench.h"
#include "peers/streams.h"

namespace halfbyte::benchmark {

inline Row conversion_row(const std::string& name, const char* operation, const char* format, const char* dtype, int64_t N,
                          int64_t K) {
    Row row;
    row.name = name;
    row.operation = operation;
    row.format = format;
    row.dtype = dtype;
    row.N = N;
    row.K = K;
    return row;
}

// Both ways to copy `from` to `to`.
inline void add_copies(Bench& bench, RowBuilder& builder, const Slab& from, const Slab& to, int64_t bytes) {
    builder.peer(
        peer::kCopy, [&, bytes](int i) { check(copy_stream(to.at(i), from.at(i), bytes, bench.cuda), "copy_stream"); },
        from.count(), "kernel");
    builder.peer(
        peer::kCopy,
        [&, bytes](int i) {
            check(cudaMemcpyAsync(to.at(i), from.at(i), static_cast<size_t>(bytes), cudaMemcpyDeviceToDevice, bench.cuda),
                  "cudaMemcpyAsync");
        },
        from.count(), "cudaMemcpyAsync");
}

// bitsandbytes' candidate if the library is there and has the functions.
template <class... Functions>
bool has(const Bench& bench, RowBuilder& builder, Functions... functions) {
    if (!bench.bitsandbytes) return builder.absent(peer::kBitsandbytes, bench.bitsandbytes_reason), false;
    if ((... && (functions != nullptr))) return true;
    return builder.absent(peer::kBitsandbytes, "this build lacks the function"), false;
}

// When a layer's rows are measured: the first is the one of the targets; of the others the square ones come soon.
inline int conversion_priority(const std::vector<Layer>& layers, const Layer& layer) {
    if (layer.kind == Layer::kHead) return 3;
    return &layer == &layers.front() ? 0 : layer.N == layer.K ? 1 : 2;
}

inline std::string conversion_name(const char* operation, const Layer& layer) {
    return std::string(operation) + " " + std::to_string(layer.N) + "x" + std::to_string(layer.K);
}

}  // namespace halfbyte::benchmark
