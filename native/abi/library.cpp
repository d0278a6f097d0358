// halfbyte.h section 2: versions. (The last error is in call.cpp.)
#include "call.h"
#include "core/backend.h"

#ifndef HALFBYTE_VERSION
#define HALFBYTE_VERSION "0.0.0"
#endif

using namespace halfbyte;

int32_t halfbyte_abi_version(void) { return HALFBYTE_ABI_VERSION; }

int32_t halfbyte_version(uint8_t* text, int64_t capacity, int64_t* length) {
    return abi::call([&] {
        const std::string backends = cuda_backend() == nullptr ? "cpu" : std::string("cpu, ") + cuda_backend()->name;
        abi::write_text(std::string(HALFBYTE_VERSION " (") + backends + ")", text, capacity, length);
    });
}
