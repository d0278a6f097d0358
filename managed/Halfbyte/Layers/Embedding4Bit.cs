using System.Diagnostics;
using System.Numerics;

namespace Halfbyte;

/// <summary>
/// An embedding with a 4-bit weight, prepared for a hot loop: <c>output[m, k] = W[indices[m], k]</c>. Only the rows that are asked for are
/// decoded, to the values that <see cref="FourBit.Dequantize{T}(ComputeStream, FourBitTensor, Span{T})"/> gives. A call is one call of the
/// native library; it allocates nothing and takes no lock.
/// </summary>
/// <remarks>The layer owns its weight and is immutable, so any number of threads may call it, each with a stream of its own.</remarks>
[DebuggerDisplay("{ToString(),nq}")]
public sealed unsafe class Embedding4Bit : IDisposable
{
    private readonly FourBitWeight _descriptor;
    private readonly bool _ownsWeight;
    private readonly HandleSet _leasedHandles;

    /// <summary>Makes a layer that owns its weight.</summary>
    /// <param name="weight">[N, K]: a row per embedding.</param>
    public Embedding4Bit(FourBitTensor weight)
        : this(weight, ownsWeight: true)
    {
    }

    internal Embedding4Bit(FourBitTensor weight, bool ownsWeight)
    {
        ArgumentNullException.ThrowIfNull(weight);
        Weight = weight;
        _ownsWeight = ownsWeight;
        _descriptor = weight.Descriptor;
        _leasedHandles = weight.Hold(null);
    }

    /// <summary>The weight.</summary>
    public FourBitTensor Weight { get; }

    /// <summary>The name messages use; that of the weight.</summary>
    public string? Name => Weight.Name;

    /// <summary>N: how many embeddings there are.</summary>
    public long Rows => Weight.Rows;

    /// <summary>K: elements of each.</summary>
    public long Columns => Weight.Columns;

    /// <summary>The device of the weight.</summary>
    public Device Device => Weight.Device;

    /// <summary>What a call has to keep from being freed.</summary>
    /// <exception cref="ObjectDisposedException">The layer has been disposed.</exception>
    internal HandleSet Held
    {
        get
        {
            ObjectDisposedException.ThrowIf(_leasedHandles.IsClosed, this);
            return _leasedHandles;
        }
    }

    /// <summary><c>output[m, k] = W[indices[m], k]</c>, enqueued on <paramref name="stream"/>.</summary>
    /// <param name="stream">A stream of the layer's device.</param>
    /// <param name="indices">M of them, each from 0 to N - 1.</param>
    /// <param name="output">[M, K], of any type; must not overlap the indices.</param>
    /// <exception cref="HalfbyteArgumentException">Shapes or devices do not fit together, or, on the CPU, an index is no row; the message names
    /// it. On another device, where indices are not read before the work runs, the row of such an index is NaN.</exception>
    /// <exception cref="ObjectDisposedException">The layer, the stream or a buffer has been disposed.</exception>
    public void Forward(ComputeStream stream, in IndicesView indices, in ActivationsView output)
    {
        ArgumentNullException.ThrowIfNull(stream);
        if (output.Rows != indices.Count || output.Columns != Columns)
        {
            throw Check.Size(
                $"{Weight.Label} is {Weight}; indices are {indices} and output is {output}; " +
                $"output must have {Columns} columns, and a row per index.");
        }

        using var lease = new Lease(Held, indices.ToHold(stream), output.ToHold(stream));
        FourBitWeight weight = _descriptor;
        NativeStatus.Check(Native.halfbyte_lookup_4bit(
            stream.SafeHandle.Pointer,
            (nint)(&weight),
            indices.Pointer,
            (int)indices.IndexType,
            indices.Count,
            output.Pointer,
            (int)output.DType,
            output.LeadingDimension));
        GC.KeepAlive(stream);
    }

    /// <summary><c>output[m, k] = W[indices[m], k]</c> on host memory. On a CPU stream the spans are used where they are.</summary>
    /// <typeparam name="T"><see cref="float"/>, <see cref="Half"/> or <see cref="BFloat16"/>.</typeparam>
    /// <param name="stream">A stream of the layer's device.</param>
    /// <param name="indices">M of them, each from 0 to N - 1.</param>
    /// <param name="output">[M, K], row-major, written.</param>
    /// <exception cref="HalfbyteArgumentException">The output has not M * K elements, an index is no row, or the device is another.</exception>
    public void Forward<T>(ComputeStream stream, ReadOnlySpan<int> indices, Span<T> output)
        where T : unmanaged => Forward(stream, indices, IndexType.Int32, output);

    /// <inheritdoc cref="Forward{T}(ComputeStream, ReadOnlySpan{int}, Span{T})"/>
    public void Forward<T>(ComputeStream stream, ReadOnlySpan<long> indices, Span<T> output)
        where T : unmanaged => Forward(stream, indices, IndexType.Int64, output);

    /// <summary>For people: the weight.</summary>
    public override string ToString() => $"{Name ?? nameof(Embedding4Bit)} {Weight}";

    /// <summary>Frees the weight once no call uses it.</summary>
    public void Dispose()
    {
        _leasedHandles.Dispose();
        if (_ownsWeight)
        {
            Weight.Dispose();
        }
    }

    private void Forward<TIndex, T>(ComputeStream stream, ReadOnlySpan<TIndex> indices, IndexType indexType, Span<T> output)
        where TIndex : unmanaged, IBinaryInteger<TIndex>
        where T : unmanaged
    {
        ArgumentNullException.ThrowIfNull(stream);
        DType dtype = DTypes.Of<T>();
        Check.SpanLength(output.Length, indices.Length * Columns, nameof(output));
        CheckRows(stream, indices);
        fixed (TIndex* hostIndices = indices)
        fixed (T* hostOutput = output)
        {
            using var deviceIndices = HostMemory.Input(stream, hostIndices, (long)indices.Length * sizeof(TIndex));
            using var deviceOutput = HostMemory.Output(stream, hostOutput, (long)output.Length * sizeof(T));
            Forward(
                stream,
                new IndicesView(deviceIndices.Pointer, indexType, indices.Length),
                new ActivationsView(deviceOutput.Pointer, dtype, indices.Length, Columns));
            deviceOutput.Fetch();
        }
    }

    /// <summary>Here indices are in host memory whatever the device, so a wrong one is an error on all; the C library says so on the CPU.</summary>
    private void CheckRows<TIndex>(ComputeStream stream, ReadOnlySpan<TIndex> indices)
        where TIndex : unmanaged, IBinaryInteger<TIndex>
    {
        for (int m = 0; !stream.Device.IsCpu && m < indices.Length; m++)
        {
            long row = long.CreateTruncating(indices[m]);
            if (row < 0 || row >= Rows)
            {
                throw new HalfbyteArgumentException(
                    HalfbyteStatus.InvalidValue, $"indices[{m}] is {row}; expected 0 or more and less than weight.N, {Rows}.");
            }
        }
    }
}
