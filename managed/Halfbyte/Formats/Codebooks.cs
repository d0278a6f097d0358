using Halfbyte.Bindings;

namespace Halfbyte;

/// <summary>The code tables, read once from the native library, which has the only copy.</summary>
internal static unsafe class Codebooks
{
    private static readonly Lazy<float[]> LazyFp4 = new(() => Read(halfbyte_codebook.HALFBYTE_CODEBOOK_FP4, 16));
    private static readonly Lazy<float[]> LazyNf4 = new(() => Read(halfbyte_codebook.HALFBYTE_CODEBOOK_NF4, 16));
    private static readonly Lazy<float[]> LazySigned = new(() => Read(halfbyte_codebook.HALFBYTE_CODEBOOK_DYNAMIC_SIGNED, 256));
    private static readonly Lazy<float[]> LazyUnsigned = new(() => Read(halfbyte_codebook.HALFBYTE_CODEBOOK_DYNAMIC_UNSIGNED, 256));

    public static float[] Fp4 => LazyFp4.Value;

    public static float[] Nf4 => LazyNf4.Value;

    public static float[] DynamicSigned => LazySigned.Value;

    public static float[] DynamicUnsigned => LazyUnsigned.Value;

    private static float[] Read(halfbyte_codebook codebook, int length)
    {
        float[] values = new float[length];
        fixed (float* table = values)
        {
            NativeStatus.Check(Native.halfbyte_codebook_values((int)codebook, table, length));
        }

        return values;
    }
}
