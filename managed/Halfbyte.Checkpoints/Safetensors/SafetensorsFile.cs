using System.Buffers;
using System.Buffers.Binary;
using Microsoft.Win32.SafeHandles;

namespace Halfbyte.Checkpoints;

/// <summary>
/// One safetensors file, open for reading. Tensors are read on request with positioned reads; nothing is mapped, so a file that
/// shrinks while it is read is an exception and not a crash. Reads may run on several threads at once.
/// </summary>
public sealed class SafetensorsFile : IDisposable
{
    private readonly SafeFileHandle _handle;
    private readonly long _dataStart;
    private readonly Dictionary<string, SafetensorsTensor> _byName;

    private SafetensorsFile(string path, SafeFileHandle handle, long dataStart, SafetensorsHeader header)
    {
        Path = path;
        _handle = handle;
        _dataStart = dataStart;
        Tensors = header.Tensors;
        Metadata = header.Metadata;
        _byName = new Dictionary<string, SafetensorsTensor>(header.Tensors.Count, StringComparer.Ordinal);
        foreach (var tensor in header.Tensors)
        {
            _byName.Add(tensor.Name, tensor);
        }
    }

    /// <summary>The path it was opened with.</summary>
    public string Path { get; }

    /// <summary>The tensors, in the order of their bytes.</summary>
    public IReadOnlyList<SafetensorsTensor> Tensors { get; }

    /// <summary>The <c>__metadata__</c> member; empty if there is none.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; }

    /// <summary>Opens a file and checks its header against every rule of the format.</summary>
    /// <param name="path">The file.</param>
    /// <param name="limits">What it may ask of the reader; null for the defaults.</param>
    /// <param name="cancellationToken">Checked while the header is parsed.</param>
    /// <exception cref="CheckpointFormatException">The file is missing or breaks a rule.</exception>
    public static SafetensorsFile Open(string path, CheckpointLimits? limits = null, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        limits ??= CheckpointLimits.Default;
        var handle = OpenHandle(path);
        try
        {
            return Read(path, handle, limits, cancellationToken);
        }
        catch
        {
            handle.Dispose();
            throw;
        }
    }

    /// <summary>Finds a tensor by name.</summary>
    public bool TryGet(string name, out SafetensorsTensor tensor)
    {
        var found = _byName.TryGetValue(name, out var value);
        tensor = value!;
        return found;
    }

    /// <summary>Reads bytes of a tensor.</summary>
    /// <param name="tensor">A tensor of this file.</param>
    /// <param name="offset">The first byte wanted, counted from the start of the tensor.</param>
    /// <param name="destination">Filled completely.</param>
    /// <exception cref="CheckpointFormatException">The file has become shorter since it was opened.</exception>
    public void Read(SafetensorsTensor tensor, long offset, Span<byte> destination)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(offset, tensor.ByteLength - destination.Length);
        ReadExactly(_handle, Path, destination, _dataStart + tensor.DataOffset + offset, tensor.Name);
    }

    /// <summary>Reads a whole tensor into a new array; meant for small ones.</summary>
    public byte[] ReadAll(SafetensorsTensor tensor)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        var bytes = new byte[tensor.ByteLength];
        Read(tensor, 0, bytes);
        return bytes;
    }

    /// <summary>Closes the file.</summary>
    public void Dispose() => _handle.Dispose();

    internal static SafeFileHandle OpenHandle(string path)
    {
        try
        {
            return File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.Read, FileOptions.None);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            throw new CheckpointFormatException(
                FormatRules.Missing, $"cannot be opened ({SafeText.Escape(e.Message)}).", path, innerException: e);
        }
    }

    internal static void ReadExactly(SafeFileHandle handle, string path, Span<byte> destination, long offset, string? tensor)
    {
        while (!destination.IsEmpty)
        {
            int read;
            try
            {
                read = RandomAccess.Read(handle, destination, offset);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                throw new CheckpointFormatException(
                    FormatRules.FileLength, $"cannot be read ({SafeText.Escape(e.Message)}).", path, tensor, offset, e);
            }

            if (read <= 0)
            {
                throw new CheckpointFormatException(
                    FormatRules.FileLength, "the file ends here; it was changed or truncated while it was read.", path, tensor, offset);
            }

            destination = destination[read..];
            offset += read;
        }
    }

    private static SafetensorsFile Read(string path, SafeFileHandle handle, CheckpointLimits limits, CancellationToken cancellationToken)
    {
        long length;
        try
        {
            length = RandomAccess.GetLength(handle);
        }
        catch (Exception e) when (e is IOException or NotSupportedException or UnauthorizedAccessException)
        {
            throw new CheckpointFormatException(FormatRules.Missing, "is not a regular file.", path, innerException: e);
        }

        if (length < 8)
        {
            throw new CheckpointFormatException(
                FormatRules.FileLength, $"the file has {length} bytes; a safetensors file has at least 8. Download or write it again.", path);
        }

        Span<byte> prefix = stackalloc byte[8];
        ReadExactly(handle, path, prefix, 0, null);
        var headerLength = BinaryPrimitives.ReadUInt64LittleEndian(prefix);
        if (headerLength > (ulong)(length - 8))
        {
            throw new CheckpointFormatException(
                FormatRules.HeaderLength,
                $"the header claims {headerLength} bytes, but only {length - 8} follow; the file is truncated or not safetensors: download it again.",
                path,
                offset: 0);
        }

        if (headerLength > (ulong)limits.MaxHeaderBytes)
        {
            throw new CheckpointFormatException(
                FormatRules.HeaderLength,
                $"the header claims {headerLength} bytes; the limit is {limits.MaxHeaderBytes} (CheckpointLimits.MaxHeaderBytes).",
                path,
                offset: 0);
        }

        var buffer = ArrayPool<byte>.Shared.Rent((int)headerLength);
        try
        {
            var json = buffer.AsSpan(0, (int)headerLength);
            ReadExactly(handle, path, json, 8, null);
            var header = SafetensorsHeader.Parse(json, length - 8 - (long)headerLength, path, limits, cancellationToken);
            return new SafetensorsFile(path, handle, 8 + (long)headerLength, header);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }
}
