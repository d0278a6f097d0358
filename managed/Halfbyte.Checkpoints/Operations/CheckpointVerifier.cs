namespace Halfbyte.Checkpoints;

/// <summary>Checks a checkpoint against every rule of its formats, and by default the numbers in it. Safe on hostile files.</summary>
public static class CheckpointVerifier
{
    private const int ChunkBytes = 16 << 20;

    /// <summary>
    /// Verifies the checkpoint at <paramref name="path"/>. Broken content becomes findings, not exceptions; a file whose structure is
    /// broken is one finding, because nothing after it can be trusted.
    /// </summary>
    /// <param name="path">A directory with a checkpoint, a *.safetensors.index.json, or one *.safetensors file.</param>
    /// <param name="options">What to check.</param>
    /// <param name="progress">Told after every chunk, on the working thread.</param>
    /// <param name="cancellationToken">Stops the work after the current chunk.</param>
    public static VerificationReport Verify(
        string path,
        VerifyOptions? options = null,
        IProgress<CheckpointProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        options ??= new VerifyOptions();
        Findings findings = new(options.MaxFindings);
        CheckpointReader reader;
        try
        {
            reader = CheckpointReader.Open(path, options.Limits, cancellationToken);
        }
        catch (CheckpointFormatException e)
        {
            findings.Add(e);
            return findings.Report(path, 0, 0, 0);
        }

        using (reader)
        {
            TensorPump pump = new(
                options.ReadData ? reader.Tensors.Sum(t => t.Info.ByteLength) : 0, reader.Tensors.Count, ChunkBytes, progress, cancellationToken);
            long bytes = 0;
            ConfigurationCheck.Run(reader, findings);
            foreach (QuantizedWeight weight in reader.QuantizedWeights)
            {
                bytes += CheckQuantized(reader, weight, options, findings, pump);
            }

            HashSet<string> parts = new(reader.QuantizedWeights.SelectMany(w => w.Parts).Select(p => p.Name), StringComparer.Ordinal);
            foreach (CheckpointTensor tensor in reader.Tensors)
            {
                if (!parts.Contains(tensor.Name) && options.ReadData)
                {
                    bytes += CheckPlain(tensor, findings, pump);
                }
            }

            return findings.Report(path, reader.Tensors.Count, reader.QuantizedWeights.Count, bytes);
        }
    }

    /// <summary><see cref="Verify"/> on a thread of the pool.</summary>
    /// <inheritdoc cref="Verify"/>
    public static Task<VerificationReport> VerifyAsync(
        string path,
        VerifyOptions? options = null,
        IProgress<CheckpointProgress>? progress = null,
        CancellationToken cancellationToken = default) =>
        Task.Run(() => Verify(path, options, progress, cancellationToken), cancellationToken);

    private static long CheckQuantized(CheckpointReader reader, QuantizedWeight weight, VerifyOptions options, Findings findings, TensorPump pump)
    {
        QuantState? state = null;
        bool sound = findings.Try(() =>
        {
            if (weight.Scheme == WeightScheme.Int8)
            {
                QuantizedWeightReader.CheckWeightFormat(weight);
            }
            else
            {
                state = reader.ReadQuantState(weight);
            }
        });
        if (!sound || !options.ReadData)
        {
            pump.Finish(weight.Parts.Count());
            return 0;
        }

        if (state is null)
        {
            findings.Try(() => StatisticsScan.Check(weight.Scb!, pump.CancellationToken));
            CheckInt8Codes(weight, findings, pump);
        }
        else
        {
            findings.Try(() => QuantizedWeightReader.CheckQuantMap(weight));
            if (state.IsDoubleQuantized)
            {
                findings.Try(() => _ = QuantizedWeightReader.ReadNestedQuantMap(weight));
            }

            findings.Try(() => StatisticsScan.Check(state.IsDoubleQuantized ? weight.NestedAbsmax! : weight.Absmax!, pump.CancellationToken));
            CheckLastCode(weight, state, findings);
            pump.Advance(weight.Name, weight.Weight.Info.ByteLength);
        }

        pump.Advance(weight.Name, weight.ByteLength - weight.Weight.Info.ByteLength);
        pump.Finish(weight.Parts.Count());
        return state is null ? weight.ByteLength : weight.ByteLength - weight.Weight.Info.ByteLength;
    }

    /// <summary>Quantizers give -127 to 127; -128 decodes beyond the row's own maximum.</summary>
    private static void CheckInt8Codes(QuantizedWeight weight, Findings findings, TensorPump pump)
    {
        CheckpointTensor codes = weight.Weight;
        byte[] chunk = new byte[Math.Min(codes.Info.ByteLength, ChunkBytes)];
        long found = -1;
        for (long done = 0; done < codes.Info.ByteLength; done += chunk.Length)
        {
            int count = (int)Math.Min(chunk.Length, codes.Info.ByteLength - done);
            bool read = findings.Try(() => codes.File.Read(codes.Info, done, chunk.AsSpan(0, count)));
            if (!read)
            {
                return;
            }

            int at = found < 0 ? chunk.AsSpan(0, count).IndexOf((byte)0x80) : -1;
            found = at >= 0 ? done + at : found;
            pump.Advance(weight.Name, count);
        }

        if (found >= 0)
        {
            findings.Add(FindingSeverity.Warning, FormatRules.QuantizedParts, codes, $"element {found} has the code -128, which no quantizer writes; the file may be damaged.");
        }
    }

    /// <summary>The half byte after an odd last element is the code of zero.</summary>
    private static void CheckLastCode(QuantizedWeight weight, QuantState state, Findings findings)
    {
        if (state.ElementCount % 2 == 0)
        {
            return;
        }

        byte[] last = new byte[1];
        CheckpointTensor codes = weight.Weight;
        bool read = findings.Try(() => codes.File.Read(codes.Info, codes.Info.ByteLength - 1, last));
        int zero = weight.Scheme == WeightScheme.Nf4 ? 7 : 0;
        if (read && (last[0] & 15) != zero)
        {
            findings.Add(
                FindingSeverity.Warning, FormatRules.QuantizedParts, codes, $"the unused last half byte is {last[0] & 15}; expected {zero}, the code of zero.");
        }
    }

    private static long CheckPlain(CheckpointTensor tensor, Findings findings, TensorPump pump)
    {
        bool isFloat = tensor.Info.DType.TryToDType(out DType dtype);
        byte[] chunk = new byte[Math.Min(tensor.Info.ByteLength, ChunkBytes)];
        long first = -1;
        float value = 0;
        for (long done = 0; done < tensor.Info.ByteLength; done += chunk.Length)
        {
            int count = (int)Math.Min(chunk.Length, tensor.Info.ByteLength - done);
            if (!findings.Try(() => tensor.File.Read(tensor.Info, done, chunk.AsSpan(0, count))))
            {
                return done;
            }

            int at = isFloat && first < 0 ? Numbers.IndexOfNonFinite(chunk.AsSpan(0, count), dtype) : -1;
            if (at >= 0)
            {
                first = (done / dtype.SizeInBytes()) + at;
                value = Numbers.ReadElement(chunk, dtype, at);
            }

            pump.Advance(tensor.Name, count);
        }

        if (first >= 0)
        {
            findings.Add(FindingSeverity.Warning, FormatRules.NonFinite, tensor, $"element {first} is {value}; a weight with it cannot be quantized.");
        }

        pump.Finish(1);
        return tensor.Info.ByteLength;
    }
}
