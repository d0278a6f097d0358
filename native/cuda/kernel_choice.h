// Which kernel of an operation runs: the first row of its table that fits, or the one that was asked for by name.
//
//   HALFBYTE_CUDA_KERNELS=matmul_4bit=tile,matmul_4bit_transposed=mma
//
// in the environment, read once, or ask_for_kernel() from a test or a benchmark. Nobody measures another kernel by mistake: a name
// that does not exist is an error where the first stream is made, and a kernel that cannot take the shape makes the operation fail
// with cudaErrorNotSupported. What a kernel decides by itself can be asked for in the same way; kernel_choice.cpp lists it all.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace halfbyte::cuda {

// Throws Error where the environment asks for what there is not.
void check_asked_kernels();

// From now on, by every thread; an empty name leaves the choice to the table again. Not while operations run. Throws as above.
void ask_for_kernel(std::string_view operation, std::string_view name);

// For all that is in a list like the environment's, and nothing else.
void ask_for_kernels(std::string_view list);

// Whether the kernel `name` of `operation` may run, as far as anyone asked; `was_asked` says whether someone did.
bool may_run(std::string_view operation, std::string_view name, bool* was_asked);

// What was asked for of an operation; empty if nothing was. Of a number in place of a name; 0 if there is none.
std::string asked_kernel(std::string_view operation);
int64_t asked_number(std::string_view operation);

}  // namespace halfbyte::cuda
