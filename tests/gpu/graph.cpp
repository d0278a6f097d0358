// Captures every operation of the header into a CUDA graph, once, and replays it on new data: the outputs must have the bits that
// the same calls leave without a graph. What allocates, synchronizes or uses another stream inside an operation fails the capture.
//
//   graph_tests        prints "ok" or "FAIL" per shape, then "N passed, N failed"
#include <cuda_runtime_api.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <utility>
#include <vector>

#include "halfbyte.h"

namespace {

constexpr int32_t kDType = HALFBYTE_DTYPE_BFLOAT16;
constexpr int64_t kBlocksize = 64;
constexpr float kThreshold = 3.0f;

void check(cudaError_t status, const char* what) {
    if (status == cudaSuccess) return;
    std::fprintf(stderr, "%s: %s\n", what, cudaGetErrorString(status));
    std::exit(1);
}

void check(int32_t status) {
    if (status == HALFBYTE_STATUS_OK) return;
    char text[1024];
    int64_t length = 0;
    halfbyte_last_error(reinterpret_cast<uint8_t*>(text), sizeof text, &length);
    std::fprintf(stderr, "status %d: %.*s\n", status, static_cast<int>(length), text);
    std::exit(1);
}

struct Buffer {
    void* data = nullptr;
    int64_t bytes;

    explicit Buffer(int64_t size) : bytes(size) {
        check(cudaMalloc(&data, static_cast<size_t>(size > 0 ? size : 1)), "cudaMalloc");
    }
    ~Buffer() { cudaFree(data); }
    Buffer(const Buffer&) = delete;
    Buffer& operator=(const Buffer&) = delete;

    template <class T>
    T* as() const {
        return static_cast<T*>(data);
    }
};

// Normally distributed, as bfloat16.
std::vector<uint16_t> random_values(int64_t count, unsigned seed, float scale) {
    std::mt19937 engine(seed);
    std::normal_distribution<float> normal(0, scale);
    std::vector<uint16_t> values(static_cast<size_t>(count));
    for (uint16_t& value : values) {
        const float x = normal(engine);
        uint32_t bits;
        std::memcpy(&bits, &x, sizeof bits);
        value = static_cast<uint16_t>(bits >> 16);
    }
    return values;
}

// Every operation, one after the other, on one weight and one matrix of activations.
struct Operations {
    const halfbyte_stream stream;
    const int64_t M, N, K, n = N * K, blocks = (n + kBlocksize - 1) / kBlocksize;
    Buffer w{2 * n}, x{2 * M * K};  // inputs
    Buffer packed{(n + 1) / 2}, absmax{4 * blocks}, codes{blocks}, nested{4 * ((blocks + 255) / 256)}, offset{4},
        restored{4 * blocks};
    Buffer map{1024}, full{2 * n}, tokens{8 * M}, embedded{2 * M * K};              // 4 bits
    Buffer blockwise{n}, blockwise_absmax{4 * blocks}, blockwise_full{2 * n};       // 8 bits by blocks
    Buffer rows{n}, row_absmax{4 * N}, columns{8 * K}, count{8}, rows_full{2 * n};  // 8 bits by rows
    Buffer y4{2 * M * N}, dx4{2 * M * K}, y8{2 * M * N}, dx8{2 * M * K};            // products
    int64_t workspace_bytes = 0;
    halfbyte_weight_4bit weight4{};
    halfbyte_weight_int8 weight8{};

