// Double quantization of statistics, both ways.
//
//   offset = mean(absmax),  (codes, nested_absmax) = quantize_blockwise(absmax - offset, blocks of 256, signed dynamic map)
//   absmax[b] = codebook[codes[b]] * nested_absmax[b / 256] + offset
//
// A statistic stands for 32 to 4096 weights, so plain loops keep up with the kernels that use them. Quantizing reads 4 bytes per
// statistic twice and writes 1; dequantizing reads 1 and writes 4.
#include <algorithm>

#include "core/backend.h"
#include "core/codebooks.h"
#include "core/formats.h"
#include "operations.h"
#include "quantize_blockwise.h"

namespace halfbyte::cpu {
namespace {

constexpr int64_t kLanes = 256;  // the mean's order of additions is fixed: halfbyte.h section 8
constexpr int64_t kChunk = 16384;
constexpr int64_t kGrain = 16384;  // statistics per unit of work; a multiple of the block of 256

double sum_of_chunk(const float* values, int64_t count) {
    double lanes[kLanes] = {};
    for (int64_t i = 0; i < count; i += kLanes)
        for (int64_t j = 0; j < std::min(kLanes, count - i); ++j) lanes[j] += static_cast<double>(values[i + j]);
    for (int64_t stride = kLanes / 2; stride > 0; stride /= 2)
        for (int64_t j = 0; j < stride; ++j) lanes[j] += lanes[j + stride];
    return lanes[0];
}

// Threads sum a few chunks at a time; their sums are then added in order, so the result does not depend on who computed which.
float mean(const CpuStream& cpu, const float* values, int64_t count) {
    if (count == 0) return 0;
    constexpr int64_t kChunksAtOnce = 64;
    const int64_t chunks = ceil_div(count, kChunk);
    double total = 0;
    for (int64_t first = 0; first < chunks; first += kChunksAtOnce) {
        double sums[kChunksAtOnce];
        const int64_t now = std::min(kChunksAtOnce, chunks - first);
        cpu.parallel_for(now, 1, [&](int64_t begin, int64_t end) {
            for (int64_t c = begin; c < end; ++c) {
                const int64_t start = (first + c) * kChunk;
                sums[c] = sum_of_chunk(values + start, std::min(kChunk, count - start));
            }
        });
        for (int64_t c = 0; c < now; ++c) total += sums[c];
    }
    return static_cast<float>(total / static_cast<double>(count));
}

}  // namespace

void double_quantize(Stream& stream, const DoubleQuantize& op) {
    const CpuStream& cpu = cpu_stream(stream);
    const BlockwiseQuantizer quantize(cpu.path, dynamic_signed().data());
    const float offset = mean(cpu, op.absmax, op.count);
    op.offset[0] = offset;
    cpu.parallel_for(op.count, kGrain, [&](int64_t first, int64_t last) {
        constexpr int64_t kAtOnce = 16 * kNestedBlocksize;
        float centered[kAtOnce];
        for (int64_t i = first; i < last; i += kAtOnce) {
            const int64_t n = std::min(kAtOnce, last - i);
            for (int64_t j = 0; j < n; ++j) centered[j] = op.absmax[i + j] - offset;
            quantize({.input = centered,
                      .dtype = DType::kFloat32,
                      .n = n,
                      .blocksize = kNestedBlocksize,
                      .codebook = nullptr,
                      .codes = op.codes + i,
                      .absmax = op.nested_absmax + i / kNestedBlocksize});
        }
    });
}

void double_dequantize(Stream& stream, const DoubleDequantize& op) {
    const float* codebook = op.codebook != nullptr ? op.codebook : dynamic_signed().data();
    cpu_stream(stream).parallel_for(op.count, kGrain, [&](int64_t first, int64_t last) {
        const float offset = op.offset[0];
        for (int64_t i = first; i < last; i += kNestedBlocksize) {
            const float scale = op.nested_absmax[i / kNestedBlocksize];
            for (int64_t j = i; j < std::min(i + kNestedBlocksize, last); ++j) {
                const float value = codebook[op.codes[j]] * scale;  // rounded before the addition: no fused multiply-add
                op.absmax[j] = value + offset;
            }
        }
    });
}

}  // namespace halfbyte::cpu
