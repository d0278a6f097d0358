using System.Buffers.Binary;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Halfbyte.Checkpoints;

/// <summary>A tensor that will be written.</summary>
/// <param name="Name">Its name.</param>
/// <param name="DType">Its element type.</param>
/// <param name="Shape">Its dimensions.</param>
public sealed record SafetensorsEntry(string Name, SafetensorsDType DType, IReadOnlyList<long> Shape)
{
    /// <summary>Its bytes.</summary>
    /// <exception cref="ArgumentException">The shape is no whole number of bytes below 2^63.</exception>
    public long ByteLength => DType.TryByteLength([.. Shape], out _, out long bytes)
        ? bytes
        : throw new ArgumentException($"shape {SafetensorsTensor.ShapeText(Shape)} of {DType} is no whole number of bytes below 2^63.");
}

/// <summary>
/// Writes one safetensors file whose tensors are all known before: first the header, then bodies, in any order and in pieces. The
/// file appears under its name only when it is complete; until then it has a temporary one beside it, which is removed on failure.
/// </summary>
/// <remarks>
/// Tensors are laid out by falling element size, then by name, as the reference implementation does, so all are aligned. Short texts
/// whose length shows only after the bodies are written come last; the header is then written again over room left for it.
/// </remarks>
public sealed class SafetensorsWriter : IDisposable
{
    private readonly string _path;
    private readonly string _temporary;
    private readonly IStorage _storage;
    private readonly IOutputFile _file;
    private readonly Layout _layout;
    private bool _closed;

    private SafetensorsWriter(string path, string temporary, IStorage storage, IOutputFile file, Layout layout)
    {
        _path = path;
        _temporary = temporary;
        _storage = storage;
        _file = file;
        _layout = layout;
    }

    /// <summary>Bytes of all tensors; final once <see cref="Complete"/> has returned.</summary>
    public long DataBytes => _layout.DataBytes;

    /// <summary>Creates the file under a temporary name and writes its header.</summary>
    /// <param name="path">Where the file will be; a file there is replaced on completion.</param>
    /// <param name="entries">The tensors, names distinct.</param>
    /// <param name="metadata">The <c>__metadata__</c> member; null for <c>format: pt</c>, without which Python's transformers refuses a file.</param>
    /// <exception cref="ArgumentException">Two tensors have one name, or a name or shape is not allowed.</exception>
    /// <exception cref="IOException">The file cannot be created, or the disk has no room for it.</exception>
    public static SafetensorsWriter Create(
        string path, IReadOnlyList<SafetensorsEntry> entries, IReadOnlyDictionary<string, string>? metadata = null) =>
        Create(path, entries, metadata, FileStorage.Instance);

    /// <summary>Writes bytes of a tensor.</summary>
    /// <param name="name">The tensor.</param>
    /// <param name="offset">The first byte, counted from the start of the tensor.</param>
    /// <param name="bytes">The bytes.</param>
    public void Write(string name, long offset, ReadOnlySpan<byte> bytes)
    {
        Slot slot = _layout.Slots[name];
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(offset, slot.Length - bytes.Length);
        _file.Write(_layout.HeaderBytes + slot.Offset + offset, bytes);
        slot.Written += bytes.Length;
    }

    /// <summary>Flushes the file and gives it its name.</summary>
    /// <exception cref="InvalidOperationException">A tensor has not been written completely.</exception>
    public void Complete()
    {
        if (_layout.Late.Count > 0)
        {
            _layout.Settle();
            foreach ((SafetensorsEntry entry, byte[]? text) in _layout.Late)
            {
                Write(entry.Name, 0, text!);
            }

            _file.Write(0, _layout.Header());
            _file.Truncate(_layout.HeaderBytes + _layout.DataBytes);
        }

        foreach ((string name, Slot slot) in _layout.Slots)
        {
            if (slot.Written != slot.Length)
            {
                throw new InvalidOperationException($"'{name}' has {slot.Length} bytes, but {slot.Written} were written.");
            }
        }

        _file.Flush();
        Close();
        _storage.Move(_temporary, _path);
    }

    /// <summary>Closes the file; without <see cref="Complete"/> it is removed.</summary>
    public void Dispose()
    {
        if (!_closed)
        {
            Close();
            TemporaryFiles.TryDeleteFile(_temporary);
        }
    }

    /// <summary>Like the public one, with texts whose length is only bounded so far: their entries are uint8 [at most].</summary>
    internal static SafetensorsWriter Create(
        string path,
        IReadOnlyList<SafetensorsEntry> entries,
        IReadOnlyDictionary<string, string>? metadata,
        IStorage storage,
        IReadOnlyList<SafetensorsEntry>? late = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        ArgumentNullException.ThrowIfNull(entries);
        Layout layout = new(entries, late ?? [], metadata ?? new Dictionary<string, string> { ["format"] = "pt" });
        byte[] header = layout.Header();
        string temporary = TemporaryFiles.Beside(path);
        IOutputFile file = storage.Create(temporary, layout.HeaderBytes + layout.DataBytes);
        SafetensorsWriter writer = new(path, temporary, storage, file, layout);
        try
        {
            file.Write(0, header);
            return writer;
        }
        catch
        {
            writer.Dispose();
            throw;
        }
    }

