namespace Halfbyte;

/// <summary>The device does not exist here, or it or the processor lacks what was asked for.</summary>
public sealed class HalfbyteDeviceException : HalfbyteException
{
    /// <summary>Creates the exception.</summary>
    /// <param name="status"><see cref="HalfbyteStatus.NoDevice"/> or <see cref="HalfbyteStatus.NotSupported"/>.</param>
    /// <param name="message">What was asked for, and what there is.</param>
    public HalfbyteDeviceException(HalfbyteStatus status, string message)
        : base(status, message)
    {
    }
}
