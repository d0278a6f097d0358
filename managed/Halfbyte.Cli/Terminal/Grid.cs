namespace Halfbyte.Cli.Terminal;

/// <summary>A table before it is drawn: with borders on a terminal, as aligned columns elsewhere.</summary>
internal sealed class Grid(params GridColumn[] columns)
{
    private readonly List<string[]> _rows = [];

    internal IReadOnlyList<GridColumn> Columns { get; } = columns;

    internal IReadOnlyList<string[]> Rows => _rows;

    internal string? Title { get; init; }

    /// <summary>How many characters a line takes with borders and nothing broken.</summary>
    internal int BorderedWidth => Widths().Sum(width => width + 3) + 1;

    /// <summary>How many characters a line of the plain form takes. Tables are made to fit in 80 with the names of ordinary models.</summary>
    internal int PlainWidth => Widths().Sum(width => width + 2) - 2;

    /// <summary>Adds a row. Cells are plain text: they are escaped when drawn.</summary>
    internal void Add(params string[] cells)
    {
        if (cells.Length != Columns.Count)
        {
            throw new ArgumentException($"A row of this table has {Columns.Count} cells, not {cells.Length}.", nameof(cells));
        }

        _rows.Add(Array.ConvertAll(cells, Printable.Clean));
    }

    /// <summary>The plain form: two spaces between columns, no wrapping, nothing cut off.</summary>
    internal void WritePlain(TextWriter writer)
    {
        if (Title is not null)
        {
            writer.WriteLine(Title);
        }

        int[] widths = Widths();
        WriteLine(writer, [.. Columns.Select(column => column.Header)], widths);
        foreach (string[] row in _rows)
        {
            WriteLine(writer, row, widths);
        }
    }

    private int[] Widths() =>
        [.. Columns.Select((column, i) => _rows.Select(row => row[i].Length).Append(column.Header.Length).Max())];

    private void WriteLine(TextWriter writer, string[] cells, int[] widths)
    {
        IEnumerable<string> padded = cells.Select(
            (cell, i) => Columns[i].RightAligned ? cell.PadLeft(widths[i]) : cell.PadRight(widths[i]));
        writer.WriteLine(string.Join("  ", padded).TrimEnd());
    }
}

/// <summary>A column's header and which side its cells lean to.</summary>
internal readonly record struct GridColumn(string Header, bool RightAligned = false)
{
    public static implicit operator GridColumn(string header) => new(header);

    /// <summary>A column of numbers.</summary>
    internal static GridColumn Right(string header) => new(header, RightAligned: true);
}
