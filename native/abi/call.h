// The border. Every exported function runs its body through call(): exceptions become a status and a sentence, none crosses.
#pragma once

#include <exception>
#include <new>
#include <string_view>

#include "core/error.h"

namespace halfbyte::abi {

// Keeps `message` for halfbyte_last_error on this thread.
void remember(std::string_view message) noexcept;

// Writes `text` to the caller's buffer by the text convention of halfbyte.h section 1; throws for bad arguments.
void write_text(std::string_view text, uint8_t* buffer, int64_t capacity, int64_t* length);

template <class Body>
int32_t call(const Body& body) noexcept {
    try {
        body();
        return HALFBYTE_STATUS_OK;
    } catch (const Error& error) {
        remember(error.message);
        return error.status;
    } catch (const std::bad_alloc&) {
        remember("Host memory ran out inside the library.");
        return HALFBYTE_STATUS_OUT_OF_MEMORY;
    } catch (const std::exception& error) {
        remember(error.what());
        return HALFBYTE_STATUS_INTERNAL;
    } catch (...) {
        remember("An unknown exception inside the library.");
        return HALFBYTE_STATUS_INTERNAL;
    }
}

}  // namespace halfbyte::abi