    Operations(halfbyte_stream at, int64_t m, int64_t rows_of_weight, int64_t columns_of_weight, int32_t device)
        : stream(at), M(m), N(rows_of_weight), K(columns_of_weight) {
        weight4.packed = packed.data;
        weight4.absmax = codes.data;
        weight4.nested_absmax = nested.data;
        weight4.nested_codebook = map.data;
        weight4.nested_offset = offset.data;
        weight4.N = N;
        weight4.K = K;
        weight4.blocksize = kBlocksize;
        weight4.nested_blocksize = 256;
        weight4.quant_type = HALFBYTE_QUANT_TYPE_NF4;
        weight4.device = device;
        weight8 = {rows.data, row_absmax.data, N, K, device};
        float table[256];
        check(halfbyte_codebook_values(HALFBYTE_CODEBOOK_DYNAMIC_SIGNED, table, 256));
        check(cudaMemcpy(map.data, table, sizeof table, cudaMemcpyHostToDevice), "cudaMemcpy");
        const auto larger = [&](int64_t bytes) { workspace_bytes = bytes > workspace_bytes ? bytes : workspace_bytes; };
        int64_t bytes = 0;
        check(halfbyte_quantize_int8_rows_workspace(stream, N, K, kThreshold, &bytes)), larger(bytes);
        check(halfbyte_matmul_4bit_workspace(stream, 1, &weight4, kDType, M, &bytes)), larger(bytes);
        check(halfbyte_matmul_4bit_transposed_workspace(stream, 1, &weight4, kDType, M, &bytes)), larger(bytes);
        check(halfbyte_matmul_int8_workspace(stream, 1, &weight8, kDType, M, kThreshold, &bytes)), larger(bytes);
        check(halfbyte_matmul_int8_transposed_workspace(stream, 1, &weight8, kDType, M, &bytes)), larger(bytes);
    }

    void fill(unsigned seed) {
        const auto weights = random_values(n, seed, 0.05f), activations = random_values(M * K, seed + 1, 1.0f);
        check(cudaMemcpy(w.data, weights.data(), static_cast<size_t>(w.bytes), cudaMemcpyHostToDevice), "cudaMemcpy");
        check(cudaMemcpy(x.data, activations.data(), static_cast<size_t>(x.bytes), cudaMemcpyHostToDevice), "cudaMemcpy");
        std::vector<int64_t> indices(static_cast<size_t>(M));
        for (size_t m = 0; m < indices.size(); ++m) indices[m] = static_cast<int64_t>(m * 7 + seed) % (N + 1);  // N is no row: NaN
        check(cudaMemcpy(tokens.data, indices.data(), static_cast<size_t>(tokens.bytes), cudaMemcpyHostToDevice), "cudaMemcpy");
    }

    void enqueue(void* workspace) {
        const halfbyte_output output4{y4.data, N, nullptr, 0}, output8{y8.data, N, nullptr, 0};
        const halfbyte_gradient gradient4{y4.data, N}, gradient8{y8.data, N};
        check(halfbyte_quantize_4bit(stream, w.data, kDType, n, kBlocksize, HALFBYTE_QUANT_TYPE_NF4, nullptr, packed.as<uint8_t>(),
                                     absmax.as<float>()));
        check(halfbyte_double_quantize(stream, absmax.as<float>(), blocks, codes.as<uint8_t>(), nested.as<float>(),
                                       offset.as<float>()));
        check(halfbyte_double_dequantize(stream, codes.as<uint8_t>(), nested.as<float>(), offset.as<float>(), nullptr, blocks,
                                         restored.as<float>()));
        check(halfbyte_dequantize_4bit(stream, &weight4, full.data, kDType));
        check(halfbyte_lookup_4bit(stream, &weight4, tokens.data, HALFBYTE_INDEX_TYPE_INT64, M, embedded.data, kDType, K));
        check(halfbyte_quantize_blockwise(stream, w.data, kDType, n, kBlocksize, nullptr, blockwise.as<uint8_t>(),
                                          blockwise_absmax.as<float>()));
        check(halfbyte_dequantize_blockwise(stream, blockwise.as<uint8_t>(), blockwise_absmax.as<float>(), n, kBlocksize, nullptr,
                                            blockwise_full.data, kDType));
        check(halfbyte_quantize_int8_rows(stream, w.data, kDType, N, K, K, kThreshold, rows.as<int8_t>(), row_absmax.as<float>(),
                                          columns.as<int64_t>(), count.as<int64_t>(), workspace, workspace_bytes));
        check(halfbyte_dequantize_int8(stream, &weight8, rows_full.data, kDType));
        check(halfbyte_matmul_4bit(stream, 1, &weight4, x.data, kDType, M, K, &output4, workspace, workspace_bytes));
        check(halfbyte_matmul_4bit_transposed(stream, 1, &weight4, &gradient4, kDType, M, dx4.data, K, workspace, workspace_bytes));
        check(halfbyte_matmul_int8(stream, 1, &weight8, x.data, kDType, M, K, kThreshold, &output8, workspace, workspace_bytes));
        check(halfbyte_matmul_int8_transposed(stream, 1, &weight8, &gradient8, kDType, M, dx8.data, K, workspace, workspace_bytes));
    }