    /// <summary>Says what a late text is.</summary>
    internal void WriteLate(string name, byte[] text) => _layout.SetLate(name, text);

    private void Close()
    {
        _closed = true;
        _file.Dispose();
    }

    private sealed class Slot
    {
        /// <summary>Counted from the end of the header.</summary>
        public required long Offset { get; init; }

        public required long Length { get; init; }

        public long Written { get; set; }
    }

    /// <summary>Which tensor lies where.</summary>
    private sealed class Layout
    {
        private readonly List<SafetensorsEntry> _entries;
        private readonly IReadOnlyDictionary<string, string> _metadata;
        private readonly Dictionary<string, int> _lateIndex = new(StringComparer.Ordinal);

        public Layout(
            IReadOnlyList<SafetensorsEntry> entries, IReadOnlyList<SafetensorsEntry> late, IReadOnlyDictionary<string, string> metadata)
        {
            _metadata = metadata;
            _entries = [.. entries.OrderByDescending(e => e.DType.Bits()).ThenBy(e => e.DType).ThenBy(e => e.Name, StringComparer.Ordinal)];
            Late = [.. late.OrderBy(e => e.Name, StringComparer.Ordinal).Select(e => (e, (byte[]?)null))];
            for (int i = 0; i < Late.Count; i++)
            {
                _lateIndex.Add(Late[i].Entry.Name, i);
            }

            Slots = new Dictionary<string, Slot>(entries.Count + late.Count, StringComparer.Ordinal);
            foreach (SafetensorsEntry entry in _entries.Concat(late))
            {
                Place(entry);
            }
        }

        public Dictionary<string, Slot> Slots { get; }

        public List<(SafetensorsEntry Entry, byte[]? Text)> Late { get; }

        public long DataBytes { get; private set; }

        /// <summary>Length prefix and padding included; fixed by the first <see cref="Header"/>.</summary>
        public long HeaderBytes { get; private set; }

        public void SetLate(string name, byte[] text)
        {
            (SafetensorsEntry entry, _) = Late[_lateIndex[name]];
            ArgumentOutOfRangeException.ThrowIfGreaterThan(text.Length, entry.Shape[0]);
            Late[_lateIndex[name]] = (entry with { Shape = [text.Length] }, text);
        }

        /// <summary>Gives the late texts their final places.</summary>
        public void Settle()
        {
            foreach ((SafetensorsEntry entry, byte[]? text) in Late)
            {
                if (text is null)
                {
                    throw new InvalidOperationException($"'{entry.Name}' was not written.");
                }

                Slots.Remove(entry.Name);
            }

            DataBytes = Slots.Values.Sum(s => s.Length);
            foreach ((SafetensorsEntry entry, _) in Late)
            {
                Place(entry);
            }
        }

        /// <summary>Length, JSON and padding.</summary>
        public byte[] Header()
        {
            using MemoryStream buffer = new();
            buffer.Write(stackalloc byte[8]);
            using (Utf8JsonWriter json = new(buffer, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
            {
                WriteJson(json);
            }

            while (buffer.Length % 8 != 0 || buffer.Length < HeaderBytes)
            {
                buffer.WriteByte((byte)' ');
            }

            byte[] bytes = buffer.ToArray();
            BinaryPrimitives.WriteInt64LittleEndian(bytes, bytes.Length - 8);
            HeaderBytes = bytes.Length;
            return bytes;
        }

        private void Place(SafetensorsEntry entry)
        {
            if (entry.Name is "" or "__metadata__"
                || !Slots.TryAdd(entry.Name, new Slot { Offset = DataBytes, Length = entry.ByteLength }))
            {
                throw new ArgumentException($"the tensor name {SafeText.Quote(entry.Name)} is used twice or not allowed.");
            }

            DataBytes = checked(DataBytes + entry.ByteLength);
        }

        private void WriteJson(Utf8JsonWriter json)
        {
            json.WriteStartObject();
            if (_metadata.Count > 0)
            {
                json.WriteStartObject("__metadata__");
                foreach ((string key, string value) in _metadata.OrderBy(p => p.Key, StringComparer.Ordinal))
                {
                    json.WriteString(key, value);
                }

                json.WriteEndObject();
            }

            foreach (SafetensorsEntry entry in _entries.Concat(Late.Select(l => l.Entry)))
            {
                Slot slot = Slots[entry.Name];
                json.WriteStartObject(entry.Name);
                json.WriteString("dtype"u8, entry.DType.ToString());
                WriteNumbers(json, "shape", entry.Shape);
                WriteNumbers(json, "data_offsets", [slot.Offset, slot.Offset + slot.Length]);
                json.WriteEndObject();
            }

            json.WriteEndObject();
        }

        private static void WriteNumbers(Utf8JsonWriter json, string name, IReadOnlyList<long> numbers)
        {
            json.WriteStartArray(name);
            foreach (long number in numbers)
            {
                json.WriteNumberValue(number);
            }

            json.WriteEndArray();
        }
    }
}
