namespace Halfbyte.Checkpoints.Tests;

/// <summary>A directory of one test's own, removed with it.</summary>
internal sealed class TestDirectory : IDisposable
{
    public TestDirectory() => Root = Directory.CreateTempSubdirectory("halfbyte-test-").FullName;

    public string Root { get; }

    public string this[string relative] => Path.Combine(Root, relative);

    /// <summary>Everything below <paramref name="directory"/>, relative to it, sorted; directories end in a slash.</summary>
    public static string[] List(string directory) => !Directory.Exists(directory)
        ? []
        : [.. Directory.EnumerateFileSystemEntries(directory, "*", SearchOption.AllDirectories)
            .Select(e => Path.GetRelativePath(directory, e) + (Directory.Exists(e) ? "/" : ""))
            .Order(StringComparer.Ordinal)];

    /// <summary>Creates a symbolic link, or leaves the test where this account may not.</summary>
    public static void Link(string path, string target)
    {
        try
        {
            File.CreateSymbolicLink(path, target);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Assert.Ignore($"this account may not create symbolic links: {e.Message}");
        }
    }

    public void Dispose() => Directory.Delete(Root, recursive: true);
}
