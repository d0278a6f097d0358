/*
 * halfbyte.h - low-bit compute behind one C ABI.
 *
 * What it does
 *   Halfbyte stores weight matrices in 4 or 8 bits and multiplies by them. The formats are the ones of bitsandbytes, bit for
 *   bit: NF4 and FP4 with one statistic per block (optionally "double quantized"), blockwise 8-bit codes, and LLM.int8() with
 *   outlier decomposition. Every operation here exists for the CPU and is specified without reference to a device.
 *
 * How to read this file, top to bottom
 *   1. Conventions           the rules every function obeys; nothing below repeats them
 *   2. Status and errors     what a call returns, where the sentence is
 *   3. Devices and streams   where work runs and in which order
 *   4. Memory                allocate, free, copy; all memory belongs to the caller
 *   5. Formats               the code tables
 *   6. 4-bit                 quantize_4bit, dequantize_4bit, lookup_4bit
 *   7. Blockwise 8-bit       quantize_blockwise, dequantize_blockwise
 *   8. Double quantization   the statistics of 6, themselves in 8 bits
 *   9. Row-wise int8         quantize_int8_rows, dequantize_int8
 *  10. Products              matmul_4bit, matmul_int8 and their transposes
 *
 * A first program, quantize and multiply, is in docs/c-abi.md.
 */
#ifndef HALFBYTE_H
#define HALFBYTE_H

#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32)
#if defined(HALFBYTE_BUILD)
#define HALFBYTE_API __declspec(dllexport)
#else
#define HALFBYTE_API __declspec(dllimport)
#endif
#elif defined(HALFBYTE_BUILD)
#define HALFBYTE_API __attribute__((visibility("default")))
#else
#define HALFBYTE_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ------------------------------------------------------------------------------------------------------------------------
 * 1. Conventions
 *
 * Shapes. M rows of activations, N output features, K input features, n elements of a flat tensor. All matrices are row-major.
 *   A weight is [N, K], as in a checkpoint; the product is y[M,N] = x[M,K] * W[N,K]^T + bias[N].
 * Sizes are int64_t, counted in elements unless the name says `bytes`. Tensors beyond 2^31 elements are ordinary.
 *   Zero sizes are ordinary too: such a call checks its arguments, touches nothing and succeeds; pointers to empty tensors may
 *   be null.
 * Leading dimensions (`ldx`, `ldy`, ...) are the distance in elements between the starts of two rows; at least the row's length.
 * Data types and quantization types are parameters (`enum halfbyte_dtype`, `enum halfbyte_quant_type`), passed as int32_t.
 * Memory belongs to the caller. An operation allocates nothing and keeps no pointer after its work is done. Data pointers are
 *   pointers of the stream's device unless a comment says `host`. They must be aligned to their element's size. Outputs must not
 *   overlap inputs or each other.
 * Scratch memory is the caller's workspace: a `..._workspace` query returns its size in bytes (0 is common), the operation takes
 *   pointer and size. It must be aligned to 64 bytes, holds nothing between calls, and may be reused by the next call on the
 *   same stream.
 * Order. The first parameter of an operation is a stream. On a CPU stream the work is done when the call returns. On a CUDA stream
 *   it has been enqueued, in order; buffers must live until it has run. No operation waits for the device.
 * Arithmetic is IEEE float32 with round-to-nearest-even wherever a formula below is written; one rounding to the output type at
 *   the end. Quantization codes equal their definition bit for bit on every device and every CPU path. Results do not change from
 *   run to run, nor with the number of threads.
 * Threads. Any thread may call any function. Calls on one stream must not overlap in time; calls on different streams may. After
 *   fork() the child must not call the library if its parent has: helper threads do not survive a fork.
 * Failure. Every function returns `enum halfbyte_status` as int32_t, except halfbyte_abi_version. A call that fails has done
 *   nothing: no output is touched, nothing is enqueued. (HALFBYTE_STATUS_DEVICE_ERROR is the exception: what an earlier, already
 *   enqueued operation left behind is undefined.) Nothing here exits the process or throws.
 * Text goes into the caller's buffer as UTF-8 without a terminating zero: `text` (host, may be null if capacity is 0) receives
 *   the first `capacity` bytes and `length` (host, never null) the full length, so a call with capacity 0 asks for the size.
 * ---------------------------------------------------------------------------------------------------------------------- */

