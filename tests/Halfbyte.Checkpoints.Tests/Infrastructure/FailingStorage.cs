namespace Halfbyte.Checkpoints.Tests;

/// <summary>A file system that fails at a chosen moment, as a full disk does.</summary>
internal sealed class FailingStorage : IStorage
{
    private long _written;

    /// <summary>Bytes after which writing fails.</summary>
    public long Capacity { get; init; } = long.MaxValue;

    /// <summary>What the system says is free; null if it does not say.</summary>
    public long? Free { get; init; }

    /// <summary>The number of the rename that fails, from 1.</summary>
    public int FailingMove { get; init; }

    /// <summary>Whether reserving a file's length fails at once, as it does on most file systems.</summary>
    public bool FailOnCreate { get; init; }

    public int Moves { get; private set; }

    public IOutputFile Create(string path, long length) => FailOnCreate && length > Capacity
        ? throw new IOException("No space left on device", 28)
        : new File(this, FileStorage.Instance.Create(path, length));

    public long? FreeBytes(string directory) => Free;

    public void Move(string from, string to)
    {
        if (++Moves == FailingMove)
        {
            throw new IOException("Input/output error");
        }

        FileStorage.Instance.Move(from, to);
    }

    private sealed class File(FailingStorage owner, IOutputFile inner) : IOutputFile
    {
        public void Write(long offset, ReadOnlySpan<byte> bytes)
        {
            owner._written += bytes.Length;
            if (owner._written > owner.Capacity)
            {
                throw new IOException("No space left on device", 28);
            }

            inner.Write(offset, bytes);
        }

        public void Truncate(long length) => inner.Truncate(length);

        public void Flush() => inner.Flush();

        public void Dispose() => inner.Dispose();
    }
}
