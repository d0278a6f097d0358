using System.Runtime.InteropServices;

namespace Halfbyte.Checkpoints;

/// <summary>Reads float32 statistics through once and refuses those that are not finite or negative.</summary>
internal static class StatisticsScan
{
    private const int ChunkFloats = 1 << 18;

    public static void Check(CheckpointTensor tensor, CancellationToken cancellationToken = default)
    {
        float[] chunk = new float[Math.Min(tensor.Info.ElementCount, ChunkFloats)];
        for (long done = 0; done < tensor.Info.ElementCount; done += chunk.Length)
        {
            cancellationToken.ThrowIfCancellationRequested();
            Span<float> part = chunk.AsSpan(0, (int)Math.Min(chunk.Length, tensor.Info.ElementCount - done));
            tensor.File.Read(tensor.Info, done * sizeof(float), MemoryMarshal.AsBytes(part));
            QuantizedWeightReader.CheckStatistics(part, tensor, done);
        }
    }
}
