using System.Globalization;
using System.Reflection;
using System.Runtime.InteropServices;

namespace Halfbyte.Cli.Bench;

/// <summary>The machine and the build behind a set of numbers.</summary>
internal sealed record MachineInfo(
    string Cpu, int Processors, long LastLevelCacheBytes, string OperatingSystem, string Runtime, string Version, string NativeVersion,
    string Stream, string Date)
{
    internal static MachineInfo Describe(ComputeStream stream) => new(
        HalfbyteEnvironment.DeviceName(Device.Cpu),
        Environment.ProcessorCount,
        FindLastLevelCacheBytes(),
        RuntimeInformation.OSDescription,
        RuntimeInformation.FrameworkDescription,
        ToolVersion,
        HalfbyteEnvironment.NativeVersion,
        stream.ToString(),
        DateTime.UtcNow.ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture));

    /// <summary>The version of this tool, with the commit it was built from where that is known.</summary>
    internal static string ToolVersion =>
        typeof(MachineInfo).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "unknown";

    /// <summary>The largest cache of the first processor, or 32 MiB where the system does not tell.</summary>
    internal static long FindLastLevelCacheBytes()
    {
        const long Guess = 32L << 20;
        try
        {
            return Directory.EnumerateDirectories("/sys/devices/system/cpu/cpu0/cache", "index*")
                .Select(index => ParseSize(File.ReadAllText(Path.Combine(index, "size")).Trim()))
                .DefaultIfEmpty(Guess)
                .Max();
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return Guess;
        }
    }

    // "32768K", "2M", or plain bytes
    private static long ParseSize(string text)
    {
        int unit = text.Length == 0 ? 0 : text[^1] switch
        {
            'K' => 10,
            'M' => 20,
            'G' => 30,
            _ => 0,
        };
        string digits = unit == 0 ? text : text[..^1];
        return long.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out long size) ? size << unit : 0;
    }
}
