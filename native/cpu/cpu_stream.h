// A CPU stream: a path (which instructions) and a number of threads. Work is done when a call returns.
#pragma once

#include "core/backend.h"
#include "features.h"
#include "thread_pool.h"

namespace halfbyte::cpu {

struct CpuStream : Stream {
    Path path;
    int threads;

    // Calls body(first, last) on disjoint ranges that cover [0, count), on up to `threads` threads. Ranges start at multiples of
    // `grain`. How the work is cut never changes a result: kernels compute each element from its inputs alone.
    template <class Body>
    void parallel_for(int64_t count, int64_t grain, const Body& body) const {
        ThreadPool::shared().parallel_for(threads, count, grain, body);
    }
};

// Resolves AUTO and 0 (features.h). The ABI's halfbyte_stream_create_cpu.
Stream* create_stream(int32_t path, int32_t threads);

inline CpuStream& cpu_stream(Stream& stream) { return static_cast<CpuStream&>(stream); }

}  // namespace halfbyte::cpu
