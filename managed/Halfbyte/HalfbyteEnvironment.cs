using Halfbyte.Bindings;

namespace Halfbyte;

/// <summary>What is here: the native library, its devices, and how it was found.</summary>
public static unsafe class HalfbyteEnvironment
{
    /// <summary>The version of the C interface the native library has.</summary>
    public static int AbiVersion => Native.halfbyte_abi_version();

    /// <summary>The native library's version and build, for people: <c>0.1.0 (cpu)</c>.</summary>
    public static string NativeVersion => NativeText.Read(Native.halfbyte_version);

    /// <summary>Number of usable CUDA devices; 0 where there is no driver, no device, or no CUDA backend in the library.</summary>
    public static int CudaDeviceCount
    {
        get
        {
            int count;
            NativeStatus.Check(Native.halfbyte_cuda_device_count(&count));
            return count;
        }
    }

    /// <summary>The best instructions this processor can run; never <see cref="CpuPath.Auto"/>.</summary>
    public static CpuPath CpuBestPath
    {
        get
        {
            int path;
            NativeStatus.Check(Native.halfbyte_cpu_best_path(&path));
            return (CpuPath)path;
        }
    }

    /// <summary>
    /// Every native library that was tried so far, in order, and what came of it. Empty before the first native call.
    /// </summary>
    public static IReadOnlyList<string> LoaderTrace => [.. NativeLibraryLoader.Trace.Select(attempt => attempt.ToString())];

    /// <summary>The device's name for people: <c>AMD EPYC 9B45 (avx512_bf16)</c>.</summary>
    /// <param name="device">The device.</param>
    /// <exception cref="HalfbyteDeviceException">There is no such device here.</exception>
    public static string DeviceName(Device device)
    {
        int id = device.NativeId;
        return NativeText.Read((text, capacity, length) => Native.halfbyte_device_name(id, text, capacity, length));
    }

    /// <summary>Bytes free and in all on the device; host memory for the CPU.</summary>
    /// <param name="device">The device.</param>
    /// <exception cref="HalfbyteDeviceException">There is no such device here.</exception>
    public static (long Free, long Total) DeviceMemory(Device device)
    {
        long free, total;
        NativeStatus.Check(Native.halfbyte_device_memory(device.NativeId, &free, &total));
        return (free, total);
    }
}
