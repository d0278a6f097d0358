namespace Halfbyte;

/// <summary>How the 16 codes of a 4-bit format become 16 values. The values are those of the C header.</summary>
public enum QuantType
{
    /// <summary>Sign, two exponent bits, one mantissa bit, scaled to a maximum of 1.</summary>
    Fp4 = 1,

    /// <summary>4-bit NormalFloat: quantiles of a normal distribution. Dettmers et al., "QLoRA", 2023.</summary>
    Nf4 = 2,

    /// <summary>A table of 16 values of the caller's.</summary>
    Custom = 3,
}
