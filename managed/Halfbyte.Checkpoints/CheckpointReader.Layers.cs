using System.Globalization;

namespace Halfbyte.Checkpoints;

/// <content>From files to a stream's device: whole layers, or their weight and bias apart.</content>
public sealed partial class CheckpointReader
{
    /// <summary>
    /// Loads a linear layer onto a stream's device, ready to multiply: the quantized weight, the bias if the checkpoint holds one, and for an
    /// int8 weight the outlier threshold of config.json (<c>llm_int8_threshold</c>; 6 where there is none).
    /// </summary>
    /// <param name="name">The module or its weight: <c>model.layers.3.mlp.up_proj</c> or <c>model.layers.3.mlp.up_proj.weight</c>.</param>
    /// <param name="stream">A stream of the device.</param>
    /// <returns>A <see cref="Linear4Bit"/> or a <see cref="Linear8Bit"/>, owned by the caller, as are its parts by the layer.</returns>
    /// <exception cref="CheckpointFormatException">
    /// There is no such weight, it is not quantized, its parts are broken or do not fit together, or the threshold is negative.
    /// </exception>
    public QuantizedLinear LoadLayer(string name, ComputeStream stream)
    {
        QuantizedTensor weight = LoadLinear(name, stream);
        DeviceBuffer? bias = null;
        try
        {
            bias = LoadBias(name, stream, out DType biasDType);
            if (bias is not null && bias.ByteLength != weight.Rows * biasDType.SizeInBytes())
            {
                CheckpointTensor stored = _byName[BiasName(name)];
                throw new CheckpointFormatException(
                    FormatRules.QuantizedParts, $"is {stored.Info}; the bias of {weight.Rows} output features has {weight.Rows} elements.", stored.Path, stored.Name);
            }

            return weight is Int8Tensor int8
                ? new Linear8Bit(int8, bias, biasDType) { Threshold = OutlierThreshold() }
                : new Linear4Bit((FourBitTensor)weight, bias, biasDType);
        }
        catch
        {
            bias?.Dispose();
            weight.Dispose();
            throw;
        }
    }

    /// <summary>Loads a quantized weight onto a stream's device: that of a linear layer, or of an embedding, which has the same parts.</summary>
    /// <param name="name">The weight or its module: <c>model.layers.3.mlp.up_proj.weight</c> or <c>model.layers.3.mlp.up_proj</c>.</param>
    /// <param name="stream">A stream of the device.</param>
    /// <returns>A <see cref="FourBitTensor"/> or an <see cref="Int8Tensor"/>, owned by the caller.</returns>
    /// <exception cref="CheckpointFormatException">There is no such weight, it is not quantized, or it is broken.</exception>
    public QuantizedTensor LoadLinear(string name, ComputeStream stream)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentNullException.ThrowIfNull(stream);
        if (!TryGetQuantized(name, out QuantizedWeight weight) && !TryGetQuantized(name + ".weight", out weight))
        {
            CheckpointTensor? plain = _byName.GetValueOrDefault(name) ?? _byName.GetValueOrDefault(name + ".weight");
            throw new CheckpointFormatException(
                plain is null ? FormatRules.Missing : FormatRules.WeightDType,
                plain is null
                    ? "the checkpoint holds no such weight."
                    : $"is {plain.Info}, not a bitsandbytes weight; quantize the checkpoint first, or quantize the weight with FourBit.Quantize or Int8.Quantize.",
                plain?.Path ?? Path,
                plain?.Name ?? name);
        }

        QuantizedTensor tensor = QuantizedWeightLoader.Load(this, weight, stream);
        tensor.Name = weight.Name;
        return tensor;
    }

    /// <summary>Loads the bias of a module onto a stream's device.</summary>
    /// <param name="name">The weight or its module, as for <see cref="LoadLinear"/>.</param>
    /// <param name="stream">A stream of the device.</param>
    /// <param name="dtype">The type of the bias.</param>
    /// <returns>A buffer owned by the caller, or null if the checkpoint holds no bias for the module.</returns>
    /// <exception cref="CheckpointFormatException">The bias is of a type arithmetic does not know.</exception>
    public DeviceBuffer? LoadBias(string name, ComputeStream stream, out DType dtype)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentNullException.ThrowIfNull(stream);
        dtype = DType.Float32;
        if (!TryGet(BiasName(name), out CheckpointTensor bias))
        {
            return null;
        }

        if (!bias.Info.DType.TryToDType(out dtype))
        {
            throw new CheckpointFormatException(
                FormatRules.WeightDType, $"is {bias.Info}; a bias must be float32, float16 or bfloat16.", bias.Path, bias.Name);
        }

        return QuantizedWeightLoader.LoadTensor(bias, stream);
    }

    private static string BiasName(string name) => (BitsAndBytesKeys.ModuleOf(name) ?? name) + ".bias";

    private float OutlierThreshold()
    {
        if (Config?.Quantization is not { } quantization)
        {
            return Linear8Bit.DefaultThreshold;
        }

        return quantization.Int8Threshold >= 0
            ? (float)quantization.Int8Threshold
            : throw new CheckpointFormatException(
                FormatRules.QuantizationConfig,
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"quantization_config.llm_int8_threshold is {quantization.Int8Threshold}; expected 0 (no outliers) or more."),
                Config.Path);
    }
}
