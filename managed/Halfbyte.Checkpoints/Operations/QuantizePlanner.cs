using System.Text.RegularExpressions;

namespace Halfbyte.Checkpoints;

/// <summary>Decides for every tensor of a checkpoint whether it is quantized, and collects what the user should know.</summary>
internal sealed class QuantizePlanner
{
    private const string OutputName = "lm_head";

    private readonly CheckpointReader _reader;
    private readonly QuantizeOptions _options;
    private readonly TensorClassifier _classifier;
    private readonly List<string> _warnings = [];

    /// <summary>The skip list without the layers added because they are never quantized.</summary>
    private IReadOnlyList<string> _given = [];

    public QuantizePlanner(CheckpointReader reader, QuantizeOptions options)
    {
        _reader = reader;
        _options = options;
        _classifier = new TensorClassifier(reader.Tensors.Select(TensorPump.Entry), reader.Config);
    }

    public List<string> Warnings => _warnings;

    /// <summary>The weights that will be quantized: stored [in, out] or not.</summary>
    public List<(CheckpointTensor Tensor, bool Transposed)> Chosen { get; } = [];

    /// <summary>Why each other tensor passes through.</summary>
    public Dictionary<string, string> PassedThrough { get; } = new(StringComparer.Ordinal);

    /// <summary>What <c>llm_int8_skip_modules</c> says of the result.</summary>
    public IReadOnlyList<string> SkipModules { get; private set; } = [];

    public void Decide()
    {
        RefuseQuantized();
        List<(CheckpointTensor Tensor, string Module, TensorKind Kind)> linear = [];
        List<string> outputs = [];
        List<string> kept = [];
        int foreign = 0;
        foreach (CheckpointTensor tensor in _reader.Tensors)
        {
            SafetensorsTensor info = tensor.Info;
            TensorKind kind = _classifier.Classify(info.Name, info.ShapeArray);
            string? module = BitsAndBytesKeys.ModuleOf(info.Name);
            if (kind == TensorKind.OutputEmbedding)
            {
                outputs.Add(module!);
            }

            if (kind is not (TensorKind.Linear or TensorKind.OutputEmbedding))
            {
                PassedThrough[info.Name] = Describe(kind, info);
            }
            else if (_classifier.IsRouter(module!))
            {
                PassedThrough[info.Name] = "router";
            }
            else if (!info.DType.TryToDType(out _) || info.ElementCount == 0)
            {
                foreign += info.ElementCount == 0 ? 0 : 1;
                PassedThrough[info.Name] = info.ElementCount == 0 ? "empty" : $"{info.DType.ToTorchName()}, not float32, float16 or bfloat16";
            }
            else
            {
                linear.Add((tensor, module!, kind));
                continue;
            }

            if (module is not null && info.ShapeArray.Length == 2 && IsFloatingPoint(info.DType) && !TensorClassifier.IsSurelyEmbedding(module))
            {
                kept.Add(module);
            }
        }

        if (foreign > 0)
        {
            _warnings.Add($"{foreign} linear weights are stored in types that are not quantized from and pass through; convert the checkpoint to bfloat16 first to quantize them.");
        }

        SkipModules = SkipList(outputs, kept);
        Choose(linear);
        Warn(linear);
        if (Chosen.Count == 0)
        {
            throw new CheckpointFormatException(
                FormatRules.WeightDType,
                "holds nothing to quantize: no two-dimensional floating-point *.weight of a linear layer is left outside the skip list.",
                _reader.Path);
        }
    }

    private static string Describe(TensorKind kind, SafetensorsTensor info) => kind switch
    {
        TensorKind.Embedding => "embedding",
        TensorKind.Norm => info.ShapeArray.Length == 1 ? "1-D" : "norm",
        TensorKind.Convolution => "convolution",
        TensorKind.Bias => "bias",
        _ => info.ShapeArray.Length == 2 ? "no linear layer" : $"{info.ShapeArray.Length}-D",
    };

