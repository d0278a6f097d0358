using Microsoft.Win32.SafeHandles;

namespace Halfbyte.Checkpoints;

/// <summary>Reads files that must be small.</summary>
internal static class SmallFile
{
    /// <summary>The whole file, refused before anything is allocated if it is longer than <paramref name="limit"/>.</summary>
    public static byte[] Read(string path, long limit, string rule)
    {
        using SafeFileHandle handle = SafetensorsFile.OpenHandle(path);
        long length;
        try
        {
            length = RandomAccess.GetLength(handle);
        }
        catch (Exception e) when (e is IOException or NotSupportedException or UnauthorizedAccessException)
        {
            throw new CheckpointFormatException(rule, "is not a regular file.", path, innerException: e);
        }

        if (length > Math.Min(limit, Array.MaxLength))
        {
            throw new CheckpointFormatException(rule, $"has {length} bytes; expected at most {limit}.", path);
        }

        byte[] bytes = new byte[length];
        SafetensorsFile.ReadExactly(handle, path, bytes, 0, null);
        return bytes;
    }
}
