using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Unicode;

namespace Halfbyte.Checkpoints;

/// <summary>
/// What bitsandbytes keeps about a 4-bit weight besides tensors: a JSON object, stored as the bytes of a uint8 tensor.
/// </summary>
public sealed record QuantState
{
    /// <summary>Statistics per nested statistic; bitsandbytes has no other.</summary>
    internal const int NestedBlock = 256;

    /// <summary><c>quant_type</c>: <see cref="WeightScheme.Nf4"/> or <see cref="WeightScheme.Fp4"/>.</summary>
    public required WeightScheme Scheme { get; init; }

    /// <summary><c>blocksize</c>: elements per statistic, a power of two from 32 to 4096.</summary>
    public required int BlockSize { get; init; }

    /// <summary><c>dtype</c>: the type the weight had and is restored to.</summary>
    public required DType DType { get; init; }

    /// <summary><c>shape</c>: the dimensions of the weight, [N, K]; any rank for parameters of other modules.</summary>
    public required IReadOnlyList<long> Shape { get; init; }

    /// <summary><c>nested_offset</c>, the mean that was subtracted from the statistics; null if they are not double quantized.</summary>
    public float? NestedOffset { get; init; }

    /// <summary>Whether the statistics are double quantized.</summary>
    public bool IsDoubleQuantized => NestedOffset is not null;

    /// <summary>Elements of the weight.</summary>
    public long ElementCount
    {
        get
        {
            long count = 1;
            foreach (long dimension in Shape)
            {
                count *= dimension;
            }

            return count;
        }
    }

    internal long PackedBytes => (ElementCount / 2) + (ElementCount % 2);

    internal long Blocks => CeilDiv(ElementCount, BlockSize);

    internal long NestedBlocks => CeilDiv(Blocks, NestedBlock);

    /// <summary>The blob, byte for byte as Python writes it.</summary>
    public byte[] ToBytes()
    {
        StringBuilder text = new();
        text.Append(CultureInfo.InvariantCulture, $"{{\"quant_type\": \"{Name(Scheme)}\", \"blocksize\": {BlockSize}, ");
        text.Append(CultureInfo.InvariantCulture, $"\"dtype\": \"{DType.ToTorchName()}\", \"shape\": {SafetensorsTensor.ShapeText(Shape)}");
        if (NestedOffset is { } offset)
        {
            text.Append(CultureInfo.InvariantCulture, $", \"nested_blocksize\": {NestedBlock}, \"nested_dtype\": \"float32\", ");
            text.Append("\"nested_offset\": ").Append(PythonJson.Float(offset));
        }

        return Encoding.ASCII.GetBytes(text.Append('}').ToString());
    }

    /// <summary>Reads a blob: exactly the known members, each once, each valid.</summary>
    /// <param name="json">The bytes of the tensor.</param>
    /// <param name="scheme">The type the tensor's key names.</param>
    /// <param name="path">The file, for messages.</param>
    /// <param name="weight">The weight, for messages.</param>
    /// <exception cref="CheckpointFormatException">The blob is anything else.</exception>
    public static QuantState Parse(ReadOnlySpan<byte> json, WeightScheme scheme, string? path, string? weight)
    {
        if (!Utf8.IsValid(json))
        {
            throw Fail("is not valid UTF-8", path, weight);
        }

        try
        {
            return ParseMembers(json, scheme, path, weight);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw new CheckpointFormatException(
                FormatRules.QuantState, "quant_state is not valid JSON; expected an object as bitsandbytes writes it.", path, weight, innerException: e);
        }
    }

    internal static string Name(WeightScheme scheme) => scheme switch
    {
        WeightScheme.Nf4 => "nf4",
        WeightScheme.Fp4 => "fp4",
        WeightScheme.Int8 => "int8",
        _ => "none",
    };

    internal static bool IsBlockSize(long value) => value is >= 32 and <= 4096 && long.IsPow2(value);

    internal static long CeilDiv(long count, long size) => (count / size) + (count % size == 0 ? 0 : 1);