    private void RefuseQuantized()
    {
        if (_reader.QuantizedWeights is [var first, ..])
        {
            throw new CheckpointFormatException(
                FormatRules.AlreadyQuantized,
                $"is already quantized with bitsandbytes {QuantState.Name(first.Scheme)}; dequantize the checkpoint first, then quantize the result.",
                first.Weight.Path,
                first.Name);
        }

        if (_reader.Config?.Quantization is { } config)
        {
            throw new CheckpointFormatException(
                FormatRules.AlreadyQuantized,
                config.QuantMethod == "bitsandbytes"
                    ? "quantization_config says the checkpoint is quantized with bitsandbytes, but no weight is; remove the member, or use the right weights."
                    : $"quantization_config says the checkpoint is quantized with {SafeText.Quote(config.QuantMethod)}; use the model's full-precision checkpoint instead.",
                _reader.Config.Path);
        }
    }

    private void Choose(List<(CheckpointTensor Tensor, string Module, TensorKind Kind)> linear)
    {
        SkipRules rules = new(SkipModules);
        foreach ((CheckpointTensor tensor, string module, _) in linear)
        {
            if (rules.Match(module) is { } entry)
            {
                PassedThrough[tensor.Name] = $"skipped: {entry}";
            }
            else
            {
                Chosen.Add((tensor, _classifier.IsTransposed(tensor.Name)));
            }
        }

        WarnUnmatched(rules.Unmatched.Intersect(_options.Skip ?? [], StringComparer.Ordinal));
    }

    /// <summary>
    /// Python makes a quantized layer of every linear layer that the list does not name, and then fails if the file has no codes for it;
    /// so whatever might be a linear layer there and is not quantized here must be on it:
    /// <list type="number">
    /// <item>the user's entries, or else the output embedding;</item>
    /// <item><c>lm_head</c> where no output embedding is stored: Python has one of its own, tied to the input embedding, and without a list
    /// or an output embedding keeps the model's last layer instead;</item>
    /// <item>what the model's class keeps in float32;</item>
    /// <item>the full name of every other layer with a two-dimensional weight that is never quantized, unless it is surely an embedding.</item>
    /// </list>
    /// What is quantized is decided by this list, so that an entry matches no other layers here than there.
    /// </summary>
    private IReadOnlyList<string> SkipList(List<string> outputs, List<string> kept)
    {
        // Under the usual name by its leaf, which holds wherever a version of transformers puts it; other names are too common for that.
        List<string> entries = [.. _options.Skip ?? outputs.Select(o => TensorClassifier.Leaf(o) == OutputName ? OutputName : o)];
        if (outputs.Count == 0)
        {
            entries.Add(OutputName);
        }

        entries.AddRange(KeptInFloat32.Components(_reader.Config?.ModelType));
        SkipRules rules = new(entries);
        _given = rules.Entries;
        return new SkipRules([.. _given, .. kept.Where(m => rules.Match(m) is null)]).Entries;
    }

    private static bool IsFloatingPoint(SafetensorsDType type) => type is not (
        SafetensorsDType.BOOL or SafetensorsDType.U8 or SafetensorsDType.I8 or SafetensorsDType.U16 or SafetensorsDType.I16
        or SafetensorsDType.U32 or SafetensorsDType.I32 or SafetensorsDType.U64 or SafetensorsDType.I64 or SafetensorsDType.C64);

    private void WarnUnmatched(IEnumerable<string> entries)
    {
        List<string> modules = [.. _reader.Tensors.Select(t => BitsAndBytesKeys.ModuleOf(t.Name)).OfType<string>()];
        foreach (string entry in entries)
        {
            SkipRules single = new([entry]);
            if (modules.Any(m => single.Match(m) is not null))
            {
                _warnings.Add($"the skip entry {SafeText.Quote(entry)} matches only layers that are never quantized; it can be left out.");
                continue;
            }

            string hint = Similar(entry, modules) is { } similar ? $" Did you mean {SafeText.Quote(similar)}?" : "";
            _warnings.Add($"the skip entry {SafeText.Quote(entry)} matches no layer of this checkpoint.{hint}");
        }
    }

