using System.Runtime.InteropServices;

namespace Halfbyte;

/// <summary>
/// Holds the handles of one call: none of them is released before <see cref="Dispose"/>, whoever disposes its owner meanwhile.
/// Null stands for a handle that is not there.
/// </summary>
internal readonly ref struct Lease
{
    private readonly SafeHandle? _first;
    private readonly SafeHandle? _second;
    private readonly SafeHandle? _third;
    private readonly SafeHandle? _fourth;

    /// <exception cref="ObjectDisposedException">A handle has been disposed; none is held.</exception>
    public Lease(SafeHandle? first, SafeHandle? second = null, SafeHandle? third = null, SafeHandle? fourth = null)
    {
        try
        {
            _first = Hold(first);
            _second = Hold(second);
            _third = Hold(third);
            _fourth = Hold(fourth);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    public void Dispose()
    {
        _first?.DangerousRelease();
        _second?.DangerousRelease();
        _third?.DangerousRelease();
        _fourth?.DangerousRelease();
    }

    private static SafeHandle? Hold(SafeHandle? handle)
    {
        bool added = false;
        handle?.DangerousAddRef(ref added);
        return handle;
    }
}