    // What the operations have written. (The list of columns ends where the count says; what is behind it is nobody's.)
    std::vector<std::vector<char>> results() const {
        check(cudaDeviceSynchronize(), "the operations");
        std::vector<std::vector<char>> all;
        for (const Buffer* buffer :
             {&packed, &absmax, &codes, &nested, &offset, &restored, &full, &embedded, &blockwise, &blockwise_absmax,
              &blockwise_full, &rows, &row_absmax, &count, &rows_full, &y4, &dx4, &y8, &dx8}) {
            all.emplace_back(static_cast<size_t>(buffer->bytes));
            check(cudaMemcpy(all.back().data(), buffer->data, all.back().size(), cudaMemcpyDeviceToHost), "cudaMemcpy");
        }
        return all;
    }

    void clear() const {
        for (const Buffer* buffer :
             {&packed, &absmax, &codes, &nested, &offset, &restored, &full, &embedded, &blockwise, &blockwise_absmax,
              &blockwise_full, &rows, &row_absmax, &count, &rows_full, &y4, &dx4, &y8, &dx8})
            check(cudaMemset(buffer->data, 0xa5, static_cast<size_t>(buffer->bytes)), "cudaMemset");
        check(cudaDeviceSynchronize(), "cudaMemset");
    }
};

bool test(halfbyte_stream stream, cudaStream_t cuda, int32_t device, int64_t M, int64_t N, int64_t K) {
    Operations operations(stream, M, N, K, device);
    const Buffer workspace(operations.workspace_bytes);
    operations.fill(1);
    operations.clear();
    operations.enqueue(workspace.data);  // loads the kernels, which a capture must not do
    operations.results();

    cudaGraph_t graph = nullptr;
    cudaGraphExec_t executable = nullptr;
    check(cudaStreamBeginCapture(cuda, cudaStreamCaptureModeGlobal), "cudaStreamBeginCapture");
    operations.enqueue(workspace.data);
    check(cudaStreamEndCapture(cuda, &graph), "cudaStreamEndCapture");
    check(cudaGraphInstantiateWithFlags(&executable, graph, 0), "cudaGraphInstantiateWithFlags");

    bool is_equal = true;
    for (unsigned seed = 10; seed < 14; ++seed) {
        operations.fill(seed);
        operations.clear();
        operations.enqueue(workspace.data);
        const auto expected = operations.results();
        operations.clear();
        check(cudaGraphLaunch(executable, cuda), "cudaGraphLaunch");
        is_equal = is_equal && operations.results() == expected;
    }
    check(cudaGraphExecDestroy(executable), "cudaGraphExecDestroy");
    check(cudaGraphDestroy(graph), "cudaGraphDestroy");
    std::printf("%s  M=%lld N=%lld K=%lld\n", is_equal ? "ok  " : "FAIL", static_cast<long long>(M), static_cast<long long>(N),
                static_cast<long long>(K));
    return is_equal;
}

}  // namespace

int main() {
    cudaStream_t cuda = nullptr;
    halfbyte_stream stream = nullptr;
    check(cudaStreamCreateWithFlags(&cuda, cudaStreamNonBlocking), "cudaStreamCreateWithFlags");
    check(halfbyte_stream_wrap_cuda(0, cuda, &stream));
    int passed = 0, failed = 0;
    for (const int64_t M : {1, 7, 64, 200})
        for (const auto& [N, K] : {std::pair<int64_t, int64_t>{256, 512}, {129, 1000}, {1024, 4096}})
            (test(stream, cuda, HALFBYTE_DEVICE_CUDA, M, N, K) ? passed : failed)++;
    check(halfbyte_stream_destroy(stream));
    check(cudaStreamDestroy(cuda), "cudaStreamDestroy");
    std::printf("%d passed, %d failed\n", passed, failed);
    return failed == 0 ? 0 : 1;
}