    /// <summary>
    /// transformers 5 matches skip entries otherwise: as a regular expression at the start of a name, or as plain text at its end. Where
    /// that gives other layers, the result would load in one version and not in the other.
    /// </summary>
    private void WarnOfTransformers5(List<(CheckpointTensor Tensor, string Module, TensorKind Kind)> linear)
    {
        foreach (string entry in _given)
        {
            Regex? pattern = Pattern(entry);
            SkipRules single = new([entry]);
            bool Matches5(string module) => pattern?.IsMatch(module) == true || module.EndsWith(entry, StringComparison.Ordinal);
            string? missed = linear.Select(l => l.Module).FirstOrDefault(m => single.Match(m) is not null && !Matches5(m));
            string? extra = linear.Select(l => l.Module).FirstOrDefault(m => single.Match(m) is null && Matches5(m) && !PassedThrough.ContainsKey(m + ".weight"));
            if (missed is not null)
            {
                string full = missed[..(missed.IndexOf(entry + ".", StringComparison.Ordinal) + entry.Length)];
                _warnings.Add($"the skip entry {SafeText.Quote(entry)} keeps {SafeText.Quote(missed)}, but transformers 5 would not match it there; write {SafeText.Quote(full)} so that every version loads the result.");
            }
            else if (extra is not null)
            {
                _warnings.Add($"the skip entry {SafeText.Quote(entry)} does not keep {SafeText.Quote(extra)}, but transformers 5 would match it; write the full name of the layer that is meant.");
            }
        }
    }

    private static Regex? Pattern(string entry)
    {
        try
        {
            return new Regex("^(?:" + entry + ")", RegexOptions.NonBacktracking | RegexOptions.CultureInvariant);
        }
        catch (Exception e) when (e is ArgumentException or NotSupportedException)
        {
            return null;
        }
    }

    /// <summary>The part of a module's path that shares most words with the entry.</summary>
    private static string? Similar(string entry, List<string> modules)
    {
        string[] words = entry.Split('.', '_');
        return modules
            .SelectMany(m => m.Split('.'))
            .Distinct(StringComparer.Ordinal)
            .Select(part => (Part: part, Shared: part.Split('_').Intersect(words, StringComparer.Ordinal).Sum(w => w.Length)))
            .Where(c => c.Shared > 2)
            .OrderByDescending(c => c.Shared)
            .ThenBy(c => c.Part, StringComparer.Ordinal)
            .Select(c => c.Part)
            .FirstOrDefault();
    }

    private void Warn(List<(CheckpointTensor Tensor, string Module, TensorKind Kind)> linear)
    {
        List<string> direct = [.. Chosen.Select(c => c.Tensor.Name).Where(_classifier.IsReadDirectly)];
        if (direct.Count > 0)
        {
            string module = BitsAndBytesKeys.ModuleOf(direct[0])!;
            string all = direct.Count == 1 ? "" : $" and {direct.Count - 1} more";
            _warnings.Add(
                $"{SafeText.Quote(module)}{all} belongs to a torch.nn.MultiheadAttention, which reads the weight without calling the layer; Python fails on it when quantized. Skip 'out_proj', and list 'lm_head' again if it is to stay.");
        }

        if (_options.Skip is not null
            && linear.Where(l => l.Kind == TensorKind.OutputEmbedding && !PassedThrough.ContainsKey(l.Tensor.Name)).Select(l => l.Module).ToList() is [var output, ..])
        {
            _warnings.Add($"the output embedding {SafeText.Quote(output)} will be quantized, because a skip list replaces the default; add 'lm_head' to keep it.");
        }

        WarnOfTransformers5(linear);
        if (_reader.Config is null)
        {
            _warnings.Add("there is no config.json; Python's transformers needs one with a quantization_config to load the result.");
        }
    }
}
