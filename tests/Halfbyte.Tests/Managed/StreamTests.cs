namespace Halfbyte.Tests;

/// <summary>Streams and buffers: contents, lifetimes, and who frees what when.</summary>
[TestFixtureSource(typeof(TestDevices), nameof(TestDevices.All))]
public sealed class StreamTests(string device) : DeviceTests(device)
{
    [Test]
    public void Copies_arrive()
    {
        byte[] data = new byte[1000];
        new Random(1).NextBytes(data);
        using DeviceBuffer a = Stream.Upload<byte>(data);
        using DeviceBuffer b = Stream.Allocate(1000);
        Stream.Fill(b, 7);
        Stream.Copy(a, b, 600);
        Stream.Upload<byte>(data.AsSpan(0, 100), b, 900);
        byte[] back = new byte[1000];
        Stream.Download(b, back.AsSpan());
        Assert.That(back, Is.EqualTo((byte[])[.. data[..600], .. Enumerable.Repeat((byte)7, 300), .. data[..100]]));
        byte[] part = new byte[50];
        Stream.Download(a, part.AsSpan(), 123);
        Assert.That(part, Is.EqualTo(data[123..173]));
    }

    [Test]
    public void Copies_beyond_the_end_are_refused()
    {
        using DeviceBuffer buffer = Stream.Allocate(16);
        byte[] bytes = new byte[17];
        Assert.Throws<HalfbyteArgumentException>(() => Stream.Upload<byte>(bytes, buffer));
        Assert.Throws<HalfbyteArgumentException>(() => Stream.Upload<byte>(bytes.AsSpan(0, 1), buffer, 16));
        Assert.Throws<HalfbyteArgumentException>(() => Stream.Upload<byte>(bytes.AsSpan(0, 1), buffer, -1));
        Assert.Throws<HalfbyteArgumentException>(() => Stream.Download(buffer, bytes.AsSpan()));
        Assert.Throws<HalfbyteArgumentException>(() => Stream.Download(buffer, bytes.AsSpan(0, 1), long.MaxValue));
        Assert.Throws<HalfbyteArgumentException>(() => Stream.Copy(buffer, buffer, 17));
        Assert.Throws<HalfbyteArgumentException>(() => Stream.Allocate(-1));
    }

    [Test]
    public void Empty_buffers_are_ordinary()
    {
        using DeviceBuffer empty = Stream.Allocate(0);
        Assert.That(empty.Pointer, Is.EqualTo(nint.Zero));
        Stream.Upload<byte>([], empty);
        Stream.Download(empty, Span<byte>.Empty);
        Stream.Fill(empty, 1);
    }

    [Test]
    public void Memory_is_aligned_to_256_bytes()
    {
        for (int bytes = 1; bytes < 1000; bytes += 111)
        {
            using DeviceBuffer buffer = Stream.Allocate(bytes);
            Assert.That(buffer.Pointer % 256, Is.EqualTo(nint.Zero));
        }
    }

    [Test]
    public void Impossible_sizes_are_out_of_memory_with_the_size_in_the_text() =>
        Assert.That(
            Assert.Throws<HalfbyteOutOfMemoryException>(() => Stream.Allocate(1L << 60))!.Message, Does.Contain((1L << 60).ToString(System.Globalization.CultureInfo.InvariantCulture)));

    [Test]
    public void Buffers_outlive_their_stream()
    {
        ComputeStream stream = TestDevices.Open(DeviceName);
        DeviceBuffer buffer = stream.Upload<byte>([1, 2, 3]);
        stream.Dispose();
        Assert.Throws<ObjectDisposedException>(() => _ = stream.Handle);
        Assert.Throws<ObjectDisposedException>(stream.Synchronize);
        byte[] back = new byte[3];
        Stream.Download(buffer, back.AsSpan());
        Assert.That(back, Is.EqualTo(new byte[] { 1, 2, 3 }));
        buffer.Dispose();
        buffer.Dispose();
    }

    [Test]
    public void Forgotten_buffers_are_freed_by_their_stream_and_not_by_the_finalizer()
    {
        using ComputeStream stream = TestDevices.Open(DeviceName);
        Forget(stream);
        for (int i = 0; i < 100 && stream.SafeHandle.ForgottenCount < 10; i++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }

        Assert.That(stream.SafeHandle.ForgottenCount, Is.GreaterThanOrEqualTo(9), "the finalizer leaves memory to the stream");
        using DeviceBuffer next = stream.Allocate(1);
        Assert.That(stream.SafeHandle.ForgottenCount, Is.Zero, "the next allocation frees it");
    }

    [Test]
    public void Only_the_memory_of_the_cpu_has_spans()
    {
        using DeviceBuffer buffer = Stream.Upload<float>([1, 2, 3]);
        if (Stream.Device.IsCpu)
        {
            Assert.That(buffer.HostSpan<float>().ToArray(), Is.EqualTo(new float[] { 1, 2, 3 }));
            Assert.That(buffer.HostSpan().Length, Is.EqualTo(12));
        }
        else
        {
            Assert.Throws<InvalidOperationException>(() => buffer.HostSpan());
        }
    }

    [Test]
    public void A_buffer_of_another_device_is_named()
    {
        Device other = Stream.Device.IsCpu ? Device.Cuda(0) : Device.Cpu;
        using DeviceBuffer foreign = DeviceBuffer.Borrow(other, 4096, 16);
        HalfbyteArgumentException e = Assert.Throws<HalfbyteArgumentException>(() => Stream.Fill(foreign, 1))!;
        Assert.That(e.Status, Is.EqualTo(HalfbyteStatus.WrongDevice));
        Assert.That(e.Message, Does.Contain($"is on {other}, the stream on {Stream.Device}"));
    }

    [Test]
    public void A_stream_says_what_it_runs_on()
    {
        Assert.That(Stream.ToString(), Does.StartWith(Stream.Device.IsCpu ? DeviceName.Replace(':', ' ') : "cuda"));
        Assert.That(Stream.Device, Is.EqualTo(Stream.Device.IsCpu ? Device.Cpu : Device.Parse(DeviceName)));
    }

    [System.Runtime.CompilerServices.MethodImpl(System.Runtime.CompilerServices.MethodImplOptions.NoInlining)]
    private static void Forget(ComputeStream stream)
    {
        for (int i = 0; i < 10; i++)
        {
            _ = stream.Allocate(100);
        }
    }
}
