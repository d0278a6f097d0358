// The shapes that are measured: the weights [N, K] of the linear layers of the models people run, equal shapes once.
//
// From the models' published configurations.
#pragma once

#include <cstdint>
#include <vector>

namespace halfbyte::benchmark {

struct Layer {
    int64_t N, K;
    const char* where;  // models and layers
    bool is_head;       // an output head: a gigabyte of bfloat16, measured with --all
};

inline const std::vector<Layer>& layers() {
    static const std::vector<Layer> all = {
        {14336, 4096, "Llama-3-8B gate, up", false},
        {4096, 14336, "Llama-3-8B down", false},
        {4096, 4096, "Llama-3-8B q, o; InternLM3-8B q, o; Qwen-7B and CogVLM dense", false},
        {1024, 4096, "Llama-3-8B k, v", false},
        {10240, 4096, "InternLM3-8B gate, up", false},
        {4096, 10240, "InternLM3-8B down", false},
        {256, 4096, "InternLM3-8B k, v", false},
        {12288, 4096, "Qwen-7B and CogVLM qkv", false},
        {11008, 4096, "Qwen-7B and CogVLM gate, up", false},
        {4096, 11008, "Qwen-7B and CogVLM down", false},
        {18944, 3584, "Qwen2.5-7B gate, up", false},
        {3584, 18944, "Qwen2.5-7B down", false},
        {3584, 3584, "Qwen2.5-7B q, o", false},
        {512, 3584, "Qwen2.5-7B k, v", false},
        {15360, 1792, "CogVLM vision fc1", false},
        {1792, 15360, "CogVLM vision fc2", false},
        {5376, 1792, "CogVLM vision qkv", false},
        {1792, 1792, "CogVLM vision dense", false},
        {4096, 1792, "CogVLM vision projection", false},
        {32000, 4096, "CogVLM head", true},
        {128256, 4096, "Llama-3-8B head", true},
        {128512, 4096, "InternLM3-8B head", true},
        {151936, 4096, "Qwen-7B head", true},
        {152064, 3584, "Qwen2.5-7B head", true},
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
