#include "cuda/kernel_choice.h"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <utility>

#include "core/error.h"

namespace halfbyte::cuda {
namespace {

using Asked = std::map<std::string, std::string, std::less<>>;

constexpr std::string_view kNumber = "a number from 1 to 999";

// What there is to ask for, and with what names.
constexpr struct {
    std::string_view operation, names;
} kChoices[] = {
    {"matmul_4bit", "wgmma, stream, rows, chunks, mma, tile"},
    {"matmul_4bit_transposed", "wgmma, mma, tile"},
    {"stream_splits", kNumber},            // of K
    {"stream_sums", "cluster, partials"},  // of such splits: where they are added
    {"wgmma_sums", "cluster, partials"},
    {"wgmma_tile", "64, 128, 256"},  // rows of x in a tile
    {"wgmma_cluster", "1, 2"},       // blocks that share x
};

// What comes before `mark`, which it and the mark are taken off.
std::string_view next(std::string_view& rest, std::string_view mark) {
    const std::string_view first = rest.substr(0, rest.find(mark));
    rest.remove_prefix(std::min(rest.size(), first.size() + mark.size()));
    return first;
}

bool is_number(std::string_view name) {
    return !name.empty() && name.size() <= 3 && name[0] != '0' &&
           std::ranges::all_of(name, [](char c) { return c >= '0' && c <= '9'; });
}

bool exists(std::string_view operation, std::string_view name) {
    for (const auto& choice : kChoices) {
        if (choice.operation != operation) continue;
        if (choice.names == kNumber) return is_number(name);
        for (std::string_view names = choice.names; !names.empty();)
            if (next(names, ", ") == name) return true;
    }
    return false;
}

void add(Asked& asked, std::string_view operation, std::string_view name) {
    if (!exists(operation, name)) {
        std::string all;
        for (const auto& choice : kChoices)
            all.append(all.empty() ? "" : "; ").append(choice.operation).append("=").append(choice.names);
        fail(HALFBYTE_STATUS_NOT_SUPPORTED,
             "HALFBYTE_CUDA_KERNELS asks for '%.64s=%.64s', which does not exist; expected some of these, separated by commas: %s.",
             std::string(operation).c_str(), std::string(name).c_str(), all.c_str());
    }
    asked.insert_or_assign(std::string(operation), std::string(name));
}

void add_all(Asked& asked, std::string_view list) {
    while (!list.empty()) {
        std::string_view name = next(list, ",");
        const std::string_view operation = next(name, "=");
        add(asked, operation, name);
    }
}

Asked& asked_kernels() {
    static Asked asked = [] {
        Asked from_environment;
        const char* list = std::getenv("HALFBYTE_CUDA_KERNELS");
        add_all(from_environment, list != nullptr ? list : "");
        return from_environment;
    }();
    return asked;
}

}  // namespace

void check_asked_kernels() { asked_kernels(); }

void ask_for_kernel(std::string_view operation, std::string_view name) {
    Asked& asked = asked_kernels();
    if (!name.empty()) add(asked, operation, name);
    else if (const auto found = asked.find(operation); found != asked.end()) asked.erase(found);
}

void ask_for_kernels(std::string_view list) {
    Asked asked;
    add_all(asked, list);
    asked_kernels() = std::move(asked);
}

bool may_run(std::string_view operation, std::string_view name, bool* was_asked) {
    const Asked& asked = asked_kernels();
    const auto found = asked.empty() ? asked.end() : asked.find(operation);
    *was_asked = found != asked.end();
    return !*was_asked || found->second == name;
}

std::string asked_kernel(std::string_view operation) {
    const Asked& asked = asked_kernels();
    const auto found = asked.find(operation);
    return found != asked.end() ? found->second : std::string();
}

int64_t asked_number(std::string_view operation) { return std::atoll(asked_kernel(operation).c_str()); }

}  // namespace halfbyte::cuda
