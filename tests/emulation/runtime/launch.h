// A launch: what runs, over which grid, and what came of it.
#pragma once

#include <cuda_runtime_api.h>

#include <atomic>
#include <chrono>
#include <mutex>
#include <string>

#include "../emulation.h"
#include "footprint.h"
#include "report.h"

namespace halfbyte::emulation {

struct Launch {
    const void* function;  // the kernel
    void (*call)(void* arguments);
    void* arguments;
    size_t argument_bytes;
    dim3 grid, block;
    unsigned cluster;  // blocks along x
    size_t shared_bytes;
    Order order;
    Footprint footprint;
    int architecture;
    bool counting = false;
    std::chrono::steady_clock::time_point deadline;

    std::atomic<bool> failed = false;
    std::mutex mutex;  // of what follows
    Report report;
    Counts counts;

    std::string name() const { return function_name(function); }  // slow: reads debug information

    void fail(Report why) {
        const std::lock_guard lock(mutex);
        if (!failed.exchange(true)) report = std::move(why);
    }
};

// One host thread at a time touches the device's memory: launches, copies, allocations.
std::mutex& device_mutex();

// Runs the kernel in every order that was asked for; returns the status for the CUDA API.
cudaError_t run(const cudaLaunchConfig_t& config, unsigned cluster, const void* function, void (*call)(void*), void* arguments,
                size_t argument_bytes);

}  // namespace halfbyte::emulation
