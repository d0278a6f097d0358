#include "error.h"

#include <cstdarg>
#include <cstdio>

namespace halfbyte {

void fail(int32_t status, const char* format, ...) {
    va_list arguments;
    va_start(arguments, format);
    char text[1024];
    std::vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    throw Error{status, text};
}

}  // namespace halfbyte
