namespace Halfbyte.Checkpoints;

/// <summary>
/// Which modules stay in full precision: transformers' <c>llm_int8_skip_modules</c>. An entry matches a module if it equals the
/// module's leaf name (<c>out_proj</c>), equals its full name, or occurs in its full name followed by a dot (<c>vision_tower</c> in
/// <c>model.vision_tower.blocks.0.fc1</c>). A user's list replaces the default.
/// </summary>
public sealed class SkipRules
{
    private readonly string[] _prefixes;
    private readonly HashSet<string> _matched = new(StringComparer.Ordinal);

    /// <summary>Makes rules of a list.</summary>
    /// <param name="entries">The entries; duplicates are ignored.</param>
    public SkipRules(IEnumerable<string> entries)
    {
        ArgumentNullException.ThrowIfNull(entries);
        Entries = [.. entries.Distinct(StringComparer.Ordinal)];
        _prefixes = [.. Entries.Select(e => e + ".")];
    }

    /// <summary>The entries, in the order given.</summary>
    public IReadOnlyList<string> Entries { get; }

    /// <summary>The entries that have matched no module so far.</summary>
    public IEnumerable<string> Unmatched => Entries.Where(e => !_matched.Contains(e));

    /// <summary>The entry that keeps a module as it is, or null.</summary>
    /// <param name="module">The module's full name, without <c>.weight</c>.</param>
    public string? Match(string module)
    {
        ArgumentNullException.ThrowIfNull(module);
        string? found = null;
        for (int i = 0; i < _prefixes.Length; i++)
        {
            if (IsMatch(Entries[i], _prefixes[i], module))
            {
                _matched.Add(Entries[i]);
                found ??= Entries[i];
            }
        }

        return found;
    }

    private static bool IsMatch(string entry, string prefix, string module) =>
        module == entry
        || (module.Length > entry.Length && module[module.Length - entry.Length - 1] == '.' && LeafEquals(module, entry))
        || module.Contains(prefix, StringComparison.Ordinal);

    private static bool LeafEquals(string module, string entry) =>
        module.AsSpan(module.LastIndexOf('.') + 1).SequenceEqual(entry);
}
