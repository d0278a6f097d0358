// Every load and store of a kernel, seen before it happens.
#pragma once

#include <cstddef>

#include "report.h"

namespace halfbyte::emulation {

class Block;

// An access of the running thread through an ordinary pointer, to whatever memory it points to.
void access(Block& block, const void* p, size_t size, bool write, bool atomic, const void* code, Site where);

// One that must be to global memory: the source or target of an asynchronous copy.
void check_global(Block& block, const void* p, size_t size, bool write, const void* code, Site where);

}  // namespace halfbyte::emulation
