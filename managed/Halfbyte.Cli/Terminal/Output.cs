using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization.Metadata;

using Halfbyte.Cli.Reports;

using Spectre.Console;

namespace Halfbyte.Cli.Terminal;

/// <summary>
/// What a command says. Results go to standard output, as text or, with <c>--json</c>, as one JSON document and nothing else;
/// progress, warnings and errors go to standard error. Colours, borders and bars only where a terminal is at the other end.
/// </summary>
internal sealed class Output
{
    private readonly ToolHost _host;
    private readonly IAnsiConsole _console;
    private readonly IAnsiConsole _errorConsole;
    private readonly bool _hasBars;

    internal Output(ToolHost host, bool json, bool isLogging = false)
    {
        _host = host;
        Json = json;
        _hasBars = host.ErrorIsTerminal && !isLogging; // a bar and a log would overwrite each other
        _console = CreateConsole(host.Out, host.OutIsTerminal);
        _errorConsole = CreateConsole(host.Error, host.ErrorIsTerminal);
    }

    /// <summary>Whether <c>--json</c> was given: then <see cref="Line"/>, <see cref="Table"/> and <see cref="Tree"/> say nothing.</summary>
    internal bool Json { get; }

    internal void Line(string text = "")
    {
        if (!Json)
        {
            _host.Out.WriteLine(Printable.Clean(text));
        }
    }

    /// <summary>A line that tells whether something held.</summary>
    internal void Verdict(bool good, string text)
    {
        if (Json)
        {
            return;
        }

        if (_host.OutIsTerminal)
        {
            string style = good ? "green" : "red";
            _console.MarkupLine($"[{style}]{Markup.Escape(Printable.Clean(text))}[/]");
        }
        else
        {
            _host.Out.WriteLine(Printable.Clean(text));
        }
    }

    internal void Table(Grid grid)
    {
        if (Json)
        {
            return;
        }

        if (!_host.OutIsTerminal || grid.BorderedWidth > _console.Profile.Width)
        {
            grid.WritePlain(_host.Out); // cells broken over many lines are harder to read than a line that wraps
            return;
        }

        var table = new Table { Border = TableBorder.Rounded };
        if (grid.Title is not null)
        {
            table.Title = new TableTitle(Markup.Escape(grid.Title));
        }

        foreach (GridColumn column in grid.Columns)
        {
            var drawn = new TableColumn(Markup.Escape(column.Header));
            table.AddColumn(column.RightAligned ? drawn.RightAligned() : drawn);
        }

        foreach (string[] row in grid.Rows)
        {
            table.AddRow(Array.ConvertAll(row, Markup.Escape));
        }

        _console.Write(table);
    }

    internal void Tree(TextTree tree)
    {
        if (Json)
        {
            return;
        }

        if (!_host.OutIsTerminal)
        {
            tree.WritePlain(_host.Out);
            return;
        }

        var drawn = new Tree(Markup.Escape(tree.Label)) { Style = new Style(Color.Grey) };
        AddChildren(drawn, tree);
        _console.Write(drawn);
    }

    /// <summary>The result as JSON, if <c>--json</c> was given.</summary>
    internal void Document<T>(T value, JsonTypeInfo<T> type)
    {
        if (Json)
        {
            _host.Out.WriteLine(JsonSerializer.Serialize(value, type));
        }
    }

    /// <inheritdoc cref="Document{T}"/>
    internal void Document(JsonNode document)
    {
        if (Json)
        {
            _host.Out.WriteLine(document.ToJsonString(ToolJsonContext.Default.Options));
        }
    }

    internal void Warn(string text) => Say("yellow", "warning: " + text);

    /// <summary>One sentence on standard error.</summary>
    internal void Error(string text) => Say("red", "halfbyte: " + text);

    /// <summary>Several lines on standard error: the details below an error.</summary>
    internal void Details(string text) => _host.Error.WriteLine(Printable.CleanLines(text));

    /// <summary>Runs <paramref name="work"/> with a display of its progress on standard error: a bar with rate and time left on a
    /// terminal, a line every two seconds elsewhere.</summary>
    internal T WithProgress<T>(string what, Func<IProgress<WorkProgress>, T> work)
    {
        if (!_hasBars)
        {
            return work(new PlainProgress(what, _host.Error, TimeProvider.System));
        }

        T result = default!;
        _errorConsole.Progress()
            .AutoClear(true)
            .Columns(
                new TaskDescriptionColumn { Alignment = Justify.Left }, new ProgressBarColumn { Width = 12 }, new PercentageColumn(),
                new RateColumn(), new TimeLeftColumn())
            .Start(context =>
            {
                ProgressTask task = context.AddTask(Markup.Escape(what));
                task.IsIndeterminate = true; // until the first report says how much there is
                result = work(new TerminalProgress(task, what));
            });
        return result;
    }

    private void Say(string style, string text)
    {
        text = Printable.Clean(text);
        if (_host.ErrorIsTerminal)
        {
            _errorConsole.MarkupLine($"[{style}]{Markup.Escape(text)}[/]");
        }
        else
        {
            _host.Error.WriteLine(text);
        }
    }

    private static void AddChildren(IHasTreeNodes drawn, TextTree tree)
    {
        foreach (TextTree child in tree.Children)
        {
            AddChildren(drawn.AddNode(Markup.Escape(child.Label)), child);
        }
    }

    private static IAnsiConsole CreateConsole(TextWriter writer, bool isTerminal)
    {
        bool colour = isTerminal && string.IsNullOrEmpty(Environment.GetEnvironmentVariable("NO_COLOR"));
        return AnsiConsole.Create(new AnsiConsoleSettings
        {
            Out = new AnsiConsoleOutput(writer),
            Ansi = isTerminal ? AnsiSupport.Detect : AnsiSupport.No,
            ColorSystem = colour ? ColorSystemSupport.Detect : ColorSystemSupport.NoColors,
            Interactive = isTerminal ? InteractionSupport.Detect : InteractionSupport.No,
        });
    }
}
