using System.Text.Json;
using System.Text.Unicode;

namespace Halfbyte.Checkpoints;

/// <summary>
/// The header of a safetensors file: names, types, shapes and places of its tensors. The parser accepts exactly what the format
/// allows and refuses the rest by rule; it is linear in the header's length and allocates nothing before the limits are checked.
/// </summary>
/// <remarks>
/// File = u64 length n, little endian; n bytes of JSON, <c>{"name": {"dtype", "shape", "data_offsets": [begin, end]}, ...}</c> with an optional
/// <c>"__metadata__"</c> object of strings, padded with spaces; data. Sorted by offset the tensors follow one another without gap or
/// overlap from 0 to the end of the file. Tensors without bytes may share an offset, as in the reference implementation.
/// </remarks>
internal sealed class SafetensorsHeader
{
    /// <summary>The deepest legal header has three levels; eight leave room for a clear message.</summary>
    private const int MaxDepth = 8;

    /// <summary>PyTorch stops at 64 dimensions.</summary>
    private const int MaxRank = 64;

    private SafetensorsHeader(List<SafetensorsTensor> tensors, Dictionary<string, string> metadata)
    {
        Tensors = tensors;
        Metadata = metadata;
    }

    /// <summary>In the order of their bytes.</summary>
    public List<SafetensorsTensor> Tensors { get; }

    public Dictionary<string, string> Metadata { get; }

    /// <summary>Parses the JSON of a header.</summary>
    /// <param name="json">The header's bytes, without the length.</param>
    /// <param name="dataLength">Bytes of the file after the header.</param>
    /// <param name="path">For messages.</param>
    /// <param name="limits">What the header may ask for.</param>
    /// <param name="cancellationToken">Checked now and then.</param>
    public static SafetensorsHeader Parse(
        ReadOnlySpan<byte> json, long dataLength, string path, CheckpointLimits limits, CancellationToken cancellationToken = default)
    {
        if (json.IsEmpty || json[0] != (byte)'{')
        {
            throw new CheckpointFormatException(
                FormatRules.HeaderJson, "the header must start with '{'; this is not a safetensors file, or it is damaged.", path, offset: 8);
        }

        if (!Utf8.IsValid(json))
        {
            throw new CheckpointFormatException(
                FormatRules.HeaderJson, "the header is not valid UTF-8; the file is damaged: download or write it again.", path, offset: 8);
        }

        var parser = new Parser(json, dataLength, path, limits, cancellationToken);
        try
        {
            return parser.Run();
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // InvalidOperationException: escapes of lone surrogates, found when a string is read.
            throw new CheckpointFormatException(
                FormatRules.HeaderJson,
                "the header is not valid JSON; the file is damaged: download or write it again.",
                path,
                offset: 8 + parser.Position,
                innerException: e);
        }
    }

