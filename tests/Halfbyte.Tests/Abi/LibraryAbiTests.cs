using System.Text;

namespace Halfbyte.Tests;

/// <summary>Errors, texts, streams and memory through the C functions themselves.</summary>
public sealed unsafe class LibraryAbiTests
{
    [Test]
    public void The_last_error_stays_until_the_next_and_belongs_to_its_thread()
    {
        long length;
        Refusal.Expect(Native.halfbyte_version(null, 0, null), HalfbyteStatus.NullPointer, "length");
        string text = Refusal.LastError();
        Assert.That(Native.halfbyte_version(null, 0, &length), Is.Zero);
        Assert.That(Refusal.LastError(), Is.EqualTo(text), "a call that succeeds leaves it");
        string? elsewhere = null;
        var thread = new Thread(() => elsewhere = Refusal.LastError());
        thread.Start();
        thread.Join();
        Assert.That(elsewhere, Is.Empty, "nothing has failed there");
        Assert.That((HalfbyteStatus)Native.halfbyte_last_error(null, 0, null), Is.EqualTo(HalfbyteStatus.NullPointer));
    }

    [Test]
    public void Text_goes_into_the_callers_buffer_as_far_as_it_fits()
    {
        long length = 0;
        Assert.That(Native.halfbyte_version(null, 0, &length), Is.Zero);
        byte[] text = new byte[length + 4];
        text.AsSpan().Fill(0xEE);
        fixed (byte* pointer = text)
        {
            long full = 0;
            Assert.That(Native.halfbyte_version(pointer, length - 1, &full), Is.Zero);
            Assert.That(full, Is.EqualTo(length));
            Assert.That(text[(int)length - 1], Is.EqualTo(0xEE), "not beyond the capacity");
            Assert.That(Native.halfbyte_version(pointer, length + 4, &full), Is.Zero);
            Assert.That(full, Is.EqualTo(length));
            Assert.That(text.AsSpan((int)length).ToArray(), Is.All.EqualTo(0xEE), "no terminating zero");
            Assert.That(Encoding.UTF8.GetString(text, 0, (int)length), Is.EqualTo(HalfbyteEnvironment.NativeVersion));
            Refusal.Expect(Native.halfbyte_version(pointer, -1, &full), HalfbyteStatus.InvalidSize, "capacity");
            Refusal.Expect(Native.halfbyte_version(null, 1, &full), HalfbyteStatus.NullPointer, "text");
        }
    }

    [Test]
    public void Devices_and_streams_are_refused_by_name()
    {
        nint stream = 77;
        long number;
        int value;
        Refusal.Expect(Native.halfbyte_stream_create(0, null), HalfbyteStatus.NullPointer, "stream");
        Refusal.Expect(Native.halfbyte_stream_create(-1, &stream), HalfbyteStatus.NoDevice, "-1");
        Refusal.Expect(Native.halfbyte_stream_create(1, &stream), HalfbyteStatus.NoDevice, "1");
        Refusal.Expect(Native.halfbyte_stream_create(256 + 1000, &stream), HalfbyteStatus.NoDevice, "1000");
        Refusal.Expect(Native.halfbyte_stream_create_cpu(0, 0, null), HalfbyteStatus.NullPointer, "stream");
        Refusal.Expect(Native.halfbyte_stream_create_cpu(5, 0, &stream), HalfbyteStatus.InvalidValue, "path");
        Refusal.Expect(Native.halfbyte_stream_create_cpu(-1, 0, &stream), HalfbyteStatus.InvalidValue, "path");
        Refusal.Expect(Native.halfbyte_stream_create_cpu(1, -1, &stream), HalfbyteStatus.InvalidValue, "threads");
        Refusal.Expect(Native.halfbyte_stream_create_cpu(1, 1025, &stream), HalfbyteStatus.InvalidValue, "threads");
        Refusal.Expect(Native.halfbyte_stream_wrap_cuda(1000, 0, &stream), HalfbyteStatus.NoDevice, "1000");
        Refusal.Expect(Native.halfbyte_stream_wrap_cuda(-1, 0, &stream), HalfbyteStatus.NoDevice, "-1");
        Assert.That(stream, Is.EqualTo((nint)77), "nothing was written");
        Refusal.Expect(Native.halfbyte_stream_synchronize(0), HalfbyteStatus.NullPointer, "stream");
        Refusal.Expect(Native.halfbyte_stream_describe(0, null, 0, &number), HalfbyteStatus.NullPointer, "stream");
        Assert.That(Native.halfbyte_stream_destroy(0), Is.Zero);
        Refusal.Expect(Native.halfbyte_cuda_device_count(null), HalfbyteStatus.NullPointer, "count");
        Refusal.Expect(Native.halfbyte_cpu_best_path(null), HalfbyteStatus.NullPointer, "path");
        Refusal.Expect(Native.halfbyte_device_memory(0, null, &number), HalfbyteStatus.NullPointer, "free_bytes");
        Refusal.Expect(Native.halfbyte_device_memory(0, &number, null), HalfbyteStatus.NullPointer, "total_bytes");
        Refusal.Expect(Native.halfbyte_device_name(3, null, 0, &number), HalfbyteStatus.NoDevice, "3");
        Assert.That(Native.halfbyte_cpu_best_path(&value), Is.Zero);
        Assert.That(value, Is.InRange(1, 4));
    }