    /// <summary>Checks members from whichever form they were stored in.</summary>
    internal static QuantState FromMembers(Members members, WeightScheme scheme, string? path, string? weight)
    {
        if (members.QuantType is null || members.BlockSize is null || members.DType is null || members.Shape is null)
        {
            string missing = members.QuantType is null ? "quant_type"
                : members.BlockSize is null ? "blocksize"
                : members.DType is null ? "dtype"
                : "shape";
            throw Fail($"lacks {missing}", path, weight);
        }

        if (members.QuantType != Name(scheme))
        {
            throw Fail($"says quant_type {SafeText.Quote(members.QuantType)}, its key says '{Name(scheme)}'; expected the same", path, weight);
        }

        if (!IsBlockSize(members.BlockSize.Value))
        {
            throw Fail($"says blocksize {members.BlockSize}; expected a power of two from 32 to 4096", path, weight);
        }

        DType dtype = FloatType(members.DType, "dtype", path, weight);
        if (!SafetensorsDType.F64.TryByteLength(members.Shape, out _, out _))
        {
            throw Fail($"says shape {SafetensorsTensor.ShapeText(members.Shape)}; expected dimensions from 0 whose product fits", path, weight);
        }

        int nested = (members.NestedBlockSize is null ? 0 : 1) + (members.NestedDType is null ? 0 : 1) + (members.NestedOffset is null ? 0 : 1);
        if (nested is not (0 or 3))
        {
            throw Fail("has some of nested_blocksize, nested_dtype and nested_offset; expected all three or none", path, weight);
        }

        if (nested == 3)
        {
            if (members.NestedBlockSize != NestedBlock)
            {
                throw Fail($"says nested_blocksize {members.NestedBlockSize}; expected {NestedBlock}", path, weight);
            }

            if (FloatType(members.NestedDType!, "nested_dtype", path, weight) != DType.Float32)
            {
                throw Fail($"says nested_dtype {SafeText.Quote(members.NestedDType!)}; expected 'float32'", path, weight);
            }

            if (!float.IsFinite((float)members.NestedOffset!.Value))
            {
                throw Fail("says a nested_offset that is no finite float32", path, weight);
            }
        }

        return new QuantState
        {
            Scheme = scheme,
            BlockSize = (int)members.BlockSize.Value,
            DType = dtype,
            Shape = members.Shape,
            NestedOffset = (float?)members.NestedOffset,
        };
    }

    private static QuantState ParseMembers(ReadOnlySpan<byte> json, WeightScheme scheme, string? path, string? weight)
    {
        Utf8JsonReader reader = new(json, new JsonReaderOptions { MaxDepth = 4 });
        Members members = new();
        HashSet<string> seen = new(StringComparer.Ordinal);
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            throw Fail("is not a JSON object", path, weight);
        }

        while (reader.Read() && reader.TokenType != JsonTokenType.EndObject)
        {
            string name = reader.GetString()!;
            if (!seen.Add(name))
            {
                throw Fail($"has the member {SafeText.Quote(name)} twice", path, weight);
            }

            reader.Read();
            switch (name)
            {
                case "quant_type":
                    members.QuantType = ReadText(ref reader, name, path, weight);
                    break;
                case "blocksize":
                    members.BlockSize = ReadInteger(ref reader, name, path, weight);
                    break;
                case "dtype":
                    members.DType = ReadText(ref reader, name, path, weight);
                    break;
                case "shape":
                    members.Shape = ReadShape(ref reader, path, weight);
                    break;
                case "nested_blocksize":
                    members.NestedBlockSize = ReadInteger(ref reader, name, path, weight);
                    break;
                case "nested_dtype":
                    members.NestedDType = ReadText(ref reader, name, path, weight);
                    break;
                case "nested_offset":
                    members.NestedOffset = reader.TokenType == JsonTokenType.Number && reader.TryGetDouble(out double offset)
                        ? offset
                        : throw Fail("has a nested_offset that is no number", path, weight);
                    break;
                default:
                    throw Fail($"has the unknown member {SafeText.Quote(name)}", path, weight);
            }
        }

        while (reader.Read())
        {
        }

        return FromMembers(members, scheme, path, weight);
    }

    private static string ReadText(ref Utf8JsonReader reader, string name, string? path, string? weight) =>
        reader.TokenType == JsonTokenType.String ? reader.GetString()! : throw Fail($"has a {name} that is no string", path, weight);

    private static long ReadInteger(ref Utf8JsonReader reader, string name, string? path, string? weight) =>
        reader.TokenType == JsonTokenType.Number
        && reader.ValueSpan.IndexOfAnyExceptInRange((byte)'0', (byte)'9') < 0
        && reader.TryGetInt64(out long value)
            ? value
            : throw Fail($"has a {name} that is no plain non-negative integer", path, weight);

    private static long[] ReadShape(ref Utf8JsonReader reader, string? path, string? weight)
    {
        if (reader.TokenType != JsonTokenType.StartArray)
        {
            throw Fail("has a shape that is no array", path, weight);
        }

        List<long> shape = [];
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            if (shape.Count == 64)
            {
                throw Fail("has a shape of more than 64 dimensions", path, weight);
            }

            shape.Add(ReadInteger(ref reader, "shape", path, weight));
        }

        return [.. shape];
    }

    private static DType FloatType(string name, string member, string? path, string? weight) =>
        name is "float32" or "float16" or "bfloat16" && DTypes.TryParseTorchName(name, out DType dtype)
            ? dtype
            : throw Fail($"says {member} {SafeText.Quote(name)}; expected 'float32', 'float16' or 'bfloat16'", path, weight);

    private static CheckpointFormatException Fail(string what, string? path, string? weight) =>
        new(FormatRules.QuantState, $"quant_state {what}; write the checkpoint again or download it again.", path, weight);

    /// <summary>Members before they are checked.</summary>
    internal sealed class Members
    {
        public string? QuantType { get; set; }

        public long? BlockSize { get; set; }

        public string? DType { get; set; }

        public long[]? Shape { get; set; }

        public long? NestedBlockSize { get; set; }

        public string? NestedDType { get; set; }

        public double? NestedOffset { get; set; }
    }
}
