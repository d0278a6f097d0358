// One line of the results.
#pragma once

#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "statistics.h"

namespace halfbyte::benchmark {

// The names of the peers, as the reports and the targets know them.
namespace peer {
inline constexpr char kCopy[] = "copy";                   // a device copy of the same full-width tensor: the better of two
inline constexpr char kBFloat16[] = "bf16";               // cuBLASLt on the bfloat16 weight
inline constexpr char kInt8[] = "int8";                   // cuBLASLt int8, int32 output, nothing around it
inline constexpr char kDequantize[] = "dequantize+bf16";  // our dequantization, then cuBLASLt
inline constexpr char kBitsandbytes[] = "bitsandbytes";   // its C functions
inline constexpr char kPlain[] = "plain";                 // our own product with statistics that are not nested
inline constexpr char kLimit[] = "limit";  // no library but the device: the time it needs for the bytes or the arithmetic
}  // namespace peer

struct Peer {
    std::string name;
    Summary time = {};   // no samples: absent
    std::string reason;  // why it is absent
    std::string note;
    double ratio(const Summary& ours) const { return time.median / ours.median; }  // how many times as fast as the peer we are
};

struct Row {
    // What it is.
    std::string name, operation, format, dtype;
    int64_t M = 0, N = 0, K = 0;
    // What it costs at the least.
    double bytes = 0, flops = 0;
    // What was measured.
    Summary ours;
    std::vector<Peer> peers;
    std::string note;
    double limit_microseconds = NAN;  // the time the device needs for the bytes or the arithmetic alone
    std::string limit;                // "memory" or "compute", whichever takes longer
    // Accuracy rows: relative errors against float64, in place of times.
    double our_error = NAN, peer_error = NAN;
    std::string failure;  // it could not be measured, and why

    double gigabytes_per_second() const { return bytes / ours.median * 1e-3; }
    double teraflops() const { return flops / ours.median * 1e-6; }
    double share_of_limit() const { return limit_microseconds / ours.median; }
    const Peer* find(const std::string& peer) const {
        for (const Peer& p : peers)
            if (p.name == peer && p.time.samples > 0) return &p;
        return nullptr;
    }
};

// What the device can do, measured in the same run. NaN: not measured.
struct Limits {
    double read_gigabytes_per_second = NAN;             // a stream that only reads
    double copy_gigabytes_per_second = NAN;             // bytes read and bytes written
    double bf16_teraflops = NAN, int8_teraflops = NAN;  // the best of cuBLASLt on a large square product
};

}  // namespace halfbyte::benchmark
