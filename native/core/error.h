// One exception type inside the library. The ABI turns it into a status and a sentence; nothing else crosses the border.
#pragma once

#include <cstdint>
#include <string>

#include "halfbyte.h"

namespace halfbyte {

struct Error {
    int32_t status;
    std::string message;
};

// Throws Error with a printf-style sentence: name the thing, say what was expected and how to mend it.
[[noreturn, gnu::format(printf, 2, 3)]] void fail(int32_t status, const char* format, ...);

}  // namespace halfbyte
