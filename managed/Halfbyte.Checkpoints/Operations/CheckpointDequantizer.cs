using System.Diagnostics;

namespace Halfbyte.Checkpoints;

/// <summary>Turns a checkpoint with bitsandbytes weights back into one of floating-point weights, tensor by tensor, in chunks.</summary>
public static class CheckpointDequantizer
{
    /// <summary>Dequantizes the checkpoint at <paramref name="input"/> into the directory <paramref name="output"/>.</summary>
    /// <param name="input">A directory with a checkpoint, a *.safetensors.index.json, or one *.safetensors file.</param>
    /// <param name="output">A directory, created if need be. It stays as it was on failure and cancellation.</param>
    /// <param name="options">What to do; null restores the type each weight had.</param>
    /// <param name="progress">Told after every chunk, on the working thread.</param>
    /// <param name="cancellationToken">Stops the work after the current chunk.</param>
    /// <exception cref="CheckpointFormatException">The input is broken or holds no quantized weight.</exception>
    /// <exception cref="CheckpointOutputException">The output cannot be written.</exception>
    /// <exception cref="ArgumentException">An option is out of range.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public static ConversionReport Dequantize(
        string input,
        string output,
        DequantizeOptions? options = null,
        IProgress<CheckpointProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(input);
        ArgumentException.ThrowIfNullOrEmpty(output);
        options ??= new DequantizeOptions();
        Validate(options);
        long start = Stopwatch.GetTimestamp();
        using CheckpointReader reader = CheckpointReader.Open(input, options.Limits, cancellationToken);
        PlanWriter writer = new(output, options.Force, options.Storage, cancellationToken) { Input = reader };
        writer.CheckPlace();
        RequireQuantized(reader);
        List<(QuantizedWeight Weight, long[] Shape, DType DType)> targets = Targets(reader, options);
        List<PlannedUnit> units;
        CheckpointPlan plan;
        using (WeightDecoder decoder = new(reader, options.Device))
        {
            TensorPump pump = new(
                reader.Tensors.Sum(t => t.Info.ByteLength), reader.Tensors.Count, options.ChunkBytes, progress, cancellationToken);
            units = Plan(reader, targets, decoder, options, pump);
            plan = CheckpointPlan.Create(units, options.MaxShardBytes);
            writer.Write(plan, reader.Config?.WithoutQuantization());
        }

