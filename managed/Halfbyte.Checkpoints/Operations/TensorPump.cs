using System.Buffers;

namespace Halfbyte.Checkpoints;

/// <summary>Progress and pass-through, shared by the operations that rewrite a checkpoint.</summary>
internal sealed class TensorPump(
    long totalBytes, int totalTensors, int chunkBytes, IProgress<CheckpointProgress>? progress, CancellationToken cancellationToken)
{
    private long _done;
    private int _tensors;

    public CancellationToken CancellationToken => cancellationToken;

    /// <summary>Counts bytes of input as worked through.</summary>
    public void Advance(string name, long bytes)
    {
        cancellationToken.ThrowIfCancellationRequested();
        _done += bytes;
        progress?.Report(new CheckpointProgress(_done, totalBytes, name, _tensors, totalTensors));
    }

    /// <summary>Counts tensors as finished.</summary>
    public void Finish(int tensors) => _tensors += tensors;

    /// <summary>Copies a tensor as it is.</summary>
    public void Copy(CheckpointTensor tensor, SafetensorsWriter writer)
    {
        byte[] chunk = ArrayPool<byte>.Shared.Rent((int)Math.Clamp(tensor.Info.ByteLength, 1, chunkBytes));
        try
        {
            for (long done = 0; done < tensor.Info.ByteLength;)
            {
                Span<byte> part = chunk.AsSpan(0, (int)Math.Min(chunk.Length, tensor.Info.ByteLength - done));
                tensor.File.Read(tensor.Info, done, part);
                writer.Write(tensor.Name, done, part);
                done += part.Length;
                Advance(tensor.Name, part.Length);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(chunk);
        }
    }

    public static SafetensorsEntry Entry(CheckpointTensor tensor) => new(tensor.Name, tensor.Info.DType, tensor.Info.Shape);
}
