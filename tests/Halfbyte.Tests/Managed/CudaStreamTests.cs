namespace Halfbyte.Tests;

/// <summary>What only CUDA streams do, on the first CUDA device; nothing where there is none.</summary>
[TestFixtureSource(typeof(TestDevices), nameof(TestDevices.Cuda))]
public sealed unsafe class CudaStreamTests(string device) : DeviceTests(device)
{
    // Whether this is the tests' own CUDA, which survives faults; on a real one a fault is the end of the process's context.
    private static bool IsEmulated => HalfbyteEnvironment.NativeVersion.Contains("emulated", StringComparison.Ordinal);

    [Test]
    public void The_legacy_default_stream_can_be_adopted()
    {
        byte[] back = new byte[3];
        using (ComputeStream adopted = ComputeStream.WrapCuda(Stream.Device.Ordinal, 0))
        {
            Assert.That(adopted.ToString(), Does.StartWith(DeviceName).And.EndWith("the caller's stream"));
            using DeviceBuffer buffer = adopted.Upload<byte>([1, 2, 3]);
            adopted.Download(buffer, back.AsSpan());
        }

        Assert.That(back, Is.EqualTo(new byte[] { 1, 2, 3 }));
        using ComputeStream again = ComputeStream.WrapCuda(Stream.Device.Ordinal, 0);
        again.Synchronize();
    }

    [Test]
    public void An_error_is_reported_once_and_does_not_stick()
    {
        Assert.Throws<HalfbyteOutOfMemoryException>(() => Stream.Allocate(1L << 50));
        using DeviceBuffer buffer = Stream.Upload<float>(Data.Normal(1, 64));
        using FourBitTensor tensor = FourBit.Quantize<float>(Stream, Data.Normal(1, 64 * 64), 64, 64);
        Stream.Synchronize();
    }

    [Test]
    public void Memory_is_counted()
    {
        (long free, long total) = HalfbyteEnvironment.DeviceMemory(Stream.Device);
        Assert.That(total, Is.GreaterThan(1L << 30));
        Assert.That(free, Is.InRange(0, total));
    }

    [Test]
    public void A_fault_of_a_kernel_is_a_device_error_with_its_text()
    {
        Assume.That(IsEmulated, "a real device does not survive this");
        using var weight = new Weight4Bit(Stream, 64, 64, new(QuantType.Nf4, 64, false));
        using DeviceBuffer small = Stream.Allocate(64);
        FourBitWeight descriptor = weight.Descriptor;
        int status = Native.halfbyte_dequantize_4bit(Stream.Handle, (nint)(&descriptor), small.Pointer, 1);
        Refusal.Expect(status, HalfbyteStatus.DeviceError, "dequantize_4bit failed on cuda:0: ");
        Assert.That(Refusal.LastError(), Does.Contain("dequantize_4bit_kernel").And.Contain("global memory out of bounds"));
        using TestBuffer large = Allocate(64 * 64 * 4);
        Assert.That(Native.halfbyte_dequantize_4bit(Stream.Handle, (nint)(&descriptor), large.Pointer, 1), Is.Zero);
        Assert.That(large.Read<float>()[0], Is.EqualTo((float)weight.Values[0]));
    }
}