        return new ConversionReport
        {
            Input = input,
            Output = output,
            Target = options.DType?.ToTorchName() ?? "as before",
            Tensors = [.. units.Select(u => u.Report!)],
            ConvertedCount = targets.Count,
            PassedThroughCount = units.Count - targets.Count,
            InputBytes = units.Sum(u => u.Report!.InputBytes),
            OutputBytes = units.Sum(u => u.Report!.OutputBytes),
            Files = [.. plan.Shards.Select(s => s.File)],
            Warnings = [],
            Seconds = Stopwatch.GetElapsedTime(start).TotalSeconds,
        };
    }

    /// <summary><see cref="Dequantize"/> on a thread of the pool.</summary>
    /// <inheritdoc cref="Dequantize"/>
    public static Task<ConversionReport> DequantizeAsync(
        string input,
        string output,
        DequantizeOptions? options = null,
        IProgress<CheckpointProgress>? progress = null,
        CancellationToken cancellationToken = default) =>
        Task.Run(() => Dequantize(input, output, options, progress, cancellationToken), cancellationToken);

    private static void Validate(DequantizeOptions options)
    {
        if (options.MaxShardBytes <= 0)
        {
            throw new ArgumentException($"MaxShardBytes is {options.MaxShardBytes}; expected a positive number.", nameof(options));
        }

        if (options.ChunkBytes < 1 << 14)
        {
            throw new ArgumentException($"ChunkBytes is {options.ChunkBytes}; expected at least {1 << 14}.", nameof(options));
        }
    }

    private static void RequireQuantized(CheckpointReader reader)
    {
        if (reader.QuantizedWeights.Count > 0)
        {
            return;
        }

        throw new CheckpointFormatException(
            FormatRules.AlreadyQuantized,
            reader.Config?.Quantization is { QuantMethod: not "bitsandbytes" } config
                ? $"is quantized with {SafeText.Quote(config.QuantMethod)}, which is not read here; only bitsandbytes weights are."
                : "holds no weight quantized by bitsandbytes; there is nothing to dequantize.",
            reader.Path);
    }

    private static List<(QuantizedWeight Weight, long[] Shape, DType DType)> Targets(CheckpointReader reader, DequantizeOptions options)
    {
        DType int8Target = options.DType
            ?? (DTypes.TryParseTorchName(reader.Config?.TorchDType, out DType configured) ? configured : DType.Float16);
        List<(QuantizedWeight, long[], DType)> targets = [];
        foreach (QuantizedWeight weight in reader.QuantizedWeights)
        {
            if (weight.Scheme == WeightScheme.Int8)
            {
                QuantizedWeightReader.CheckWeightFormat(weight);
                targets.Add((weight, weight.Weight.Info.ShapeArray, int8Target));
            }
            else
            {
                QuantState state = reader.ReadQuantState(weight);
                targets.Add((weight, [.. state.Shape], options.DType ?? state.DType));
            }
        }

        return targets;
    }

    private static List<PlannedUnit> Plan(
        CheckpointReader reader,
        List<(QuantizedWeight Weight, long[] Shape, DType DType)> targets,
        WeightDecoder decoder,
        DequantizeOptions options,
        TensorPump pump)
    {
        Dictionary<string, (QuantizedWeight Weight, long[] Shape, DType DType)> byName = targets.ToDictionary(t => t.Weight.Name, StringComparer.Ordinal);
        HashSet<string> parts = new(targets.SelectMany(t => t.Weight.Parts).Select(p => p.Name), StringComparer.Ordinal);
        List<PlannedUnit> units = [];
        foreach (CheckpointTensor tensor in reader.Tensors)
        {
            if (byName.TryGetValue(tensor.Name, out var target))
            {
                units.Add(Restored(target.Weight, target.Shape, target.DType, decoder, options, pump));
            }
            else if (!parts.Contains(tensor.Name))
            {
                string dtype = tensor.Info.DType.ToTorchName();
                units.Add(new PlannedUnit
                {
                    Entries = [TensorPump.Entry(tensor)],
                    Write = writer =>
                    {
                        pump.Copy(tensor, writer);
                        pump.Finish(1);
                    },
                    Report = new ConvertedTensor(
                        tensor.Name, tensor.Info.Shape, dtype, dtype, tensor.Info.ByteLength, tensor.Info.ByteLength, "not quantized"),
                });
            }
        }

        return units;
    }

    private static PlannedUnit Restored(
        QuantizedWeight weight, long[] shape, DType dtype, WeightDecoder decoder, DequantizeOptions options, TensorPump pump)
    {
        SafetensorsEntry entry = new(weight.Name, dtype.ToSafetensors(), shape);
        int size = dtype.SizeInBytes();
        double inputPerOutput = entry.ByteLength == 0 ? 0 : (double)weight.ByteLength / entry.ByteLength;
        return new PlannedUnit
        {
            Entries = [entry],
            Write = writer =>
            {
                long counted = 0;
                foreach ((long element, int count) in decoder.Decode(weight, dtype, options.ChunkBytes))
                {
                    ReadOnlySpan<byte> values = decoder.Values(count, dtype);
                    RequireFinite(weight, dtype, element, values);
                    writer.Write(weight.Name, element * size, values);
                    long worked = (long)((element + count) * size * inputPerOutput);
                    pump.Advance(weight.Name, worked - counted);
                    counted = worked;
                }

                pump.Advance(weight.Name, weight.ByteLength - counted);
                pump.Finish(weight.Parts.Count());
            },
            Report = new ConvertedTensor(
                weight.Name,
                shape,
                QuantState.Name(weight.Scheme) + (weight.NestedAbsmax is null ? "" : "+dq"),
                dtype.ToTorchName(),
                weight.ByteLength,
                entry.ByteLength,
                null),
        };
    }

    /// <summary>All statistics are finite here, so what is not finite has overflowed.</summary>
    private static void RequireFinite(QuantizedWeight weight, DType dtype, long element, ReadOnlySpan<byte> values)
    {
        int bad = Numbers.IndexOfNonFinite(values, dtype);
        if (bad >= 0)
        {
            throw new CheckpointFormatException(
                FormatRules.NonFinite,
                $"element {element + bad} does not fit {dtype.ToTorchName()}; restore to bfloat16 or float32.",
                weight.Weight.Path,
                weight.Name);
        }
    }
}
