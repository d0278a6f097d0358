// wgmma.mma_async by its documented operand layouts.
//
// A thread only notes what it issues. When it waits, and the other 127 threads of its warpgroup wait with it, the products run, in
// order, from what shared memory holds then. Until then the accumulators hold noise.
//
// Descriptor (64 bits): start address / 16 in bits 0-13, leading byte offset / 16 in 16-29, stride byte offset / 16 in 32-45,
// base offset in 49-51, swizzle in 62-63 (0 none, 1 of 128 bytes, 2 of 64, 3 of 32). With T elements per 16 bytes and W = 1, 2,
// 4, 8 pieces of 16 bytes per row for swizzles of none, 32, 64, 128 bytes, element (mn, k) lies at byte
//   K-major    (mn % 8) * 16 W + (mn / 8) * stride + (k / T) * (W == 1 ? leading : 16) + (k % T) * size
//   MN-major   (mn / T % W) * 16 + (mn / T / W) * (W == 1 ? stride : leading)
//              + (k % 8) * 16 W + (k / 8) * (W == 1 ? leading : stride) + (mn % T) * size
// behind the start address, and the swizzle permutes the address that results.
#include "wgmma.h"

#include <cstring>
#include <utility>

#include "block.h"
#include "matrix.h"
#include "tensor_map.h"

namespace halfbyte::emulation {
namespace {

Element element_of(WgmmaType type) {
    return type == WgmmaType::kFloat16 ? Element::kFloat16 : type == WgmmaType::kBFloat16 ? Element::kBFloat16 : Element::kInt8;
}

struct Descriptor {
    uint32_t start, leading, stride;
    unsigned swizzle_bits;

    explicit Descriptor(uint64_t bits)
        : start((bits & 0x3fff) << 4),
          leading(((bits >> 16) & 0x3fff) << 4),
          stride(((bits >> 32) & 0x3fff) << 4),
          swizzle_bits((4 - static_cast<unsigned>(bits >> 62)) % 4) {}

