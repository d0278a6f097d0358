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
        var kinds = new Grid(
            "weights", GridColumn.Right("count"), "shape", "from", "to", GridColumn.Right("before"), GridColumn.Right("after"), "note");
        foreach (var kind in report.Tensors.GroupBy(tensor => (LayerKind.Of(tensor.Name), tensor.From, tensor.To, tensor.Reason)))
        {
            (string name, string from, string to, string? reason) = kind.Key;
            kinds.Add(
                name, Format.Count(kind.Count()), Shapes(kind), from, to, Format.Bytes(kind.Sum(tensor => tensor.InputBytes)),
                Format.Bytes(kind.Sum(tensor => tensor.OutputBytes)), reason ?? "");
        }

        output.Table(kinds);
        foreach (string warning in report.Warnings)
        {
            output.Warn(warning);
        }

        output.Line(Format.Text(
            $"{Format.Bytes(report.InputBytes)} -> {Format.Bytes(report.OutputBytes)} ({report.Ratio:0.00}x): {report.ConvertedCount} weights to {Describe(report)}, {report.PassedThroughCount} tensors kept."));
        if (report.DryRun)
        {
            output.Line("A dry run: nothing was written.");
            return;
        }

        string files = report.Files.Count == 1 ? "1 file" : $"{report.Files.Count} files";
        output.Line(
            $"Wrote {files} to {report.Output} in {Format.Duration(TimeSpan.FromSeconds(report.Seconds))} "
            + $"({Format.Rate(report.InputBytes / Math.Max(report.Seconds, 1e-3))}), peak memory {Format.Bytes(peakResidentBytes)}.");
    }

    internal static JsonObject ToJson(ConversionReport report, long peakResidentBytes)
    {
        JsonObject document = JsonSerializer.SerializeToNode(report, ToolJsonContext.Default.ConversionReport)!.AsObject();
        document["peak_resident_bytes"] = peakResidentBytes;
        return document;
    }

    private static string Describe(ConversionReport report)
    {
        string text = report.Target;
        if (report.BlockSize is int blockSize)
        {
            text += $" (blocks of {blockSize}{(report.DoubleQuantized ? ", double quantized" : "")})";
        }

        return text;
    }

    private static string Shapes(IEnumerable<ConvertedTensor> tensors)
    {
        List<string> shapes = [.. tensors.Select(tensor => Format.Shape(tensor.Shape)).Distinct()];
        return shapes.Count == 1 ? shapes[0] : $"{shapes.Count} shapes";
    }
}
