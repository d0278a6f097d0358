namespace Halfbyte;

/// <summary>
/// 4-bit tensors: quantize, dequantize, multiply. Codes and values are those of bitsandbytes, bit for bit.
/// Dettmers et al., "QLoRA: Efficient Finetuning of Quantized LLMs", 2023.
/// </summary>
public static partial class FourBit
{
    /// <summary>The 16 values of NF4, ascending.</summary>
    public static ReadOnlySpan<float> Nf4Values => Codebooks.Nf4;

    /// <summary>The 16 values of FP4 in the order of the codes: sign in bit 3, not sorted by value.</summary>
    public static ReadOnlySpan<float> Fp4Values => Codebooks.Fp4;

    /// <summary>Number of statistics: <c>ceil(elements / blockSize)</c>.</summary>
    /// <param name="elements">Elements of the tensor.</param>
    /// <param name="blockSize">Elements per statistic.</param>
    public static long BlockCount(long elements, int blockSize) => (elements / blockSize) + (elements % blockSize == 0 ? 0 : 1);

    /// <summary>Bytes of the packed codes: <c>ceil(elements / 2)</c>.</summary>
    /// <param name="elements">Elements of the tensor.</param>
    public static long PackedLength(long elements) => (elements / 2) + (elements % 2);
}
