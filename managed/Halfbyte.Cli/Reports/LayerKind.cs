namespace Halfbyte.Cli.Reports;

/// <summary>Layers that repeat have names that differ in a number: <c>model.layers.7.mlp.up_proj.weight</c>.</summary>
internal static class LayerKind
{
    /// <summary>The name with every number between dots replaced by a star.</summary>
    internal static string Of(string name) => string.Join('.', name.Split('.').Select(part => IsNumber(part) ? "*" : part));

    /// <summary>
    /// A name for a table: without <c>.weight</c>, and of a long one the last parts, after two dots. <c>--json</c> has names in full.
    /// </summary>
    internal static string Short(string name, int longest = 28)
    {
        const string Weight = ".weight";
        string text = name.EndsWith(Weight, StringComparison.Ordinal) && name.Length > Weight.Length ? name[..^Weight.Length] : name;
        if (text.Length <= longest)
        {
            return text;
        }

        int dot = text.IndexOf('.', text.Length - longest + 1);
        return ".." + text[(dot < 0 ? text.Length - longest + 2 : dot + 1)..];
    }

    internal static bool IsNumber(string part) => part.Length > 0 && part.AsSpan().IndexOfAnyExceptInRange('0', '9') < 0;
}
