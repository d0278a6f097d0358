namespace Halfbyte.Tests;

/// <summary>
/// The devices every operation is tested on. What is not here is left out, and one test per missing device says so: ignored, or
/// failed where the environment's HALFBYTE_REQUIRE_DEVICES lists the device. "cpu" there stands for cpu:scalar, "cuda" for cuda:0.
/// </summary>
public static class TestDevices
{
    private static readonly Lazy<Dictionary<string, string?>> Missing = new(() => Names.ToDictionary(name => name, WhyMissing));

    public static IEnumerable<string> Names => ["cpu:scalar", "cpu:avx2", "cpu:avx512", "cpu:avx512_bf16", "cuda:0"];

    /// <summary>One fixture per device that is here.</summary>
    public static IEnumerable<TestFixtureData> All =>
        Names.Where(name => Missing.Value[name] is null).Select(name => new TestFixtureData(name).SetArgDisplayNames(name));

    /// <summary>The devices of the CPU that are here.</summary>
    public static IEnumerable<string> Cpu => Names.Where(name => TryParsePath(name, out _) && Missing.Value[name] is null);

    /// <summary>One fixture per CUDA device that is here: none, or the first.</summary>
    public static IEnumerable<TestFixtureData> Cuda =>
        Names.Where(name => name.StartsWith("cuda", StringComparison.Ordinal) && Missing.Value[name] is null)
            .Select(name => new TestFixtureData(name).SetArgDisplayNames(name));

    public static ComputeStream Open(string name, int threads = 0) => TryParsePath(name, out CpuPath path)
        ? ComputeStream.CreateCpu(path, threads)
        : ComputeStream.Create(Device.Parse(name));

    /// <summary>Why the device is not here, or null.</summary>
    public static string? WhyMissing(string name)
    {
        try
        {
            using ComputeStream stream = Open(name);
            return null;
        }
        catch (HalfbyteDeviceException e)
        {
            return e.Message;
        }
    }

    public static bool TryParsePath(string name, out CpuPath path)
    {
        path = name switch
        {
            "cpu:scalar" => CpuPath.Scalar,
            "cpu:avx2" => CpuPath.Avx2,
            "cpu:avx512" => CpuPath.Avx512,
            "cpu:avx512_bf16" => CpuPath.Avx512Bf16,
            _ => CpuPath.Auto,
        };
        return path != CpuPath.Auto;
    }

    public static bool IsRequired(string name, string? list) =>
        (list ?? "").Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)
            .Any(entry => entry == name || (entry, name) is ("cpu", "cpu:scalar") or ("cuda", "cuda:0"));
}
