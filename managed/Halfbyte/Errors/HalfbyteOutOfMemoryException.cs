namespace Halfbyte;

/// <summary>The device has not enough free memory; the message has the number of bytes asked for.</summary>
public sealed class HalfbyteOutOfMemoryException : HalfbyteException
{
    /// <summary>Creates the exception.</summary>
    /// <param name="message">What was asked for, and what there is.</param>
    public HalfbyteOutOfMemoryException(string message)
        : base(HalfbyteStatus.OutOfMemory, message)
    {
    }
}
