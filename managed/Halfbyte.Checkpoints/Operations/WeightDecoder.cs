using System.Runtime.InteropServices;

namespace Halfbyte.Checkpoints;

/// <summary>Restores quantized weights, in chunks, on one stream and in reused memory.</summary>
internal sealed class WeightDecoder : IDisposable
{
    private readonly ComputeStream _stream;
    private readonly CheckpointReader _reader;
    private readonly DeviceScratch _codes;
    private readonly DeviceScratch _absmax;
    private readonly DeviceScratch _nested;
    private readonly DeviceScratch _table;
    private readonly DeviceScratch _output;

    public WeightDecoder(CheckpointReader reader, Device device)
    {
        _reader = reader;
        _stream = ComputeStream.Create(device);
        _codes = new DeviceScratch(_stream);
        _absmax = new DeviceScratch(_stream);
        _nested = new DeviceScratch(_stream);
        _table = new DeviceScratch(_stream);
        _output = new DeviceScratch(_stream);
    }

    /// <summary>Restores a weight, chunk by chunk from front to back; <see cref="Values"/> has the elements of each.</summary>
    /// <param name="weight">The weight.</param>
    /// <param name="dtype">The type to restore to.</param>
    /// <param name="chunkBytes">Roughly how many bytes of output at a time.</param>
    /// <returns>For each chunk the index of its first element and their number.</returns>
    public IEnumerable<(long Element, int Count)> Decode(QuantizedWeight weight, DType dtype, int chunkBytes) =>
        weight.Scheme == WeightScheme.Int8 ? DecodeInt8(weight, dtype, chunkBytes) : DecodeFourBit(weight, dtype, chunkBytes);

    /// <summary>The elements of the current chunk; valid until the next.</summary>
    public ReadOnlySpan<byte> Values(int count, DType dtype) => _output.Fetch(0, count * dtype.SizeInBytes());

    public void Dispose()
    {
        _codes.Dispose();
        _absmax.Dispose();
        _nested.Dispose();
        _table.Dispose();
        _output.Dispose();
        _stream.Dispose();
    }

    private IEnumerable<(long Element, int Count)> DecodeFourBit(QuantizedWeight weight, DType dtype, int chunkBytes)
    {
        QuantState state = _reader.ReadQuantState(weight);
        QuantizedWeightReader.CheckQuantMap(weight);
        bool nested = state.IsDoubleQuantized;
        int size = dtype.SizeInBytes();
        long n = state.ElementCount;

        // Chunks start where a statistic starts, and where a nested one does, so that each is a weight of its own.
        long grain = (long)state.BlockSize * (nested ? QuantState.NestedBlock : 1);
        long chunk = Math.Min(Math.Max(chunkBytes / size / grain, 1) * grain, Math.Max(n, 1));
        long chunkBlocks = QuantState.CeilDiv(chunk, state.BlockSize);
        int statisticBytes = nested ? 1 : sizeof(float);
        _codes.Reserve((chunk + 1) / 2);
        _absmax.Reserve(chunkBlocks * statisticBytes);
        _output.Reserve(chunk * size);
        if (nested)
        {
            ReserveNested(weight, chunkBlocks);
        }

        for (long done = 0; done < n; done += chunk)
        {
            long count = Math.Min(chunk, n - done);
            int blocks = (int)QuantState.CeilDiv(count, state.BlockSize);
            ReadInto(_codes, weight.Weight, done / 2, (int)((count + 1) / 2));
            long firstBlock = done / state.BlockSize;
            ReadInto(_absmax, weight.Absmax!, firstBlock * statisticBytes, blocks * statisticBytes);
            if (nested)
            {
                ReadNested(weight, state, firstBlock, blocks);
            }
            else
            {
                CheckImage(_absmax, blocks, weight.Absmax!, firstBlock);
            }

            FourBitWeight descriptor = new()
            {
                Packed = _codes.Pointer,
                Absmax = _absmax.Pointer,
                NestedAbsmax = nested ? _nested.Pointer + sizeof(float) : 0,
                NestedCodebook = nested ? _table.Pointer : 0,
                NestedOffset = nested ? _nested.Pointer : 0,
                Rows = 1,
                Columns = count,
                BlockSize = state.BlockSize,
                NestedBlockSize = nested ? QuantState.NestedBlock : 0,
                QuantType = weight.Scheme == WeightScheme.Nf4 ? QuantType.Nf4 : QuantType.Fp4,
                Device = _stream.Device,
            };
            Raw.DequantizeFourBit(_stream.Handle, descriptor, _output.Pointer, dtype);
            yield return (done, (int)count);
        }
    }

