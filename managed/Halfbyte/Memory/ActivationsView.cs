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
        int size = dtype.SizeInBytes(); // the elements are compared and not their bytes, which may exceed Int128
        if (LeadingDimension < columns)
        {
            throw Check.Size($"the leading dimension is {leadingDimension}; rows of {columns} columns are at least {columns} apart.");
        }

        if (rows < 0 || columns < 0 || byteOffset < 0 || byteOffset > buffer.ByteLength || elements > (buffer.ByteLength - byteOffset) / size)
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

    /// <summary>Whether no constructor made it.</summary>
    internal bool IsDefault => DType == default && Rows == 0 && Columns == 0;

    /// <summary>What a call on <paramref name="stream"/> has to hold for this matrix; nothing for one of a pointer.</summary>
    /// <exception cref="ObjectDisposedException">The buffer has been disposed.</exception>
    /// <exception cref="HalfbyteArgumentException">The buffer is on another device than the stream.</exception>
    internal SafeHandle? ToHold(ComputeStream stream)
    {
        CheckDevice(stream);
        return Owner?.ToHold(stream);
    }

    /// <summary>A matrix of a buffer says where it is; for one of a pointer the engine vouches.</summary>
    /// <exception cref="HalfbyteArgumentException">The buffer is on another device than the stream.</exception>
    internal void CheckDevice(ComputeStream stream)
    {
        if (Owner is not null && Owner.Device != stream.Device)
        {
            Check.SameDevice(stream, Owner, ToString()); // says so; its text is made only now, for a call must not allocate
        }
    }

    /// <summary>For people: <c>BFloat16[16x4096]</c>.</summary>
    public override string ToString() => IsDefault ? "a default view (no matrix)" : $"{DType}[{Rows}x{Columns}]";
}
