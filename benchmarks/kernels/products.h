// What the rows of all products share.
#pragma once

#include <string>

#include "bench.h"

namespace halfbyte::benchmark {

inline Row product_row(const std::string& name, const char* operation, const char* format, int64_t M, int64_t N, int64_t K) {
    Row row;
    row.name = name;
    row.operation = operation;
    row.format = format;
    row.dtype = "bf16";
    row.M = M;
    row.N = N;
    row.K = K;
    row.flops = 2 * static_cast<double>(M) * static_cast<double>(N) * static_cast<double>(K);
    return row;
}

// Activations [M, columns]: normally distributed, with a column ten times as large in each 512 if asked for.
inline Buffer activations(Bench& bench, Element element, int64_t M, int64_t columns, bool has_outliers) {
    Buffer x((element == Element::kFloat32 ? 4 : 2) * M * columns);
    check(fill_normal(x.as<>(), element, M * columns, 77, 1, columns, has_outliers ? 512 : 0, bench.cuda), "fill_normal");
    return x;
}

inline std::string product_name(const char* operation, int64_t N, int64_t K, int64_t M) {
    return std::string(operation) + " " + std::to_string(N) + "x" + std::to_string(K) + " M=" + std::to_string(M);
}

}  // namespace halfbyte::benchmark
