namespace Halfbyte.Checkpoints;

/// <summary>Checks that config.json, the index and the file headers say of the weights what is true of them.</summary>
internal static class ConfigurationCheck
{
    public static void Run(CheckpointReader reader, Findings findings)
    {
        if (reader.Index is { } index)
        {
            foreach (CheckpointTensor tensor in reader.Tensors.Where(t => !index.WeightMap.ContainsKey(t.Name)))
            {
                findings.Add(FindingSeverity.Warning, FormatRules.ShardIndex, tensor, "is not listed in the index; some readers will not see it.");
            }
        }

        foreach (SafetensorsFile file in reader.Files.Where(f => !f.Metadata.ContainsKey("format")))
        {
            findings.Add(FindingSeverity.Warning, FormatRules.Metadata, file.Path, "has no __metadata__ member 'format'; Python's transformers wants \"pt\" there.");
        }

        if (reader.Config is { } model)
        {
            CheckQuantization(reader, model, findings);
        }
    }

    private static void CheckQuantization(CheckpointReader reader, ModelConfig model, Findings findings)
    {
        QuantizationConfig? config = model.Quantization;
        if (config is null)
        {
            if (reader.QuantizedWeights.Count > 0)
            {
                findings.Add(
                    FindingSeverity.Error,
                    FormatRules.QuantizationConfig,
                    model.Path,
                    $"has no quantization_config, but {reader.QuantizedWeights.Count} weights are quantized; readers will take their codes for weights.");
            }

            return;
        }

        if (config.QuantMethod != "bitsandbytes")
        {
            findings.Add(
                FindingSeverity.Warning,
                FormatRules.QuantizationConfig,
                model.Path,
                $"says the weights are quantized with {SafeText.Quote(config.QuantMethod)}; only their files were checked, not that format.");
            return;
        }

        CheckSchemes(reader, model, config, findings);
        CheckUnquantized(reader, config, findings);
    }

    private static void CheckSchemes(CheckpointReader reader, ModelConfig model, QuantizationConfig config, Findings findings)
    {
        WeightScheme expected = config.LoadIn8Bit ? WeightScheme.Int8
            : config.QuantType == "nf4" ? WeightScheme.Nf4
            : WeightScheme.Fp4;
        if (!config.LoadIn4Bit && !config.LoadIn8Bit)
        {
            findings.Add(
                FindingSeverity.Error, FormatRules.QuantizationConfig, model.Path, "sets neither load_in_4bit nor load_in_8bit; expected one of them.");
            return;
        }

        if (reader.QuantizedWeights.Count == 0)
        {
            findings.Add(
                FindingSeverity.Error,
                FormatRules.QuantizationConfig,
                model.Path,
                $"says the weights are {QuantState.Name(expected)}, but none is quantized; remove quantization_config or use the right weights.");
        }

        foreach (QuantizedWeight weight in reader.QuantizedWeights)
        {
            if (weight.Scheme != expected)
            {
                findings.Add(
                    FindingSeverity.Error,
                    FormatRules.QuantizationConfig,
                    weight.Weight,
                    $"is {QuantState.Name(weight.Scheme)}, but config.json says {QuantState.Name(expected)}; expected the same.");
            }
            else if (expected != WeightScheme.Int8 && config.UseDoubleQuant != weight.NestedAbsmax is not null)
            {
                findings.Add(
                    FindingSeverity.Warning,
                    FormatRules.QuantizationConfig,
                    weight.Weight,
                    $"{(config.UseDoubleQuant ? "is not" : "is")} double quantized, but config.json says it is{(config.UseDoubleQuant ? "" : " not")}.");
            }
        }
    }

    /// <summary>A layer Python will look for codes of, and find none.</summary>
    private static void CheckUnquantized(CheckpointReader reader, QuantizationConfig config, Findings findings)
    {
        TensorClassifier classifier = new(reader.Tensors.Select(TensorPump.Entry), reader.Config);
        SkipRules? rules = config.SkipModules is null ? null : new SkipRules(config.SkipModules);
        foreach (CheckpointTensor tensor in reader.Tensors)
        {
            TensorKind kind = classifier.Classify(tensor.Name, tensor.Info.ShapeArray);
            bool candidate = kind == TensorKind.Linear || (kind == TensorKind.OutputEmbedding && rules is not null);
            if (!candidate || reader.TryGetQuantized(tensor.Name, out _))
            {
                continue;
            }

            if (tensor.Info.DType == SafetensorsDType.I8 && config.LoadIn8Bit)
            {
                findings.Add(
                    FindingSeverity.Error,
                    FormatRules.QuantizedParts,
                    tensor,
                    $"is int8, but {SafeText.Quote(BitsAndBytesKeys.ModuleOf(tensor.Name) + "." + BitsAndBytesKeys.Scb)} with its statistics is missing.");
            }
            else if (rules?.Match(BitsAndBytesKeys.ModuleOf(tensor.Name)!) is null)
            {
                findings.Add(
                    FindingSeverity.Warning,
                    FormatRules.QuantizationConfig,
                    tensor,
                    $"is {tensor.Info.DType.ToTorchName()}, but llm_int8_skip_modules does not list its layer; Python will expect it quantized.");
            }
        }
    }
}
