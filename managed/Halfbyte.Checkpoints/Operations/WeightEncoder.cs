using System.Runtime.InteropServices;

namespace Halfbyte.Checkpoints;

/// <summary>Quantizes weights from file to file, in chunks, on one stream and in reused memory.</summary>
internal sealed class WeightEncoder : IDisposable
{
    private const int FetchBytes = 16 << 20;

    private readonly QuantizeOptions _options;
    private readonly ComputeStream _stream;
    private readonly DeviceScratch _input;
    private readonly DeviceScratch _codes;
    private readonly DeviceScratch _absmax;
    private readonly DeviceScratch _nested;
    private readonly DeviceScratch _workspace;

    public WeightEncoder(QuantizeOptions options)
    {
        _options = options;
        _stream = ComputeStream.Create(options.Device);
        _input = new DeviceScratch(_stream);
        _codes = new DeviceScratch(_stream);
        _absmax = new DeviceScratch(_stream);
        _nested = new DeviceScratch(_stream);
        _workspace = new DeviceScratch(_stream);
    }

    private QuantType QuantType => _options.Scheme == WeightScheme.Nf4 ? QuantType.Nf4 : QuantType.Fp4;

    /// <summary>The tensors a weight becomes; the text of its state is bounded, not known, if it holds the offset of double quantization.</summary>
    public static (SafetensorsEntry[] Entries, SafetensorsEntry[] Late) Entries(string name, DType dtype, long[] shape, QuantizeOptions options)
    {
        if (options.Scheme == WeightScheme.Int8)
        {
            string module = BitsAndBytesKeys.ModuleOf(name)!;
            return (
                [
                    new(name, SafetensorsDType.I8, shape),
                    new($"{module}.{BitsAndBytesKeys.Scb}", SafetensorsDType.F32, [shape[0]]),
                    new($"{module}.{BitsAndBytesKeys.WeightFormat}", SafetensorsDType.U8, []),
                ],
                []);
        }

        QuantState state = State(dtype, shape, options, options.DoubleQuantize ? -float.Epsilon : null);
        List<SafetensorsEntry> entries =
        [
            new(name, options.QuantStorage, [state.PackedBytes * 8 / options.QuantStorage.Bits(), 1]),
            new(name + BitsAndBytesKeys.Absmax, options.DoubleQuantize ? SafetensorsDType.U8 : SafetensorsDType.F32, [state.Blocks]),
            new(name + BitsAndBytesKeys.QuantMap, SafetensorsDType.F32, [16]),
        ];
        if (options.DoubleQuantize)
        {
            entries.Add(new(name + BitsAndBytesKeys.NestedAbsmax, SafetensorsDType.F32, [state.NestedBlocks]));
            entries.Add(new(name + BitsAndBytesKeys.NestedQuantMap, SafetensorsDType.F32, [256]));
        }

        SafetensorsEntry text = new(BitsAndBytesKeys.QuantStateKey(name, options.Scheme), SafetensorsDType.U8, [state.ToBytes().Length]);
        return options.DoubleQuantize ? ([.. entries], [text with { Shape = [text.Shape[0] + 8] }]) : ([.. entries, text], []);
    }

    /// <summary>Writes all tensors of a weight.</summary>
    public void Encode(CheckpointTensor tensor, bool transposed, SafetensorsWriter writer, TensorPump pump)
    {
        WeightSource source = new(tensor, transposed);
        if (_options.Scheme == WeightScheme.Int8)
        {
            EncodeInt8(tensor, source, writer, pump);
        }
        else
        {
            EncodeFourBit(tensor, source, writer, pump);
        }
    }

    public void Dispose()
    {
        _input.Dispose();
        _codes.Dispose();
        _absmax.Dispose();
        _nested.Dispose();
        _workspace.Dispose();
        _stream.Dispose();
    }

    private static QuantState State(DType dtype, long[] shape, QuantizeOptions options, float? offset) => new()
    {
        Scheme = options.Scheme,
        BlockSize = options.BlockSize,
        DType = dtype,
        Shape = shape,
        NestedOffset = offset,
    };

    private void EncodeFourBit(CheckpointTensor tensor, WeightSource source, SafetensorsWriter writer, TensorPump pump)
    {
        string name = tensor.Name;
        int blockSize = _options.BlockSize;
        int size = source.DType.SizeInBytes();
        long n = tensor.Info.ElementCount;
        long blocks = QuantState.CeilDiv(n, blockSize);

        // Blocks are even, so a chunk of whole blocks starts at a whole byte of codes.
        long chunk = Math.Max(_options.ChunkBytes / size / blockSize, 1) * blockSize;
        _input.Reserve(Math.Min(chunk, n) * size);
        _codes.Reserve((Math.Min(chunk, n) + 1) / 2);
        _absmax.Reserve(blocks * sizeof(float));
        for (long done = 0; done < n; done += chunk)
        {
            int count = (int)Math.Min(chunk, n - done);
            ReadChunk(tensor, source, done, count);
            nint statistics = _absmax.Pointer + (nint)(done / blockSize * sizeof(float));
            Raw.QuantizeFourBit(_stream.Handle, _input.Pointer, source.DType, count, blockSize, QuantType, [], _codes.Pointer, statistics);
            writer.Write(name, done / 2, _codes.Fetch(0, (count + 1) / 2));
            pump.Advance(name, (long)count * size);
        }

        ReadOnlySpan<float> table = QuantizedWeightReader.Table(_options.Scheme);
        writer.Write(name + BitsAndBytesKeys.QuantMap, 0, MemoryMarshal.AsBytes(table));
        string stateKey = BitsAndBytesKeys.QuantStateKey(name, _options.Scheme);
        if (!_options.DoubleQuantize)
        {
            WriteAll(writer, name + BitsAndBytesKeys.Absmax, _absmax, blocks * sizeof(float));
            writer.Write(stateKey, 0, State(source.DType, source.Shape, _options, null).ToBytes());
            return;
        }

        float offset = WriteNested(name, blocks, writer);
        writer.WriteLate(stateKey, State(source.DType, source.Shape, _options, offset).ToBytes());
    }