/* Bumped when a caller built against an older header would misbehave. */
enum halfbyte_abi
{
    HALFBYTE_ABI_VERSION = 1
};

/* Element types. The values are part of the ABI. */
enum halfbyte_dtype
{
    HALFBYTE_DTYPE_FLOAT32 = 1,
    HALFBYTE_DTYPE_FLOAT16 = 2,
    HALFBYTE_DTYPE_BFLOAT16 = 3
};

/* Types of indices, such as token ids. */
enum halfbyte_index_type
{
    HALFBYTE_INDEX_TYPE_INT32 = 1,
    HALFBYTE_INDEX_TYPE_INT64 = 2
};

/* How 16 codes become 16 values. FP4 and NF4 have the numbers bitsandbytes' own C functions use. */
enum halfbyte_quant_type
{
    HALFBYTE_QUANT_TYPE_FP4 = 1,
    HALFBYTE_QUANT_TYPE_NF4 = 2,
    HALFBYTE_QUANT_TYPE_CUSTOM = 3 /* the caller's own table of 16 */
};

/* A device is one number: HALFBYTE_DEVICE_CPU, or HALFBYTE_DEVICE_CUDA + ordinal for the CUDA device of that ordinal. */
enum halfbyte_device
{
    HALFBYTE_DEVICE_CPU = 0,
    HALFBYTE_DEVICE_CUDA = 256
};

/* Which instructions a CPU stream uses. All paths give the same codes; products agree within float32 summation order. */
enum halfbyte_cpu_path
{
    HALFBYTE_CPU_PATH_AUTO = 0,       /* the best this processor has, or what HALFBYTE_CPU_PATH in the environment names */
    HALFBYTE_CPU_PATH_SCALAR = 1,     /* plain C++: the reference */
    HALFBYTE_CPU_PATH_AVX2 = 2,       /* AVX2, FMA, F16C */
    HALFBYTE_CPU_PATH_AVX512 = 3,     /* AVX-512 F, BW, DQ, VL */
    HALFBYTE_CPU_PATH_AVX512_BF16 = 4 /* and BF16, VNNI, VBMI (Zen 4, Sapphire Rapids and later) */
};

/* ------------------------------------------------------------------------------------------------------------------------
 * 2. Status and errors
 * ---------------------------------------------------------------------------------------------------------------------- */

/* The values are pinned; gaps leave room. Each function's comment lists what it adds to the common ones (10 to 17, 19, 90). */
enum halfbyte_status
{
    HALFBYTE_STATUS_OK = 0,
    HALFBYTE_STATUS_NULL_POINTER = 10,   /* a required pointer is null */
    HALFBYTE_STATUS_MISALIGNED = 11,     /* a pointer is not aligned as section 1 asks */
    HALFBYTE_STATUS_OVERLAP = 12,        /* an output overlaps an input or another output */
    HALFBYTE_STATUS_INVALID_SIZE = 13,   /* negative, beyond int64 in bytes, or a leading dimension shorter than its row */
    HALFBYTE_STATUS_INVALID_DTYPE = 14,  /* not in enum halfbyte_dtype or halfbyte_index_type, or not accepted here */
    HALFBYTE_STATUS_INVALID_FORMAT = 15, /* quant type, block size or code table not accepted */
    HALFBYTE_STATUS_INVALID_VALUE = 16,  /* a number outside its range, such as a negative threshold */
    HALFBYTE_STATUS_INVALID_HANDLE = 17, /* not a live stream */
    HALFBYTE_STATUS_WRONG_DEVICE = 18,   /* a weight or pointer lives on another device than the stream */
    HALFBYTE_STATUS_WORKSPACE_TOO_SMALL = 19,
    HALFBYTE_STATUS_OUT_OF_MEMORY = 30,
    HALFBYTE_STATUS_NO_DEVICE = 40,     /* no such device, or this library was built without its backend */
    HALFBYTE_STATUS_NOT_SUPPORTED = 41, /* the device or processor lacks what was asked for, by a call or by the environment */
    HALFBYTE_STATUS_DEVICE_ERROR = 50,  /* the device's driver or runtime reported an error; the text is its own */
    HALFBYTE_STATUS_INTERNAL = 90       /* a defect of this library; please report the text */
};