    /// <summary>The offset first, then the nested statistics of a chunk; the table in a buffer of its own.</summary>
    private void ReserveNested(QuantizedWeight weight, long chunkBlocks)
    {
        _nested.Reserve(sizeof(float) * (1 + QuantState.CeilDiv(chunkBlocks, QuantState.NestedBlock)));
        _table.Reserve(256 * sizeof(float));
        MemoryMarshal.AsBytes(QuantizedWeightReader.ReadNestedQuantMap(weight).AsSpan()).CopyTo(_table.Image(256 * sizeof(float)));
        _table.Publish(256 * sizeof(float));
    }

    private void ReadNested(QuantizedWeight weight, QuantState state, long firstBlock, int blocks)
    {
        int count = (int)QuantState.CeilDiv(blocks, QuantState.NestedBlock);
        long first = firstBlock / QuantState.NestedBlock;
        Span<byte> image = _nested.Image((1 + count) * sizeof(float));
        MemoryMarshal.Write(image, state.NestedOffset!.Value);
        Span<byte> statistics = image[sizeof(float)..];
        weight.NestedAbsmax!.File.Read(weight.NestedAbsmax.Info, first * sizeof(float), statistics);
        QuantizedWeightReader.CheckStatistics(MemoryMarshal.Cast<byte, float>(statistics), weight.NestedAbsmax, first);
        _nested.Publish(image.Length);
    }

    private IEnumerable<(long Element, int Count)> DecodeInt8(QuantizedWeight weight, DType dtype, int chunkBytes)
    {
        QuantizedWeightReader.CheckWeightFormat(weight);
        long[] shape = weight.Weight.Info.ShapeArray;
        (long rows, long columns) = (shape[0], shape[1]);
        int size = dtype.SizeInBytes();
        if (rows == 0 || columns == 0)
        {
            yield break;
        }

        if (columns * size > int.MaxValue)
        {
            throw new CheckpointFormatException(
                FormatRules.Shape, $"is {weight.Weight.Info}; a row longer than 2 GiB cannot be restored.", weight.Weight.Path, weight.Name);
        }

        long chunk = Math.Clamp(chunkBytes / (columns * size), 1, rows);
        _codes.Reserve(chunk * columns);
        _absmax.Reserve(chunk * sizeof(float));
        _output.Reserve(chunk * columns * size);
        for (long row = 0; row < rows; row += chunk)
        {
            int count = (int)Math.Min(chunk, rows - row);
            ReadInto(_codes, weight.Weight, row * columns, (int)(count * columns));
            ReadInto(_absmax, weight.Scb!, row * sizeof(float), count * sizeof(float));
            CheckImage(_absmax, count, weight.Scb!, row);
            Int8Weight descriptor = new()
            {
                Codes = _codes.Pointer,
                Absmax = _absmax.Pointer,
                Rows = count,
                Columns = columns,
                Device = _stream.Device,
            };
            Raw.DequantizeInt8(_stream.Handle, descriptor, _output.Pointer, dtype);
            yield return (row * columns, (int)(count * columns));
        }
    }

    private static void ReadInto(DeviceScratch buffer, CheckpointTensor tensor, long offset, int bytes)
    {
        tensor.File.Read(tensor.Info, offset, buffer.Image(bytes));
        buffer.Publish(bytes);
    }

    private static void CheckImage(DeviceScratch buffer, int count, CheckpointTensor tensor, long first) =>
        QuantizedWeightReader.CheckStatistics(MemoryMarshal.Cast<byte, float>(buffer.Image(count * sizeof(float))), tensor, first);
}
