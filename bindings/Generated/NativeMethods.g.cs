// interim
#pragma warning disable
using System.Runtime.InteropServices;
using __IntPtr = global::System.IntPtr;
namespace Halfbyte.Bindings
{
    public enum halfbyte_abi
    {
        HALFBYTE_ABI_VERSION = 1,
    }
    public enum halfbyte_dtype
    {
        HALFBYTE_DTYPE_FLOAT32 = 1,
        HALFBYTE_DTYPE_FLOAT16 = 2,
        HALFBYTE_DTYPE_BFLOAT16 = 3,
    }
    public enum halfbyte_quant_type
    {
        HALFBYTE_QUANT_TYPE_FP4 = 1,
        HALFBYTE_QUANT_TYPE_NF4 = 2,
        HALFBYTE_QUANT_TYPE_CUSTOM = 3,
    }
    public enum halfbyte_device
    {
        HALFBYTE_DEVICE_CPU = 0,
        HALFBYTE_DEVICE_CUDA = 256,
    }
    public enum halfbyte_cpu_path
    {
        HALFBYTE_CPU_PATH_AUTO = 0,
        HALFBYTE_CPU_PATH_SCALAR = 1,
        HALFBYTE_CPU_PATH_AVX2 = 2,
        HALFBYTE_CPU_PATH_AVX512 = 3,
        HALFBYTE_CPU_PATH_AVX512_BF16 = 4,
    }
    public enum halfbyte_status
    {
        HALFBYTE_STATUS_OK = 0,
        HALFBYTE_STATUS_NULL_POINTER = 10,
        HALFBYTE_STATUS_MISALIGNED = 11,
        HALFBYTE_STATUS_OVERLAP = 12,
        HALFBYTE_STATUS_INVALID_SIZE = 13,
        HALFBYTE_STATUS_INVALID_DTYPE = 14,
        HALFBYTE_STATUS_INVALID_FORMAT = 15,
        HALFBYTE_STATUS_INVALID_VALUE = 16,
        HALFBYTE_STATUS_INVALID_HANDLE = 17,
        HALFBYTE_STATUS_WRONG_DEVICE = 18,
        HALFBYTE_STATUS_WORKSPACE_TOO_SMALL = 19,
        HALFBYTE_STATUS_OUT_OF_MEMORY = 30,
        HALFBYTE_STATUS_NO_DEVICE = 40,
        HALFBYTE_STATUS_NOT_SUPPORTED = 41,
        HALFBYTE_STATUS_DEVICE_ERROR = 50,
        HALFBYTE_STATUS_INTERNAL = 90,
    }
    public enum halfbyte_codebook
    {
        HALFBYTE_CODEBOOK_FP4 = 1,
        HALFBYTE_CODEBOOK_NF4 = 2,
        HALFBYTE_CODEBOOK_DYNAMIC_SIGNED = 3,
        HALFBYTE_CODEBOOK_DYNAMIC_UNSIGNED = 4,
    }
    public unsafe partial struct halfbyte_weight_4bit
    {
        [StructLayout(LayoutKind.Sequential)]
        public partial struct __Internal
        {
            internal __IntPtr packed;
            internal __IntPtr absmax;
            internal __IntPtr nested_absmax;
            internal __IntPtr nested_codebook;
            internal __IntPtr nested_offset;
            internal __IntPtr codebook;
            internal long N;
            internal long K;
            internal long blocksize;
            internal long nested_blocksize;
            internal long quant_type;
            internal long device;
        }
    }
    public unsafe partial struct halfbyte_weight_int8
    {
        [StructLayout(LayoutKind.Sequential)]
        public partial struct __Internal
        {
            internal __IntPtr codes;
            internal __IntPtr absmax;
            internal long N;
            internal long K;
            internal long device;
        }
    }
    public unsafe partial struct halfbyte_output
    {
        [StructLayout(LayoutKind.Sequential)]
        public partial struct __Internal
        {
            internal __IntPtr y;
            internal long ldy;
            internal __IntPtr bias;
            internal long bias_dtype;
        }
    }
    public unsafe partial struct halfbyte_gradient
    {
        [StructLayout(LayoutKind.Sequential)]
        public partial struct __Internal
        {
            internal __IntPtr dy;
            internal long lddy;
        }
    }
    public unsafe partial class NativeMethods
    {
        public partial struct __Internal
        {
            [DllImport("halfbyte", EntryPoint = "halfbyte_last_error", CallingConvention = CallingConvention.Cdecl)]
            internal static extern int halfbyte_last_error(byte* text, long capacity, long* length);
            [DllImport("halfbyte", EntryPoint = "halfbyte_abi_version", CallingConvention = CallingConvention.Cdecl)]
            internal static extern int halfbyte_abi_version();
            [DllImport("halfbyte", EntryPoint = "halfbyte_version", CallingConvention = CallingConvention.Cdecl)]
            internal static extern int halfbyte_version(byte* text, long capacity, long* length);
            [DllImport("halfbyte", EntryPoint = "halfbyte_cuda_device_count", CallingConvention = CallingConvention.Cdecl)]
            internal static extern int halfbyte_cuda_device_count(int* count);
            [DllImport("halfbyte", EntryPoint = "halfbyte_device_name", CallingConvention = CallingConvention.Cdecl)]
            internal static extern int halfbyte_device_name(int device, byte* text, long capacity, long* length);
            [DllImport("halfbyte", EntryPoint = "halfbyte_device_memory", CallingConvention = CallingConvention.Cdecl)]
            internal static extern int halfbyte_device_memory(int device, long* free_bytes, long* total_bytes);
            [DllImport("halfbyte", EntryPoint = "halfbyte_cpu_best_path", CallingConvention = CallingConvention.Cdecl)]
            internal static extern int halfbyte_cpu_best_path(int* path);
            [DllImport("halfbyte", EntryPoint = "halfbyte_stream_create", CallingConvention = CallingConvention.Cdecl)]
            internal static extern int halfbyte_stream_create(int device, __IntPtr* stream);
            [DllImport("halfbyte", EntryPoint = "halfbyte_stream_create_cpu", CallingConvention = CallingConvention.Cdecl)]
            internal static extern int halfbyte_stream_create_cpu(int path, int threads, __IntPtr* stream);
            [DllImport("halfbyte", EntryPoint = "halfbyte_stream_wrap_cuda", CallingConvention = CallingConvention.Cdecl)]
            internal static extern int halfbyte_stream_wrap_cuda(int ordinal, __IntPtr cuda_stream, __IntPtr* stream);
            [DllImport("halfbyte", EntryPoint = "halfbyte_stream_synchronize", CallingConvention = CallingConvention.Cdecl)]
            internal static extern int halfbyte_stream_synchronize(__IntPtr stream);
            [DllImport("halfbyte", EntryPoint = "halfbyte_stream_destroy", CallingConvention = CallingConvention.Cdecl)]
            internal static extern int halfbyte_stream_destroy(__IntPtr stream);
            [DllImport("halfbyte", EntryPoint = "halfbyte_stream_describe", CallingConvention = CallingConvention.Cdecl)]
            internal static extern int halfbyte_stream_describe(__IntPtr stream, byte* text, long capacity, long* length);
            [DllImport("halfbyte", EntryPoint = "halfbyte_allocate", CallingConvention = CallingConvention.Cdecl)]
            internal static extern int halfbyte_allocate(__IntPtr stream, long bytes, __IntPtr* memory);
            [DllImport("halfbyte", EntryPoint = "halfbyte_free", CallingConvention = CallingConvention.Cdecl)]
            internal static extern int halfbyte_free(__IntPtr stream, __IntPtr memory);
            [DllImport("halfbyte", EntryPoint = "halfbyte_copy_from_host", CallingConvention = CallingConvention.Cdecl)]
            internal static extern int halfbyte_copy_from_host(__IntPtr stream, __IntPtr destination, __IntPtr source, long bytes);
            [DllImport("halfbyte", EntryPoint = "halfbyte_copy_to_host", CallingConvention = CallingConvention.Cdecl)]
            internal static extern int halfbyte_copy_to_host(__IntPtr stream, __IntPtr destination, __IntPtr source, long bytes);
            [DllImport("halfbyte", EntryPoint = "halfbyte_copy", CallingConvention = CallingConvention.Cdecl)]
            internal static extern int halfbyte_copy(__IntPtr stream, __IntPtr destination, __IntPtr source, long bytes);
            [DllImport("halfbyte", EntryPoint = "halfbyte_fill", CallingConvention = CallingConvention.Cdecl)]
            internal static extern int halfbyte_fill(__IntPtr stream, __IntPtr destination, int value, long bytes);
            [DllImport("halfbyte", EntryPoint = "halfbyte_codebook_values", CallingConvention = CallingConvention.Cdecl)]
            internal static extern int halfbyte_codebook_values(int codebook, float* values, long capacity);
            [DllImport("halfbyte", EntryPoint = "halfbyte_quantize_4bit", CallingConvention = CallingConvention.Cdecl)]
            internal static extern int halfbyte_quantize_4bit(__IntPtr stream, __IntPtr input, int dtype, long n, long blocksize, int quant_type, float* codebook, byte* packed, float* absmax);
            [DllImport("halfbyte", EntryPoint = "halfbyte_dequantize_4bit", CallingConvention = CallingConvention.Cdecl)]
            internal static extern int halfbyte_dequantize_4bit(__IntPtr stream, __IntPtr weight, __IntPtr output, int dtype);
            [DllImport("halfbyte", EntryPoint = "halfbyte_quantize_blockwise", CallingConvention = CallingConvention.Cdecl)]
            internal static extern int halfbyte_quantize_blockwise(__IntPtr stream, __IntPtr input, int dtype, long n, long blocksize, float* codebook, byte* codes, float* absmax);
            [DllImport("halfbyte", EntryPoint = "halfbyte_dequantize_blockwise", CallingConvention = CallingConvention.Cdecl)]
            internal static extern int halfbyte_dequantize_blockwise(__IntPtr stream, byte* codes, float* absmax, long n, long blocksize, float* codebook, __IntPtr output, int dtype);
            [DllImport("halfbyte", EntryPoint = "halfbyte_double_quantize", CallingConvention = CallingConvention.Cdecl)]
            internal static extern int halfbyte_double_quantize(__IntPtr stream, float* absmax, long count, byte* codes, float* nested_absmax, float* offset);
            [DllImport("halfbyte", EntryPoint = "halfbyte_double_dequantize", CallingConvention = CallingConvention.Cdecl)]
            internal static extern int halfbyte_double_dequantize(__IntPtr stream, byte* codes, float* nested_absmax, float* offset, float* codebook, long count, float* absmax);
            [DllImport("halfbyte", EntryPoint = "halfbyte_quantize_int8_rows", CallingConvention = CallingConvention.Cdecl)]
            internal static extern int halfbyte_quantize_int8_rows(__IntPtr stream, __IntPtr input, int dtype, long rows, long cols, long ldinput, float threshold, sbyte* codes, float* absmax, long* outlier_columns, long* outlier_count, __IntPtr workspace, long workspace_bytes);
            [DllImport("halfbyte", EntryPoint = "halfbyte_quantize_int8_rows_workspace", CallingConvention = CallingConvention.Cdecl)]
            internal static extern int halfbyte_quantize_int8_rows_workspace(__IntPtr stream, long rows, long cols, float threshold, long* bytes);
            [DllImport("halfbyte", EntryPoint = "halfbyte_dequantize_int8", CallingConvention = CallingConvention.Cdecl)]
            internal static extern int halfbyte_dequantize_int8(__IntPtr stream, __IntPtr weight, __IntPtr output, int dtype);
            [DllImport("halfbyte", EntryPoint = "halfbyte_matmul_4bit", CallingConvention = CallingConvention.Cdecl)]
            internal static extern int halfbyte_matmul_4bit(__IntPtr stream, long count, __IntPtr weights, __IntPtr x, int dtype, long M, long ldx, __IntPtr outputs, __IntPtr workspace, long workspace_bytes);
            [DllImport("halfbyte", EntryPoint = "halfbyte_matmul_4bit_workspace", CallingConvention = CallingConvention.Cdecl)]
            internal static extern int halfbyte_matmul_4bit_workspace(__IntPtr stream, long count, __IntPtr weights, int dtype, long M, long* bytes);
            [DllImport("halfbyte", EntryPoint = "halfbyte_matmul_4bit_transposed", CallingConvention = CallingConvention.Cdecl)]
            internal static extern int halfbyte_matmul_4bit_transposed(__IntPtr stream, long count, __IntPtr weights, __IntPtr gradients, int dtype, long M, __IntPtr dx, long lddx, __IntPtr workspace, long workspace_bytes);
            [DllImport("halfbyte", EntryPoint = "halfbyte_matmul_4bit_transposed_workspace", CallingConvention = CallingConvention.Cdecl)]
            internal static extern int halfbyte_matmul_4bit_transposed_workspace(__IntPtr stream, long count, __IntPtr weights, int dtype, long M, long* bytes);
            [DllImport("halfbyte", EntryPoint = "halfbyte_matmul_int8", CallingConvention = CallingConvention.Cdecl)]
            internal static extern int halfbyte_matmul_int8(__IntPtr stream, long count, __IntPtr weights, __IntPtr x, int dtype, long M, long ldx, float threshold, __IntPtr outputs, __IntPtr workspace, long workspace_bytes);
            [DllImport("halfbyte", EntryPoint = "halfbyte_matmul_int8_workspace", CallingConvention = CallingConvention.Cdecl)]
            internal static extern int halfbyte_matmul_int8_workspace(__IntPtr stream, long count, __IntPtr weights, int dtype, long M, float threshold, long* bytes);
            [DllImport("halfbyte", EntryPoint = "halfbyte_matmul_int8_transposed", CallingConvention = CallingConvention.Cdecl)]
            internal static extern int halfbyte_matmul_int8_transposed(__IntPtr stream, long count, __IntPtr weights, __IntPtr gradients, int dtype, long M, __IntPtr dx, long lddx, __IntPtr workspace, long workspace_bytes);
            [DllImport("halfbyte", EntryPoint = "halfbyte_matmul_int8_transposed_workspace", CallingConvention = CallingConvention.Cdecl)]
            internal static extern int halfbyte_matmul_int8_transposed_workspace(__IntPtr stream, long count, __IntPtr weights, int dtype, long M, long* bytes);
        }
    }
}
