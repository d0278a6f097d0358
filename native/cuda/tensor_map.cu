#include <atomic>

#include "cuda/tensor_map.h"

namespace halfbyte::cuda {
namespace {

using Encode = decltype(&cuTensorMapEncodeTiled);

// The driver's function by way of the runtime: the library must load where there is no driver.
cudaError_t find_encode(std::atomic<Encode>& encode) {
    void* function = nullptr;
    cudaDriverEntryPointQueryResult result{};
#if CUDART_VERSION >= 12050
    const cudaError_t status =
        cudaGetDriverEntryPointByVersion("cuTensorMapEncodeTiled", &function, 12000, cudaEnableDefault, &result);
#else
    const cudaError_t status = cudaGetDriverEntryPoint("cuTensorMapEncodeTiled", &function, cudaEnableDefault, &result);
#endif
    if (status != cudaSuccess) return status;
    if (result != cudaDriverEntryPointSuccess || function == nullptr) return cudaErrorNotSupported;
    encode = reinterpret_cast<Encode>(function);
    return cudaSuccess;
}

}  // namespace

cudaError_t make_tensor_map(CUtensorMap* map, const TensorView& view) {
    static std::atomic<Encode> encode = nullptr;  // the same for every thread that finds it
    if (encode == nullptr) {
        const cudaError_t status = find_encode(encode);
        if (status != cudaSuccess) return status;
    }
    const auto type = view.dtype == DType::kFloat16 ? CU_TENSOR_MAP_DATA_TYPE_FLOAT16 : CU_TENSOR_MAP_DATA_TYPE_BFLOAT16;
    const cuuint64_t sizes[2] = {static_cast<cuuint64_t>(view.columns), static_cast<cuuint64_t>(view.rows)};
    const cuuint64_t strides[1] = {static_cast<cuuint64_t>(view.ld) * 2};
    const cuuint32_t box[2] = {view.box_columns, view.box_rows}, steps[2] = {1, 1};
    const auto try_encode = [&] {
        return encode.load()(map, type, 2, const_cast<void*>(view.data), sizes, strides, box, steps, CU_TENSOR_MAP_INTERLEAVE_NONE,
                             view.swizzle, CU_TENSOR_MAP_L2_PROMOTION_L2_256B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
    };
    CUresult result = try_encode();
    if (result == CUDA_ERROR_INVALID_CONTEXT) {
        // The driver's functions, unlike the runtime's, do not make a context current on a thread that has used none so far.
        int device = 0;
        cudaError_t status = cudaGetDevice(&device);
        if (status == cudaSuccess) status = cudaSetDevice(device);
        if (status != cudaSuccess) return status;
        result = try_encode();
    }
    return result == CUDA_SUCCESS ? cudaSuccess : cudaErrorInvalidValue;
}

}  // namespace halfbyte::cuda
