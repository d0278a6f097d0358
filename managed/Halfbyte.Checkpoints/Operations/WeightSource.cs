using System.Runtime.InteropServices;

namespace Halfbyte.Checkpoints;

/// <summary>A full-precision weight [N, K] to be read from front to back, in pieces, whatever its orientation in the file.</summary>
internal sealed class WeightSource
{
    private readonly CheckpointTensor _tensor;
    private readonly byte[]? _whole;
    private readonly int _size;

    /// <param name="tensor">The tensor, [N, K], or [K, N] if <paramref name="transposed"/>.</param>
    /// <param name="transposed">Whether it is stored the other way; then it is read whole.</param>
    public WeightSource(CheckpointTensor tensor, bool transposed)
    {
        _tensor = tensor;
        if (!tensor.Info.DType.TryToDType(out DType dtype))
        {
            throw new ArgumentException("The tensor must be floating point.", nameof(tensor));
        }

        DType = dtype;
        _size = dtype.SizeInBytes();
        long[] shape = tensor.Info.ShapeArray;
        Shape = transposed ? [shape[1], shape[0]] : shape;
        _whole = transposed ? tensor.File.ReadAll(tensor.Info) : null;
    }

    public DType DType { get; }

    public long[] Shape { get; }

    /// <summary>Fills <paramref name="destination"/> with elements from <paramref name="element"/> on.</summary>
    public void Read(long element, Span<byte> destination)
    {
        if (_whole is null)
        {
            _tensor.File.Read(_tensor.Info, element * _size, destination);
        }
        else if (_size == 2)
        {
            Transpose(MemoryMarshal.Cast<byte, ushort>(_whole), element, MemoryMarshal.Cast<byte, ushort>(destination));
        }
        else
        {
            Transpose(MemoryMarshal.Cast<byte, uint>(_whole), element, MemoryMarshal.Cast<byte, uint>(destination));
        }
    }

    private void Transpose<T>(ReadOnlySpan<T> whole, long element, Span<T> destination)
        where T : unmanaged
    {
        (long rows, long columns) = (Shape[0], Shape[1]);
        (long n, long k) = (element / columns, element % columns);
        for (int i = 0; i < destination.Length; i++)
        {
            destination[i] = whole[(int)((k * rows) + n)];
            if (++k == columns)
            {
                k = 0;
                n++;
            }
        }
    }
}
