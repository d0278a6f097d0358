using Microsoft.Win32.SafeHandles;

namespace Halfbyte.Checkpoints;

/// <summary>The few things the writers ask of a file system; tests put a failing one in its place.</summary>
internal interface IStorage
{
    /// <summary>Creates a file that must not exist, with <paramref name="length"/> bytes reserved.</summary>
    IOutputFile Create(string path, long length);

    /// <summary>Bytes free for this user where <paramref name="directory"/> is, or null if the system does not say.</summary>
    long? FreeBytes(string directory);

    /// <summary>Renames a file or directory within one file system.</summary>
    void Move(string from, string to);
}

/// <summary>A file being written, at any offset.</summary>
internal interface IOutputFile : IDisposable
{
    void Write(long offset, ReadOnlySpan<byte> bytes);

    /// <summary>Cuts the file off.</summary>
    void Truncate(long length);

    /// <summary>Makes what was written survive a crash.</summary>
    void Flush();
}

/// <summary>The real file system.</summary>
internal sealed class FileStorage : IStorage
{
    public static FileStorage Instance { get; } = new();

    public IOutputFile Create(string path, long length) => new OutputFile(path, length);

    public long? FreeBytes(string directory)
    {
        try
        {
            return new DriveInfo(directory).AvailableFreeSpace;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            return null;
        }
    }

    public void Move(string from, string to)
    {
        if (Directory.Exists(from))
        {
            Directory.Move(from, to);
        }
        else
        {
            File.Move(from, to);
        }
    }

    private sealed class OutputFile(string path, long length) : IOutputFile
    {
        private readonly SafeFileHandle _handle = File.OpenHandle(
            path, FileMode.CreateNew, FileAccess.Write, FileShare.None, FileOptions.None, length);

        public void Write(long offset, ReadOnlySpan<byte> bytes) => RandomAccess.Write(_handle, bytes, offset);

        public void Truncate(long length) => RandomAccess.SetLength(_handle, length);

        public void Flush() => RandomAccess.FlushToDisk(_handle);

        public void Dispose() => _handle.Dispose();
    }
}
