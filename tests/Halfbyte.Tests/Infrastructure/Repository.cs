using System.Reflection;

namespace Halfbyte.Tests;

/// <summary>Where the source tree is, for tests of texts: where it was built, or what HALFBYTE_REPOSITORY names.</summary>
public static class Repository
{
    public static string Root => Moved ?? Metadata("RepositoryRoot");

    public static string ProjectDirectory => Moved is null ? Metadata("ProjectDirectory") : Path.Combine(Moved, "tests", "Halfbyte.Tests");

    private static string? Moved => Environment.GetEnvironmentVariable("HALFBYTE_REPOSITORY");

    private static string Metadata(string key) => typeof(Repository).Assembly
        .GetCustomAttributes<AssemblyMetadataAttribute>().Single(attribute => attribute.Key == key).Value!;
}