/* The sentence for the last call on this thread that failed: what was wrong, what was expected, how to mend it. It stays until
 * the next failing call on this thread. Empty if none has failed. Always HALFBYTE_STATUS_OK unless `length` is null. */
HALFBYTE_API int32_t halfbyte_last_error(uint8_t* text, int64_t capacity, int64_t* length);

/* HALFBYTE_ABI_VERSION of the library. Compare it with the header's before the first other call. */
HALFBYTE_API int32_t halfbyte_abi_version(void);

/* The library's version and build, for people: "0.1.0 (cpu)". */
HALFBYTE_API int32_t halfbyte_version(uint8_t* text, int64_t capacity, int64_t* length);

/* ------------------------------------------------------------------------------------------------------------------------
 * 3. Devices and streams
 * ---------------------------------------------------------------------------------------------------------------------- */

/* Number of usable CUDA devices; 0 where there is no driver, no device, or no CUDA backend in this library (no error).
 * `count`: host. */
HALFBYTE_API int32_t halfbyte_cuda_device_count(int32_t* count);

/* The device's name for people, and for a CPU the instruction sets that count here: "AMD EPYC 9B45 (avx512_bf16)".
 * Adds NO_DEVICE. */
HALFBYTE_API int32_t halfbyte_device_name(int32_t device, uint8_t* text, int64_t capacity, int64_t* length);

/* Bytes free and in all on the device (host memory for the CPU). Both pointers: host. Adds NO_DEVICE, DEVICE_ERROR. */
HALFBYTE_API int32_t halfbyte_device_memory(int32_t device, int64_t* free_bytes, int64_t* total_bytes);

/* The best path this processor can run: a value of enum halfbyte_cpu_path, never AUTO. `path`: host. */
HALFBYTE_API int32_t halfbyte_cpu_best_path(int32_t* path);

/* A device plus an in-order stream of work on it. Opaque; the only kind of handle there is. */
typedef void* halfbyte_stream;

/* Creates a stream on `device`. On the CPU it uses path AUTO and the default number of threads: HALFBYTE_NUM_THREADS of the
 * environment, else the processors this process may use. Destroy it with halfbyte_stream_destroy.
 * Adds NO_DEVICE, OUT_OF_MEMORY, DEVICE_ERROR, and NOT_SUPPORTED if HALFBYTE_CPU_PATH names no path that this processor has, or
 * HALFBYTE_NUM_THREADS is no number from 1 to 1024: no argument is wrong then. */
HALFBYTE_API int32_t halfbyte_stream_create(int32_t device, halfbyte_stream* stream);

/* Creates a CPU stream with a path of its own and `threads` threads (0: the default, at most 1024).
 * Adds OUT_OF_MEMORY, INVALID_VALUE (unknown path, threads out of range), NOT_SUPPORTED (this processor lacks the path, or AUTO
 * and 0 meet an environment as above). */
HALFBYTE_API int32_t halfbyte_stream_create_cpu(int32_t path, int32_t threads, halfbyte_stream* stream);

/* Adopts an engine's own cudaStream_t on CUDA device `ordinal`; null is the legacy default stream. The engine keeps owning it;
 * destroying the handle leaves it alone. Adds NO_DEVICE, DEVICE_ERROR. */
HALFBYTE_API int32_t halfbyte_stream_wrap_cuda(int32_t ordinal, void* cuda_stream, halfbyte_stream* stream);

/* Waits until all work enqueued so far is done, and reports an error that any of it met. Adds DEVICE_ERROR. */
HALFBYTE_API int32_t halfbyte_stream_synchronize(halfbyte_stream stream);

/* Destroys the handle after its work is done. A null handle is accepted. */
HALFBYTE_API int32_t halfbyte_stream_destroy(halfbyte_stream stream);

