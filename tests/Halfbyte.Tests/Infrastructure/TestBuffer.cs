using System.Runtime.InteropServices;

namespace Halfbyte.Tests;

/// <summary>Device memory between two canaries, cleared to a sentinel: it shows what was written, and what should not have been.</summary>
public sealed class TestBuffer : IDisposable
{
    private const byte Sentinel = 0xA5;
    private const int Guard = 256;

    private readonly ComputeStream _stream;
    private readonly DeviceBuffer _memory;

    public TestBuffer(ComputeStream stream, long bytes)
    {
        _stream = stream;
        ByteLength = bytes;
        _memory = stream.Allocate(bytes + (2 * Guard));
        stream.Fill(_memory, Sentinel);
    }

    public long ByteLength { get; }

    public nint Pointer => _memory.Pointer + Guard;

    public static TestBuffer Upload<T>(ComputeStream stream, ReadOnlySpan<T> values)
        where T : unmanaged
    {
        ReadOnlySpan<byte> bytes = MemoryMarshal.AsBytes(values);
        var buffer = new TestBuffer(stream, bytes.Length);
        stream.Upload(bytes, buffer._memory, Guard);
        return buffer;
    }

    /// <summary>What is in the memory now, the canaries being alive.</summary>
    public T[] Read<T>(string what = "buffer")
        where T : unmanaged
    {
        byte[] all = new byte[_memory.ByteLength];
        _stream.Download(_memory, all.AsSpan());
        Assert.That(all.AsSpan(0, Guard).IndexOfAnyExcept(Sentinel), Is.EqualTo(-1), $"{what}: memory before it was written");
        Assert.That(all.AsSpan(^Guard..).IndexOfAnyExcept(Sentinel), Is.EqualTo(-1), $"{what}: memory behind it was written");
        return MemoryMarshal.Cast<byte, T>(all.AsSpan(Guard..^Guard)).ToArray();
    }

    public void AssertUntouched(string what) =>
        Assert.That(Read<byte>(what).AsSpan().IndexOfAnyExcept(Sentinel), Is.EqualTo(-1), $"{what}: was written");

    public void Dispose() => _memory.Dispose();
}
