namespace Halfbyte.Checkpoints;

/// <summary>
/// Turns a full-precision checkpoint into one with bitsandbytes weights that Python's transformers loads. Works through it tensor by
/// tensor, each in chunks: memory use depends on <see cref="QuantizeOptions.ChunkBytes"/> and not on the model.
/// </summary>
public static class CheckpointQuantizer
{
    /// <summary>Quantizes the checkpoint at <paramref name="input"/> into the directory <paramref name="output"/>.</summary>
    /// <param name="input">A directory with a checkpoint, a *.safetensors.index.json, or one *.safetensors file.</param>
    /// <param name="output">A directory, created if need be. It stays as it was on failure and cancellation.</param>
    /// <param name="options">What to do; null for NF4 with blocks of 64.</param>
    /// <param name="progress">Told after every chunk, on the working thread.</param>
    /// <param name="cancellationToken">Stops the work within a chunk.</param>
    /// <exception cref="CheckpointFormatException">The input is broken, already quantized, or holds weights that cannot be quantized.</exception>
    /// <exception cref="CheckpointOutputException">The output cannot be written.</exception>
    /// <exception cref="ArgumentException">An option is out of range.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public static ConversionReport Quantize(
        string input,
        string output,
        QuantizeOptions? options = null,
        IProgress<CheckpointProgress>? progress = null,
        CancellationToken cancellationToken = default) => throw new NotImplementedException();

    /// <summary><see cref="Quantize"/> on a thread of the pool.</summary>
    /// <inheritdoc cref="Quantize"/>
    public static Task<ConversionReport> QuantizeAsync(
        string input,
        string output,
        QuantizeOptions? options = null,
        IProgress<CheckpointProgress>? progress = null,
        CancellationToken cancellationToken = default) =>
        Task.Run(() => Quantize(input, output, options, progress, cancellationToken), cancellationToken);
}
