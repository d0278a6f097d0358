#include "codebooks.h"

#include <algorithm>

namespace halfbyte {
namespace {

// Decade i (0..6) covers (0.1, 1) * 10^(i-6) with `steps` equal intervals, steps = 2^i signed and 2^(i+1) unsigned; a value is the
// middle of its interval. 0 and 1 complete the 256. The arithmetic is float32 in the order in which the tables found in
// checkpoints were computed: interval bounds from the nearer end, then the mean, then the power of ten.
Codebook256 dynamic_map(bool with_sign) {
    constexpr float kPowersOfTen[7] = {1e-6f, 1e-5f, 1e-4f, 1e-3f, 1e-2f, 1e-1f, 1.0f};
    Codebook256 map{};
    size_t size = 0;
    for (int decade = 0; decade < 7; ++decade) {
        const int steps = 1 << (with_sign ? decade : decade + 1);
        const float step = (1.0f - 0.1f) / static_cast<float>(steps);
        const auto bound = [&](int i) {
            return i < (steps + 1) / 2 ? 0.1f + step * static_cast<float>(i) : 1.0f - step * static_cast<float>(steps - i);
        };
        for (int i = 0; i < steps; ++i) {
            const float value = kPowersOfTen[decade] * ((bound(i) + bound(i + 1)) / 2.0f);
            map[size++] = value;
            if (with_sign) map[size++] = -value;
        }
    }
    map[size++] = 0.0f;
    map[size++] = 1.0f;
    std::sort(map.begin(), map.end());
    return map;
}

}  // namespace

const Codebook256& dynamic_signed() {
    static const Codebook256 map = dynamic_map(true);
    return map;
}

const Codebook256& dynamic_unsigned() {
    static const Codebook256 map = dynamic_map(false);
    return map;
}

}  // namespace halfbyte
