using System.Diagnostics;
using System.Text.Json.Nodes;

using Halfbyte.Checkpoints;
using Halfbyte.Cli.Commands;
using Halfbyte.Cli.Reports;
using Halfbyte.Cli.Terminal;

using Microsoft.Extensions.Logging;

namespace Halfbyte.Cli.Demo;

/// <summary>The whole way of a model, once: write, quantize, verify, reload, compare, multiply. Everything through the public library.</summary>
internal sealed class DemoRun(Output output, ILogger logger, DemoModel model, string directory, CancellationToken cancellation)
{
    private const long FixedPeakBytes = 300_000_000;

    private readonly List<string> _failures = [];
    private readonly string _original = Path.Combine(directory, "original");

    private static readonly DemoTarget[] Targets =
    [
        // Rounding heavy-tailed weights to the nearest of 16 values costs about a tenth of their norm; LLM.int8() with one scale per row
        // of outlier channels about a thirtieth. A product averages over thousands of weights, so it is no worse.
        new("nf4+dq", "nf4", ["--format", "nf4", "--double-quant"], ErrorBound: 0.15),
        new("int8", "int8", ["--format", "int8"], ErrorBound: 0.06),
    ];

    internal DemoReport Run()
    {
        long start = Stopwatch.GetTimestamp();
        long writeStart = start;
        output.WithProgress("write", display =>
        {
            DemoCheckpoint.Write(model, _original, display, cancellation);
            return 0;
        });
        double writeSeconds = Stopwatch.GetElapsedTime(writeStart).TotalSeconds;
        output.Line($"wrote {Format.Bytes(model.Parameters * 2)} of bfloat16 to {_original} in {Format.Duration(TimeSpan.FromSeconds(writeSeconds))}");

        DemoFormat[] formats = [.. Targets.Select(RunTarget)];
        return new DemoReport(
            directory, model.Layers, model.Parameters, model.LargestTensorBytes, writeSeconds, formats, _failures.Count == 0, _failures,
            Stopwatch.GetElapsedTime(start).TotalSeconds);
    }

    private DemoFormat RunTarget(DemoTarget target)
    {
        string quantized = Path.Combine(directory, target.DirectoryName);
        JsonObject conversion = QuantizeProcess.Run([_original, quantized, .. target.Options, "--device", "cpu", "--force"], cancellation);
        long before = (long)conversion["input_bytes"]!;
        long after = (long)conversion["output_bytes"]!;
        double quantizeSeconds = (double)conversion["seconds"]!;
        long peak = (long)conversion["peak_resident_bytes"]!;
        long bound = (2 * model.LargestTensorBytes) + FixedPeakBytes;
        Check(
            peak <= bound,
            $"quantizing to {target.Name} took {Format.Bytes(peak)} of memory, more than twice the largest tensor plus 300 MB ({Format.Bytes(bound)})");
        output.Line($"{target.Name}: quantized in {Format.Duration(TimeSpan.FromSeconds(quantizeSeconds))}, peak memory {Format.Bytes(peak)}");

        long verifyStart = Stopwatch.GetTimestamp();
        VerificationReport verification = output.WithProgress(
            $"{target.Name}: verify", display => CheckpointVerifier.Verify(quantized, null, CommonOptions.Adapt(display, logger), cancellation));
        double verifySeconds = Stopwatch.GetElapsedTime(verifyStart).TotalSeconds;
        Check(verification.Passed, $"{target.Name}: the verifier found {(verification.Findings.Count > 0 ? verification.Findings[0].Message : "nothing")}");
        output.Line($"{target.Name}: verified {Format.Counted(verification.QuantizedWeights, "weight")} in {Format.Duration(TimeSpan.FromSeconds(verifySeconds))}");

        ComparisonReport comparison = output.WithProgress(
            $"{target.Name}: compare",
            display => CheckpointComparer.Compare(_original, quantized, null, CommonOptions.Adapt(display, logger), cancellation));
        DemoKind[] kinds = [.. MeasureKinds(target, quantized, comparison)];
        double bits = kinds.Sum(kind => kind.BitsPerWeight * kind.Elements) / kinds.Sum(kind => (double)kind.Elements);
        return new DemoFormat(
            target.Name, before, after, bits, quantizeSeconds, peak, bound, verifySeconds, comparison.RelativeError, target.ErrorBound, kinds);
    }

    // Reloads the first layer of each kind and multiplies by it.
    private IEnumerable<DemoKind> MeasureKinds(DemoTarget target, string quantized, ComparisonReport comparison)
    {
        using CheckpointReader reader = CheckpointReader.Open(quantized, cancellationToken: cancellation);
        using ComputeStream stream = ComputeStream.Create(Device.Cpu);
        Dictionary<string, List<ComparedTensor>> byKind = comparison.Tensors
            .Where(tensor => !tensor.Identical)
            .GroupBy(tensor => LayerKind.Of(tensor.Name))
            .ToDictionary(group => group.Key, group => group.ToList());
        foreach ((string kind, List<ComparedTensor> tensors) in byKind)
        {
            cancellation.ThrowIfCancellationRequested();
            DemoTensor original = model.Tensors.First(tensor => LayerKind.Of(tensor.Name) == kind);
            using QuantizedLinear layer = reader.LoadLayer(original.Name, stream);
            double bitsPerWeight = layer is Linear8Bit int8 ? int8.Weight.BitsPerWeight : ((Linear4Bit)layer).Weight.BitsPerWeight;
            (double productError, double milliseconds) = ProductCheck.Run(layer, original, stream);
            double weightError = Math.Sqrt(tensors.Average(tensor => tensor.RelativeError * tensor.RelativeError));
            Check(weightError <= target.ErrorBound, $"{target.Name}: {kind} has a relative error of {Format.Number(weightError)}, more than {target.ErrorBound}");
            Check(
                productError <= target.ErrorBound,
                $"{target.Name}: the product by {kind} has a relative error of {Format.Number(productError)}, more than {target.ErrorBound}");
            yield return new DemoKind(
                kind, original.Shape, tensors.Count, tensors.Count * original.Elements, bitsPerWeight, weightError, productError, milliseconds);
        }
    }

    private void Check(bool holds, string failure)
    {
        if (!holds)
        {
            _failures.Add(failure);
        }
    }

    private sealed record DemoTarget(string Name, string DirectoryName, string[] Options, double ErrorBound);
}
