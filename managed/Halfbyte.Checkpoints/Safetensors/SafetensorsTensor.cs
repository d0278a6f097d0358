using System.Globalization;

namespace Halfbyte.Checkpoints;

/// <summary>One entry of a safetensors header.</summary>
public sealed class SafetensorsTensor
{
    internal SafetensorsTensor(string name, SafetensorsDType dtype, long[] shape, long elementCount, long dataOffset, long byteLength)
    {
        Name = name;
        DType = dtype;
        ShapeArray = shape;
        ElementCount = elementCount;
        DataOffset = dataOffset;
        ByteLength = byteLength;
    }

    /// <summary>The name, as the file spells it; escape it before printing (<see cref="SafeText.Escape"/>).</summary>
    public string Name { get; }

    /// <summary>The element type.</summary>
    public SafetensorsDType DType { get; }

    /// <summary>The dimensions; empty for a scalar.</summary>
    public IReadOnlyList<long> Shape => ShapeArray;

    /// <summary>The product of the dimensions.</summary>
    public long ElementCount { get; }

    /// <summary>Where the bytes start, counted from the end of the header.</summary>
    public long DataOffset { get; }

    /// <summary>How many bytes there are.</summary>
    public long ByteLength { get; }

    internal long[] ShapeArray { get; }

    /// <summary>Like <c>bfloat16 [4096, 11008]</c>.</summary>
    public override string ToString() => $"{DType.ToTorchName()} {ShapeText(ShapeArray)}";

    internal static string ShapeText(IReadOnlyList<long> shape) =>
        $"[{string.Join(", ", shape.Select(d => d.ToString(CultureInfo.InvariantCulture)))}]";
}
