using System.Text.RegularExpressions;

namespace Halfbyte.Tests;

/// <summary>halfbyte.h as text, taken apart just far enough to compare it with what was generated from it and what was compiled.</summary>
public sealed partial class Header
{
    private static readonly Lazy<Header> Lazy = new(() => new(File.ReadAllText(Path.Combine(Repository.Root, "native", "include", "halfbyte.h"))));

    private Header(string text)
    {
        string code = Comment().Replace(text, "");
        Functions = [.. Function().Matches(code).Select(match => new Prototype(
            match.Groups["name"].Value, Arguments(match.Groups["arguments"].Value)))];
        Enums = Enum().Matches(code).ToDictionary(
            match => match.Groups["name"].Value,
            match => Member().Matches(match.Groups["members"].Value).ToDictionary(
                member => member.Groups["name"].Value, member => int.Parse(member.Groups["value"].Value, null)));
        Structs = Struct().Matches(code).ToDictionary(
            match => match.Groups["name"].Value,
            match => Field().Matches(match.Groups["fields"].Value).Select(field => (field.Groups["type"].Value, field.Groups["name"].Value)).ToArray());
    }

    public static Header Instance => Lazy.Value;

    public Prototype[] Functions { get; }

    public Dictionary<string, Dictionary<string, int>> Enums { get; }

    /// <summary>Types and names of the fields, in order.</summary>
    public Dictionary<string, (string Type, string Name)[]> Structs { get; }

    public sealed record Prototype(string Name, (string Type, string Name)[] Arguments);

    private static (string Type, string Name)[] Arguments(string text) => text.Trim() == "void"
        ? []
        : [.. text.Split(',').Select(argument => Argument().Match(argument.Trim())).Select(match => (match.Groups["type"].Value, match.Groups["name"].Value))];

    [GeneratedRegex(@"/\*.*?\*/", RegexOptions.Singleline)]
    private static partial Regex Comment();

    [GeneratedRegex(@"HALFBYTE_API\s+int32_t\s+(?<name>\w+)\s*\((?<arguments>[^)]*)\)\s*;")]
    private static partial Regex Function();

    [GeneratedRegex(@"^(?<type>.*?[\s*])(?<name>\w+)$", RegexOptions.Singleline)]
    private static partial Regex Argument();

    [GeneratedRegex(@"\benum\s+(?<name>\w+)\s*\{(?<members>[^}]*)\}")]
    private static partial Regex Enum();

    [GeneratedRegex(@"(?<name>\w+)\s*=\s*(?<value>-?\d+)")]
    private static partial Regex Member();

    [GeneratedRegex(@"typedef\s+struct\s+(?<name>\w+)\s*\{(?<fields>[^}]*)\}")]
    private static partial Regex Struct();

    [GeneratedRegex(@"(?<type>[\w\s*]+[\s*])(?<name>\w+)\s*;")]
    private static partial Regex Field();
}