/* What the stream runs on, for people and logs: "cpu avx512_bf16, 2 threads". */
HALFBYTE_API int32_t halfbyte_stream_describe(halfbyte_stream stream, uint8_t* text, int64_t capacity, int64_t* length);

/* ------------------------------------------------------------------------------------------------------------------------
 * 4. Memory
 *
 * Optional: an engine that has its own allocator passes its own pointers. Allocations are aligned to 256 bytes.
 * ---------------------------------------------------------------------------------------------------------------------- */

/* Allocates `bytes` on the stream's device, in stream order; not cleared. 0 bytes gives null.
 * Adds OUT_OF_MEMORY (the text has the byte count), DEVICE_ERROR. */
HALFBYTE_API int32_t halfbyte_allocate(halfbyte_stream stream, int64_t bytes, void** memory);

/* Frees in stream order: work enqueued before may still use the memory. Null is accepted. `memory` must come from
 * halfbyte_allocate on the same device. */
HALFBYTE_API int32_t halfbyte_free(halfbyte_stream stream, void* memory);

/* Copies from host memory (`source`) to the device. The source may be reused when the call returns if it is pageable memory. */
HALFBYTE_API int32_t halfbyte_copy_from_host(halfbyte_stream stream, void* destination, const void* source, int64_t bytes);

/* Copies from the device to host memory (`destination`). Valid after halfbyte_stream_synchronize. */
HALFBYTE_API int32_t halfbyte_copy_to_host(halfbyte_stream stream, void* destination, const void* source, int64_t bytes);

/* Copies within the device. */
HALFBYTE_API int32_t halfbyte_copy(halfbyte_stream stream, void* destination, const void* source, int64_t bytes);

/* Sets `bytes` bytes to `value` (0 to 255, else INVALID_VALUE). */
HALFBYTE_API int32_t halfbyte_fill(halfbyte_stream stream, void* destination, int32_t value, int64_t bytes);

/* ------------------------------------------------------------------------------------------------------------------------
 * 5. Formats
 * ---------------------------------------------------------------------------------------------------------------------- */

enum halfbyte_codebook
{
    HALFBYTE_CODEBOOK_FP4 = 1,             /* 16 entries, code order: sign bit 8, not sorted by value */
    HALFBYTE_CODEBOOK_NF4 = 2,             /* 16 entries, ascending */
    HALFBYTE_CODEBOOK_DYNAMIC_SIGNED = 3,  /* 256 entries, ascending, -0.99296874 to 1 */
    HALFBYTE_CODEBOOK_DYNAMIC_UNSIGNED = 4 /* 256 entries, ascending, 0 to 1 */
};

/* Writes the table `codebook` to `values` (host), whose capacity is `capacity` floats, 16 or 256 at least (else INVALID_SIZE).
 * An unknown codebook is INVALID_FORMAT. Dynamic maps: Dettmers et al., "8-bit Optimizers via Block-wise Quantization", 2022;
 * NF4: Dettmers et al., "QLoRA", 2023. */
HALFBYTE_API int32_t halfbyte_codebook_values(int32_t codebook, float* values, int64_t capacity);

/* ------------------------------------------------------------------------------------------------------------------------
 * 6. 4-bit
 *
 * Layout. The tensor is flattened row-major; element 2j is the HIGH nibble of byte j, element 2j+1 the low one. If n is odd the
 *   last low nibble is the code of 0. Blocks of `blocksize` consecutive elements run over the flat tensor and may straddle rows;
 *   the last may be shorter. Each has one float32 statistic, absmax.
 *   packed: uint8 [(n+1)/2].  absmax: float32 [blocks], blocks = ceil(n / blocksize).
 *   blocksize is one of 32, 64, 128, 256, 512, 1024, 2048, 4096.
 * ---------------------------------------------------------------------------------------------------------------------- */

