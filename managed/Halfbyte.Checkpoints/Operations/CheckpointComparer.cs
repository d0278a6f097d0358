namespace Halfbyte.Checkpoints;

/// <summary>Measures how far the weights of one checkpoint are from those of another, typically a quantized one from its original.</summary>
public static class CheckpointComparer
{
    /// <summary>Compares two checkpoints, weight by weight, in float64, in chunks.</summary>
    /// <param name="original">The reference: a directory, a *.safetensors.index.json, or one *.safetensors file.</param>
    /// <param name="other">What is measured against it.</param>
    /// <param name="options">How to compare.</param>
    /// <param name="progress">Told after every chunk, on the working thread.</param>
    /// <param name="cancellationToken">Stops within a chunk.</param>
    /// <exception cref="CheckpointFormatException">A checkpoint is broken, or a weight has different shapes in the two.</exception>
    public static ComparisonReport Compare(
        string original,
        string other,
        CompareOptions? options = null,
        IProgress<CheckpointProgress>? progress = null,
        CancellationToken cancellationToken = default) => throw new NotImplementedException();

    /// <summary><see cref="Compare"/> on a thread of the pool.</summary>
    /// <inheritdoc cref="Compare"/>
    public static Task<ComparisonReport> CompareAsync(
        string original,
        string other,
        CompareOptions? options = null,
        IProgress<CheckpointProgress>? progress = null,
        CancellationToken cancellationToken = default) =>
        Task.Run(() => Compare(original, other, options, progress, cancellationToken), cancellationToken);
}
