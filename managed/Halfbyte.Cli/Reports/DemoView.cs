using Halfbyte.Cli.Demo;
using Halfbyte.Cli.Terminal;

namespace Halfbyte.Cli.Reports;

/// <summary>The demo's tables.</summary>
internal static class DemoView
{
    internal static void Write(Output output, DemoReport report)
    {
        output.Line();
        output.Table(Formats(report));
        output.Line();
        output.Table(Kinds(report));
        output.Line();
        foreach (string failure in report.Failures)
        {
            output.Verdict(false, failure);
        }

        string size = $"{Format.Counted(report.Layers, "layer")}, {Format.Count(report.Parameters)} parameters, {Seconds(report.Seconds)} in all";
        output.Verdict(report.Passed, (report.Passed ? "every bound held: " : "a bound did not hold: ") + size);
    }

    internal static Grid Formats(DemoReport report)
    {
        var grid = new Grid(
            "format", GridColumn.Right("before"), GridColumn.Right("after"), GridColumn.Right("ratio"), GridColumn.Right("bits"),
            GridColumn.Right("error"), GridColumn.Right("quantize"), GridColumn.Right("verify"), GridColumn.Right("memory"));
        foreach (DemoFormat format in report.Formats)
        {
            grid.Add(
                format.Format, Format.Bytes(format.BytesBefore), Format.Bytes(format.BytesAfter),
                Format.Text($"{(double)format.BytesBefore / format.BytesAfter:0.00}x"), Format.Text($"{format.BitsPerWeight:0.000}"),
                Format.Number(format.RelativeError), Seconds(format.QuantizeSeconds), Seconds(format.VerifySeconds),
                Format.Bytes(format.PeakResidentBytes));
        }

        return grid;
    }

    internal static Grid Kinds(DemoReport report)
    {
        var grid = new Grid(
            "layer kind", "shape", "as", GridColumn.Right("bits"), GridColumn.Right("error"), GridColumn.Right("of x*W^T"),
            GridColumn.Right($"M={ProductCheck.Rows}"));
        foreach (DemoFormat format in report.Formats)
        {
            foreach (DemoKind kind in format.Kinds)
            {
                grid.Add(
                    LayerKind.Short(kind.Kind, 20), Format.Shape(kind.Shape), format.Format, Format.Text($"{kind.BitsPerWeight:0.000}"),
                    Format.Number(kind.WeightError), Format.Number(kind.ProductError), Format.Text($"{kind.ForwardMilliseconds:0.00} ms"));
            }
        }

        return grid;
    }

    private static string Seconds(double seconds) => Format.Duration(TimeSpan.FromSeconds(seconds));
}