/* A 4-bit weight: where its parts are and how to read them. Every field has 8 bytes; a zeroed field is a valid "absent".
 *   value(i) = codebook[code(i)] * absmax(i / blocksize)
 *   absmax(b) = absmax[b]                                                                    plain:  absmax is float32
 *             = nested_codebook[absmax[b]] * nested_absmax[b / nested_blocksize] + nested_offset[0]     nested: absmax is uint8
 * The weight is nested ("double quantized") if nested_absmax is not null; then nested_codebook, nested_offset and
 * nested_blocksize are required. Null is no default for nested_codebook, as it is for the tables of sections 7 and 8: a weight is
 * read where it is, and the library keeps no memory on a device; halfbyte_codebook_values has the table to copy there.
 * For a flat tensor of n elements set N = 1, K = n. All pointers are of device `device`. */
typedef struct halfbyte_weight_4bit
{
    const void* packed;          /* uint8 [(N*K+1)/2] */
    const void* absmax;          /* float32 [blocks], or uint8 [blocks] if nested */
    const void* nested_absmax;   /* float32 [ceil(blocks / nested_blocksize)], or null: not nested */
    const void* nested_codebook; /* float32 [256], any order */
    const void* nested_offset;   /* float32 [1] */
    const void* codebook;        /* float32 [16], any order; null: the table of quant_type (required for CUSTOM) */
    int64_t N;                   /* output features */
    int64_t K;                   /* input features */
    int64_t blocksize;           /* elements per statistic */
    int64_t nested_blocksize;    /* statistics per nested statistic: 256; ignored if not nested */
    int64_t quant_type;          /* enum halfbyte_quant_type */
    int64_t device;              /* enum halfbyte_device, plus the ordinal for CUDA */
} halfbyte_weight_4bit;

/* Quantizes `n` elements of `input` (type `dtype`).
 *   absmax[b] = max |x| over the block (NaN ignored; 0 if all are NaN or 0),  inv = 1.0f / absmax[b] (correctly rounded)
 *   t = float(x) * inv
 *   NF4, CUSTOM: code = number of the 15 midpoints T[i] = float((v[i] + v[i+1]) / 2) with t > T[i]   (a tie goes down, NaN is 0)
 *   FP4: code = 8 * (t < 0) + magnitude, where the first of these float32 that |t| exceeds gives the magnitude, else 0:
 *        0.8333333: 3,  0.583333: 2,  0.4166667: 5,  0.29166667: 4,  0.20833333: 7,  0.0859375: 6,  0.00260417: 1
 * So an all-zero block has absmax 0 and code 0 everywhere; an infinite element makes absmax infinite.
 * `codebook`: host, float32 [16], non-decreasing, from -1 to 1 and not all equal, required for CUSTOM; must be null otherwise. Its
 * values are relative to absmax, and should reach -1 and 1 as FP4 and NF4 do: a block's largest element becomes the nearest value.
 * `packed`, `absmax`: as in the layout above. */
HALFBYTE_API int32_t halfbyte_quantize_4bit(halfbyte_stream stream, const void* input, int32_t dtype, int64_t n, int64_t blocksize,
                                            int32_t quant_type, const float* codebook, uint8_t* packed, float* absmax);

/* Writes value(i) of all N*K elements, rounded once to `dtype`, to `output` [N*K]. `weight`: host, read during the call.
 * Adds WRONG_DEVICE. */
HALFBYTE_API int32_t halfbyte_dequantize_4bit(halfbyte_stream stream, const halfbyte_weight_4bit* weight, void* output,
                                              int32_t dtype);

/* Reads rows of a weight [N, K], as an embedding does: each index picks one, and only those are decoded.
 *   output[m, k] = value(indices[m] * K + k), rounded once to `dtype`: what halfbyte_dequantize_4bit would give
 *   indices: `index_type` [M], each from 0 to N - 1, in any order and any number of times.
 *   output: [M, K], leading dimension `ldoutput`.
 * An index that is no row reads nothing. On the CPU the call is refused with INVALID_VALUE, and the text names the index and its
 * place. On CUDA, where indices cannot be read without waiting for them, its row of `output` is NaN throughout.
 * `weight`: host, read during the call. Adds WRONG_DEVICE. */
