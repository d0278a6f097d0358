using System.Runtime.InteropServices;

namespace Halfbyte.Cli.Doctor;

/// <summary>Says in plain words why there is no CUDA device, by asking the driver itself.</summary>
internal static unsafe class CudaDriver
{
    private const int Success = 0;
    private const int NoDevice = 100;

    private static readonly string LibraryName = OperatingSystem.IsWindows() ? "nvcuda.dll" : "libcuda.so.1";

    internal static string ExplainAbsence(string nativeVersion)
    {
        if (!NativeLibrary.TryLoad(LibraryName, out nint driver))
        {
            return $"no NVIDIA driver here ({LibraryName} is not installed)";
        }

        if (!NativeLibrary.TryGetExport(driver, "cuInit", out nint initialize)
            || !NativeLibrary.TryGetExport(driver, "cuDeviceGetCount", out nint countDevices))
        {
            return $"{LibraryName} is not an NVIDIA driver";
        }

        int status = ((delegate* unmanaged<uint, int>)initialize)(0);
        if (status != Success)
        {
            return status == NoDevice
                ? "the NVIDIA driver finds no device; in a container, pass the GPUs in"
                : $"the NVIDIA driver does not start (cuInit returned {status}); 'nvidia-smi' may say more";
        }

        int count = 0;
        status = ((delegate* unmanaged<int*, int>)countDevices)(&count);
        if (status != Success || count == 0)
        {
            return "the NVIDIA driver finds no device; CUDA_VISIBLE_DEVICES may hide it";
        }

        return nativeVersion.Contains("cuda", StringComparison.OrdinalIgnoreCase)
            ? $"the NVIDIA driver finds {count}, but none that the CUDA backend can use; the driver may be too old for it"
            : $"the NVIDIA driver finds {count}, but the library in use ({nativeVersion}) was built without the CUDA backend";
    }
}
