namespace Halfbyte.Checkpoints;

/// <summary>Finds the quantized weights among a checkpoint's tensors, by name, and refuses parts that fit nowhere.</summary>
internal static class QuantizedWeightFinder
{
    private static readonly string[] Statistics =
        [BitsAndBytesKeys.Absmax, BitsAndBytesKeys.QuantMap, BitsAndBytesKeys.NestedAbsmax, BitsAndBytesKeys.NestedQuantMap];

    public static List<QuantizedWeight> Find(IReadOnlyList<CheckpointTensor> tensors, IReadOnlyDictionary<string, CheckpointTensor> byName)
    {
        Dictionary<string, QuantizedWeight> fourBit = new(StringComparer.Ordinal);
        FindStates(tensors, byName, fourBit);
        foreach (CheckpointTensor tensor in tensors)
        {
            Attach(tensor, byName, fourBit);
        }

        List<QuantizedWeight> found = [.. fourBit.Values];
        foreach (QuantizedWeight weight in found)
        {
            Complete(weight);
        }

        foreach (CheckpointTensor tensor in tensors)
        {
            if (FindInt8(tensor, byName) is { } weight)
            {
                found.Add(weight);
            }
        }

        return found;
    }

    private static void FindStates(
        IReadOnlyList<CheckpointTensor> tensors,
        IReadOnlyDictionary<string, CheckpointTensor> byName,
        Dictionary<string, QuantizedWeight> fourBit)
    {
        foreach (CheckpointTensor tensor in tensors)
        {
            int at = tensor.Name.LastIndexOf(BitsAndBytesKeys.QuantState, StringComparison.Ordinal);
            if (at > 0)
            {
                string kind = tensor.Name[(at + BitsAndBytesKeys.QuantState.Length)..];
                WeightScheme scheme = kind switch
                {
                    BitsAndBytesKeys.Nf4 => WeightScheme.Nf4,
                    BitsAndBytesKeys.Fp4 => WeightScheme.Fp4,
                    _ => throw Fail($"the key names the state {SafeText.Quote(kind)}; expected {BitsAndBytesKeys.Nf4} or {BitsAndBytesKeys.Fp4}.", tensor),
                };
                Add(tensor.Name[..at], scheme, tensor).PackedState = tensor;
            }
            else if (tensor.Name.EndsWith(".quant_type", StringComparison.Ordinal)
                && byName.ContainsKey(tensor.Name[..^".quant_type".Length]))
            {
                string type = UnpackedStateReader.ReadText(tensor);
                if (!QuantTypes.TryParse(type, out QuantType quantType))
                {
                    throw Fail($"says {SafeText.Quote(type)}; expected 'nf4' or 'fp4'.", tensor);
                }

                WeightScheme scheme = quantType == QuantType.Nf4 ? WeightScheme.Nf4 : WeightScheme.Fp4;
                Add(tensor.Name[..^".quant_type".Length], scheme, tensor).UnpackedState = [];
            }
        }

        QuantizedWeight Add(string name, WeightScheme scheme, CheckpointTensor state)
        {
            if (!byName.TryGetValue(name, out CheckpointTensor? codes))
            {
                throw Fail($"describes the weight {SafeText.Quote(name)}, which the checkpoint does not hold.", state);
            }

            QuantizedWeight weight = new(name, scheme, codes);
            return fourBit.TryAdd(name, weight)
                ? weight
                : throw new CheckpointFormatException(
                    FormatRules.QuantizedParts, "has two quant_state entries; expected one, nf4 or fp4.", state.Path, name);
        }
    }

