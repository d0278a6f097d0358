// What this processor can run, and which path that means.
#pragma once

#include <cstdint>

namespace halfbyte::cpu {

// Ordered: a processor that can run a path can run all before it. Values of enum halfbyte_cpu_path.
enum class Path : int32_t { kScalar = 1, kAvx2 = 2, kAvx512 = 3, kAvx512Bf16 = 4 };

Path best_path();

const char* name_of(Path path);

// AUTO resolved: HALFBYTE_CPU_PATH of the environment if set, else best_path(). Throws for a name that is unknown or a path that
// this processor lacks.
Path resolve_path(int32_t requested);

// 0 resolved: HALFBYTE_NUM_THREADS of the environment if set, else the processors this process may run on.
int resolve_threads(int32_t requested);

}  // namespace halfbyte::cpu
