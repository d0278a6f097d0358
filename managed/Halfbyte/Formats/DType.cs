namespace Halfbyte;

/// <summary>The element types of activations, of weights before quantization and of results. The values are those of the C header.</summary>
public enum DType
{
    /// <summary>IEEE binary32, <see cref="float"/>.</summary>
    Float32 = 1,

    /// <summary>IEEE binary16, <see cref="System.Half"/>.</summary>
    Float16 = 2,

    /// <summary>The upper half of a binary32, <see cref="Halfbyte.BFloat16"/>.</summary>
    BFloat16 = 3,
}
