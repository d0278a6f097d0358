namespace Halfbyte.Tests;

/// <summary>A fixture that runs once per device of <see cref="TestDevices"/>.</summary>
public abstract class DeviceTests(string device)
{
    private ComputeStream? _stream;

    /// <summary>The name of the device, one of <see cref="TestDevices.Names"/>.</summary>
    protected string DeviceName { get; } = device;

    protected ComputeStream Stream => _stream!;

    [OneTimeSetUp]
    public void OpenStream() => _stream = TestDevices.Open(DeviceName);

    [OneTimeTearDown]
    public void CloseStream() => _stream?.Dispose();

    /// <summary>Memory between canaries, holding <paramref name="values"/>.</summary>
    protected TestBuffer Upload<T>(ReadOnlySpan<T> values)
        where T : unmanaged => TestBuffer.Upload(Stream, values);

    /// <summary>Memory between canaries, holding nothing yet.</summary>
    protected TestBuffer Allocate(long bytes) => new(Stream, bytes);

    /// <summary>A run of <paramref name="body"/> for each of several numbers of threads; one run where threads do not apply.</summary>
    protected void WithThreads(Action<ComputeStream> body)
    {
        foreach (int threads in TestDevices.TryParsePath(DeviceName, out _) ? [1, 2, 3] : new[] { 0 })
        {
            using ComputeStream stream = TestDevices.Open(DeviceName, threads);
            body(stream);
        }
    }
}
