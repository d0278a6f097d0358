// The shapes that are measured: the weights [N, K] of the linear layers of the models people run, equal shapes once.
//
// From the models' published configurations.
#pragma once

#include <cstdint>
#include <vector>

namespace halfbyte::benchmark {

struct Layer {
    int64_t N, K;
    const char* where;                     // models and layers
    enum { kTarget, kOther, kHead } kind;  // named by the targets; the rest; an output head, measured with --all alone
};

inline const std::vector<Layer>& layers() {
    static const std::vector<Layer> all = {
        {14336, 4096, "Llama-3-8B gate, up", Layer::kTarget},
        {4096, 14336, "Llama-3-8B down", Layer::kTarget},
        {4096, 4096, "Llama-3-8B q, o; InternLM3-8B q, o; Qwen-7B and CogVLM dense", Layer::kTarget},
        {1024, 4096, "Llama-3-8B k, v", Layer::kOther},
        {10240, 4096, "InternLM3-8B gate, up", Layer::kOther},
        {4096, 10240, "InternLM3-8B down", Layer::kOther},
        {256, 4096, "InternLM3-8B k, v", Layer::kOther},
        {12288, 4096, "Qwen-7B and CogVLM qkv", Layer::kOther},
        {11008, 4096, "Qwen-7B and CogVLM gate, up", Layer::kOther},
        {4096, 11008, "Qwen-7B and CogVLM down", Layer::kOther},
        {18944, 3584, "Qwen2.5-7B gate, up", Layer::kOther},
        {3584, 18944, "Qwen2.5-7B down", Layer::kOther},
        {3584, 3584, "Qwen2.5-7B q, o", Layer::kOther},
        {512, 3584, "Qwen2.5-7B k, v", Layer::kOther},
        {15360, 1792, "CogVLM vision fc1", Layer::kOther},
        {1792, 15360, "CogVLM vision fc2", Layer::kOther},
        {5376, 1792, "CogVLM vision qkv", Layer::kOther},
        {1792, 1792, "CogVLM vision dense", Layer::kOther},
        {4096, 1792, "CogVLM vision projection", Layer::kOther},
        {32000, 4096, "CogVLM head", Layer::kHead},
        {128256, 4096, "Llama-3-8B head", Layer::kHead},
        {128512, 4096, "InternLM3-8B head", Layer::kHead},
        {151936, 4096, "Qwen-7B head", Layer::kHead},
        {152064, 3584, "Qwen2.5-7B head", Layer::kHead},
    };
    return all;
}

// The linear layers of one decoder layer as an engine calls them for one token: weights that share their input in one call.
struct ChainStep {
    std::vector<int64_t> N;
    int64_t K;
};

inline const std::vector<ChainStep>& llama_3_8b_decoder_layer() {
    static const std::vector<ChainStep> steps = {
        {{4096, 1024, 1024}, 4096},  // q, k, v
        {{4096}, 4096},              // o
        {{14336, 14336}, 4096},      // gate, up
        {{4096}, 14336},             // down
    };
    return steps;
}

}  // namespace halfbyte::benchmark
