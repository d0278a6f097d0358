using Halfbyte.Checkpoints;
using Halfbyte.Cli.Terminal;

namespace Halfbyte.Cli.Reports;

/// <summary>What <c>inspect</c> tells people.</summary>
internal static class InspectionView
{
    internal static void Write(Output output, InspectionReport report, int depth)
    {
        string title = report.ModelType is null ? report.Path : $"{report.Path} ({report.ModelType})";
        output.Tree(ModuleTree.Draw(title, InNumberOrder(report.Tensors), depth));
        output.Line();

        var totals = new Grid(
            "storage", GridColumn.Right("tensors"), GridColumn.Right("elements"), GridColumn.Right("bytes"), GridColumn.Right("bits each"));
        foreach (StorageTotal total in report.Totals)
        {
            totals.Add(
                total.Storage, Format.Count(total.Tensors), Format.Count(total.Elements), Format.Bytes(total.Bytes), Bits(total.Bytes, total.Elements));
        }

        totals.Add(
            "all", Format.Count(report.Tensors.Count), Format.Count(report.Parameters), Format.Bytes(report.Bytes), Bits(report.Bytes, report.Parameters));
        output.Table(totals);
        string files = report.Files.Count == 1 ? "1 file" : $"{report.Files.Count} files";
        output.Line($"{files}, {Format.Count(report.Parameters)} parameters, {Format.Count(report.Bytes)} bytes.");
    }

    // Files list layer 10 before layer 2; people count.
    private static IEnumerable<InspectedTensor> InNumberOrder(IEnumerable<InspectedTensor> tensors) =>
        tensors.Order(Comparer<InspectedTensor>.Create((left, right) => CompareNames(left.Name, right.Name)));

    private static int CompareNames(string left, string right)
    {
        string[] leftParts = left.Split('.');
        string[] rightParts = right.Split('.');
        for (int i = 0; i < Math.Min(leftParts.Length, rightParts.Length); i++)
        {
            int order = LayerKind.IsNumber(leftParts[i]) && LayerKind.IsNumber(rightParts[i]) && leftParts[i].Length != rightParts[i].Length
                ? leftParts[i].TrimStart('0').Length - rightParts[i].TrimStart('0').Length
                : string.CompareOrdinal(leftParts[i], rightParts[i]);
            if (order != 0)
            {
                return order;
            }
        }

        return leftParts.Length - rightParts.Length;
    }

    private static string Bits(long bytes, long elements) => elements == 0 ? "" : Format.Text($"{8.0 * bytes / elements:0.00}");
}
