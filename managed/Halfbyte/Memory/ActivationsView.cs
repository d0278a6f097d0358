using System.Runtime.InteropServices;

namespace Halfbyte;

/// <summary>
/// A row-major matrix of activations on a device: rows, columns, and the distance between rows. It owns nothing; one made of a
/// <see cref="DeviceBuffer"/> keeps the buffer from being freed during a call.
/// </summary>
public readonly struct ActivationsView
{
    /// <summary>A matrix in an engine's own memory. The engine vouches for the pointer.</summary>
    /// <param name="pointer">The first element, aligned to its size; may be null if the matrix is empty.</param>
    /// <param name="dtype">The type of the elements.</param>
    /// <param name="rows">Number of rows.</param>
    /// <param name="columns">Elements per row.</param>
    /// <param name="leadingDimension">Elements between the starts of two rows; 0 for <paramref name="columns"/>.</param>
    public ActivationsView(nint pointer, DType dtype, long rows, long columns, long leadingDimension = 0)
    {
        Pointer = pointer;
        DType = dtype;
        Rows = rows;
        Columns = columns;
        LeadingDimension = leadingDimension == 0 ? columns : leadingDimension;
    }

    /// <summary>A matrix in a buffer.</summary>
    /// <param name="buffer">The memory.</param>
    /// <param name="dtype">The type of the elements.</param>
    /// <param name="rows">Number of rows.</param>
    /// <param name="columns">Elements per row.</param>
    /// <param name="leadingDimension">Elements between the starts of two rows; 0 for <paramref name="columns"/>.</param>
    /// <param name="byteOffset">Where in the buffer the first element is.</param>
    /// <exception cref="HalfbyteArgumentException">The matrix is not all within the buffer.</exception>
    public ActivationsView(DeviceBuffer buffer, DType dtype, long rows, long columns, long leadingDimension = 0, long byteOffset = 0)
        : this((buffer ?? throw new ArgumentNullException(nameof(buffer))).Pointer + (nint)byteOffset, dtype, rows, columns, leadingDimension)
    {
        Owner = buffer;
        Int128 elements = rows == 0 || columns == 0 ? 0 : ((Int128)(rows - 1) * LeadingDimension) + columns;
        Int128 end = (elements * dtype.SizeInBytes()) + byteOffset;
        if (rows < 0 || columns < 0 || LeadingDimension < columns || byteOffset < 0 || end > buffer.ByteLength)
        {
            throw Check.Size(
                $"a {dtype} matrix of {rows} rows and {columns} columns, rows {LeadingDimension} apart, from byte {byteOffset} on, " +
                $"is not in a buffer of {buffer.ByteLength} bytes.");
        }
    }

    /// <summary>The first element.</summary>
    public nint Pointer { get; }

    /// <summary>The type of the elements.</summary>
    public DType DType { get; }

    /// <summary>Number of rows.</summary>
    public long Rows { get; }

    /// <summary>Elements per row.</summary>
    public long Columns { get; }

    /// <summary>Elements between the starts of two rows.</summary>
    public long LeadingDimension { get; }

    internal DeviceBuffer? Owner { get; }

    /// <summary>
    /// What a call on <paramref name="stream"/> has to hold for this matrix: nothing if its memory is freed in that stream's order, since
    /// disposing it is then a use of the stream, which comes before or after the call.
    /// </summary>
    /// <exception cref="ObjectDisposedException">The buffer has been disposed.</exception>
    internal SafeHandle? ToHold(StreamHandle stream) => Owner?.SafeHandle is { } handle && !handle.IsFreedBy(stream) ? handle : null;

    /// <summary>For people: <c>BFloat16[16x4096]</c>.</summary>
    public override string ToString() => $"{DType}[{Rows}x{Columns}]";
}
