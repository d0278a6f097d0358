// Which kernel of an operation runs: the first row of its table that fits, or the one that was asked for by name.
//
//   HALFBYTE_CUDA_KERNELS=matmul_4bit=tile,matmul_4bit_transposed=mma
//
// in the environment, read once, or ask_for_kernel() from a test or a benchmark. A kernel that was asked for and cannot take the
// shape makes the operation fail with cudaErrorNotSupported: nobody measures another kernel by mistake. What a kernel decides by
// itself can be asked for in the same way: the rows of a tile as kernel "64" of "wgmma_tile", the parts of K as kernel "2" of
// "stream_splits", and a launch of its own that adds their sums as kernel "partials" of "stream_sums".
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <string>
#include <string_view>

namespace halfbyte::cuda {

inline std::map<std::string, std::string, std::less<>>& asked_kernels() {
    static std::map<std::string, std::string, std::less<>> asked = [] {
        std::map<std::string, std::string, std::less<>> from_environment;
        const char* text = std::getenv("HALFBYTE_CUDA_KERNELS");
        for (std::string_view rest = text != nullptr ? text : ""; !rest.empty();) {
            const std::string_view pair = rest.substr(0, rest.find(','));
            const size_t equals = pair.find('=');
            if (equals != std::string_view::npos) from_environment.emplace(pair.substr(0, equals), pair.substr(equals + 1));
            rest.remove_prefix(std::min(rest.size(), pair.size() + 1));
        }
        return from_environment;
    }();
    return asked;
}

// From now on, by every thread; an empty name leaves the choice to the table again. Not while operations run.
inline void ask_for_kernel(const std::string& operation, const std::string& name) {
    if (name.empty()) asked_kernels().erase(operation);
    else asked_kernels()[operation] = name;
}

// Whether the kernel `name` of `operation` may run, as far as anyone asked; `was_asked` says whether someone did.
inline bool may_run(std::string_view operation, std::string_view name, bool* was_asked) {
    const auto& asked = asked_kernels();
    const auto found = asked.empty() ? asked.end() : asked.find(operation);
    *was_asked = found != asked.end();
    return !*was_asked || found->second == name;
}

// The number that was asked for in place of a kernel's name; 0 if there is none.
inline int64_t asked_number(std::string_view operation) {
    const auto& asked = asked_kernels();
    const auto found = asked.empty() ? asked.end() : asked.find(operation);
    return found != asked.end() ? std::atoll(found->second.c_str()) : 0;
}

}  // namespace halfbyte::cuda
