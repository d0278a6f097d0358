// What HALFBYTE_CUDA_KERNELS may say.
#include <string>

#include "core/error.h"
#include "cuda/kernel_choice.h"
#include "tests/harness.h"

using namespace halfbyte;

namespace {

// The sentence that refuses the list; empty if it is taken.
std::string refusal(const std::string& list) {
    try {
        cuda::ask_for_kernels(list);
    } catch (const Error& error) {
        EXPECT_EQUAL(error.status, static_cast<int32_t>(HALFBYTE_STATUS_NOT_SUPPORTED));
        return error.message;
    }
    return {};
}

}  // namespace

TEST(kernels_asked_for_in_a_list) {
    EXPECT(refusal("matmul_4bit=chunks,stream_splits=12,wgmma_cluster=1") == "");
    EXPECT(cuda::asked_kernel("matmul_4bit") == "chunks");
    EXPECT_EQUAL(cuda::asked_number("stream_splits"), int64_t{12});
    bool was_asked = false;
    EXPECT(!cuda::may_run("wgmma_cluster", "2", &was_asked) && was_asked);
    EXPECT(cuda::may_run("wgmma_tile", "64", &was_asked) && !was_asked);
    EXPECT(refusal("") == "");
    EXPECT(cuda::asked_kernel("matmul_4bit") == "");
}

TEST(kernels_that_do_not_exist_are_refused) {
    EXPECT(refusal("matmul_4bit=rows,") == "");  // a comma at the end does no harm
    for (const char* list : {"matmul4bit=rows", "matmul_4bit:rows", "matmul_4bit", "matmul_4bit=", "matmul_4bit=bogus", "=", ",",
                             "matmul_4bit=wgmma, stream", "stream_splits=0", "stream_splits=-1", "stream_splits=2x",
                             "stream_splits=1000", "wgmma_tile=32"}) {
        const std::string sentence = refusal(list);
        EXPECT(sentence.find("HALFBYTE_CUDA_KERNELS asks for '") == 0);
        EXPECT(sentence.find("matmul_4bit_transposed=wgmma, mma, tile; ") != std::string::npos);
    }
    EXPECT(refusal("matmul_4bit=bogus").find("'matmul_4bit=bogus'") != std::string::npos);
    EXPECT(cuda::asked_kernel("matmul_4bit") == "rows");  // what was asked for before stays
    cuda::ask_for_kernels("");
}
