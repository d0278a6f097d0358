using System.Diagnostics.CodeAnalysis;

namespace Halfbyte.Checkpoints;

/// <summary>The element types of the safetensors format, under the names its headers use.</summary>
[SuppressMessage("Naming", "CA1707:Identifiers should not contain underscores", Justification = "These are the format's own names.")]
[SuppressMessage("Naming", "CA1720:Identifier contains type name", Justification = "These are the format's own names.")]
public enum SafetensorsDType
{
    /// <summary>Boolean, one byte.</summary>
    BOOL = 1,

    /// <summary>4-bit float of the OCP microscaling formats.</summary>
    F4,

    /// <summary>6-bit float, 2 exponent and 3 mantissa bits.</summary>
    F6_E2M3,

    /// <summary>6-bit float, 3 exponent and 2 mantissa bits.</summary>
    F6_E3M2,

    /// <summary>Unsigned byte.</summary>
    U8,

    /// <summary>Signed byte.</summary>
    I8,

    /// <summary>8-bit float, 5 exponent and 2 mantissa bits.</summary>
    F8_E5M2,

    /// <summary>8-bit float, 4 exponent and 3 mantissa bits.</summary>
    F8_E4M3,

    /// <summary>8-bit exponent.</summary>
    F8_E8M0,

    /// <summary>8-bit float, 4 exponent and 3 mantissa bits, without infinity and negative zero.</summary>
    F8_E4M3FNUZ,

    /// <summary>8-bit float, 5 exponent and 2 mantissa bits, without infinity and negative zero.</summary>
    F8_E5M2FNUZ,

    /// <summary>Signed 16-bit integer.</summary>
    I16,

    /// <summary>Unsigned 16-bit integer.</summary>
    U16,

    /// <summary>IEEE half precision.</summary>
    F16,

    /// <summary>The upper half of IEEE single precision.</summary>
    BF16,

    /// <summary>Signed 32-bit integer.</summary>
    I32,

    /// <summary>Unsigned 32-bit integer.</summary>
    U32,

    /// <summary>IEEE single precision.</summary>
    F32,

    /// <summary>Complex number of two singles.</summary>
    C64,

    /// <summary>IEEE double precision.</summary>
    F64,

    /// <summary>Signed 64-bit integer.</summary>
    I64,

    /// <summary>Unsigned 64-bit integer.</summary>
    U64,
}

/// <summary>Facts about <see cref="SafetensorsDType"/>.</summary>
public static class SafetensorsDTypes
{
    private static readonly Dictionary<string, SafetensorsDType> ByName =
        Enum.GetValues<SafetensorsDType>().ToDictionary(d => d.ToString(), StringComparer.Ordinal);

    private static readonly Dictionary<string, SafetensorsDType>.AlternateLookup<ReadOnlySpan<char>> BySpan =
        ByName.GetAlternateLookup<ReadOnlySpan<char>>();

    /// <summary>Bits per element.</summary>
    public static int Bits(this SafetensorsDType dtype) => dtype switch
    {
        SafetensorsDType.F4 => 4,
        SafetensorsDType.F6_E2M3 or SafetensorsDType.F6_E3M2 => 6,
        SafetensorsDType.I16 or SafetensorsDType.U16 or SafetensorsDType.F16 or SafetensorsDType.BF16 => 16,
        SafetensorsDType.I32 or SafetensorsDType.U32 or SafetensorsDType.F32 => 32,
        SafetensorsDType.C64 or SafetensorsDType.F64 or SafetensorsDType.I64 or SafetensorsDType.U64 => 64,
        _ => 8,
    };

    /// <summary>The name PyTorch gives the type, which is also the one Hugging Face configurations use; lower case of ours if it has none.</summary>
    public static string ToTorchName(this SafetensorsDType dtype) => dtype switch
    {
        SafetensorsDType.BOOL => "bool",
        SafetensorsDType.U8 => "uint8",
        SafetensorsDType.I8 => "int8",
        SafetensorsDType.F8_E5M2 => "float8_e5m2",
        SafetensorsDType.F8_E4M3 => "float8_e4m3fn",
        SafetensorsDType.F8_E8M0 => "float8_e8m0fnu",
        SafetensorsDType.F8_E4M3FNUZ => "float8_e4m3fnuz",
        SafetensorsDType.F8_E5M2FNUZ => "float8_e5m2fnuz",
        SafetensorsDType.I16 => "int16",
        SafetensorsDType.U16 => "uint16",
        SafetensorsDType.F16 => "float16",
        SafetensorsDType.BF16 => "bfloat16",
        SafetensorsDType.I32 => "int32",
        SafetensorsDType.U32 => "uint32",
        SafetensorsDType.F32 => "float32",
        SafetensorsDType.C64 => "complex64",
        SafetensorsDType.F64 => "float64",
        SafetensorsDType.I64 => "int64",
        SafetensorsDType.U64 => "uint64",
        _ => dtype.ToString().ToLowerInvariant(),
    };

    /// <summary>The type arithmetic understands, if it is one of the three.</summary>
    public static bool TryToDType(this SafetensorsDType dtype, out DType result)
    {
        result = dtype switch
        {
            SafetensorsDType.F32 => DType.Float32,
            SafetensorsDType.F16 => DType.Float16,
            SafetensorsDType.BF16 => DType.BFloat16,
            _ => 0,
        };
        return result != 0;
    }

    /// <summary>The file type of an arithmetic type.</summary>
    public static SafetensorsDType ToSafetensors(this DType dtype) => dtype switch
    {
        DType.Float32 => SafetensorsDType.F32,
        DType.Float16 => SafetensorsDType.F16,
        DType.BFloat16 => SafetensorsDType.BF16,
        _ => throw new ArgumentOutOfRangeException(nameof(dtype), dtype, "Expected Float32, Float16 or BFloat16."),
    };

    /// <summary>Finds the type a header names; names are case-sensitive.</summary>
    public static bool TryParse(ReadOnlySpan<char> name, out SafetensorsDType dtype) => BySpan.TryGetValue(name, out dtype);

    /// <summary>
    /// Bytes of a dense tensor, or false if a dimension is negative, the number of bits exceeds 63 bits, or is no multiple of 8.
    /// </summary>
    public static bool TryByteLength(this SafetensorsDType dtype, ReadOnlySpan<long> shape, out long elements, out long bytes)
    {
        bytes = 0;
        elements = 1;
        foreach (var dimension in shape)
        {
            if (dimension < 0)
            {
                return false;
            }

            var product = (UInt128)(ulong)elements * (ulong)dimension;
            if (product > long.MaxValue)
            {
                return false;
            }

            elements = (long)product;
        }

        var bits = (UInt128)(ulong)elements * (uint)dtype.Bits();
        if (bits > long.MaxValue || ((ulong)bits & 7) != 0)
        {
            return false;
        }

        bytes = (long)((ulong)bits >> 3);
        return true;
    }
}
