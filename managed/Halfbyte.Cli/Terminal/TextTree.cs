namespace Halfbyte.Cli.Terminal;

/// <summary>A tree before it is drawn: guide lines on a terminal, indentation elsewhere.</summary>
internal sealed class TextTree(string label)
{
    private readonly List<TextTree> _children = [];

    internal string Label { get; } = Printable.Clean(label);

    internal IReadOnlyList<TextTree> Children => _children;

    internal TextTree Add(string label)
    {
        var child = new TextTree(label);
        _children.Add(child);
        return child;
    }

    internal void WritePlain(TextWriter writer, int depth = 0)
    {
        writer.Write(new string(' ', 2 * depth));
        writer.WriteLine(Label);
        foreach (TextTree child in _children)
        {
            child.WritePlain(writer, depth + 1);
        }
    }
}
