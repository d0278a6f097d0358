using Halfbyte.Cli.Demo;
using Halfbyte.Cli.Terminal;

namespace Halfbyte.Cli.Reports;

/// <summary>The demo's tables.</summary>
internal static class DemoView
{
    internal static void Write(Output output, DemoReport report)
    {
        output.Line();
        var formats = new Grid(
            "format", GridColumn.Right("before"), GridColumn.Right("after"), GridColumn.Right("ratio"), GridColumn.Right("bits per weight"),
            GridColumn.Right("relative error"), GridColumn.Right("quantize"), GridColumn.Right("verify"), GridColumn.Right("peak memory"),
            GridColumn.Right("allowed"));
        foreach (DemoFormat format in report.Formats)
        {
            formats.Add(
                format.Format, Format.Bytes(format.BytesBefore), Format.Bytes(format.BytesAfter),
                Format.Text($"{(double)format.BytesBefore / format.BytesAfter:0.00}x"), Format.Text($"{format.BitsPerWeight:0.000}"),
                Format.Number(format.RelativeError), Seconds(format.QuantizeSeconds), Seconds(format.VerifySeconds),
                Format.Bytes(format.PeakResidentBytes), Format.Bytes(format.PeakBoundBytes));
        }

        output.Table(formats);
        output.Line();
        var kinds = new Grid(
            "layer kind", "shape", GridColumn.Right("count"), "as", GridColumn.Right("bits per weight"), GridColumn.Right("weight error"),
            GridColumn.Right("product error"), GridColumn.Right("error bound"), GridColumn.Right($"forward M={ProductCheck.Rows}"));
        foreach (DemoFormat format in report.Formats)
        {
            foreach (DemoKind kind in format.Kinds)
            {
                kinds.Add(
                    kind.Kind, Format.Shape(kind.Shape), Format.Count(kind.Count), format.Format, Format.Text($"{kind.BitsPerWeight:0.000}"),
                    Format.Number(kind.WeightError), Format.Number(kind.ProductError), Format.Number(format.ErrorBound),
                    Format.Text($"{kind.ForwardMilliseconds:0.00} ms"));
            }
        }

        output.Table(kinds);
        output.Line();
        foreach (string failure in report.Failures)
        {
            output.Verdict(false, failure);
        }

        string size = $"{report.Layers} layers, {Format.Count(report.Parameters)} parameters, {Seconds(report.Seconds)} in all";
        output.Verdict(report.Passed, (report.Passed ? "every bound held: " : "a bound did not hold: ") + size);
    }

    private static string Seconds(double seconds) => Format.Duration(TimeSpan.FromSeconds(seconds));
}
