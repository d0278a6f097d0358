namespace Halfbyte.Checkpoints;

/// <summary>Says what a checkpoint holds, from headers and quant_state blobs alone.</summary>
public static class CheckpointInspector
{
    /// <summary>Inspects the checkpoint at <paramref name="path"/>.</summary>
    /// <param name="path">A directory with a checkpoint, a *.safetensors.index.json, or one *.safetensors file.</param>
    /// <param name="options">How to read.</param>
    /// <param name="cancellationToken">Stops between tensors.</param>
    /// <exception cref="CheckpointFormatException">The checkpoint is broken.</exception>
    public static InspectionReport Inspect(
        string path, InspectOptions? options = null, CancellationToken cancellationToken = default) => throw new NotImplementedException();
}