HALFBYTE_API int32_t halfbyte_lookup_4bit(halfbyte_stream stream, const halfbyte_weight_4bit* weight, const void* indices,
                                          int32_t index_type, int64_t M, void* output, int32_t dtype, int64_t ldoutput);

/* ------------------------------------------------------------------------------------------------------------------------
 * 7. Blockwise 8-bit
 *
 *   codes: uint8 [n].  absmax: float32 [ceil(n / blocksize)].
 *   codebook: float32 [256], relative to absmax as that of section 6; to quantize, non-decreasing, from -1 to 1 and not all equal.
 *   blocksize is a power of two from 32 to 4096.
 * ---------------------------------------------------------------------------------------------------------------------- */

/* Quantizes `n` elements of `input`. absmax and t as in halfbyte_quantize_4bit. With m[i] = (v[i] + v[i+1]) * 0.5f,
 *   code = number of i in 0..254 with t > m[i], or t == m[i] and i odd         (nearest value; a tie goes to the even code)
 * NaN gives code 0. `codebook`: of the stream's device; null: the signed dynamic map. On the CPU its values are checked. */
HALFBYTE_API int32_t halfbyte_quantize_blockwise(halfbyte_stream stream, const void* input, int32_t dtype, int64_t n,
                                                 int64_t blocksize, const float* codebook, uint8_t* codes, float* absmax);

/* output[i] = codebook[codes[i]] * absmax[i / blocksize], rounded once to `dtype`. `codebook` as above. */
HALFBYTE_API int32_t halfbyte_dequantize_blockwise(halfbyte_stream stream, const uint8_t* codes, const float* absmax, int64_t n,
                                                   int64_t blocksize, const float* codebook, void* output, int32_t dtype);

/* ------------------------------------------------------------------------------------------------------------------------
 * 8. Double quantization
 *
 * The statistics of a 4-bit tensor, stored in 8 bits: the signed dynamic map over blocks of 256 after subtracting their mean.
 * ---------------------------------------------------------------------------------------------------------------------- */

/* offset[0] = mean(absmax), then (codes, nested_absmax) = quantize_blockwise(absmax - offset[0], blocksize 256, signed dynamic map).
 * The mean is the same on every device: in chunks of 16384 elements, lane j of 256 adds elements j, j+256, ... in order in float64,
 * the lanes are added pairwise with strides 128, 64, ..., 1 (lane j += lane j + stride), the chunks' sums are added in order, and
 * the sum divided by `count` is rounded to float32. count 0: offset is 0.
 *   codes: uint8 [count].  nested_absmax: float32 [ceil(count / 256)].  offset: float32 [1], on the device. */
HALFBYTE_API int32_t halfbyte_double_quantize(halfbyte_stream stream, const float* absmax, int64_t count, uint8_t* codes,
                                              float* nested_absmax, float* offset);

/* absmax[b] = codebook[codes[b]] * nested_absmax[b / 256] + offset[0], two roundings.
 * `codebook`: float32 [256] of the stream's device, or null for the signed dynamic map. */
HALFBYTE_API int32_t halfbyte_double_dequantize(halfbyte_stream stream, const uint8_t* codes, const float* nested_absmax,
                                                const float* offset, const float* codebook, int64_t count, float* absmax);

/* ------------------------------------------------------------------------------------------------------------------------
 * 9. Row-wise int8 (LLM.int8())
 * ---------------------------------------------------------------------------------------------------------------------- */

/* An int8 weight. value(n, k) = codes[n, k] * absmax[n] / 127. `absmax` is what a checkpoint calls SCB. */
typedef struct halfbyte_weight_int8
{
    const void* codes;  /* int8 [N, K] */
    const void* absmax; /* float32 [N] */
    int64_t N;          /* output features */
    int64_t K;          /* input features */
    int64_t device;     /* enum halfbyte_device, plus the ordinal for CUDA */
} halfbyte_weight_int8;

