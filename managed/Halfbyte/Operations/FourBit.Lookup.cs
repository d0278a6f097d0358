namespace Halfbyte;

public static partial class FourBit
{
    /// <summary>
    /// <c>output[m, k] = W[indices[m], k]</c>: reads rows and decodes only those, each value rounded once to the type of the output.
    /// In a loop use <see cref="Embedding4Bit"/>, which prepares the call once.
    /// </summary>
    /// <remarks>On a CUDA device nobody waits to look at the indices: of one that is no row, the row of the output is NaN. On the CPU it is
    /// refused.</remarks>
    /// <param name="stream">A stream of the tensor's device.</param>
    /// <param name="weight">W [N, K].</param>
    /// <param name="indices">M of them, each from 0 to N - 1.</param>
    /// <param name="output">[M, K].</param>
    /// <exception cref="HalfbyteArgumentException">Shapes or devices do not fit together, or, on the CPU, an index is no row; the message names
    /// it.</exception>
    public static void Lookup(ComputeStream stream, FourBitTensor weight, in IndicesView indices, in ActivationsView output)
    {
        using var layer = new Embedding4Bit(weight, ownsWeight: false);
        layer.Forward(stream, indices, output);
    }

    /// <summary><c>output[m, k] = W[indices[m], k]</c> on host memory.</summary>
    /// <typeparam name="T"><see cref="float"/>, <see cref="Half"/> or <see cref="BFloat16"/>.</typeparam>
    /// <param name="stream">A stream of the tensor's device.</param>
    /// <param name="weight">W [N, K].</param>
    /// <param name="indices">M of them, each from 0 to N - 1.</param>
    /// <param name="output">[M, K], row-major, written.</param>
    /// <exception cref="HalfbyteArgumentException">The output has not M * K elements, an index is no row, or the device is another.</exception>
    public static void Lookup<T>(ComputeStream stream, FourBitTensor weight, ReadOnlySpan<int> indices, Span<T> output)
        where T : unmanaged
    {
        using var layer = new Embedding4Bit(weight, ownsWeight: false);
        layer.Forward(stream, indices, output);
    }

    /// <inheritdoc cref="Lookup{T}(ComputeStream, FourBitTensor, ReadOnlySpan{int}, Span{T})"/>
    public static void Lookup<T>(ComputeStream stream, FourBitTensor weight, ReadOnlySpan<long> indices, Span<T> output)
        where T : unmanaged
    {
        using var layer = new Embedding4Bit(weight, ownsWeight: false);
        layer.Forward(stream, indices, output);
    }
}
