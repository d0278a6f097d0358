#include "tensor_map.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "access.h"
#include "api.h"
#include "block.h"
#include "instructions.h"

namespace halfbyte::emulation {
namespace {

unsigned bytes_of(CUtensorMapDataType type) {
    switch (type) {
        case CU_TENSOR_MAP_DATA_TYPE_UINT8:
            return 1;
        case CU_TENSOR_MAP_DATA_TYPE_UINT16:
        case CU_TENSOR_MAP_DATA_TYPE_FLOAT16:
        case CU_TENSOR_MAP_DATA_TYPE_BFLOAT16:
            return 2;
        case CU_TENSOR_MAP_DATA_TYPE_UINT32:
        case CU_TENSOR_MAP_DATA_TYPE_INT32:
        case CU_TENSOR_MAP_DATA_TYPE_FLOAT32:
            return 4;
        default:
            return 8;
    }
}

TensorMap decode(Block& block, const void* map, Site where) {
    if (reinterpret_cast<uintptr_t>(map) % 64 != 0)
        block.fail(Fault::kMisaligned, nullptr, where, "a tensor map at %p, no multiple of 64", map);
    TensorMap result;
    std::memcpy(&result, map, sizeof result);
    if (result.magic != TensorMap::kMagic)
        block.fail(Fault::kInvalidInstruction, nullptr, where, "the tensor map at %p was not made by cuTensorMapEncodeTiled", map);
    return result;
}

// Calls visit(offset in the dense box, global address or null outside the tensor) for each row of the box: elements that are
// contiguous in global memory, clipped to the tensor by the caller through `inside`, the elements of the row that exist.
template <class Visit>
void for_each_row(const TensorMap& map, const int32_t* coordinates, Visit visit) {
    uint32_t rows = 1;
    for (unsigned d = 1; d < map.rank; ++d) rows *= map.box[d];
    for (uint32_t row = 0; row < rows; ++row) {
        const char* address = map.base;
        bool exists = true;
        for (uint32_t d = 1, rest = row; d < map.rank; rest /= map.box[d], ++d) {
            const int64_t at = int64_t{coordinates[d]} + rest % map.box[d];
            exists = exists && at >= 0 && at < static_cast<int64_t>(map.sizes[d]);
            address += at * static_cast<int64_t>(map.strides[d - 1]);
        }
        visit(row, address, exists);
    }
}

// The part of the box that exists is checked as an access to global memory.
void check_box(Block& block, const TensorMap& map, const int32_t* coordinates, bool write, Site where) {
    const int64_t first = std::max(coordinates[0], 0);
    const int64_t last = std::min(int64_t{coordinates[0]} + map.box[0], static_cast<int64_t>(map.sizes[0]));
    if (first >= last) return;
    const auto bytes = static_cast<size_t>((last - first) * map.element_bytes);
    for_each_row(map, coordinates, [&](uint32_t, const char* address, bool exists) {
        if (exists) check_global(block, address + first * map.element_bytes, bytes, write, nullptr, where);
    });
}

}  // namespace

extern "C" CUresult encode_tensor_map(CUtensorMap* map, CUtensorMapDataType type, cuuint32_t rank, void* address,
                                      const cuuint64_t* sizes, const cuuint64_t* strides, const cuuint32_t* box,
                                      const cuuint32_t* element_strides, CUtensorMapInterleave interleave,
                                      CUtensorMapSwizzle swizzle, CUtensorMapL2promotion, CUtensorMapFloatOOBfill fill) {
    if (!has_context()) return CUDA_ERROR_INVALID_CONTEXT;
    TensorMap encoded{};
    const unsigned element_bytes = bytes_of(type);
    const unsigned swizzle_bits = static_cast<unsigned>(swizzle);  // the enumeration counts 0, 1, 2, 3
    // The manual's conditions, those of layouts the emulator does not know included.
    if (rank < 1 || rank > 5 || interleave != CU_TENSOR_MAP_INTERLEAVE_NONE || fill != CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE ||
        swizzle_bits > 3 || reinterpret_cast<uintptr_t>(address) % 16 != 0 || reinterpret_cast<uintptr_t>(map) % 64 != 0)
        return CUDA_ERROR_INVALID_VALUE;
    if (box[0] * element_bytes % 16 != 0 || (swizzle_bits != 0 && box[0] * element_bytes > (16u << swizzle_bits)))
        return CUDA_ERROR_INVALID_VALUE;
    for (unsigned d = 0; d < rank; ++d) {
        if (sizes[d] == 0 || sizes[d] > (uint64_t{1} << 32) || box[d] == 0 || box[d] > 256 || element_strides[d] != 1)
            return CUDA_ERROR_INVALID_VALUE;
        if (d + 1 < rank && (strides[d] % 16 != 0 || strides[d] >= (uint64_t{1} << 40))) return CUDA_ERROR_INVALID_VALUE;
        encoded.sizes[d] = sizes[d];
        encoded.box[d] = static_cast<uint16_t>(box[d]);
        if (d + 1 < rank) encoded.strides[d] = strides[d];
    }
    encoded.magic = TensorMap::kMagic;
    encoded.base = static_cast<char*>(address);
    encoded.rank = static_cast<uint8_t>(rank);
    encoded.element_bytes = static_cast<uint8_t>(element_bytes);
    encoded.swizzle_bits = static_cast<uint8_t>(swizzle_bits);
    std::memset(map, 0, sizeof *map);
    std::memcpy(map, &encoded, sizeof encoded);
    return CUDA_SUCCESS;
}

// ---- contiguous bytes ----------------------------------------------------------------------------------------------------------

void bulk_load(void* shared, const void* global, uint32_t bytes, void* mbarrier, Site where) {
    Block& block = *Block::current();
    ++block.counters.counts.bulk_copies;
    if (bytes % 16 != 0 || reinterpret_cast<uintptr_t>(global) % 16 != 0 || reinterpret_cast<uintptr_t>(shared) % 16 != 0)
        block.fail(Fault::kMisaligned, nullptr, where, "cp.async.bulk of %u bytes from %p to %p; all must be multiples of 16",
                   bytes, global, shared);
    check_global(block, global, bytes, false, nullptr, where);
    const uint32_t to = block.shared.offset(shared);
    block.shared.begin_copy(block, to, bytes, where);
    block.mbarriers.deliver(
        block, mbarrier, bytes, [=](Block& at) { at.shared.land_copy(to, global, bytes, at.proxy(), ++at.proxy_clock); }, where);
}

void bulk_store(void* global, const void* shared, uint32_t bytes, Site where) {
    Block& block = *Block::current();
    ++block.counters.counts.bulk_copies;
    if (bytes % 16 != 0 || reinterpret_cast<uintptr_t>(global) % 16 != 0 || reinterpret_cast<uintptr_t>(shared) % 16 != 0)
        block.fail(Fault::kMisaligned, nullptr, where, "cp.async.bulk of %u bytes from %p to %p; all must be multiples of 16",
                   bytes, shared, global);
    check_global(block, global, bytes, true, nullptr, where);
    const uint32_t from = block.shared.offset(shared);
    block.shared.async_read(block, from, bytes, "cp.async.bulk", where);
    block.thread().stores.issue([=](Block& at) { std::memcpy(global, at.shared.base() + from, bytes); });
}

// ---- boxes of a tensor ---------------------------------------------------------------------------------------------------------

void tensor_load(void* shared, const void* map, const int32_t* coordinates, unsigned rank, void* mbarrier, Site where) {
    const uint16_t here = static_cast<uint16_t>(1u << Block::current()->cluster_rank());
    tensor_load_multicast(shared, map, coordinates, rank, mbarrier, here, where);
}

void tensor_load_multicast(void* shared, const void* map_bytes, const int32_t* coordinates, unsigned rank, void* mbarrier,
                           uint16_t blocks, Site where) {
    Block& block = *Block::current();
    ++block.counters.counts.bulk_copies;
    if (blocks == 0 || blocks >> block.cluster().size() != 0)
        block.fail(Fault::kInvalidInstruction, nullptr, where, "a multicast to blocks %#x of a cluster of %u", unsigned{blocks},
                   block.cluster().size());
    const TensorMap map = decode(block, map_bytes, where);
    const uint32_t to = block.shared.offset(shared);
    if (rank != map.rank || to % 128 != 0)
        block.fail(Fault::kInvalidInstruction, nullptr, where,
                   "a tensor copy with %u coordinates by a map of rank %u to offset %u; it must be a multiple of 128", rank,
                   map.rank, to);
    const uint32_t row_bytes = uint32_t{map.box[0]} * map.element_bytes;
    uint32_t rows = 1;
    for (unsigned d = 1; d < rank; ++d) rows *= map.box[d];
    check_box(block, map, coordinates, false, where);
    std::array<int32_t, 5> at_coordinates{};
    std::copy_n(coordinates, rank, at_coordinates.begin());
    const auto land = [=](Block& at) {
        std::vector<char> line(row_bytes);
        ++at.proxy_clock;
        for_each_row(map, at_coordinates.data(), [&](uint32_t row, const char* address, bool exists) {
            std::fill(line.begin(), line.end(), 0);  // what lies outside the tensor reads as zero
            for (unsigned i = 0; exists && i < map.box[0]; ++i) {
                const int64_t x = int64_t{at_coordinates[0]} + i;
                if (x >= 0 && x < static_cast<int64_t>(map.sizes[0]))
                    std::memcpy(line.data() + i * map.element_bytes, address + x * map.element_bytes, map.element_bytes);
            }
            for (uint32_t piece = 0; piece < row_bytes; piece += 16)
                at.shared.land_copy(swizzled(to + row * row_bytes + piece, map.swizzle_bits), line.data() + piece, 16, at.proxy(),
                                    at.proxy_clock);
        });
    };
    for (unsigned other = 0; other < block.cluster().size(); ++other) {
        if ((blocks >> other & 1) == 0) continue;
        Block& owner = block.cluster().block(other);
        if (&owner != &block) owner.check_presence(block, where);
        owner.shared.begin_copy(block, to, rows * row_bytes, where);
        if (&owner == &block) block.mbarriers.deliver(block, mbarrier, rows * row_bytes, land, where);
        else owner.mbarriers.deliver_from(owner, block, block.shared.offset(mbarrier), rows * row_bytes, land, where);
    }
}

void tensor_store(const void* map_bytes, const int32_t* coordinates, unsigned rank, const void* shared, Site where) {
    Block& block = *Block::current();
    ++block.counters.counts.bulk_copies;
    const TensorMap map = decode(block, map_bytes, where);
    const uint32_t from = block.shared.offset(shared);
    if (rank != map.rank || from % 128 != 0)
        block.fail(Fault::kInvalidInstruction, nullptr, where,
                   "a tensor copy with %u coordinates by a map of rank %u from offset %u; it must be a multiple of 128", rank,
                   map.rank, from);
    const uint32_t row_bytes = uint32_t{map.box[0]} * map.element_bytes;
    uint32_t rows = 1;
    for (unsigned d = 1; d < rank; ++d) rows *= map.box[d];
    check_box(block, map, coordinates, true, where);
    block.shared.async_read(block, from, rows * row_bytes, "cp.async.bulk.tensor", where);
    std::array<int32_t, 5> at_coordinates{};
    std::copy_n(coordinates, rank, at_coordinates.begin());
    block.thread().stores.issue([=](Block& at) {
        for_each_row(map, at_coordinates.data(), [&](uint32_t row, const char* address, bool exists) {
            for (unsigned i = 0; exists && i < map.box[0]; ++i) {
                const int64_t x = int64_t{at_coordinates[0]} + i;
                if (x < 0 || x >= static_cast<int64_t>(map.sizes[0])) continue;  // what lies outside the tensor is not written
                const uint32_t byte = from + row * row_bytes + i * map.element_bytes;
                std::memcpy(const_cast<char*>(address) + x * map.element_bytes, at.shared.base() + swizzled(byte, map.swizzle_bits),
                            map.element_bytes);
            }
        });
    });
}

}  // namespace halfbyte::emulation
