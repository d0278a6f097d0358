// Faults: their text, and where in the kernel's source they happened.
#pragma once

#include <cstddef>
#include <source_location>
#include <string>
#include <vector>

#include "../emulation.h"

namespace halfbyte::emulation {

using Site = std::source_location;

// printf into a string.
[[gnu::format(printf, 1, 2)]] std::string text(const char* format, ...);

// "kernel.cu:42" of an instruction address, or "" where there is no debug information.
std::string source_line(const void* code);

// The demangled name of the function at `code`, without its parameters.
std::string function_name(const void* code);
std::vector<std::string> function_names(const std::vector<const void*>& codes);

std::string to_text(const Site& site);

// Keeps the report, until a later one or take_report().
void publish(Report report);
Report peek_report();

}  // namespace halfbyte::emulation
