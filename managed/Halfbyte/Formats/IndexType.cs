namespace Halfbyte;

/// <summary>The types of indices, such as token ids. The values are those of the C header.</summary>
public enum IndexType
{
    /// <summary>Four bytes, <see cref="int"/>.</summary>
    Int32 = 1,

    /// <summary>Eight bytes, <see cref="long"/>, as PyTorch has them.</summary>
    Int64 = 2,
}