/* Quantizes each row of `input` [rows, cols] (type `dtype`, leading dimension `ldinput`).
 *   outlier(r, c) = threshold > 0 and |x(r, c)| >= threshold
 *   absmax[r] = max |x(r, c)| over c that are no outlier (NaN ignored),  scale = 127.0f / absmax[r]
 *   codes[r, c] = round_half_even(float(x) * scale), clamped to -127..127 (it can only exceed them where absmax is so small that
 *                 scale is infinite); 0 if the product is NaN, and 0 in every row of a column that has an outlier in any row
 *   outlier_columns = the columns that have an outlier, ascending; outlier_count[0] their number
 * threshold 0 means no outliers (how weights are quantized); negative or NaN is INVALID_VALUE. `codes` is dense [rows, cols].
 *   outlier_columns: int64 [cols], outlier_count: int64 [1], both on the device; both null if threshold is 0.
 *   workspace: halfbyte_quantize_int8_rows_workspace. */
HALFBYTE_API int32_t halfbyte_quantize_int8_rows(halfbyte_stream stream, const void* input, int32_t dtype, int64_t rows, int64_t cols,
                                                 int64_t ldinput, float threshold, int8_t* codes, float* absmax,
                                                 int64_t* outlier_columns, int64_t* outlier_count, void* workspace,
                                                 int64_t workspace_bytes);

/* Bytes of workspace for halfbyte_quantize_int8_rows. `bytes`: host. */
HALFBYTE_API int32_t halfbyte_quantize_int8_rows_workspace(halfbyte_stream stream, int64_t rows, int64_t cols, float threshold,
                                                           int64_t* bytes);

/* output[n, k] = codes[n, k] * absmax[n] * (1.0f / 127.0f), two float32 products in this order, rounded once to `dtype`;
 * `output` is dense [N, K]. `weight`: host. Adds WRONG_DEVICE. */
HALFBYTE_API int32_t halfbyte_dequantize_int8(halfbyte_stream stream, const halfbyte_weight_int8* weight, void* output, int32_t dtype);

/* ------------------------------------------------------------------------------------------------------------------------
 * 10. Products
 *
 * One call multiplies the same activations by `count` weights, all with the same K (and for 4-bit of any format): q, k and v, or
 * gate and up, cost one launch and one read of x. `weights` and `outputs` are host arrays of `count`, read during the call.
 * M, N, K of any size, K not a multiple of the block included.
 *
 * Precision. Accumulation is float32, and y is rounded once. On the CPU, and wherever activations are float32, table values and
 * statistics enter exactly. On CUDA, with 16-bit activations, a 4-bit weight enters in their type, because tensor cores multiply
 * nothing else: with few rows (M up to 32, and for some devices and shapes up to 64) its table value times a constant, rounded,
 * while its statistic stays exact; with more rows, and for gradients, what halfbyte_dequantize_4bit writes, bit for bit. So the
 * result is at least as accurate as dequantizing to that type and multiplying with float32 sums: each term is off by at most 2^-8
 * of itself for bfloat16 and 2^-11 for float16, and with few rows by half of that on average. bfloat16 never becomes float16.
 * Which of the two it is depends on M, and from 33 to 64 rows on the device, the sizes of the weights and where x lies as well: so
 * the same row of x may give results apart by that much in batches of different sizes, but not from run to run. Where tensor
 * cores cannot take a forward product (K not a multiple of 16, packed codes not aligned to 8 bytes) weights enter exactly.
 * ---------------------------------------------------------------------------------------------------------------------- */

/* Where one product goes. */
typedef struct halfbyte_output
{
    void* y;            /* [M, N] of the call's dtype, leading dimension ldy */
    int64_t ldy;        /* >= N */
    const void* bias;   /* [N] of bias_dtype, or null */
    int64_t bias_dtype; /* enum halfbyte_dtype; ignored if bias is null */
} halfbyte_output;

/* Where one gradient comes from. */
typedef struct halfbyte_gradient
{
    const void* dy; /* [M, N] of the call's dtype, leading dimension lddy */
    int64_t lddy;   /* >= N */
} halfbyte_gradient;

/* y_i[M, N_i] = x[M, K] * W_i[N_i, K]^T + bias_i[N_i] for each 4-bit weight i. `x`: type `dtype`, leading dimension `ldx`; y has
 * the same type. workspace: halfbyte_matmul_4bit_workspace. Adds WRONG_DEVICE, WORKSPACE_TOO_SMALL. */
