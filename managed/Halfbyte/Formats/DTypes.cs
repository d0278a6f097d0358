using System.Diagnostics.CodeAnalysis;

namespace Halfbyte;

/// <summary>What is known about each <see cref="DType"/>: its size, its names, its CLR type.</summary>
public static class DTypes
{
    /// <summary>The data type whose elements are <typeparamref name="T"/>.</summary>
    /// <typeparam name="T"><see cref="float"/>, <see cref="Half"/> or <see cref="BFloat16"/>.</typeparam>
    /// <exception cref="HalfbyteArgumentException"><typeparamref name="T"/> is none of the three.</exception>
    public static DType Of<T>()
        where T : unmanaged
    {
        if (typeof(T) == typeof(float))
        {
            return DType.Float32;
        }

        if (typeof(T) == typeof(Half))
        {
            return DType.Float16;
        }

        return typeof(T) == typeof(BFloat16) ? DType.BFloat16 : throw NotAnElementType(typeof(T));
    }

    /// <summary>Bytes per element: 4 or 2.</summary>
    /// <param name="dtype">The data type.</param>
    /// <exception cref="HalfbyteArgumentException"><paramref name="dtype"/> is not a member of the enumeration.</exception>
    public static int SizeInBytes(this DType dtype) => dtype switch
    {
        DType.Float32 => 4,
        DType.Float16 or DType.BFloat16 => 2,
        _ => throw NotADType(dtype),
    };

    /// <summary>The name PyTorch and Hugging Face configurations use: <c>float32</c>, <c>float16</c>, <c>bfloat16</c>.</summary>
    /// <param name="dtype">The data type.</param>
    /// <exception cref="HalfbyteArgumentException"><paramref name="dtype"/> is not a member of the enumeration.</exception>
    public static string ToTorchName(this DType dtype) => dtype switch
    {
        DType.Float32 => "float32",
        DType.Float16 => "float16",
        DType.BFloat16 => "bfloat16",
        _ => throw NotADType(dtype),
    };

    /// <summary>Reads a name as <see cref="ToTorchName"/> writes it, with or without a leading <c>torch.</c>.</summary>
    /// <param name="name">The name; null is no name.</param>
    /// <param name="dtype">The data type, if the name is known.</param>
    /// <returns>Whether the name is known.</returns>
    public static bool TryParseTorchName([NotNullWhen(true)] string? name, out DType dtype)
    {
        ReadOnlySpan<char> text = name;
        if (text.StartsWith("torch."))
        {
            text = text["torch.".Length..];
        }

        dtype = text switch
        {
            "float32" => DType.Float32,
            "float16" => DType.Float16,
            "bfloat16" => DType.BFloat16,
            _ => 0,
        };
        return dtype != 0;
    }

    private static HalfbyteArgumentException NotAnElementType(Type type) => new(
        HalfbyteStatus.InvalidDType,
        $"'{type.Name}' is not an element type here; use float, Half or Halfbyte.BFloat16.");

    private static HalfbyteArgumentException NotADType(DType dtype) => new(
        HalfbyteStatus.InvalidDType,
        $"data type {(int)dtype} does not exist; use DType.Float32 (1), Float16 (2) or BFloat16 (3).");
}
