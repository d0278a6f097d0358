using System.Runtime.InteropServices;

namespace Halfbyte;

/// <summary>
/// Indices on a device, such as token ids, one after another. It owns nothing; one made of a <see cref="DeviceBuffer"/> keeps the buffer
/// from being freed during a call.
/// </summary>
public readonly struct IndicesView
{
    /// <summary>Indices in an engine's own memory. The engine vouches for the pointer.</summary>
    /// <param name="pointer">The first index, aligned to its size; may be null if there are none.</param>
    /// <param name="indexType">Their type.</param>
    /// <param name="count">How many there are.</param>
    /// <exception cref="HalfbyteArgumentException">The type does not exist.</exception>
    public IndicesView(nint pointer, IndexType indexType, long count)
    {
        _ = SizeInBytes(indexType);
        Pointer = pointer;
        IndexType = indexType;
        Count = count;
    }

    /// <summary>Indices in a buffer.</summary>
    /// <param name="buffer">The memory.</param>
    /// <param name="indexType">Their type.</param>
    /// <param name="count">How many there are.</param>
    /// <param name="byteOffset">Where in the buffer the first one is.</param>
    /// <exception cref="HalfbyteArgumentException">They are not all within the buffer, or the type does not exist.</exception>
    public IndicesView(DeviceBuffer buffer, IndexType indexType, long count, long byteOffset = 0)
        : this((buffer ?? throw new ArgumentNullException(nameof(buffer))).Pointer + (nint)byteOffset, indexType, count)
    {
        Owner = buffer;
        if (count < 0 || byteOffset < 0 || ((Int128)count * SizeInBytes(indexType)) + byteOffset > buffer.ByteLength)
        {
            throw Check.Size($"{count} indices of {indexType}, from byte {byteOffset} on, are not in a buffer of {buffer.ByteLength} bytes.");
        }
    }

    /// <summary>The first index.</summary>
    public nint Pointer { get; }

    /// <summary>The type of the indices.</summary>
    public IndexType IndexType { get; }

    /// <summary>How many there are.</summary>
    public long Count { get; }

    internal DeviceBuffer? Owner { get; }

    /// <summary>For people: <c>Int64[16]</c>.</summary>
    public override string ToString() => IndexType == default ? "a default view (no indices)" : $"{IndexType}[{Count}]";

    /// <summary>What a call on <paramref name="stream"/> has to hold for these indices; nothing for those of a pointer.</summary>
    /// <exception cref="ObjectDisposedException">The buffer has been disposed.</exception>
    /// <exception cref="HalfbyteArgumentException">The buffer is on another device than the stream.</exception>
    internal SafeHandle? ToHold(ComputeStream stream)
    {
        if (Owner is null)
        {
            return null;
        }

        Check.SameDevice(stream, Owner, "indices");
        return Owner.ToHold(stream);
    }

    private static int SizeInBytes(IndexType indexType) => indexType switch
    {
        IndexType.Int32 => sizeof(int),
        IndexType.Int64 => sizeof(long),
        _ => throw new HalfbyteArgumentException(
            HalfbyteStatus.InvalidDType, $"index type {(int)indexType} does not exist; use IndexType.Int32 (1) or Int64 (2)."),
    };
}