HALFBYTE_API int32_t halfbyte_matmul_4bit(halfbyte_stream stream, int64_t count, const halfbyte_weight_4bit* weights, const void* x,
                                          int32_t dtype, int64_t M, int64_t ldx, const halfbyte_output* outputs, void* workspace,
                                          int64_t workspace_bytes);

/* Bytes of workspace for halfbyte_matmul_4bit with these weights (their pointers are not read). `bytes`: host. */
HALFBYTE_API int32_t halfbyte_matmul_4bit_workspace(halfbyte_stream stream, int64_t count, const halfbyte_weight_4bit* weights,
                                                    int32_t dtype, int64_t M, int64_t* bytes);

/* dx[M, K] = sum over i of dy_i[M, N_i] * W_i[N_i, K]: the gradient of halfbyte_matmul_4bit's x. `dx`: type `dtype`, leading
 * dimension `lddx`. workspace: halfbyte_matmul_4bit_transposed_workspace. Adds WRONG_DEVICE, WORKSPACE_TOO_SMALL. */
HALFBYTE_API int32_t halfbyte_matmul_4bit_transposed(halfbyte_stream stream, int64_t count, const halfbyte_weight_4bit* weights,
                                                     const halfbyte_gradient* gradients, int32_t dtype, int64_t M, void* dx,
                                                     int64_t lddx, void* workspace, int64_t workspace_bytes);

HALFBYTE_API int32_t halfbyte_matmul_4bit_transposed_workspace(halfbyte_stream stream, int64_t count,
                                                               const halfbyte_weight_4bit* weights, int32_t dtype, int64_t M,
                                                               int64_t* bytes);

/* LLM.int8(): Dettmers et al., "LLM.int8(): 8-bit Matrix Multiplication for Transformers at Scale", 2022.
 *   (qx, ax, C) = quantize_int8_rows(x, threshold)
 *   y_i[m, n] = (sum over k of qx[m, k] * codes_i[n, k]) * ax[m] * absmax_i[n] / 127^2
 *             + sum over c in C of x[m, c] * codes_i[n, c] * absmax_i[n] / 127  + bias_i[n]
 * The first sum is exact in int32 for K up to 131072 and in wider integers beyond; the rest is float32, one rounding at the end.
 * Activations are never converted to float16. A NaN in x has code 0 and takes no part in the product, as section 9 defines.
 * workspace: halfbyte_matmul_int8_workspace. Adds WRONG_DEVICE, WORKSPACE_TOO_SMALL. */
HALFBYTE_API int32_t halfbyte_matmul_int8(halfbyte_stream stream, int64_t count, const halfbyte_weight_int8* weights, const void* x,
                                          int32_t dtype, int64_t M, int64_t ldx, float threshold, const halfbyte_output* outputs,
                                          void* workspace, int64_t workspace_bytes);

HALFBYTE_API int32_t halfbyte_matmul_int8_workspace(halfbyte_stream stream, int64_t count, const halfbyte_weight_int8* weights,
                                                    int32_t dtype, int64_t M, float threshold, int64_t* bytes);

/* dx[M, K] = sum over i of dy_i[M, N_i] * (codes_i * absmax_i / 127)[N_i, K], float32 accumulation, one rounding.
 * workspace: halfbyte_matmul_int8_transposed_workspace. Adds WRONG_DEVICE, WORKSPACE_TOO_SMALL. */
HALFBYTE_API int32_t halfbyte_matmul_int8_transposed(halfbyte_stream stream, int64_t count, const halfbyte_weight_int8* weights,
                                                     const halfbyte_gradient* gradients, int32_t dtype, int64_t M, void* dx,
                                                     int64_t lddx, void* workspace, int64_t workspace_bytes);

HALFBYTE_API int32_t halfbyte_matmul_int8_transposed_workspace(halfbyte_stream stream, int64_t count,
                                                               const halfbyte_weight_int8* weights, int32_t dtype, int64_t M,
                                                               int64_t* bytes);

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* HALFBYTE_H */
