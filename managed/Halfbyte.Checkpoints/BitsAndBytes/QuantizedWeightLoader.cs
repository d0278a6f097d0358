namespace Halfbyte.Checkpoints;

/// <summary>Moves quantized weights from files to devices, whole.</summary>
internal static class QuantizedWeightLoader
{
    private const int ChunkBytes = 16 << 20;

    public static QuantizedTensor Load(CheckpointReader reader, QuantizedWeight weight, ComputeStream stream)
    {
        List<DeviceBuffer> owned = [];
        try
        {
            return weight.Scheme == WeightScheme.Int8 ? LoadInt8(reader, weight, stream, owned) : LoadFourBit(reader, weight, stream, owned);
        }
        catch
        {
            owned.ForEach(b => b.Dispose());
            throw;
        }
    }

    public static DeviceBuffer LoadTensor(CheckpointTensor tensor, ComputeStream stream)
    {
        DeviceBuffer buffer = stream.Allocate(tensor.Info.ByteLength);
        try
        {
            byte[] chunk = new byte[Math.Min(tensor.Info.ByteLength, ChunkBytes)];
            for (long done = 0; done < tensor.Info.ByteLength; done += chunk.Length)
            {
                Span<byte> part = chunk.AsSpan(0, (int)Math.Min(chunk.Length, tensor.Info.ByteLength - done));
                tensor.File.Read(tensor.Info, done, part);
                stream.Upload<byte>(part, buffer, done);
            }

            return buffer;
        }
        catch
        {
            buffer.Dispose();
            throw;
        }
    }

    private static FourBitTensor LoadFourBit(CheckpointReader reader, QuantizedWeight weight, ComputeStream stream, List<DeviceBuffer> owned)
    {
        QuantState state = reader.ReadQuantState(weight);
        QuantizedWeightReader.CheckQuantMap(weight);
        StatisticsScan.Check(state.IsDoubleQuantized ? weight.NestedAbsmax! : weight.Absmax!);
        FourBitParts parts = new()
        {
            QuantType = weight.Scheme == WeightScheme.Nf4 ? QuantType.Nf4 : QuantType.Fp4,
            BlockSize = state.BlockSize,
            Packed = Own(LoadTensor(weight.Weight, stream)),
            Absmax = Own(LoadTensor(weight.Absmax!, stream)),
            NestedAbsmax = state.IsDoubleQuantized ? Own(LoadTensor(weight.NestedAbsmax!, stream)) : null,
            NestedCodebook = state.IsDoubleQuantized ? Own(stream.Upload<float>(QuantizedWeightReader.ReadNestedQuantMap(weight))) : null,
            NestedOffset = state.NestedOffset is { } offset ? Own(stream.Upload<float>([offset])) : null,
        };
        return FourBitTensor.FromBuffers(parts, [.. state.Shape], state.DType);

        DeviceBuffer Own(DeviceBuffer buffer)
        {
            owned.Add(buffer);
            return buffer;
        }
    }

    private static Int8Tensor LoadInt8(CheckpointReader reader, QuantizedWeight weight, ComputeStream stream, List<DeviceBuffer> owned)
    {
        QuantizedWeightReader.CheckWeightFormat(weight);
        StatisticsScan.Check(weight.Scb!);
        owned.Add(LoadTensor(weight.Weight, stream));
        owned.Add(LoadTensor(weight.Scb!, stream));
        DType dtype = DTypes.TryParseTorchName(reader.Config?.TorchDType, out DType configured) ? configured : DType.Float16;
        return Int8Tensor.FromBuffers(owned[0], owned[1], weight.Weight.Info.ShapeArray, dtype);
    }
}