    private ref struct Parser
    {
        private readonly long _dataLength;
        private readonly string _path;
        private readonly CheckpointLimits _limits;
        private readonly CancellationToken _cancellationToken;
        private readonly List<SafetensorsTensor> _tensors = [];
        private readonly HashSet<string> _names = new(StringComparer.Ordinal);
        private readonly List<long> _numbers = [];
        private Utf8JsonReader _reader;

        public Parser(
            ReadOnlySpan<byte> json, long dataLength, string path, CheckpointLimits limits, CancellationToken cancellationToken)
        {
            _reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = MaxDepth });
            _dataLength = dataLength;
            _path = path;
            _limits = limits;
            _cancellationToken = cancellationToken;
        }

        public readonly long Position => _reader.TokenStartIndex;

        public SafetensorsHeader Run()
        {
            var metadata = new Dictionary<string, string>(StringComparer.Ordinal);
            _reader.Read();
            while (_reader.Read() && _reader.TokenType != JsonTokenType.EndObject)
            {
                var name = ReadName();
                if (!_names.Add(name))
                {
                    throw Fail(
                        FormatRules.Duplicate, "the name occurs twice in the header, so two readers could see two different tensors; expected one.", name);
                }

                _reader.Read();
                if (name == "__metadata__")
                {
                    ReadMetadata(metadata);
                }
                else
                {
                    ReadTensor(name);
                }
            }

            // Anything but spaces after the object throws here.
            while (_reader.Read())
            {
            }

            CheckCoverage();
            return new SafetensorsHeader(_tensors, metadata);
        }

        private string ReadName()
        {
            if (_reader.ValueSpan.Length > _limits.MaxNameBytes)
            {
                throw Fail(FormatRules.TensorName, $"a name has {_reader.ValueSpan.Length} bytes; expected at most {_limits.MaxNameBytes}.");
            }

            var name = _reader.GetString()!;
            return name.Length > 0 ? name : throw Fail(FormatRules.TensorName, "a tensor has an empty name; expected at least one character.");
        }

        private void ReadMetadata(Dictionary<string, string> metadata)
        {
            if (_reader.TokenType != JsonTokenType.StartObject)
            {
                throw Fail(FormatRules.Metadata, "__metadata__ must be an object of strings.");
            }

            while (_reader.Read() && _reader.TokenType != JsonTokenType.EndObject)
            {
                var key = _reader.GetString()!;
                _reader.Read();
                if (_reader.TokenType != JsonTokenType.String)
                {
                    throw Fail(FormatRules.Metadata, $"__metadata__ member {SafeText.Quote(key)} is not a string; expected strings only.");
                }

                if (!metadata.TryAdd(key, _reader.GetString()!))
                {
                    throw Fail(FormatRules.Duplicate, $"__metadata__ member {SafeText.Quote(key)} occurs twice; expected it once.");
                }
            }
        }

        private void ReadTensor(string name)
        {
            if (_tensors.Count >= _limits.MaxTensors)
            {
                throw Fail(FormatRules.TensorCount, $"the header describes more than {_limits.MaxTensors} tensors, the limit of this reader.");
            }

            if ((_tensors.Count & 1023) == 0)
            {
                _cancellationToken.ThrowIfCancellationRequested();
            }

            if (_reader.TokenType != JsonTokenType.StartObject)
            {
                throw Fail(FormatRules.HeaderJson, "an entry must be an object with dtype, shape and data_offsets.", name);
            }

            SafetensorsDType dtype = 0;
            long[]? shape = null;
            long begin = -1;
            long end = -1;
            while (_reader.Read() && _reader.TokenType != JsonTokenType.EndObject)
            {
                if (_reader.ValueTextEquals("dtype"u8))
                {
                    Once(dtype == 0, "dtype", name);
                    dtype = ReadDType(name);
                }
                else if (_reader.ValueTextEquals("shape"u8))
                {
                    Once(shape is null, "shape", name);
                    shape = ReadIntegers("shape", MaxRank, FormatRules.Shape, name).ToArray();
                }
                else if (_reader.ValueTextEquals("data_offsets"u8))
                {
                    Once(begin < 0, "data_offsets", name);
                    var offsets = ReadIntegers("data_offsets", 2, FormatRules.DataOffsets, name);
                    if (offsets.Count != 2)
                    {
                        throw Fail(FormatRules.DataOffsets, "data_offsets must be two integers, begin and end.", name);
                    }

                    (begin, end) = (offsets[0], offsets[1]);
                }
                else
                {
                    throw Fail(
                        FormatRules.HeaderJson,
                        $"unknown member {SafeText.Quote(_reader.GetString()!)}; expected dtype, shape and data_offsets only.",
                        name);
                }
            }

            if (dtype == 0 || shape is null || begin < 0)
            {
                var missing = dtype == 0 ? "dtype" : shape is null ? "shape" : "data_offsets";
                throw Fail(FormatRules.HeaderJson, $"{missing} is missing; expected dtype, shape and data_offsets.", name);
            }

            Add(name, dtype, shape, begin, end);
        }

        private readonly void Add(string name, SafetensorsDType dtype, long[] shape, long begin, long end)
        {
            if (!dtype.TryByteLength(shape, out var elements, out var bytes))
            {
                throw Fail(
                    FormatRules.Shape,
                    $"shape {SafetensorsTensor.ShapeText(shape)} of {dtype} is no whole number of bytes below 2^63; the file is damaged or hostile.",
                    name);
            }

            if (end < begin || end > _dataLength)
            {
                throw Fail(
                    FormatRules.DataOffsets,
                    $"data_offsets [{begin}, {end}] must rise and stay within the {_dataLength} bytes of data; the file is truncated or damaged: download it again.",
                    name);
            }

            if (end - begin != bytes)
            {
                throw Fail(
                    FormatRules.DataOffsets,
                    $"data_offsets [{begin}, {end}] hold {end - begin} bytes, but {dtype} {SafetensorsTensor.ShapeText(shape)} needs {bytes}.",
                    name);
            }

            _tensors.Add(new SafetensorsTensor(name, dtype, shape, elements, begin, bytes));
        }

        private SafetensorsDType ReadDType(string name)
        {
            _reader.Read();
            if (_reader.TokenType != JsonTokenType.String)
            {
                throw Fail(FormatRules.DType, "dtype must be a string such as \"BF16\".", name);
            }

            var text = _reader.GetString()!;
            return SafetensorsDTypes.TryParse(text, out var dtype)
                ? dtype
                : throw Fail(
                    FormatRules.DType,
                    $"unknown dtype {SafeText.Quote(text)}; expected one of {string.Join(", ", Enum.GetNames<SafetensorsDType>())}.",
                    name);
        }

        private List<long> ReadIntegers(string member, int most, string rule, string name)
        {
            _numbers.Clear();
            _reader.Read();
            if (_reader.TokenType != JsonTokenType.StartArray)
            {
                throw Fail(rule, $"{member} must be an array of integers.", name);
            }

            while (_reader.Read() && _reader.TokenType != JsonTokenType.EndArray)
            {
                if (_numbers.Count == most)
                {
                    throw Fail(rule, $"{member} has more than {most} entries.", name);
                }

                // "1e3" and "1.0" are numbers to JSON and not to this format, "-0" is not either.
                if (_reader.TokenType != JsonTokenType.Number
                    || _reader.ValueSpan.IndexOfAnyExceptInRange((byte)'0', (byte)'9') >= 0
                    || !_reader.TryGetInt64(out var number))
                {
                    throw Fail(rule, $"{member} holds something that is no plain integer from 0 to 2^63-1.", name);
                }

                _numbers.Add(number);
            }

            return _numbers;
        }

        private readonly void Once(bool first, string member, string name)
        {
            if (!first)
            {
                throw Fail(FormatRules.Duplicate, $"{member} occurs twice in the entry; expected it once.", name);
            }
        }

        private readonly void CheckCoverage()
        {
            _tensors.Sort(static (a, b) =>
                a.DataOffset != b.DataOffset ? a.DataOffset.CompareTo(b.DataOffset)
                : a.ByteLength != b.ByteLength ? a.ByteLength.CompareTo(b.ByteLength)
                : string.CompareOrdinal(a.Name, b.Name));
            long covered = 0;
            foreach (var tensor in _tensors)
            {
                if (tensor.DataOffset != covered)
                {
                    var what = tensor.DataOffset < covered ? "overlaps the tensor before it" : "leaves a hole after the tensor before it";
                    throw new CheckpointFormatException(
                        FormatRules.DataOffsets,
                        $"starts at data byte {tensor.DataOffset} and {what}; expected {covered}.",
                        _path,
                        tensor.Name);
                }

                covered += tensor.ByteLength;
            }

            if (covered != _dataLength)
            {
                throw new CheckpointFormatException(
                    FormatRules.DataOffsets,
                    $"the tensors end at data byte {covered}, the file at {_dataLength}; expected nothing after the last tensor.",
                    _path);
            }
        }

        private readonly CheckpointFormatException Fail(string rule, string sentence, string? tensor = null) =>
            new(rule, sentence, _path, tensor, 8 + Position);
    }
}
