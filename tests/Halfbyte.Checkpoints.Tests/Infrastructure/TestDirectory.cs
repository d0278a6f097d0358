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

    public void Dispose() => Directory.Delete(Root, recursive: true);
}
