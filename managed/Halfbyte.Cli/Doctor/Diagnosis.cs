using System.Diagnostics;
using System.Runtime.InteropServices;

using Halfbyte.Cli.Bench;

namespace Halfbyte.Cli.Doctor;

/// <summary>Examines this machine. Never throws for what it finds.</summary>
internal static class Diagnosis
{
    private const string Library = "HALFBYTE_LIBRARY";
    private const string CpuPathVariable = "HALFBYTE_CPU_PATH";
    private const string ThreadsVariable = "HALFBYTE_NUM_THREADS";

    private static readonly CpuPath[] CpuPaths = [CpuPath.Scalar, CpuPath.Avx2, CpuPath.Avx512, CpuPath.Avx512Bf16];

    internal static DoctorReport Examine(CancellationToken cancellation)
    {
        var report = new DoctorReport(
            Healthy: false, Verdict: "", Fix: null, MachineInfo.ToolVersion, RuntimeInformation.FrameworkDescription,
            $"{RuntimeInformation.OSDescription} ({RuntimeInformation.OSArchitecture})", [], [], null, null, [], null);
        try
        {
            report = report with
            {
                AbiVersion = HalfbyteEnvironment.AbiVersion,
                NativeVersion = HalfbyteEnvironment.NativeVersion,
                LibraryTrace = [.. HalfbyteEnvironment.LoaderTrace],
            };
        }
        catch (Exception exception) when (exception is DllNotFoundException or BadImageFormatException or EntryPointNotFoundException
                                              or TypeInitializationException)
        {
            string[] lines = exception.Message.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
            return report with
            {
                LibraryTrace = lines,
                Settings = [Setting(Library, lines[0])],
                Verdict = "broken: no usable native library was found.",
                Fix = Environment.GetEnvironmentVariable(Library) is { Length: > 0 } path
                    ? $"HALFBYTE_LIBRARY names '{path}'; unset it, or let it name a halfbyte library of this version."
                    : "Build the native library with ./build.sh, or let HALFBYTE_LIBRARY name one.",
            };
        }

        report = report with
        {
            Settings =
            [
                Setting(Library, null),
                Setting(CpuPathVariable, Try(() => ComputeStream.CreateCpu(CpuPath.Auto, threads: 1))),
                Setting(ThreadsVariable, Try(() => ComputeStream.CreateCpu(CpuPath.Scalar, threads: 0))),
            ],
        };

        var devices = new List<DeviceDiagnosis>();
        foreach (CpuPath path in CpuPaths)
        {
            cancellation.ThrowIfCancellationRequested();
            devices.Add(ExamineDevice(Device.Cpu, path));
        }

        int cudaDevices = HalfbyteEnvironment.CudaDeviceCount;
        for (int ordinal = 0; ordinal < cudaDevices; ordinal++)
        {
            cancellation.ThrowIfCancellationRequested();
            devices.Add(ExamineDevice(Device.Cuda(ordinal), null));
        }

        return Conclude(report with
        {
            Devices = devices,
            NoCudaReason = cudaDevices > 0 ? null : CudaDriver.ExplainAbsence(report.NativeVersion),
        });
    }

    private static DoctorReport Conclude(DoctorReport report)
    {
        DeviceDiagnosis? wrong = report.Devices.FirstOrDefault(device => device.Passed == false);
        if (wrong is not null)
        {
            string where = wrong.Path is null ? wrong.Device : $"{wrong.Device} {wrong.Path}";
            return report with
            {
                Verdict = $"broken: {where} computes something else than defined ({wrong.SelfTest}).",
                Fix = wrong.Path is null
                    ? "Use --device cpu, and report this output: it is a defect of halfbyte, of the driver or of the device."
                    : "Set HALFBYTE_CPU_PATH=scalar, and report this output: it is a defect of halfbyte or of the processor.",
            };
        }

        if (report.Settings.FirstOrDefault(setting => setting.Problem is not null) is { } setting)
        {
            return report with { Verdict = $"broken: {setting.Problem}", Fix = $"Unset {setting.Name}, or give it one of the values above." };
        }

        if (!report.Devices.Any(device => device.Passed == true))
        {
            return report with { Verdict = "broken: no device can be used.", Fix = "Report this output: even the plain CPU path does not run here." };
        }

        int cuda = report.Devices.Count(device => device.Path is null);
        string also = cuda switch
        {
            0 => $"; no CUDA: {report.NoCudaReason}",
            1 => " and one CUDA device",
            _ => $" and {cuda} CUDA devices",
        };
        string best = report.Devices.Last(device => device.Path is not null && device.Available).Path!;
        return report with { Healthy = true, Verdict = $"healthy: CPU with {best}{also}." };
    }

    private static DeviceDiagnosis ExamineDevice(Device device, CpuPath? path)
    {
        string? pathName = path is null ? null : Name(path.Value);
        var diagnosis = new DeviceDiagnosis(device.ToString(), pathName, "", false, "", null, null, null, 0);
        long start = Stopwatch.GetTimestamp();
        try
        {
            (long free, long total) = HalfbyteEnvironment.DeviceMemory(device);
            diagnosis = diagnosis with { Name = HalfbyteEnvironment.DeviceName(device), FreeBytes = free, TotalBytes = total };
            using ComputeStream stream = path is null ? ComputeStream.Create(device) : ComputeStream.CreateCpu(path.Value, threads: 1);
            string? difference = SelfTest.Run(stream);
            return diagnosis with
            {
                Available = true,
                Passed = difference is null,
                SelfTest = difference ?? "passed",
                Milliseconds = Stopwatch.GetElapsedTime(start).TotalMilliseconds,
            };
        }
        catch (HalfbyteDeviceException exception) when (path is not null)
        {
            return diagnosis with { SelfTest = exception.Message };
        }
        catch (Exception exception) when (exception is HalfbyteException or HalfbyteArgumentException)
        {
            return diagnosis with { Passed = false, SelfTest = exception.Message };
        }
    }

    private static SettingDiagnosis Setting(string name, string? problem)
    {
        string? value = Environment.GetEnvironmentVariable(name);
        return new SettingDiagnosis(name, value is "" ? null : value, problem);
    }

    /// <summary>What a stream of these settings is refused with, or null.</summary>
    private static string? Try(Func<ComputeStream> create)
    {
        try
        {
            create().Dispose();
            return null;
        }
        catch (Exception exception) when (exception is HalfbyteException or HalfbyteArgumentException)
        {
            return exception.Message;
        }
    }

    private static string Name(CpuPath path) => path switch
    {
        CpuPath.Avx512Bf16 => "avx512_bf16",
        _ => path.ToString().ToLowerInvariant(),
    };
}
