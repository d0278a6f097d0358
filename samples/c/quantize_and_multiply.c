/* Quantizes a weight to NF4 and multiplies by it, through the C ABI. Built with the native library as a check. */
#include <stdio.h>
#include <stdlib.h>

#include "halfbyte.h"

static void check(int32_t status) {
    uint8_t text[1024];
    int64_t length = 0;
    if (status == HALFBYTE_STATUS_OK) return;
    halfbyte_last_error(text, sizeof text, &length);
    fprintf(stderr, "halfbyte: status %d: %.*s\n", (int)status, (int)length, (const char*)text);
    exit(1);
}

int main(void) {
    enum { N = 3, K = 128, blocksize = 64 };
    static float w[N * K], x[K], y[N], absmax[(N * K + blocksize - 1) / blocksize];
    static uint8_t packed[(N * K + 1) / 2];
    for (int i = 0; i < N * K; ++i) w[i] = (float)((i * 37) % 101 - 50) / 50.0f;
    for (int k = 0; k < K; ++k) x[k] = 1.0f / (float)(k + 1);

    halfbyte_stream stream = NULL;
    check(halfbyte_stream_create(HALFBYTE_DEVICE_CPU, &stream));
    check(halfbyte_quantize_4bit(stream, w, HALFBYTE_DTYPE_FLOAT32, N * K, blocksize, HALFBYTE_QUANT_TYPE_NF4, NULL, packed, absmax));

    halfbyte_weight_4bit weight = {0};
    weight.packed = packed;
    weight.absmax = absmax;
    weight.N = N;
    weight.K = K;
    weight.blocksize = blocksize;
    weight.quant_type = HALFBYTE_QUANT_TYPE_NF4;
    weight.device = HALFBYTE_DEVICE_CPU;
    halfbyte_output output = {y, N, NULL, 0};

    int64_t workspace_bytes = 0;
    void* workspace = NULL;
    check(halfbyte_matmul_4bit_workspace(stream, 1, &weight, HALFBYTE_DTYPE_FLOAT32, 1, &workspace_bytes));
    check(halfbyte_allocate(stream, workspace_bytes, &workspace));
    check(halfbyte_matmul_4bit(stream, 1, &weight, x, HALFBYTE_DTYPE_FLOAT32, 1, K, &output, workspace, workspace_bytes));
    check(halfbyte_stream_synchronize(stream));

    for (int n = 0; n < N; ++n) {
        float exact = 0.0f;
        for (int k = 0; k < K; ++k) exact += w[n * K + k] * x[k];
        printf("y[%d] = %+.4f, before quantization %+.4f\n", n, (double)y[n], (double)exact);
    }
    check(halfbyte_free(stream, workspace));
    check(halfbyte_stream_destroy(stream));
    return 0;
}
