using System.Text.Json;
using System.Text.Json.Nodes;

using Halfbyte.Checkpoints;
using Halfbyte.Cli.Terminal;

namespace Halfbyte.Cli.Reports;

/// <summary>What <c>quantize</c> and <c>dequantize</c> tell people.</summary>
internal static class ConversionView
{
    internal static void Write(Output output, ConversionReport report, long peakResidentBytes)
    {
        output.Table(Kinds(report));
        foreach (string warning in report.Warnings)
        {
            output.Warn(warning);
        }

        output.Line(Format.Text(
            $"{Format.Bytes(report.InputBytes)} -> {Format.Bytes(report.OutputBytes)} ({report.Ratio:0.00}x): {Format.Counted(report.ConvertedCount, "weight")} to {Describe(report)}, {Format.Counted(report.PassedThroughCount, "tensor")} kept."));
        if (report.DryRun)
        {
            output.Line("A dry run: nothing was written.");
            return;
        }

        string files = Format.Counted(report.Files.Count, "file");
        output.Line(
            $"Wrote {files} to {report.Output} in {Format.Duration(TimeSpan.FromSeconds(report.Seconds))} "
            + $"({Format.Rate(report.InputBytes / Math.Max(report.Seconds, 1e-3))}), peak memory {Format.Bytes(peakResidentBytes)}.");
    }

    internal static Grid Kinds(ConversionReport report)
    {
        var grid = new Grid("weights", GridColumn.Right("count"), "to, or why kept", GridColumn.Right("before"), GridColumn.Right("after"));
        foreach (var kind in report.Tensors.GroupBy(tensor => (LayerKind.Of(tensor.Name), tensor.To, tensor.Reason)))
        {
            (string name, string to, string? reason) = kind.Key;
            grid.Add(
                LayerKind.Short(name), Format.Count(kind.Count()), reason ?? to,
                Format.Bytes(kind.Sum(tensor => tensor.InputBytes)), Format.Bytes(kind.Sum(tensor => tensor.OutputBytes)));
        }

        return grid;
    }

    internal static JsonObject ToJson(ConversionReport report, long peakResidentBytes)
    {
        JsonObject document = JsonSerializer.SerializeToNode(report, ToolJsonContext.Default.ConversionReport)!.AsObject();
        document["peak_resident_bytes"] = peakResidentBytes;
        return document;
    }

    private static string Describe(ConversionReport report)
    {
        string text = report.Target == "as before" ? "the type each had before" : report.Target;
        if (report.BlockSize is int blockSize)
        {
            text += $" (blocks of {blockSize}{(report.DoubleQuantized ? ", double quantized" : "")})";
        }

        return text;
    }
}
