using System.Runtime.InteropServices;

namespace Halfbyte.Checkpoints;

/// <summary>A quantized tensor in memory as the tensors of a file.</summary>
internal static class QuantizedTensorParts
{
    private const int ChunkBytes = 16 << 20;

    public static WeightScheme Scheme(QuantizedTensor tensor) => tensor switch
    {
        FourBitTensor { QuantType: QuantType.Nf4 } => WeightScheme.Nf4,
        FourBitTensor => WeightScheme.Fp4,
        _ => WeightScheme.Int8,
    };

    /// <summary>The names it takes.</summary>
    public static IEnumerable<string> Names(string name, QuantizedTensor tensor)
    {
        if (tensor is Int8Tensor)
        {
            string module = BitsAndBytesKeys.ModuleOf(name)!;
            return [name, $"{module}.{BitsAndBytesKeys.Scb}", $"{module}.{BitsAndBytesKeys.WeightFormat}"];
        }

        return
        [
            name,
            name + BitsAndBytesKeys.Absmax,
            name + BitsAndBytesKeys.QuantMap,
            name + BitsAndBytesKeys.NestedAbsmax,
            name + BitsAndBytesKeys.NestedQuantMap,
            BitsAndBytesKeys.QuantStateKey(name, Scheme(tensor)),
        ];
    }

    /// <summary>The entries, and what writes them.</summary>
    public static (SafetensorsEntry[] Entries, Action<SafetensorsWriter> Write) Plan(string name, QuantizedTensor tensor, ComputeStream stream) =>
        tensor is FourBitTensor fourBit ? PlanFourBit(name, fourBit, stream) : PlanInt8(name, (Int8Tensor)tensor, stream);

    private static (SafetensorsEntry[] Entries, Action<SafetensorsWriter> Write) PlanInt8(string name, Int8Tensor tensor, ComputeStream stream)
    {
        string module = BitsAndBytesKeys.ModuleOf(name)!;
        string scb = $"{module}.{BitsAndBytesKeys.Scb}";
        string format = $"{module}.{BitsAndBytesKeys.WeightFormat}";
        return (
            [
                new(name, SafetensorsDType.I8, [tensor.Rows, tensor.Columns]),
                new(scb, SafetensorsDType.F32, [tensor.Rows]),
                new(format, SafetensorsDType.U8, []),
            ],
            writer =>
            {
                Write(writer, name, tensor.Codes, stream);
                Write(writer, scb, tensor.Absmax, stream);
                writer.Write(format, 0, [0]);
            }
        );
    }

    private static (SafetensorsEntry[] Entries, Action<SafetensorsWriter> Write) PlanFourBit(string name, FourBitTensor tensor, ComputeStream stream)
    {
        QuantState state = new()
        {
            Scheme = Scheme(tensor),
            BlockSize = tensor.BlockSize,
            DType = tensor.OriginalDType,
            Shape = tensor.Shape,
            NestedOffset = tensor.IsDoubleQuantized ? tensor.ReadNestedOffset(stream) : null,
        };
        byte[] text = state.ToBytes();
        string key = BitsAndBytesKeys.QuantStateKey(name, state.Scheme);
        List<SafetensorsEntry> entries =
        [
            new(name, SafetensorsDType.U8, [state.PackedBytes, 1]),
            new(name + BitsAndBytesKeys.Absmax, tensor.IsDoubleQuantized ? SafetensorsDType.U8 : SafetensorsDType.F32, [state.Blocks]),
            new(name + BitsAndBytesKeys.QuantMap, SafetensorsDType.F32, [16]),
            new(key, SafetensorsDType.U8, [text.Length]),
        ];
        if (tensor.IsDoubleQuantized)
        {
            entries.Add(new(name + BitsAndBytesKeys.NestedAbsmax, SafetensorsDType.F32, [state.NestedBlocks]));
            entries.Add(new(name + BitsAndBytesKeys.NestedQuantMap, SafetensorsDType.F32, [256]));
        }

        return ([.. entries], writer =>
        {
            Write(writer, name, tensor.Packed, stream);
            Write(writer, name + BitsAndBytesKeys.Absmax, tensor.Absmax, stream);
            writer.Write(name + BitsAndBytesKeys.QuantMap, 0, MemoryMarshal.AsBytes(QuantizedWeightReader.Table(state.Scheme)));
            writer.Write(key, 0, text);
            if (tensor.IsDoubleQuantized)
            {
                Write(writer, name + BitsAndBytesKeys.NestedAbsmax, tensor.NestedAbsmax!, stream);
                Write(writer, name + BitsAndBytesKeys.NestedQuantMap, tensor.NestedCodebook!, stream);
            }
        }
        );
    }

    private static void Write(SafetensorsWriter writer, string name, DeviceBuffer buffer, ComputeStream stream)
    {
        byte[] chunk = new byte[Math.Min(buffer.ByteLength, ChunkBytes)];
        for (long done = 0; done < buffer.ByteLength; done += chunk.Length)
        {
            Span<byte> part = chunk.AsSpan(0, (int)Math.Min(chunk.Length, buffer.ByteLength - done));
            stream.Download(buffer, part, done);
            writer.Write(name, done, part);
        }
    }
}
