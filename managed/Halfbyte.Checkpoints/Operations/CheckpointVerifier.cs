namespace Halfbyte.Checkpoints;

/// <summary>Checks a checkpoint against every rule of its formats, and by default the numbers in it. Safe on hostile files.</summary>
public static class CheckpointVerifier
{
    /// <summary>
    /// Verifies the checkpoint at <paramref name="path"/>. Broken content becomes findings, not exceptions; a file whose structure is
    /// broken is one finding, because nothing after it can be trusted.
    /// </summary>
    /// <param name="path">A directory with a checkpoint, a *.safetensors.index.json, or one *.safetensors file.</param>
    /// <param name="options">What to check.</param>
    /// <param name="progress">Told after every chunk, on the working thread.</param>
    /// <param name="cancellationToken">Stops within a chunk.</param>
    public static VerificationReport Verify(
        string path,
        VerifyOptions? options = null,
        IProgress<CheckpointProgress>? progress = null,
        CancellationToken cancellationToken = default) => throw new NotImplementedException();

    /// <summary><see cref="Verify"/> on a thread of the pool.</summary>
    /// <inheritdoc cref="Verify"/>
    public static Task<VerificationReport> VerifyAsync(
        string path,
        VerifyOptions? options = null,
        IProgress<CheckpointProgress>? progress = null,
        CancellationToken cancellationToken = default) =>
        Task.Run(() => Verify(path, options, progress, cancellationToken), cancellationToken);
}
