using System.Runtime.InteropServices;

namespace Halfbyte.Tests;

/// <summary>How a CPU stream gets its path and threads. The environment is the C one: .NET's own copy is not what a library reads.</summary>
[NonParallelizable]
public sealed partial class CpuStreamTests
{
    [TestCase("scalar")]
    [TestCase("avx2")]
    [TestCase("avx512")]
    [TestCase("avx512_bf16")]
    public void The_environment_names_the_path_of_a_default_stream(string path)
    {
        using var variable = new NativeVariable("HALFBYTE_CPU_PATH", path);
        if (TestDevices.WhyMissing("cpu:" + path) is not null)
        {
            Assert.That(
                Assert.Throws<HalfbyteDeviceException>(() => ComputeStream.Create(Device.Cpu))!.Status, Is.EqualTo(HalfbyteStatus.NotSupported));
            return;
        }

        using ComputeStream stream = ComputeStream.Create(Device.Cpu);
        using ComputeStream auto = ComputeStream.CreateCpu();
        Assert.That(stream.ToString(), Does.StartWith($"cpu {path},"));
        Assert.That(auto.ToString(), Does.StartWith($"cpu {path},"));
    }

    [Test]
    public void An_unknown_path_in_the_environment_is_an_error_and_no_guess()
    {
        using var variable = new NativeVariable("HALFBYTE_CPU_PATH", "avx1024");
        Assert.That(Assert.Throws<HalfbyteDeviceException>(() => ComputeStream.Create(Device.Cpu))!.Message, Does.Contain("avx1024"));
    }

    [Test]
    public void Without_the_environment_a_default_stream_takes_the_best_path()
    {
        using var variable = new NativeVariable("HALFBYTE_CPU_PATH", null);
        using ComputeStream best = ComputeStream.CreateCpu(HalfbyteEnvironment.CpuBestPath);
        using ComputeStream stream = ComputeStream.Create(Device.Cpu);
        Assert.That(stream.ToString(), Is.EqualTo(best.ToString()));
    }

    [Test]
    public void The_environment_names_the_number_of_threads()
    {
        using var variable = new NativeVariable("HALFBYTE_NUM_THREADS", "3");
        using ComputeStream stream = ComputeStream.CreateCpu(CpuPath.Scalar);
        using ComputeStream own = ComputeStream.CreateCpu(CpuPath.Scalar, threads: 1);
        Assert.That(stream.ToString(), Is.EqualTo("cpu scalar, 3 threads"));
        Assert.That(own.ToString(), Is.EqualTo("cpu scalar, 1 thread"));
    }

    [TestCase("abc")]
    [TestCase("0")]
    [TestCase("1025")]
    public void A_wrong_number_of_threads_in_the_environment_is_no_callers_mistake(string threads)
    {
        using var variable = new NativeVariable("HALFBYTE_NUM_THREADS", threads);
        HalfbyteDeviceException e = Assert.Throws<HalfbyteDeviceException>(() => ComputeStream.Create(Device.Cpu))!;
        Assert.That((e.Status, e.Message), Is.EqualTo((HalfbyteStatus.NotSupported, $"HALFBYTE_NUM_THREADS is '{threads}'; expected 1 to 1024.")));
    }

    [Test]
    public void Paths_and_threads_out_of_range_are_refused()
    {
        Assert.Throws<HalfbyteArgumentException>(() => ComputeStream.CreateCpu((CpuPath)99));
        Assert.Throws<HalfbyteArgumentException>(() => ComputeStream.CreateCpu(CpuPath.Scalar, -1));
        Assert.Throws<HalfbyteArgumentException>(() => ComputeStream.CreateCpu(CpuPath.Scalar, 1025));
    }

    [Test]
    public void Streams_of_one_device_work_at_the_same_time()
    {
        using ComputeStream shared = ComputeStream.CreateCpu(CpuPath.Auto, 1);
        using var layer = new Linear4Bit(FourBit.Quantize<float>(shared, Data.Normal(1, 64 * 256), 64, 256));
        float[] x = Data.Normal(2, 256);
        float[] expected = new float[64];
        layer.Forward<float>(shared, x, expected);
        Parallel.For(0, 8, _ =>
        {
            using ComputeStream stream = ComputeStream.CreateCpu(CpuPath.Auto, 2);
            float[] y = new float[64];
            for (int i = 0; i < 200; i++)
            {
                layer.Forward<float>(stream, x, y);
                Expect.Bits(y, expected, "y");
            }
        });
    }

    [Test]
    public unsafe void Borrowed_memory_is_used_and_left_alone()
    {
        using ComputeStream stream = ComputeStream.CreateCpu();
        void* memory = NativeMemory.AlignedAlloc(64, 64);
        try
        {
            using (DeviceBuffer buffer = DeviceBuffer.Borrow(Device.Cpu, (nint)memory, 64))
            {
                stream.Fill(buffer, 3);
            }

            Assert.That(new Span<byte>(memory, 64).IndexOfAnyExcept((byte)3), Is.EqualTo(-1));
        }
        finally
        {
            NativeMemory.AlignedFree(memory);
        }
    }

    private sealed partial class NativeVariable : IDisposable
    {
        private readonly string _name;
        private readonly string? _before;

        public NativeVariable(string name, string? value)
        {
            Assume.That(OperatingSystem.IsWindows(), Is.False, "the C environment of Windows is another one per C runtime");
            _name = name;
            _before = Marshal.PtrToStringUTF8(GetEnv(name));
            Set(name, value);
        }

        public void Dispose() => Set(_name, _before);

        private static void Set(string name, string? value) =>
            Assert.That(value is null ? UnsetEnv(name) : SetEnv(name, value, 1), Is.Zero);

        [LibraryImport("libc", EntryPoint = "getenv", StringMarshalling = StringMarshalling.Utf8)]
        private static partial nint GetEnv(string name);

        [LibraryImport("libc", EntryPoint = "setenv", StringMarshalling = StringMarshalling.Utf8)]
        private static partial int SetEnv(string name, string value, int overwrite);

        [LibraryImport("libc", EntryPoint = "unsetenv", StringMarshalling = StringMarshalling.Utf8)]
        private static partial int UnsetEnv(string name);
    }
}
