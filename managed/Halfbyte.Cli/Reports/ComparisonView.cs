using Halfbyte.Checkpoints;
using Halfbyte.Cli.Terminal;

namespace Halfbyte.Cli.Reports;

/// <summary>What <c>compare</c> tells people.</summary>
internal static class ComparisonView
{
    private const int WorstShown = 10;

    internal static void Write(Output output, ComparisonReport report)
    {
        List<ComparedTensor> measured = [.. report.Tensors.Where(tensor => !tensor.Identical)];
        if (measured.Count > 0)
        {
            output.Table(ByKind(measured));
            output.Table(Worst(measured));
        }

        ListMissing(output, report.OnlyInOriginal, report.Original);
        ListMissing(output, report.OnlyInOther, report.Other);
        output.Line(
            $"{Format.Counted(report.MeasuredCount, "weight")} measured: relative error {Format.Number(report.RelativeError)}, "
            + $"largest error {Format.Number(report.MaxError)}. {Format.Count(report.IdenticalCount)} tensors are identical.");
    }

    /// <summary>
    /// The relative error of a kind (root mean square), its largest absolute error, its least cosine, and signal to quantization noise in
    /// decibels.
    /// </summary>
    internal static Grid ByKind(IEnumerable<ComparedTensor> tensors)
    {
        var grid = new Grid(
            "weights", GridColumn.Right("count"), "as", GridColumn.Right("error"), GridColumn.Right("largest"), GridColumn.Right("cosine"),
            GridColumn.Right("dB"));
        foreach (var kind in tensors.GroupBy(tensor => (LayerKind.Of(tensor.Name), tensor.Scheme)))
        {
            double[] errors = [.. kind.Select(tensor => tensor.RelativeError)];
            double rootMeanSquare = Math.Sqrt(errors.Average(error => error * error));
            grid.Add(
                LayerKind.Short(kind.Key.Item1), Format.Count(errors.Length), kind.Key.Scheme, Format.Number(rootMeanSquare),
                Format.Number(kind.Max(tensor => tensor.MaxError)), Format.Text($"{kind.Min(tensor => tensor.Cosine):0.00000}"),
                rootMeanSquare > 0 ? Format.Text($"{-20 * Math.Log10(rootMeanSquare):0.0}") : "");
        }

        return grid;
    }

    internal static Grid Worst(IEnumerable<ComparedTensor> tensors)
    {
        var grid = new Grid("worst weights", "as", "shape", GridColumn.Right("error"), GridColumn.Right("largest"));
        foreach (ComparedTensor tensor in tensors.OrderByDescending(tensor => tensor.RelativeError).Take(WorstShown))
        {
            grid.Add(
                LayerKind.Short(tensor.Name, 32), tensor.Scheme, Format.Shape(tensor.Shape), Format.Number(tensor.RelativeError), Format.Number(tensor.MaxError));
        }

        return grid;
    }

    private static void ListMissing(Output output, IReadOnlyList<string> names, string holder)
    {
        if (names.Count > 0)
        {
            output.Warn($"{Format.Count(names.Count)} tensors are only in {holder}, the first is '{names[0]}'.");
        }
    }
}