    uint32_t address(unsigned mn, unsigned k, unsigned size, bool mn_major) const {
        const uint32_t pieces = 1u << swizzle_bits, per_piece = 16 / size;
        uint32_t offset;
        if (!mn_major)
            offset = mn % 8 * 16 * pieces + mn / 8 * stride + k / per_piece * (pieces == 1 ? leading : 16) + k % per_piece * size;
        else
            offset = mn / per_piece % pieces * 16 + mn / per_piece / pieces * (pieces == 1 ? stride : leading) +
                     k % 8 * 16 * pieces + k / 8 * (pieces == 1 ? leading : stride) + mn % per_piece * size;
        return swizzled(start + offset, swizzle_bits);
    }
};

// Reads operand [extent, k] into `values`, row-major by the M or N index.
void read_operand(Block& block, float* values, unsigned extent, unsigned k, uint64_t bits, const Wgmma& operation, bool mn_major) {
    const Descriptor descriptor(bits);
    if ((bits >> 49 & 7) != 0)
        block.fail(Fault::kInvalidInstruction, nullptr, operation.where,
                   "wgmma descriptor %016llx has a base offset; align tiles to the swizzle's 256, 512 or 1024 bytes",
                   static_cast<unsigned long long>(bits));
    const Element element = element_of(operation.type);
    const unsigned size = element == Element::kInt8 ? 1 : 2, step = mn_major ? 1 : 16 / size;
    for (unsigned mn = 0; mn < extent; ++mn)
        for (unsigned i = 0; i < k; ++i) {
            const uint32_t at = descriptor.address(mn, i, size, mn_major);
            // One check per 16 contiguous bytes.
            if ((mn_major ? mn % (16 / size) : i % step) == 0)
                block.shared.async_read(block, at & ~15u, 16, "wgmma", operation.where);
            uint16_t raw = 0;
            std::memcpy(&raw, block.shared.base() + at, size);
            values[mn * k + i] = value_of(element, raw, 0);
        }
}

// What the running thread issues must be there for it: waiting for it between the product and its wait is too late.
void check_operand(Block& block, unsigned extent, unsigned k, uint64_t bits, const Wgmma& operation, bool mn_major) {
    const Descriptor descriptor(bits);
    const unsigned size = element_of(operation.type) == Element::kInt8 ? 1 : 2, per_piece = 16 / size;
    for (unsigned mn = 0; mn < extent; mn += mn_major ? per_piece : 1)
        for (unsigned i = 0; i < k; i += mn_major ? 1 : per_piece)
            block.shared.async_read(block, descriptor.address(mn, i, size, mn_major) & ~15u, 16, "wgmma", operation.where);
}

void check_same(Block& block, const Wgmma& a, const Wgmma& b) {
    if (a.where.line() != b.where.line() || a.n != b.n || a.type != b.type || a.a_in_registers != b.a_in_registers ||
        a.b_descriptor != b.b_descriptor || (!a.a_in_registers && a.a_descriptor != b.a_descriptor) || a.accumulate != b.accumulate)
        block.fail(Fault::kDivergentWarp, nullptr, b.where,
                   "wgmma: the threads of a warpgroup issue different instructions or operands");
}

}  // namespace

void WgmmaQueue::issue(Block& block, const Wgmma& operation) {
    if (!fenced_)
        block.fail(Fault::kInvalidInstruction, nullptr, operation.where,
                   "wgmma without wgmma.fence before the first one that uses these registers");
    if (operation.a_in_registers && !a_fenced_)
        block.fail(Fault::kInvalidInstruction, nullptr, operation.where,
                   "wgmma without wgmma.fence between the last group and the first one that takes these registers as A");
    if (operation.n == 0 || operation.n > 256 || operation.n % 8 != 0)
        block.fail(Fault::kInvalidInstruction, nullptr, operation.where, "wgmma with n = %u", operation.n);
    if (operation.type == WgmmaType::kInt8 && (operation.a_mn_major || operation.b_mn_major))
        block.fail(Fault::kInvalidInstruction, nullptr, operation.where, "wgmma of int8 takes K-major operands only");
    if (block.thread().lane() == 0) {  // all lanes of a warp issue it as one
        const unsigned k = operation.type == WgmmaType::kInt8 ? 32 : 16;
        check_operand(block, operation.n, k, operation.b_descriptor, operation, operation.b_mn_major);
        if (!operation.a_in_registers) check_operand(block, 64, k, operation.a_descriptor, operation, operation.a_mn_major);
    }
    Pending pending{operation, {}};
    bool chained = false;
    for (const auto& group : groups_)
        for (const Pending& earlier : group) chained = chained || earlier.operation.d == operation.d;
    for (const Pending& earlier : open_) chained = chained || earlier.operation.d == operation.d;
    if (!chained) {  // the first product on these accumulators keeps what they hold; until the wait they hold noise
        pending.d.resize(operation.n / 2);
        std::memcpy(pending.d.data(), operation.d, 2 * operation.n);
        std::memset(operation.d, 0xff, 2 * operation.n);
    }
    open_.push_back(std::move(pending));
}

void WgmmaQueue::commit() {
    groups_.push_back(std::exchange(open_, {}));
    a_fenced_ = false;
}

// Runs the oldest groups of a whole warpgroup, whose first thread is the running one's.
void execute_wgmma(Block& block, unsigned groups_left) {
    const unsigned first = block.thread().rank / 128 * 128;
    std::vector<float> a, b;
    const auto queue = [&](unsigned i) -> WgmmaQueue& { return block.thread(first + i).wgmma; };
    for (unsigned i = 1; i < 128; ++i)
        if (queue(i).groups_.size() != queue(0).groups_.size())
            block.fail(Fault::kDivergentWarp, nullptr, Site(),
                       "wgmma: the threads of a warpgroup have committed different numbers of groups");
    while (queue(0).groups_.size() > groups_left) {
        const size_t count = queue(0).groups_.front().size();
        for (size_t o = 0; o < count; ++o) {
            const Wgmma& operation = queue(0).groups_.front()[o].operation;
            const Element element = element_of(operation.type);
            const unsigned k = element == Element::kInt8 ? 32 : 16;
            a.assign(64 * k, 0);
            b.assign(operation.n * k, 0);
            read_operand(block, b.data(), operation.n, k, operation.b_descriptor, operation, operation.b_mn_major);
            if (!operation.a_in_registers)
                read_operand(block, a.data(), 64, k, operation.a_descriptor, operation, operation.a_mn_major);
            for (unsigned i = 0; i < 128; ++i) {
                check_same(block, operation, queue(i).groups_.front()[o].operation);
                if (operation.a_in_registers)
                    unpack_a(a.data() + i / 32 * 16 * k, k, 16, queue(i).groups_.front()[o].operation.a.data(), i % 32, element);
            }
            if (operation.negate_a != operation.negate_b)
                for (float& value : a) value = -value;
            for (unsigned i = 0; i < 128; ++i) {
                const WgmmaQueue::Pending& pending = queue(i).groups_.front()[o];
                auto* d = static_cast<uint32_t*>(pending.operation.d);
                if (!pending.d.empty()) std::memcpy(d, pending.d.data(), 4 * pending.d.size());
                if (!operation.accumulate) std::memset(d, 0, 2 * operation.n);
                // Register 4j + 2i + b: row 16 * warp + lane / 4 + 8 i, column 8 j + 2 * (lane % 4) + b.
                for (unsigned r = 0; r < operation.n / 2; ++r) {
                    const unsigned row = i / 32 * 16 + i % 32 / 4 + 8 * (r / 2 % 2), column = r / 4 * 8 + 2 * (i % 4) + r % 2;
                    accumulate(d, r, a.data() + row * k, b.data() + column * k, k, element);
                }
            }
            ++block.counters.counts.wgmma;
        }
        for (unsigned i = 0; i < 128; ++i) queue(i).groups_.pop_front();
    }
}

void WgmmaQueue::wait(Block& block, unsigned groups_left, Site where) {
    if (groups_.size() > groups_left) block.warpgroup_together(execute_wgmma, groups_left, where);
    if (groups_.empty() && open_.empty()) fenced_ = false;
}

}  // namespace halfbyte::emulation
