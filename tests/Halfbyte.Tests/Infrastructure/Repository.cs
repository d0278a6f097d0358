using System.Reflection;

namespace Halfbyte.Tests;

/// <summary>Where the source tree is, for tests of texts.</summary>
public static class Repository
{
    public static string Root => Metadata("RepositoryRoot");

    public static string ProjectDirectory => Metadata("ProjectDirectory");

    private static string Metadata(string key) => typeof(Repository).Assembly
        .GetCustomAttributes<AssemblyMetadataAttribute>().Single(attribute => attribute.Key == key).Value!;
}
