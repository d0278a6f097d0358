// The only way a kernel is launched.
//
//   const Launch at{.grid = dim3(blocks), .block = dim3(kThreads), .stream = stream};
//   return launch(at, my_kernel<float>, input, output, n);
//
// Built on cudaLaunchKernelEx rather than on <<<...>>>, which is no C++: every compiler can read a launcher, arguments are
// converted to the kernel's parameter types, and the status comes back at once.
#pragma once

#include <cuda_runtime.h>

#include <algorithm>
#include <cstddef>
#include <utility>

namespace halfbyte::cuda {

// What every GPU gives a kernel without being asked.
inline constexpr size_t kSharedWithoutAsking = 48 * 1024;

struct Launch {
    dim3 grid = 1;
    dim3 block = 1;
    size_t shared_bytes = 0;  // dynamic shared memory; see smem.cuh
    cudaStream_t stream = nullptr;
    // Let the kernel begin while the one before it on the stream still runs: when all blocks of that one have left, or have called
    // ptx::grid_dependency_launch(). Hopper and later; elsewhere it has no effect. Such a kernel
    //   - must not touch the predecessor's results, nor overwrite its inputs, before ptx::grid_dependency_wait(). To a product
    //     every pointer may be such a result: weights, statistics, tables, activations; and outputs and workspace may be an input;
    //   - must not read its results by __ldg, even then (ptx/memory.cuh);
    //   - must wait in every thread, before anything else that may make it leave. The wait is for the predecessor's end alone; that
    //     everything before has ended too follows from that one having waited itself.
    // Where the running kernel leaves no room on its multiprocessors, the next begins as its blocks leave.
    bool overlaps_predecessor = false;
    // So many blocks along x run at the same time and reach each other's shared memory (ptx/cluster.cuh). 1 to 8, a divisor of
    // grid.x; more than 1 on Hopper and later only.
    unsigned cluster = 1;
};

// Whether kernels run as compiled for Hopper or later: overlap and clusters may be asked for. Code for older devices runs on Hopper
// too, but without a grid_dependency_wait.
inline cudaError_t runs_hopper_code(bool* does) {
#if defined(__CUDA_ARCH_LIST__)
    constexpr int kNewestCode = std::max({__CUDA_ARCH_LIST__});
#else
    constexpr int kNewestCode = 900;
#endif
    int device = 0, major = 0;
    cudaError_t status = cudaGetDevice(&device);
    if (status == cudaSuccess) status = cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device);
    *does = kNewestCode >= 900 && major >= 9;
    return status;
}

// Asks for the shared memory of a launch, and calls f with its configuration.
template <class... Parameters, class F>
cudaError_t with_configuration(const Launch& at, void (*kernel)(Parameters...), const F& f) {
    if (at.shared_bytes > kSharedWithoutAsking) {
        // All that the device lends, and not what this launch needs: the limit is the kernel's, and a thread that launches it with
        // less would lower it between another's asking and launching.
        int device = 0, most = 0;
        cudaError_t status = cudaGetDevice(&device);
        if (status == cudaSuccess) status = cudaDeviceGetAttribute(&most, cudaDevAttrMaxSharedMemoryPerBlockOptin, device);
        if (status == cudaSuccess)
            status = cudaFuncSetAttribute(reinterpret_cast<const void*>(kernel), cudaFuncAttributeMaxDynamicSharedMemorySize, most);
        if (status != cudaSuccess) return status;
    }
    cudaLaunchAttribute attributes[2] = {};
    unsigned count = 0;
    bool overlaps = false;
    if (at.overlaps_predecessor) {
        const cudaError_t status = runs_hopper_code(&overlaps);
        if (status != cudaSuccess) return status;
    }
    if (overlaps) {
        attributes[count].id = cudaLaunchAttributeProgrammaticStreamSerialization;
        attributes[count++].val.programmaticStreamSerializationAllowed = 1;
    }
    if (at.cluster > 1) {
        attributes[count].id = cudaLaunchAttributeClusterDimension;
        attributes[count++].val.clusterDim = {at.cluster, 1, 1};
    }
    cudaLaunchConfig_t config{};
    config.gridDim = at.grid;
    config.blockDim = at.block;
    config.dynamicSmemBytes = at.shared_bytes;
    config.stream = at.stream;
    config.attrs = attributes;
    config.numAttrs = count;
    return f(config);
}

template <class... Parameters, class... Arguments>
cudaError_t launch(const Launch& at, void (*kernel)(Parameters...), Arguments&&... arguments) {
    return with_configuration(at, kernel, [&](const cudaLaunchConfig_t& config) {
        return cudaLaunchKernelEx(&config, kernel, std::forward<Arguments>(arguments)...);
    });
}

// How many of the launch's clusters run at the same time.
template <class... Parameters>
cudaError_t clusters_at_once(const Launch& at, void (*kernel)(Parameters...), int* clusters) {
    return with_configuration(at, kernel, [&](const cudaLaunchConfig_t& config) {
        return cudaOccupancyMaxActiveClusters(clusters, reinterpret_cast<const void*>(kernel), &config);
    });
}

}  // namespace halfbyte::cuda
