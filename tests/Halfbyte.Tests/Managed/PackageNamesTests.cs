using System.Text.RegularExpressions;

namespace Halfbyte.Tests;

/// <summary>Packages that error texts and documents name are packages that <c>./build.sh pack</c> makes.</summary>
public sealed partial class PackageNamesTests
{
    private static readonly string[] Folders = ["bindings", "managed", "native", "docs"];

    private static IEnumerable<string> Texts => Folders
        .SelectMany(folder => Directory.EnumerateFiles(Path.Combine(Repository.Root, folder), "*", SearchOption.AllDirectories))
        .Where(file => Path.GetExtension(file) is ".cs" or ".cpp" or ".h" or ".cu" or ".md")
        .Append(Path.Combine(Repository.Root, "README.md"));

    [Test]
    public void Every_package_that_is_named_exists()
    {
        string[] packages = [.. Directory.GetDirectories(Path.Combine(Repository.Root, "managed")).Select(folder => Path.GetFileName(folder)!)];
        Assert.That(packages, Does.Contain("Halfbyte"));

        int named = 0;
        foreach (string file in Texts)
        {
            foreach (Match match in PackageName().Matches(File.ReadAllText(file)))
            {
                Assert.That(packages, Does.Contain(match.Groups["name"].Value), file);
                named++;
            }
        }

        Assert.That(named, Is.AtLeast(2));
    }

    [GeneratedRegex(@"(?:[Pp]ackage |tool install --global |^\| )`?(?<name>Halfbyte[\w.]*\w)", RegexOptions.Multiline)]
    private static partial Regex PackageName();
}
