using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace Halfbyte;

/// <summary>Where memory is and work runs: the CPU, or one CUDA device. The default value is the CPU.</summary>
public readonly record struct Device
{
    private const int FirstCuda = 256;

    private Device(int nativeId) => NativeId = nativeId;

    /// <summary>The CPU and the memory of this process.</summary>
    public static Device Cpu => default;

    /// <summary>The number the C library knows the device by: 0 for the CPU, 256 + ordinal for CUDA.</summary>
    public int NativeId { get; }

    /// <summary>Whether this is the CPU.</summary>
    public bool IsCpu => NativeId == 0;

    /// <summary>Whether this is a CUDA device.</summary>
    public bool IsCuda => NativeId >= FirstCuda;

    /// <summary>The number of the CUDA device among its kind; 0 for the CPU.</summary>
    public int Ordinal => IsCuda ? NativeId - FirstCuda : 0;

    /// <summary>The CUDA device of that ordinal. Whether there is one, shows when a stream is created.</summary>
    /// <param name="ordinal">0 for the first device.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="ordinal"/> is negative.</exception>
    public static Device Cuda(int ordinal)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(ordinal);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(ordinal, int.MaxValue - FirstCuda);
        return new(FirstCuda + ordinal);
    }

    /// <summary>Reads <c>cpu</c>, <c>cuda</c> (the first) or <c>cuda:N</c>.</summary>
    /// <param name="text">The name.</param>
    /// <exception cref="FormatException">The name is none of these.</exception>
    public static Device Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return TryParse(text, out Device device)
            ? device
            : throw new FormatException($"'{text}' is not a device; use 'cpu', 'cuda' or 'cuda:N' with N = 0, 1, ...");
    }

    /// <summary>Reads <c>cpu</c>, <c>cuda</c> (the first) or <c>cuda:N</c>.</summary>
    /// <param name="text">The name; null is no name.</param>
    /// <param name="device">The device, if the name is one.</param>
    /// <returns>Whether the name is one.</returns>
    public static bool TryParse([NotNullWhen(true)] string? text, out Device device)
    {
        device = Cpu;
        if (text == "cpu")
        {
            return true;
        }

        int ordinal = 0;
        bool isCuda = text == "cuda"
            || (text is not null
                && text.StartsWith("cuda:", StringComparison.Ordinal)
                && int.TryParse(text.AsSpan(5), NumberStyles.None, CultureInfo.InvariantCulture, out ordinal)
                && ordinal <= int.MaxValue - FirstCuda);
        if (isCuda)
        {
            device = Cuda(ordinal);
        }

        return isCuda;
    }

    /// <summary>The name <see cref="Parse"/> reads: <c>cpu</c> or <c>cuda:N</c>.</summary>
    public override string ToString() => IsCuda ? string.Create(CultureInfo.InvariantCulture, $"cuda:{Ordinal}") : "cpu";

    internal static Device FromNativeId(long id) => new(checked((int)id));
}
