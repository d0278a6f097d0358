namespace Halfbyte.Checkpoints;

/// <summary>How far an operation is, reported a few times per second at most per chunk of work.</summary>
/// <param name="BytesDone">Bytes of input worked through.</param>
/// <param name="BytesTotal">Bytes of input in all.</param>
/// <param name="TensorName">The tensor being worked on, as the file spells it.</param>
/// <param name="TensorsDone">Tensors finished.</param>
/// <param name="TensorsTotal">Tensors in all.</param>
public readonly record struct CheckpointProgress(long BytesDone, long BytesTotal, string TensorName, int TensorsDone, int TensorsTotal);
