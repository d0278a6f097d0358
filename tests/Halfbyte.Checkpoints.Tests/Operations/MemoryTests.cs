using System.Diagnostics;
using System.Globalization;
using System.Text;

namespace Halfbyte.Checkpoints.Tests;

/// <summary>Memory depends on the chunk, not on the model and hardly on the tensor.</summary>
[TestFixture]
[NonParallelizable]
internal sealed class MemoryTests
{
    private const int Rows = 8192;
    private const int Columns = 8192;
    private const int Tensors = 4;
    private const long TensorBytes = 2L * Rows * Columns;

    [Test]
    public void Quantizing_stays_far_below_twice_the_largest_tensor_plus_300_MB()
    {
        using TestDirectory directory = new();
        string path = directory["model.safetensors"];
        WriteLargeFile(path);
        foreach (QuantizeOptions options in new[] { new QuantizeOptions { DoubleQuantize = true }, new QuantizeOptions { Scheme = WeightScheme.Int8 } })
        {
            Measure(() => CheckpointQuantizer.Quantize(path, directory["out"], options with { Force = true }), $"quantize to {options.Scheme}");
        }

        Measure(() => CheckpointDequantizer.Dequantize(directory["out"], directory["full"]), "dequantize");
    }

    /// <summary>The promise, and, where the system can tell the growth, that it is less than one tensor.</summary>
    private static void Measure(Action action, string what)
    {
        bool canReset = ResetPeak();
        long before = canReset ? Status("VmRSS") : 0;
        action();
        long peak = Peak();
        TestContext.Out.WriteLine($"{what}: resident {before >> 20} MiB before, {peak >> 20} MiB at the peak, model {Tensors * TensorBytes >> 20} MiB");
        Assert.That(peak, Is.LessThanOrEqualTo((2 * TensorBytes) + 300_000_000));
        if (canReset)
        {
            Assert.That(peak - before, Is.LessThan(TensorBytes));
        }
    }

    private static void WriteLargeFile(string path)
    {
        StringBuilder header = new("{");
        for (int i = 0; i < Tensors; i++)
        {
            header.Append(
                CultureInfo.InvariantCulture,
                $"{(i == 0 ? "" : ",")}\"layers.{i}.fc.weight\":{{\"dtype\":\"BF16\",\"shape\":[{Rows},{Columns}],\"data_offsets\":[{i * TensorBytes},{(i + 1) * TensorBytes}]}}");
        }

        byte[] pattern = RawFile.BFloats(RawFile.Weights(1 << 20, 1));
        using FileStream file = File.Create(path);
        file.Write(RawFile.Bytes(header.Append('}').ToString(), []));
        for (long written = 0; written < Tensors * TensorBytes; written += pattern.Length)
        {
            file.Write(pattern);
        }
    }

    /// <summary>Makes the peak count from now on, where the system can.</summary>
    private static bool ResetPeak()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        GC.Collect();
        try
        {
            if (OperatingSystem.IsLinux())
            {
                File.WriteAllText("/proc/self/clear_refs", "5");
                return true;
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // A container may forbid it; the peak then counts from the start of the process.
        }

        return false;
    }

    private static long Peak()
    {
        if (OperatingSystem.IsLinux())
        {
            return Status("VmHWM");
        }

        using Process process = Process.GetCurrentProcess();
        return process.PeakWorkingSet64;
    }

    private static long Status(string field)
    {
        string line = File.ReadLines("/proc/self/status").First(l => l.StartsWith(field, StringComparison.Ordinal));
        return long.Parse(line.Split([' ', '\t'], StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) << 10;
    }
}
