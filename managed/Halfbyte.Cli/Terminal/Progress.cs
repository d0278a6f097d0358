using Spectre.Console;
using Spectre.Console.Rendering;

namespace Halfbyte.Cli.Terminal;

/// <summary>How far long work has come.</summary>
/// <param name="Item">What is being worked on, usually a tensor's name.</param>
/// <param name="BytesDone">Bytes of input behind it.</param>
/// <param name="BytesTotal">Bytes of input in all; 0 where that is not known yet.</param>
internal readonly record struct WorkProgress(string Item, long BytesDone, long BytesTotal);

/// <summary>One line every two seconds, for logs and pipes.</summary>
internal sealed class PlainProgress(string what, TextWriter writer, TimeProvider clock) : IProgress<WorkProgress>
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(2);

    private readonly long _start = clock.GetTimestamp();
    private long _last = clock.GetTimestamp();

    public void Report(WorkProgress value)
    {
        if (clock.GetElapsedTime(_last) < Interval)
        {
            return;
        }

        _last = clock.GetTimestamp();
        writer.WriteLine(Describe(value, clock.GetElapsedTime(_start)));
    }

    internal string Describe(WorkProgress value, TimeSpan elapsed)
    {
        double rate = value.BytesDone / Math.Max(elapsed.TotalSeconds, 1e-3);
        string line = Format.Text($"{what}: {Format.Part(value.BytesDone, value.BytesTotal)}");
        if (value.BytesTotal > 0)
        {
            line += Format.Text($" ({100.0 * value.BytesDone / value.BytesTotal:0}%)");
        }

        line += $", {Format.Rate(rate)}";
        if (rate > 0 && value.BytesTotal > value.BytesDone)
        {
            line += $", {Format.Duration(TimeSpan.FromSeconds((value.BytesTotal - value.BytesDone) / rate))} left";
        }

        return line + ", " + Printable.Clean(value.Item);
    }
}

/// <summary>Feeds a bar on a terminal.</summary>
internal sealed class TerminalProgress(ProgressTask task, string what) : IProgress<WorkProgress>
{
    private const int LongestItem = 20; // the line fits in 80 columns

    public void Report(WorkProgress value)
    {
        string item = Printable.Clean(value.Item);
        if (item.Length > LongestItem)
        {
            item = string.Concat("..", item.AsSpan(item.Length - LongestItem + 2));
        }

        task.Description = Markup.Escape($"{what} {item}");
        task.IsIndeterminate = value.BytesTotal == 0;
        task.MaxValue = Math.Max(1, value.BytesTotal);
        task.Value = value.BytesDone;
    }
}

/// <summary>Bytes done, of how many, and how fast.</summary>
internal sealed class RateColumn : ProgressColumn
{
    protected override bool NoWrap => true;

    public override IRenderable Render(RenderOptions options, ProgressTask task, TimeSpan deltaTime)
    {
        if (task.IsIndeterminate)
        {
            return Text.Empty;
        }

        double rate = task.Value / Math.Max(task.ElapsedTime?.TotalSeconds ?? 0, 1e-3);
        return new Text($"{Format.Part((long)task.Value, (long)task.MaxValue)} {Format.Rate(rate)}");
    }
}

/// <summary>The time left at the rate so far.</summary>
internal sealed class TimeLeftColumn : ProgressColumn
{
    protected override bool NoWrap => true;

    public override IRenderable Render(RenderOptions options, ProgressTask task, TimeSpan deltaTime)
    {
        double elapsed = task.ElapsedTime?.TotalSeconds ?? 0;
        if (task.Value <= 0 || elapsed < 0.5)
        {
            return Text.Empty;
        }

        return new Text(Format.Duration(TimeSpan.FromSeconds(elapsed * (task.MaxValue - task.Value) / task.Value)) + " left");
    }
}
