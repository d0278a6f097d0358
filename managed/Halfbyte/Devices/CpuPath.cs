namespace Halfbyte;

/// <summary>Which instructions a CPU stream uses. All give the same codes; products agree within float32 summation order.</summary>
public enum CpuPath
{
    /// <summary>The best this processor has, or what <c>HALFBYTE_CPU_PATH</c> in the environment names.</summary>
    Auto = 0,

    /// <summary>Plain C++: the reference.</summary>
    Scalar = 1,

    /// <summary>AVX2, FMA, F16C.</summary>
    Avx2 = 2,

    /// <summary>AVX-512 F, BW, DQ, VL.</summary>
    Avx512 = 3,

    /// <summary>AVX-512 with BF16, VNNI and VBMI: Zen 4, Sapphire Rapids and later.</summary>
    Avx512Bf16 = 4,
}
