// The CUDA side of the backend table in a library built without CUDA: empty.
#include "backend.h"

namespace halfbyte {

const Backend* cuda_backend() { return nullptr; }

}  // namespace halfbyte
