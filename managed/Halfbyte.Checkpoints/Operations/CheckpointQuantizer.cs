using System.Diagnostics;
using System.Globalization;

namespace Halfbyte.Checkpoints;

/// <summary>
/// Turns a full-precision checkpoint into one with bitsandbytes weights that Python's transformers loads. Works through it tensor by
/// tensor, each in chunks: memory use depends on <see cref="QuantizeOptions.ChunkBytes"/> and not on the model.
/// </summary>
public static class CheckpointQuantizer
{
    /// <summary>Quantizes the checkpoint at <paramref name="input"/> into the directory <paramref name="output"/>.</summary>
    /// <param name="input">A directory with a checkpoint, a *.safetensors.index.json, or one *.safetensors file.</param>
    /// <param name="output">A directory, created if need be. It stays as it was on failure and cancellation.</param>
    /// <param name="options">What to do; null for NF4 with blocks of 64.</param>
    /// <param name="progress">Told after every chunk, on the working thread.</param>
    /// <param name="cancellationToken">Stops the work after the current chunk.</param>
    /// <exception cref="CheckpointFormatException">The input is broken, already quantized, or holds weights that cannot be quantized.</exception>
    /// <exception cref="CheckpointOutputException">The output cannot be written.</exception>
    /// <exception cref="ArgumentException">An option is out of range.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public static ConversionReport Quantize(
        string input,
        string output,
        QuantizeOptions? options = null,
        IProgress<CheckpointProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(input);
        ArgumentException.ThrowIfNullOrEmpty(output);
        options ??= new QuantizeOptions();
        Validate(options);
        long start = Stopwatch.GetTimestamp();
        using CheckpointReader reader = CheckpointReader.Open(input, options.Limits, cancellationToken);
        PlanWriter writer = new(output, options.Force, options.Storage, cancellationToken) { Input = reader };
        writer.CheckPlace();
        QuantizePlanner planner = new(reader, options);
        planner.Decide();
        TensorPump pump = new(
            reader.Tensors.Sum(t => t.Info.ByteLength), reader.Tensors.Count, options.ChunkBytes, progress, cancellationToken);
        using LazyEncoder encoder = new(options);
        List<PlannedUnit> units = Plan(reader, planner, options, encoder, pump);
        CheckpointPlan plan = CheckpointPlan.Create(units, options.MaxShardBytes);
        if (!options.DryRun)
        {
            writer.Write(plan, reader.Config?.WithQuantization(Configuration(planner, options)));
        }