    private static void Attach(
        CheckpointTensor tensor, IReadOnlyDictionary<string, CheckpointTensor> byName, Dictionary<string, QuantizedWeight> fourBit)
    {
        int dot = tensor.Name.LastIndexOf('.');
        if (dot <= 0)
        {
            return;
        }

        string owner = tensor.Name[..dot];
        string suffix = tensor.Name[dot..];
        if (!fourBit.TryGetValue(owner, out QuantizedWeight? weight))
        {
            if (Statistics.Contains(suffix) && byName.ContainsKey(owner) && !owner.EndsWith(".quant_state", StringComparison.Ordinal))
            {
                throw Fail($"belongs to the weight {SafeText.Quote(owner)}, which has no quant_state; one of the two is missing or misnamed.", tensor);
            }

            return;
        }

        switch (suffix)
        {
            case BitsAndBytesKeys.Absmax:
                weight.Absmax = tensor;
                break;
            case BitsAndBytesKeys.QuantMap:
                weight.QuantMap = tensor;
                break;
            case BitsAndBytesKeys.NestedAbsmax:
                weight.NestedAbsmax = tensor;
                break;
            case BitsAndBytesKeys.NestedQuantMap:
                weight.NestedQuantMap = tensor;
                break;
            default:
                if (weight.UnpackedState is not null && BitsAndBytesKeys.UnpackedMembers.Contains(suffix))
                {
                    weight.UnpackedState.Add(suffix[1..], tensor);
                    break;
                }

                throw Fail($"is no part of a quantized weight, but its name puts it under {SafeText.Quote(owner)}.", tensor);
        }
    }

    private static void Complete(QuantizedWeight weight)
    {
        string? missing = weight.Absmax is null ? "absmax"
            : weight.QuantMap is null ? "quant_map"
            : weight.NestedAbsmax is null && weight.NestedQuantMap is not null ? "nested_absmax"
            : weight.NestedQuantMap is null && weight.NestedAbsmax is not null ? "nested_quant_map"
            : null;
        if (missing is not null)
        {
            throw new CheckpointFormatException(
                FormatRules.QuantizedParts,
                $"is quantized to {QuantState.Name(weight.Scheme)} but {SafeText.Quote(weight.Name + "." + missing)} is missing; download or write the checkpoint again.",
                weight.Weight.Path,
                weight.Name);
        }
    }

    private static QuantizedWeight? FindInt8(CheckpointTensor scb, IReadOnlyDictionary<string, CheckpointTensor> byName)
    {
        const string Suffix = "." + BitsAndBytesKeys.Scb;
        if (!scb.Name.EndsWith(Suffix, StringComparison.Ordinal))
        {
            return null;
        }

        string module = scb.Name[..^Suffix.Length];
        string name = module + ".weight";
        if (!byName.TryGetValue(name, out CheckpointTensor? codes))
        {
            throw Fail($"holds statistics of {SafeText.Quote(name)}, which the checkpoint does not hold.", scb);
        }

        SafetensorsTensor info = codes.Info;
        if (info.DType != SafetensorsDType.I8 || info.ShapeArray.Length != 2)
        {
            throw new CheckpointFormatException(
                FormatRules.QuantizedParts,
                $"is {info} while {SafeText.Quote(scb.Name)} marks it as int8; expected int8 [N, K]: remove the statistics or quantize the weight.",
                codes.Path,
                name);
        }

        if (scb.Info.DType != SafetensorsDType.F32 || scb.Info.ElementCount != info.ShapeArray[0])
        {
            throw new CheckpointFormatException(
                FormatRules.QuantizedParts,
                $"is {scb.Info}; the weight {info} needs float32 [{info.ShapeArray[0]}], one statistic per row.",
                scb.Path,
                scb.Name);
        }

        return new QuantizedWeight(name, WeightScheme.Int8, codes)
        {
            Scb = scb,
            WeightFormat = byName.GetValueOrDefault(module + "." + BitsAndBytesKeys.WeightFormat),
        };
    }

    private static CheckpointFormatException Fail(string sentence, CheckpointTensor tensor) =>
        new(FormatRules.QuantizedParts, sentence, tensor.Path, tensor.Name);
}
