namespace Halfbyte.Checkpoints;

/// <summary>Turns a checkpoint with bitsandbytes weights back into one of floating-point weights, tensor by tensor, in chunks.</summary>
public static class CheckpointDequantizer
{
    /// <summary>Dequantizes the checkpoint at <paramref name="input"/> into the directory <paramref name="output"/>.</summary>
    /// <param name="input">A directory with a checkpoint, a *.safetensors.index.json, or one *.safetensors file.</param>
    /// <param name="output">A directory, created if need be. It stays as it was on failure and cancellation.</param>
    /// <param name="options">What to do; null restores the type each weight had.</param>
    /// <param name="progress">Told after every chunk, on the working thread.</param>
    /// <param name="cancellationToken">Stops the work within a chunk.</param>
    /// <exception cref="CheckpointFormatException">The input is broken or holds no quantized weight.</exception>
    /// <exception cref="CheckpointOutputException">The output cannot be written.</exception>
    /// <exception cref="ArgumentException">An option is out of range.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public static ConversionReport Dequantize(
        string input,
        string output,
        DequantizeOptions? options = null,
        IProgress<CheckpointProgress>? progress = null,
        CancellationToken cancellationToken = default) => throw new NotImplementedException();

    /// <summary><see cref="Dequantize"/> on a thread of the pool.</summary>
    /// <inheritdoc cref="Dequantize"/>
    public static Task<ConversionReport> DequantizeAsync(
        string input,
        string output,
        DequantizeOptions? options = null,
        IProgress<CheckpointProgress>? progress = null,
        CancellationToken cancellationToken = default) =>
        Task.Run(() => Dequantize(input, output, options, progress, cancellationToken), cancellationToken);
}