        return new ConversionReport
        {
            Input = input,
            Output = output,
            Target = QuantState.Name(options.Scheme),
            BlockSize = options.Scheme == WeightScheme.Int8 ? null : options.BlockSize,
            DoubleQuantized = options.DoubleQuantize,
            DryRun = options.DryRun,
            Tensors = [.. units.Select(u => u.Report!)],
            ConvertedCount = planner.Chosen.Count,
            PassedThroughCount = units.Count - planner.Chosen.Count,
            InputBytes = units.Sum(u => u.Report!.InputBytes),
            OutputBytes = units.Sum(u => u.Report!.OutputBytes),
            Files = [.. plan.Shards.Select(s => s.File)],
            Warnings = planner.Warnings,
            Seconds = Stopwatch.GetElapsedTime(start).TotalSeconds,
        };
    }

    /// <summary><see cref="Quantize"/> on a thread of the pool.</summary>
    /// <inheritdoc cref="Quantize"/>
    public static Task<ConversionReport> QuantizeAsync(
        string input,
        string output,
        QuantizeOptions? options = null,
        IProgress<CheckpointProgress>? progress = null,
        CancellationToken cancellationToken = default) =>
        Task.Run(() => Quantize(input, output, options, progress, cancellationToken), cancellationToken);

    private static void Validate(QuantizeOptions options)
    {
        bool fourBit = options.Scheme is WeightScheme.Nf4 or WeightScheme.Fp4;
        Require(fourBit || options.Scheme == WeightScheme.Int8, $"Scheme is {options.Scheme}; expected Nf4, Fp4 or Int8.");
        Require(QuantState.IsBlockSize(options.BlockSize), $"BlockSize is {options.BlockSize}; expected a power of two from 32 to 4096.");
        Require(fourBit || !options.DoubleQuantize, "DoubleQuantize is about 4-bit statistics; int8 has none to quantize: leave it out.");
        Require(
            options.QuantStorage is SafetensorsDType.U8 or SafetensorsDType.I8 or SafetensorsDType.F16 or SafetensorsDType.BF16 or SafetensorsDType.F32 or SafetensorsDType.F64,
            $"QuantStorage is {options.QuantStorage}; expected U8, I8, F16, BF16, F32 or F64.");
        Require(options.Int8Threshold >= 0 && float.IsFinite(options.Int8Threshold), $"Int8Threshold is {options.Int8Threshold}; expected a finite number from 0 on.");
        Require(options.MaxShardBytes > 0, $"MaxShardBytes is {options.MaxShardBytes}; expected a positive number.");
        Require(options.ChunkBytes >= 1 << 14, $"ChunkBytes is {options.ChunkBytes}; expected at least {1 << 14}.");
        Require(options.Skip?.All(s => !string.IsNullOrEmpty(s)) ?? true, "Skip has an empty entry; expected names of modules.");
    }

    private static void Require(bool condition, string message)
    {
        if (!condition)
        {
            throw new ArgumentException(message);
        }
    }

    private static List<PlannedUnit> Plan(
        CheckpointReader reader, QuantizePlanner planner, QuantizeOptions options, LazyEncoder encoder, TensorPump pump)
    {
        Dictionary<string, bool> chosen = planner.Chosen.ToDictionary(c => c.Tensor.Name, c => c.Transposed, StringComparer.Ordinal);
        HashSet<string> taken = new(reader.Tensors.Select(t => t.Name), StringComparer.Ordinal);
        List<PlannedUnit> units = new(reader.Tensors.Count);
        foreach (CheckpointTensor tensor in reader.Tensors)
        {
            units.Add(chosen.TryGetValue(tensor.Name, out bool transposed)
                ? Quantized(tensor, transposed, options, encoder, pump, taken)
                : PassedThrough(tensor, planner.PassedThrough[tensor.Name], pump));
        }

        return units;
    }

    private static PlannedUnit PassedThrough(CheckpointTensor tensor, string reason, TensorPump pump)
    {
        string dtype = tensor.Info.DType.ToTorchName();
        return new PlannedUnit
        {
            Entries = [TensorPump.Entry(tensor)],
            Write = writer =>
            {
                pump.Copy(tensor, writer);
                pump.Finish(1);
            },
            Report = new ConvertedTensor(tensor.Name, tensor.Info.Shape, dtype, dtype, tensor.Info.ByteLength, tensor.Info.ByteLength, reason),
        };
    }

    private static PlannedUnit Quantized(
        CheckpointTensor tensor, bool transposed, QuantizeOptions options, LazyEncoder encoder, TensorPump pump, HashSet<string> taken)
    {
        _ = tensor.Info.DType.TryToDType(out DType dtype);
        long[] shape = tensor.Info.ShapeArray;
        long[] oriented = transposed ? [shape[1], shape[0]] : shape;
        CheckStorage(tensor, options);
        (SafetensorsEntry[] entries, SafetensorsEntry[] late) = WeightEncoder.Entries(tensor.Name, dtype, oriented, options);
        foreach (SafetensorsEntry entry in entries.Concat(late))
        {
            if (entry.Name != tensor.Name && !taken.Add(entry.Name))
            {
                throw new CheckpointFormatException(
                    FormatRules.QuantizedParts,
                    $"has the name a part of the quantized {SafeText.Quote(tensor.Name)} needs; rename it, or skip that layer.",
                    tensor.Path,
                    entry.Name);
            }
        }

        return new PlannedUnit
        {
            Entries = entries,
            Late = late,
            Write = writer =>
            {
                encoder.Value.Encode(tensor, transposed, writer, pump);
                pump.Finish(1);
            },
            Report = new ConvertedTensor(
                tensor.Name,
                oriented,
                dtype.ToTorchName(),
                QuantState.Name(options.Scheme) + (options.DoubleQuantize ? "+dq" : ""),
                tensor.Info.ByteLength,
                entries.Sum(e => e.ByteLength) + late.Sum(e => e.ByteLength),
                null),
        };
    }

    private static void CheckStorage(CheckpointTensor tensor, QuantizeOptions options)
    {
        int size = options.QuantStorage.Bits() / 8;
        long packed = FourBit.PackedLength(tensor.Info.ElementCount);
        if (options.Scheme != WeightScheme.Int8 && packed % size != 0)
        {
            throw new CheckpointFormatException(
                FormatRules.Shape,
                $"is {tensor.Info}; its {packed} bytes of codes are no whole number of {options.QuantStorage.ToTorchName()} elements: use uint8 storage, or skip the layer.",
                tensor.Path,
                tensor.Name);
        }
    }

    private static QuantizationConfig Configuration(QuantizePlanner planner, QuantizeOptions options)
    {
        bool fourBit = options.Scheme != WeightScheme.Int8;
        QuantizationConfig defaults = new();
        DType? common = planner.Chosen
            .GroupBy(c => c.Tensor.Info.DType)
            .OrderByDescending(g => g.Sum(c => c.Tensor.Info.ByteLength))
            .Select(g => g.Key.TryToDType(out DType dtype) ? (DType?)dtype : null)
            .FirstOrDefault();
        return defaults with
        {
            LoadIn4Bit = fourBit,
            LoadIn8Bit = !fourBit,
            Int8Threshold = double.Parse(options.Int8Threshold.ToString("R", CultureInfo.InvariantCulture), CultureInfo.InvariantCulture),
            SkipModules = planner.SkipModules,
            ComputeDType = (options.ComputeDType ?? (fourBit ? common : null))?.ToTorchName() ?? defaults.ComputeDType,
            QuantType = fourBit ? QuantState.Name(options.Scheme) : defaults.QuantType,
            UseDoubleQuant = options.DoubleQuantize,
            QuantStorage = fourBit ? options.QuantStorage.ToTorchName() : defaults.QuantStorage,
        };
    }

    /// <summary>Takes no device before the first weight is quantized, so that a dry run needs none.</summary>
    private sealed class LazyEncoder(QuantizeOptions options) : IDisposable
    {
        private WeightEncoder? _value;

        public WeightEncoder Value => _value ??= new WeightEncoder(options);

        public void Dispose() => _value?.Dispose();
    }
}
