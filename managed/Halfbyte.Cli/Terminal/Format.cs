using System.Globalization;

namespace Halfbyte.Cli.Terminal;

/// <summary>Numbers for people. Sizes are binary with their unit spelled out (MiB); rates are decimal (GB/s), as memory is sold.</summary>
internal static class Format
{
    private static readonly string[] BinaryUnits = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];

    internal static string Bytes(long bytes)
    {
        double value = bytes;
        int unit = 0;
        while (Math.Abs(value) >= 1024 && unit < BinaryUnits.Length - 1)
        {
            value /= 1024;
            unit++;
        }

        return unit == 0 ? Text($"{bytes} B") : Text($"{value:0.0} {BinaryUnits[unit]}");
    }

    /// <summary>Two sizes in the unit of the second: <c>12.5 of 436.0 MiB</c>.</summary>
    internal static string Part(long done, long total)
    {
        int unit = 0;
        for (long rest = total; rest >= 1024 && unit < BinaryUnits.Length - 1; rest /= 1024)
        {
            unit++;
        }

        double size = Math.Pow(1024, unit);
        return unit == 0 ? Text($"{done} of {total} B") : Text($"{done / size:0.0} of {total / size:0.0} {BinaryUnits[unit]}");
    }

    /// <summary>A number of things: <c>1 layer</c>, <c>2 layers</c>.</summary>
    internal static string Counted(long count, string thing) => $"{Count(count)} {thing}{(count == 1 ? "" : "s")}";

    internal static string Rate(double bytesPerSecond) => bytesPerSecond switch
    {
        >= 1e9 => Text($"{bytesPerSecond / 1e9:0.00} GB/s"),
        >= 1e6 => Text($"{bytesPerSecond / 1e6:0} MB/s"),
        _ => Text($"{bytesPerSecond / 1e3:0} kB/s"),
    };

    internal static string Duration(TimeSpan time) => time switch
    {
        { TotalHours: >= 1 } => Text($"{(int)time.TotalHours}:{time.Minutes:00}:{time.Seconds:00}"),
        { TotalMinutes: >= 1 } => Text($"{(int)time.TotalMinutes}:{time.Seconds:00}"),
        { TotalSeconds: >= 10 } => Text($"{time.TotalSeconds:0} s"),
        { TotalSeconds: >= 1 } => Text($"{time.TotalSeconds:0.0} s"),
        _ => Text($"{time.TotalMilliseconds:0} ms"),
    };

    /// <summary>Three significant digits, without an exponent where that stays readable.</summary>
    internal static string Number(double value) => Math.Abs(value) switch
    {
        0 => "0",
        >= 1e6 or < 1e-4 => Text($"{value:0.00e+0}"),
        >= 100 => Text($"{value:0}"),
        >= 10 => Text($"{value:0.0}"),
        >= 1 => Text($"{value:0.00}"),
        >= 0.1 => Text($"{value:0.000}"),
        >= 0.01 => Text($"{value:0.0000}"),
        _ => Text($"{value:0.000000}"),
    };

    internal static string Count(long value) => value.ToString("#,0", CultureInfo.InvariantCulture);

    internal static string Shape(IEnumerable<long> shape) => "[" + string.Join(", ", shape) + "]";

    internal static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
