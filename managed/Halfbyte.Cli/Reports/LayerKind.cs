namespace Halfbyte.Cli.Reports;

/// <summary>Layers that repeat have names that differ in a number: <c>model.layers.7.mlp.up_proj.weight</c>.</summary>
internal static class LayerKind
{
    /// <summary>The name with every number between dots replaced by a star.</summary>
    internal static string Of(string name) => string.Join('.', name.Split('.').Select(part => IsNumber(part) ? "*" : part));

    internal static bool IsNumber(string part) => part.Length > 0 && part.AsSpan().IndexOfAnyExceptInRange('0', '9') < 0;
}
