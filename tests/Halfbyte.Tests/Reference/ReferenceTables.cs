namespace Halfbyte.Tests;

/// <summary>
/// The code tables as bit patterns and closed forms, typed in from the formats' definitions and not from the library.
/// </summary>
public static class ReferenceTables
{
    /// <summary>
    /// NF4, appendix E of "QLoRA: Efficient Finetuning of Quantized LLMs" (Dettmers et al., 2023): the decimal values there have 16 to 19
    /// digits and identify these float32 patterns.
    /// </summary>
    public static float[] Nf4 { get; } = FromBits(
        0xBF800000, 0xBF3239B1, 0xBF066B30, 0xBECA32A0, 0xBE91A24D, 0xBE3D353F, 0xBDBA7871, 0x00000000,
        0x3DA2FAFF, 0x3E24CAE3, 0x3E7C04DD, 0x3EAD033A, 0x3EE1A4B8, 0x3F1007AB, 0x3F3913B3, 0x3F800000);

    /// <summary>
    /// FP4: sign, two exponent bits, one mantissa bit, in twelfths of the maximum: 0, 1/16, 8, 12, 4, 6, 2, 3. The patterns are those of the
    /// quotients, correctly rounded.
    /// </summary>
    public static float[] Fp4 { get; } = FromBits(
        0x00000000, 0x3BAAAAAB, 0x3F2AAAAB, 0x3F800000, 0x3EAAAAAB, 0x3F000000, 0x3E2AAAAB, 0x3E800000,
        0x80000000, 0xBBAAAAAB, 0xBF2AAAAB, 0xBF800000, 0xBEAAAAAB, 0xBF000000, 0xBE2AAAAB, 0xBE800000);

    /// <summary>
    /// What |t| must exceed for each FP4 magnitude, from the largest. The decimals are the format's definition as its first
    /// implementation wrote them, digits missing included.
    /// </summary>
    public static (float Above, byte Magnitude)[] Fp4Thresholds { get; } =
    [
        (0.8333333f, 3), (0.583333f, 2), (0.4166667f, 5), (0.29166667f, 4), (0.20833333f, 7), (0.0859375f, 6), (0.00260417f, 1),
    ];

    /// <summary>
    /// The dynamic maps of "8-bit Optimizers via Block-wise Quantization" (Dettmers et al., 2022) in float64:
    /// 10^(i-6) * (0.1 + 0.9 * (j + 1/2) / count) for seven decades of count = 2^i (signed) or 2^(i+1) steps, and 0, and 1.
    /// </summary>
    public static double[] DynamicMap(bool signed)
    {
        var values = new List<double> { 0, 1 };
        for (int decade = 0; decade < 7; decade++)
        {
            int count = 1 << (signed ? decade : decade + 1);
            for (int j = 0; j < count; j++)
            {
                double value = Math.Pow(10, decade - 6) * (0.1 + (0.9 * (j + 0.5) / count));
                values.Add(value);
                if (signed)
                {
                    values.Add(-value);
                }
            }
        }

        values.Sort();
        return [.. values];
    }

    private static float[] FromBits(params uint[] bits) => Array.ConvertAll(bits, BitConverter.UInt32BitsToSingle);
}
