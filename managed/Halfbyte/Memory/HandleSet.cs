using System.Runtime.InteropServices;

namespace Halfbyte;

/// <summary>
/// Many handles held as one, for as long as this one lives: what a layer's call has to hold is a single handle, however many
/// buffers its weight has.
/// </summary>
internal sealed class HandleSet : SafeHandle
{
    private readonly List<SafeHandle> _held = [];

    /// <exception cref="ObjectDisposedException">A buffer has been disposed; none is held.</exception>
    public HandleSet(params ReadOnlySpan<DeviceBuffer?> buffers)
        : base(0, ownsHandle: true)
    {
        try
        {
            foreach (DeviceBuffer? buffer in buffers)
            {
                bool added = false;
                buffer?.SafeHandle.DangerousAddRef(ref added);
                if (buffer is not null)
                {
                    _held.Add(buffer.SafeHandle);
                }
            }
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    public override bool IsInvalid => false;

    protected override bool ReleaseHandle()
    {
        foreach (SafeHandle handle in _held)
        {
            handle.DangerousRelease();
        }

        return true;
    }
}
