using Halfbyte.Cli.Terminal;

namespace Halfbyte.Cli.Tests;

public class TerminalTests
{
    [TestCase("plain text", "plain text")]
    [TestCase("süß 日本語 \U0001F600", "süß 日本語 \U0001F600")]
    [TestCase("\u001b[31m", @"\u001b[31m")]
    [TestCase("a\r\nb\tc", @"a\u000d\u000ab\u0009c")]
    [TestCase("\u009b31m", @"\u009b31m")]
    [TestCase("\u202egpj.exe", @"\u202egpj.exe")]
    [TestCase("a\u2028b\u2029c", @"a\u2028b\u2029c")]
    [TestCase("\u200b\ufeff", @"\u200b\ufeff")]
    public void Printable_escapes_what_moves_or_hides(string text, string expected) => Assert.That(Printable.Clean(text), Is.EqualTo(expected));

    [Test]
    public void Printable_escapes_half_a_surrogate_pair() => Assert.That(Printable.Clean("a\ud800b"), Is.EqualTo(@"a\ud800b"));

    [TestCase(0L, "0 B")]
    [TestCase(1023L, "1023 B")]
    [TestCase(1024L, "1.0 KiB")]
    [TestCase(1536L * 1024, "1.5 MiB")]
    [TestCase(long.MaxValue, "8.0 EiB")]
    public void Bytes_are_binary(long bytes, string expected) => Assert.That(Format.Bytes(bytes), Is.EqualTo(expected));

    [TestCase(0L, 0L, "0 of 0 B")]
    [TestCase(512L, 1023L, "512 of 1023 B")]
    [TestCase(512L * 1024, 3L << 30, "0.0 of 3.0 GiB")]
    public void Parts_share_a_unit(long done, long total, string expected) => Assert.That(Format.Part(done, total), Is.EqualTo(expected));

    [TestCase(0.25, "250 ms")]
    [TestCase(9.96, "10.0 s")]
    [TestCase(42, "42 s")]
    [TestCase(90, "1:30")]
    [TestCase(3725, "1:02:05")]
    public void Durations_are_short(double seconds, string expected) =>
        Assert.That(Format.Duration(TimeSpan.FromSeconds(seconds)), Is.EqualTo(expected));

    [Test]
    public void A_plain_table_lines_up_and_cuts_nothing_off()
    {
        var grid = new Grid("name", GridColumn.Right("bytes"));
        grid.Add(new string('x', 300), "1");
        grid.Add("y", "100");
        using var writer = new StringWriter();

        grid.WritePlain(writer);

        string[] lines = writer.ToString().ReplaceLineEndings("\n").Split('\n');
        Assert.That(lines[1], Is.EqualTo(new string('x', 300) + "      1"));
        Assert.That(lines[2], Is.EqualTo("y" + new string(' ', 299 + 2) + "  100"));
    }

    [Test]
    public void Plain_progress_says_rate_and_time_left_at_most_every_two_seconds()
    {
        using var writer = new StringWriter();
        var clock = new Clock();
        var progress = new PlainProgress("quantize", writer, clock);

        for (int i = 1; i <= 10; i++)
        {
            clock.Advance(TimeSpan.FromMilliseconds(500));
            progress.Report(new WorkProgress("layer\u001b", i * 1_000_000, 20_000_000));
        }

        string[] lines = writer.ToString().ReplaceLineEndings("\n").TrimEnd().Split('\n');
        Assert.That(lines, Has.Length.EqualTo(2));
        Assert.That(lines[0], Is.EqualTo(@"quantize: 3.8 of 19.1 MiB (20%), 2 MB/s, 8.0 s left, layer\u001b"));
    }

    [Test]
    public void On_a_terminal_tables_have_borders_and_elsewhere_not()
    {
        using var directory = new TemporaryDirectory();
        string model = TinyCheckpoint.WriteModel(directory["model"]);

        Assert.That(ToolRun.OnTerminal("inspect", model).Output, Does.Contain("│").Or.Contain("|"));
        Assert.That(ToolRun.Of("inspect", model).Output, Does.Not.Contain("│").And.Not.Contain("|"));
    }

    private sealed class Clock : TimeProvider
    {
        private long _now;

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => _now;

        public void Advance(TimeSpan time) => _now += time.Ticks;
    }
}
