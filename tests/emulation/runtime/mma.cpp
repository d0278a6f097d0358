// ldmatrix, stmatrix and mma.sync: the fragment maps of the PTX manual, lane by lane.
//
// With g = lane / 4 and t = lane % 4, 32-bit registers of two 16-bit or four 8-bit elements, the lower index in the lower bits:
//   A, 16 rows, 16-bit   register r: row g + 8 * (r & 1), k = 2t + 8 * (r >> 1) + {0, 1}
//   A, 16 rows, 8-bit    register r: row g + 8 * (r & 1), k = 4t + 16 * (r >> 1) + {0, 1, 2, 3}
//   A,  8 rows, 8-bit    one register: row g, k = 4t + {0, 1, 2, 3}
//   B, 16-bit            register r: k = 2t + 8r + {0, 1}, column g
//   B, 8-bit             register r: k = 4t + 16r + {0, 1, 2, 3}, column g
//   C and D              element e: row g + 8 * (e >> 1), column 2t + (e & 1)
#include <cstring>

#include "block.h"
#include "instructions.h"
#include "matrix.h"

namespace halfbyte::emulation {
namespace {

struct MatrixPart {
    uint32_t* registers;
    unsigned matrices;
    bool transposed;
    const void* row;
    const Site* where;
};

// Row addresses come from the lanes: lane 8m + r has row r of matrix m. Returns them as offsets, checked.
std::vector<uint32_t> row_offsets(Block& block, const Lanes& lanes, bool write, const char* instruction) {
    const MatrixPart& first = *static_cast<MatrixPart*>(lanes[0]);
    std::vector<uint32_t> offsets;
    for (unsigned lane = 0; lane < 8 * first.matrices; ++lane) {
        const MatrixPart& part = *static_cast<MatrixPart*>(lanes[lane]);
        if (!block.shared.contains(part.row) || block.shared.offset(part.row) % 16 != 0)
            block.fail(Fault::kMisaligned, nullptr, *part.where, "%s: lane %u's row is at %p, no multiple of 16 in shared memory",
                       instruction, lane, part.row);
        offsets.push_back(block.shared.offset(part.row));
        if (write) block.shared.write(block, offsets.back(), 16, false, nullptr, *part.where);
        else block.shared.read(block, offsets.back(), 16, false, nullptr, *part.where);
    }
    block.counters.ldmatrix(offsets, write);
    return offsets;
}

// Which element (row, column) of an 8 x 8 matrix is half `h` of a lane's register.
std::pair<unsigned, unsigned> element_of(unsigned lane, unsigned h, bool transposed) {
    const unsigned row = lane / 4, column = 2 * (lane % 4) + h;
    return transposed ? std::pair(column, row) : std::pair(row, column);
}

}  // namespace

void load_matrix(uint32_t* registers, unsigned matrices, bool transposed, const void* row, Site where) {
    MatrixPart part{registers, matrices, transposed, row, &where};
    Block& block = *Block::current();
    block.warp().together(
        block, "ldmatrix", ~0u, &part,
        [](Block& at, const Lanes& lanes) {
            const std::vector<uint32_t> rows = row_offsets(at, lanes, false, "ldmatrix");
            for (unsigned lane = 0; lane < 32; ++lane) {
                const MatrixPart& self = *static_cast<MatrixPart*>(lanes[lane]);
                for (unsigned m = 0; m < self.matrices; ++m) {
                    uint16_t halves[2];
                    for (unsigned h = 0; h < 2; ++h) {
                        const auto [r, c] = element_of(lane, h, self.transposed);
                        std::memcpy(&halves[h], at.shared.base() + rows[8 * m + r] + 2 * c, 2);
                    }
                    self.registers[m] = halves[0] | uint32_t{halves[1]} << 16;
                }
            }
        },
        where);
}

void store_matrix(const uint32_t* registers, unsigned matrices, bool transposed, void* row, Site where) {
    MatrixPart part{const_cast<uint32_t*>(registers), matrices, transposed, row, &where};
    Block& block = *Block::current();
    block.warp().together(
        block, "stmatrix", ~0u, &part,
        [](Block& at, const Lanes& lanes) {
            const std::vector<uint32_t> rows = row_offsets(at, lanes, true, "stmatrix");
            for (unsigned lane = 0; lane < 32; ++lane) {
                const MatrixPart& self = *static_cast<MatrixPart*>(lanes[lane]);
                for (unsigned m = 0; m < self.matrices; ++m)
                    for (unsigned h = 0; h < 2; ++h) {
                        const auto [r, c] = element_of(lane, h, self.transposed);
                        const auto half = static_cast<uint16_t>(self.registers[m] >> (16 * h));
                        std::memcpy(at.shared.base() + rows[8 * m + r] + 2 * c, &half, 2);
                    }
            }
        },
        where);
}

// ---- mma -----------------------------------------------------------------------------------------------------------------------

void unpack_a(float* a, unsigned k, unsigned rows, const uint32_t* registers, unsigned lane, Element element) {
    const unsigned g = lane / 4, t = lane % 4, per_register = element == Element::kInt8 ? 4 : 2;
    const unsigned count = rows * k / 32 / per_register;
    for (unsigned r = 0; r < count; ++r) {
        const unsigned row = g + (rows == 16 ? 8 * (r & 1) : 0);
        const unsigned first = per_register * t + 4 * per_register * (rows == 16 ? r >> 1 : r);
        for (unsigned i = 0; i < per_register; ++i) a[row * k + first + i] = value_of(element, registers[r], i);
    }
}

void unpack_b(float* b, unsigned k, const uint32_t* registers, unsigned lane, Element element) {
    const unsigned g = lane / 4, t = lane % 4, per_register = element == Element::kInt8 ? 4 : 2;
    for (unsigned r = 0; r < 8 * k / 32 / per_register; ++r)
        for (unsigned i = 0; i < per_register; ++i)
            b[g * k + per_register * t + 4 * per_register * r + i] = value_of(element, registers[r], i);
}

namespace {

struct MmaPart {
    Mma kind;
    void* d;
    const uint32_t *a, *b;
};

struct Shape {
    unsigned rows, k;
    Element element;
};
constexpr Shape shape_of(Mma kind) {
    switch (kind) {
        case Mma::kM16N8K16Float16:
            return {16, 16, Element::kFloat16};
        case Mma::kM16N8K16BFloat16:
            return {16, 16, Element::kBFloat16};
        case Mma::kM16N8K8Float16:
            return {16, 8, Element::kFloat16};
        case Mma::kM16N8K32Int8:
            return {16, 32, Element::kInt8};
        case Mma::kM8N8K16Int8:
            return {8, 16, Element::kInt8};
    }
    return {};
}

void execute_mma(Block& block, const Lanes& lanes) {
    ++block.counters.counts.mma;
    const Shape shape = shape_of(static_cast<MmaPart*>(lanes[0])->kind);
    float a[16 * 32], b[8 * 32];  // b by column
    for (unsigned lane = 0; lane < 32; ++lane) {
        const MmaPart& part = *static_cast<MmaPart*>(lanes[lane]);
        unpack_a(a, shape.k, shape.rows, part.a, lane, shape.element);
        unpack_b(b, shape.k, part.b, lane, shape.element);
    }
    for (unsigned lane = 0; lane < 32; ++lane) {
        const MmaPart& part = *static_cast<MmaPart*>(lanes[lane]);
        for (unsigned e = 0; e < shape.rows / 4; ++e)
            accumulate(part.d, e, a + (lane / 4 + 8 * (e >> 1)) * shape.k, b + (2 * (lane % 4) + (e & 1)) * shape.k, shape.k,
                       shape.element);
    }
}

}  // namespace

void mma(Mma kind, void* d, const uint32_t* a, const uint32_t* b, Site where) {
    MmaPart part{kind, d, a, b};
    Block& block = *Block::current();
    block.warp().together(block, "mma", ~0u, &part, execute_mma, where);
}

}  // namespace halfbyte::emulation
