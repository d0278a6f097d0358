#include "features.h"

#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>

#if defined(__linux__)
#include <sched.h>
#endif

#include "core/error.h"

namespace halfbyte::cpu {
namespace {

constexpr int kMaxThreads = 1024;

struct Named {
    const char* name;
    Path path;
};
constexpr Named kPaths[] = {
    {"scalar", Path::kScalar},
    {"avx2", Path::kAvx2},
    {"avx512", Path::kAvx512},
    {"avx512_bf16", Path::kAvx512Bf16},
};

Path detect() {
#if defined(__x86_64__)
    __builtin_cpu_init();
    const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
    if (!avx2) return Path::kScalar;
    const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    if (!avx512) return Path::kAvx2;
    const bool bf16 =
        __builtin_cpu_supports("avx512bf16") && __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512vbmi");
    return bf16 ? Path::kAvx512Bf16 : Path::kAvx512;
#else
    return Path::kScalar;
#endif
}

void require_supported(Path path, const char* source) {
    if (path > best_path())
        fail(HALFBYTE_STATUS_NOT_SUPPORTED, "%s asks for the CPU path '%s'; this processor's best is '%s'.", source, name_of(path),
             name_of(best_path()));
}

}  // namespace

Path best_path() {
    static const Path path = detect();
    return path;
}

const char* name_of(Path path) { return kPaths[static_cast<int>(path) - 1].name; }

Path resolve_path(int32_t requested) {
    if (requested != HALFBYTE_CPU_PATH_AUTO) {
        if (requested < HALFBYTE_CPU_PATH_SCALAR || requested > HALFBYTE_CPU_PATH_AVX512_BF16)
            fail(HALFBYTE_STATUS_INVALID_VALUE, "path is %d; expected a value of enum halfbyte_cpu_path (0 to 4).", requested);
        require_supported(static_cast<Path>(requested), "path");
        return static_cast<Path>(requested);
    }
    const char* name = std::getenv("HALFBYTE_CPU_PATH");
    if (name == nullptr || *name == '\0' || std::strcmp(name, "auto") == 0) return best_path();
    for (const Named& named : kPaths) {
        if (std::strcmp(name, named.name) != 0) continue;
        require_supported(named.path, "HALFBYTE_CPU_PATH");
        return named.path;
    }
    fail(HALFBYTE_STATUS_NOT_SUPPORTED, "HALFBYTE_CPU_PATH is '%.64s'; expected auto, scalar, avx2, avx512 or avx512_bf16.", name);
}

int resolve_threads(int32_t requested) {
    if (requested < 0 || requested > kMaxThreads)
        fail(HALFBYTE_STATUS_INVALID_VALUE, "threads is %d; expected 0 (the default) to %d.", requested, kMaxThreads);
    if (requested > 0) return requested;
    if (const char* text = std::getenv("HALFBYTE_NUM_THREADS"); text != nullptr && *text != '\0') {
        char* end = nullptr;
        const long threads = std::strtol(text, &end, 10);
        if (*end != '\0' || threads < 1 || threads > kMaxThreads)
            fail(HALFBYTE_STATUS_NOT_SUPPORTED, "HALFBYTE_NUM_THREADS is '%.64s'; expected 1 to %d.", text, kMaxThreads);
        return static_cast<int>(threads);
    }
#if defined(__linux__)
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set) > 0 ? CPU_COUNT(&set) : 1;
#endif
    const unsigned cores = std::thread::hardware_concurrency();
    return cores == 0 ? 1 : static_cast<int>(cores);
}

}  // namespace halfbyte::cpu
