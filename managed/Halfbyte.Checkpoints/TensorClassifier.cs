namespace Halfbyte.Checkpoints;

/// <summary>What a tensor is for, as far as its name and shape tell.</summary>
public enum TensorKind
{
    /// <summary>Anything else: buffers, learned vectors, fused parameters.</summary>
    Other = 0,

    /// <summary>The weight of a linear layer: what gets quantized.</summary>
    Linear = 1,

    /// <summary>The linear layer from hidden states to the vocabulary.</summary>
    OutputEmbedding = 2,

    /// <summary>A table of vectors.</summary>
    Embedding = 3,

    /// <summary>A normalization's gain or offset.</summary>
    Norm = 4,

    /// <summary>A convolution's kernel.</summary>
    Convolution = 5,

    /// <summary>A bias.</summary>
    Bias = 6,
}

/// <summary>
/// Decides which tensors are weights of linear layers. transformers asks the Python class of each module; a file has only names and
/// shapes, so this is the rule, in one place:
/// <list type="number">
/// <item>Only a two-dimensional <c>*.weight</c> can be linear. Parameters without that suffix (<c>attn.in_proj_weight</c>, <c>resampler.proj</c>,
/// <c>query</c>, <c>class_embedding</c>) are not modules and never quantized; more dimensions are convolutions or fused experts.</item>
/// <item>It is an embedding if its module's name says so: one of the usual names (<c>embed_tokens</c>, <c>wte</c>, ...; also numbered below
/// such a name), or a word <c>embed</c>, <c>embedding(s)</c>, <c>emb</c> in the leaf without a word of a layer (<c>proj</c>, <c>linear</c>, ...).</item>
/// <item>It is a norm if the leaf contains <c>norm</c> or is <c>ln</c>, <c>ln_*</c>, <c>bn*</c>, again without a word of a layer.</item>
/// <item>It is the output embedding if the leaf is <c>lm_head</c> (or it is numbered below <c>lm_heads</c>), or one of <c>embed_out</c>,
/// <c>output_layer</c>, <c>output</c>, <c>head</c>, <c>decoder</c> with as many rows as the vocabulary has entries.</item>
/// <item>A router that PyTorch models hold as a bare parameter (DeepSeek's <c>mlp.gate</c> with its <c>e_score_correction_bias</c>) is not linear.</item>
/// <item>Everything else is linear.</item>
/// </list>
/// </summary>
public sealed class TensorClassifier
{
    private static readonly HashSet<string> EmbeddingNames = new(StringComparer.Ordinal)
    {
        "embed_tokens", "embed_positions", "embed_in", "embeddings", "embedding", "wte", "wpe", "word_embeddings", "word_embedding",
        "tok_embeddings", "tok_embedding", "token_embedding", "token_embeddings", "position_embedding", "position_embeddings",
        "token_type_embeddings", "shared", "relative_attention_bias", "embed_tokens_per_layer",
        "tokens_embed", "positions_embed",
    };

    private static readonly HashSet<string> SureEmbeddingNames = new(StringComparer.Ordinal)
    {
        "embed_tokens", "wte", "wpe", "word_embeddings", "position_embeddings", "token_type_embeddings", "tok_embeddings",
    };

    private static readonly HashSet<string> EmbeddingWords = new(StringComparer.Ordinal) { "embed", "embeds", "embedding", "embeddings", "emb" };

    private static readonly HashSet<string> LayerWords = new(StringComparer.Ordinal)
    {
        "proj", "projection", "projections", "projector", "linear", "lin", "dense", "fc", "mlp", "out", "head", "mapping", "hidden", "mapper", "down", "up", "gate",
    };

    private static readonly HashSet<string> OutputNames = new(StringComparer.Ordinal) { "embed_out", "output_layer", "output", "head", "decoder" };

    /// <summary>Models whose linear layers are transformers' Conv1D, stored [in, out].</summary>
    private static readonly HashSet<string> Conv1DModels = new(StringComparer.Ordinal) { "gpt2", "openai-gpt", "imagegpt", "decision_transformer" };

    private readonly HashSet<long> _vocabularies = [];
    private readonly HashSet<string> _names;
    private readonly HashSet<string> _parentsOfExperts = new(StringComparer.Ordinal);

    /// <summary>Prepares for a checkpoint.</summary>
    /// <param name="tensors">Name, element type and shape of every tensor.</param>
    /// <param name="config">config.json, or null.</param>
    public TensorClassifier(IEnumerable<SafetensorsEntry> tensors, ModelConfig? config = null)
    {
        ArgumentNullException.ThrowIfNull(tensors);
        _names = new HashSet<string>(StringComparer.Ordinal);
        if (config?.VocabSize is { } vocabulary)
        {
            _vocabularies.Add(vocabulary);
        }

        foreach (SafetensorsEntry tensor in tensors)
        {
            _names.Add(tensor.Name);
            int experts = ("." + tensor.Name).IndexOf(".experts.", StringComparison.Ordinal);
            if (experts >= 0)
            {
                _parentsOfExperts.Add(tensor.Name[..experts]);
            }

            if (tensor.Shape.Count == 2 && BitsAndBytesKeys.ModuleOf(tensor.Name) is { } module && IsEmbedding(module))
            {
                _vocabularies.Add(tensor.Shape[0]);
            }
        }

        UsesConv1D = config?.ModelType is { } type && Conv1DModels.Contains(type);
    }