    [Test]
    public void Code_tables_go_to_the_host()
    {
        float[] table = new float[257];
        table.AsSpan().Fill(9);
        fixed (float* values = table)
        {
            Refusal.Expect(Native.halfbyte_codebook_values(0, values, 257), HalfbyteStatus.InvalidFormat, "codebook");
            Refusal.Expect(Native.halfbyte_codebook_values(5, values, 257), HalfbyteStatus.InvalidFormat, "codebook");
            Refusal.Expect(Native.halfbyte_codebook_values(1, null, 16), HalfbyteStatus.NullPointer, "values");
            Refusal.Expect(Native.halfbyte_codebook_values(1, values, 15), HalfbyteStatus.InvalidSize, "capacity");
            Refusal.Expect(Native.halfbyte_codebook_values(4, values, 255), HalfbyteStatus.InvalidSize, "capacity");
            Assert.That(table, Is.All.EqualTo(9f));
            Assert.That(Native.halfbyte_codebook_values(2, values, 257), Is.Zero);
            Assert.That(table[16..], Is.All.EqualTo(9f));
        }
    }

    [TestCaseSource(typeof(TestDevices), nameof(TestDevices.Cpu))]
    public void Memory_is_refused_by_name(string device)
    {
        using ComputeStream stream = TestDevices.Open(device);
        using DeviceBuffer buffer = stream.Allocate(64);
        nint memory = 77;
        byte* host = stackalloc byte[64];
        Refusal.Expect(Native.halfbyte_allocate(stream.Handle, -1, &memory), HalfbyteStatus.InvalidSize, "bytes");
        Refusal.Expect(Native.halfbyte_allocate(stream.Handle, 1, null), HalfbyteStatus.NullPointer, "memory");
        Refusal.Expect(Native.halfbyte_allocate(0, 1, &memory), HalfbyteStatus.NullPointer, "stream");
        Refusal.Expect(Native.halfbyte_allocate(stream.Handle, long.MaxValue, &memory), HalfbyteStatus.OutOfMemory, long.MaxValue.ToString(System.Globalization.CultureInfo.InvariantCulture));
        Assert.That(memory, Is.EqualTo((nint)77), "nothing was written");
        Assert.That(Native.halfbyte_free(stream.Handle, 0), Is.Zero);
        Refusal.Expect(Native.halfbyte_free(0, 0), HalfbyteStatus.NullPointer, "stream");
        Refusal.Expect(Native.halfbyte_copy_from_host(stream.Handle, 0, (nint)host, 1), HalfbyteStatus.NullPointer, "destination");
        Refusal.Expect(Native.halfbyte_copy_from_host(stream.Handle, buffer.Pointer, 0, 1), HalfbyteStatus.NullPointer, "source");
        Refusal.Expect(Native.halfbyte_copy_from_host(stream.Handle, buffer.Pointer, (nint)host, -1), HalfbyteStatus.InvalidSize, "bytes");
        Refusal.Expect(Native.halfbyte_copy_to_host(stream.Handle, 0, buffer.Pointer, 1), HalfbyteStatus.NullPointer, "destination");
        Refusal.Expect(Native.halfbyte_copy_to_host(stream.Handle, (nint)host, 0, 1), HalfbyteStatus.NullPointer, "source");
        Refusal.Expect(Native.halfbyte_copy(stream.Handle, buffer.Pointer, 0, 1), HalfbyteStatus.NullPointer, "source");
        Refusal.Expect(Native.halfbyte_copy(stream.Handle, buffer.Pointer + 1, buffer.Pointer, 8), HalfbyteStatus.Overlap, "destination");
        Refusal.Expect(Native.halfbyte_fill(stream.Handle, 0, 1, 1), HalfbyteStatus.NullPointer, "destination");
        Refusal.Expect(Native.halfbyte_fill(stream.Handle, buffer.Pointer, 256, 1), HalfbyteStatus.InvalidValue, "value");
        Refusal.Expect(Native.halfbyte_fill(stream.Handle, buffer.Pointer, -1, 1), HalfbyteStatus.InvalidValue, "value");
        Assert.That(Native.halfbyte_copy_to_host(stream.Handle, 0, 0, 0), Is.Zero, "nothing is copied from nowhere");
    }
}
