// The x86 intrinsics. GCC 12 takes the deliberately undefined registers inside its own header for a mistake (GCC bug 105593), so
// that one warning is off while the header is read.
#pragma once

#pragma GCC diagnostic push
#if !defined(__clang__)
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>
#pragma GCC diagnostic pop