    /// <summary>Whether the model's linear layers are stored transposed, [in, out].</summary>
    public bool UsesConv1D { get; }

    /// <summary>What a tensor is for.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="shape">Its shape as a full-precision tensor.</param>
    public TensorKind Classify(string name, IReadOnlyList<long> shape)
    {
        ArgumentNullException.ThrowIfNull(name);
        ArgumentNullException.ThrowIfNull(shape);
        if (BitsAndBytesKeys.ModuleOf(name) is not { } module)
        {
            return name.EndsWith(".bias", StringComparison.Ordinal) || name.EndsWith("_bias", StringComparison.Ordinal)
                ? TensorKind.Bias
                : TensorKind.Other;
        }

        string leaf = Leaf(module);
        if (shape.Count != 2)
        {
            return shape.Count switch
            {
                1 => IsNorm(leaf) || !leaf.Contains("conv", StringComparison.Ordinal) ? TensorKind.Norm : TensorKind.Other,
                >= 3 => TensorKind.Convolution,
                _ => TensorKind.Other,
            };
        }

        if (IsOutput(module, leaf, shape[0]))
        {
            return TensorKind.OutputEmbedding;
        }

        return IsEmbedding(module) ? TensorKind.Embedding
            : IsNorm(leaf) ? TensorKind.Norm
            : _names.Contains(module + ".e_score_correction_bias") ? TensorKind.Other
            : TensorKind.Linear;
    }

    /// <summary>
    /// Whether a linear weight is the output projection of a torch.nn.MultiheadAttention, which reads it without calling the layer: in
    /// Python that fails on quantized storage ("self and mat2 must have the same dtype").
    /// </summary>
    public bool IsReadDirectly(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        const string Suffix = ".out_proj.weight";
        return name.EndsWith(Suffix, StringComparison.Ordinal) && _names.Contains(name[..^Suffix.Length] + ".in_proj_weight");
    }

    /// <summary>
    /// Whether a module chooses among the experts beside it. Some models hold it as a bare parameter, which Python cannot quantize; others
    /// as a linear layer, too small to be worth it.
    /// </summary>
    internal bool IsRouter(string module) =>
        Leaf(module) is "gate" or "router" && _parentsOfExperts.Contains(Parent(module));

    /// <summary>Whether a module is an embedding in every model that uses its name, not only by the words in it.</summary>
    internal static bool IsSurelyEmbedding(string module) => SureEmbeddingNames.Contains(Leaf(module));

    /// <summary>Whether a linear weight is stored [in, out] and must be transposed before it is quantized.</summary>
    internal bool IsTransposed(string name) =>
        UsesConv1D && BitsAndBytesKeys.ModuleOf(name) is { } module && Leaf(module) is "c_attn" or "c_proj" or "c_fc" or "q_attn";

    internal static string Leaf(string module) => module[(module.LastIndexOf('.') + 1)..];

    /// <summary>What stands before the last dot, with that dot; empty at the top.</summary>
    private static string Parent(string module) => module[..(module.LastIndexOf('.') + 1)];

    private static bool IsEmbedding(string module)
    {
        string leaf = Leaf(module);
        if (EmbeddingNames.Contains(leaf))
        {
            return true;
        }

        if (leaf.All(char.IsAsciiDigit))
        {
            int dot = module.LastIndexOf('.');
            return dot > 0 && EmbeddingNames.Contains(Leaf(module[..dot]));
        }

        string[] words = leaf.Split('_');
        return words.Any(EmbeddingWords.Contains) && !words.Any(LayerWords.Contains);
    }

    private static bool IsNorm(string leaf)
    {
        bool named = leaf.Contains("norm", StringComparison.OrdinalIgnoreCase)
            || leaf is "ln" or "bn"
            || leaf.StartsWith("ln_", StringComparison.Ordinal)
            || (leaf.StartsWith("bn", StringComparison.Ordinal) && leaf.AsSpan(2).IndexOfAnyExceptInRange('0', '9') < 0);
        return named && !leaf.Split('_').Any(LayerWords.Contains);
    }

    private bool IsOutput(string module, string leaf, long rows)
    {
        if (leaf == "lm_head")
        {
            return true;
        }

        int dot = module.LastIndexOf('.');
        return (dot > 0 && leaf.All(char.IsAsciiDigit) && Leaf(module[..dot]) == "lm_heads")
            || (OutputNames.Contains(leaf) && _vocabularies.Contains(rows));
    }
}