    /// <summary>Codes, then nested statistics, then the offset: three parts of two buffers.</summary>
    private float WriteNested(string name, long blocks, SafetensorsWriter writer)
    {
        long nestedBytes = QuantState.CeilDiv(blocks, QuantState.NestedBlock) * sizeof(float);
        _codes.Reserve(blocks);
        _nested.Reserve(nestedBytes + sizeof(float));
        nint offsetAt = _nested.Pointer + (nint)nestedBytes;
        Raw.DoubleQuantize(_stream.Handle, _absmax.Pointer, blocks, _codes.Pointer, _nested.Pointer, offsetAt);
        WriteAll(writer, name + BitsAndBytesKeys.Absmax, _codes, blocks);
        WriteAll(writer, name + BitsAndBytesKeys.NestedAbsmax, _nested, nestedBytes);
        writer.Write(name + BitsAndBytesKeys.NestedQuantMap, 0, MemoryMarshal.AsBytes(Blockwise.DynamicMapSigned));
        return MemoryMarshal.Read<float>(_nested.Fetch(nestedBytes, sizeof(float)));
    }

    private void EncodeInt8(CheckpointTensor tensor, WeightSource source, SafetensorsWriter writer, TensorPump pump)
    {
        string name = tensor.Name;
        string module = BitsAndBytesKeys.ModuleOf(name)!;
        (long rows, long columns) = (source.Shape[0], source.Shape[1]);
        int size = source.DType.SizeInBytes();
        if (columns * size > int.MaxValue)
        {
            throw new CheckpointFormatException(
                FormatRules.Shape, $"is {tensor.Info}; a row longer than 2 GiB cannot be quantized to int8: skip it.", tensor.Path, name);
        }

        long chunk = Math.Clamp(_options.ChunkBytes / (columns * size), 1, rows);
        _input.Reserve(chunk * columns * size);
        _codes.Reserve(chunk * columns);
        _absmax.Reserve(rows * sizeof(float));
        long workspace = Raw.QuantizeInt8RowsWorkspace(_stream.Handle, chunk, columns, 0);
        _workspace.Reserve(workspace);
        for (long row = 0; row < rows; row += chunk)
        {
            long count = Math.Min(chunk, rows - row);
            int elements = (int)(count * columns);
            ReadChunk(tensor, source, row * columns, elements);
            nint statistics = _absmax.Pointer + (nint)(row * sizeof(float));
            Raw.QuantizeInt8Rows(
                _stream.Handle, _input.Pointer, source.DType, count, columns, columns, 0, _codes.Pointer, statistics, 0, 0, _workspace.Pointer, workspace);
            writer.Write(name, row * columns, _codes.Fetch(0, elements));
            pump.Advance(name, (long)elements * size);
        }

        WriteAll(writer, $"{module}.{BitsAndBytesKeys.Scb}", _absmax, rows * sizeof(float));
        writer.Write($"{module}.{BitsAndBytesKeys.WeightFormat}", 0, [0]);
    }

    /// <summary>Reads elements onto the device and refuses those no code can stand for.</summary>
    private void ReadChunk(CheckpointTensor tensor, WeightSource source, long first, int count)
    {
        int bytes = count * source.DType.SizeInBytes();
        Span<byte> image = _input.Image(bytes);
        source.Read(first, image);
        int bad = Numbers.IndexOfNonFinite(image, source.DType);
        if (bad >= 0)
        {
            long columns = source.Shape[1];
            string module = BitsAndBytesKeys.ModuleOf(tensor.Name)!;
            throw new CheckpointFormatException(
                FormatRules.NonFinite,
                $"element [{(first + bad) / columns}, {(first + bad) % columns}] is {Numbers.ReadElement(image, source.DType, bad)}; no quantized weight can hold that: repair the checkpoint, or keep this weight as it is by skipping {SafeText.Quote(module)}.",
                tensor.Path,
                tensor.Name);
        }

        _input.Publish(bytes);
    }

    private static void WriteAll(SafetensorsWriter writer, string name, DeviceScratch source, long bytes)
    {
        for (long done = 0; done < bytes; done += FetchBytes)
        {
            writer.Write(name, done, source.Fetch(done, (int)Math.Min(FetchBytes, bytes - done)));
        }
    }
}
