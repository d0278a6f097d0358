namespace Halfbyte;

/// <summary>A failure of the library or of a device. What a caller passed wrongly is a <see cref="HalfbyteArgumentException"/>.</summary>
public class HalfbyteException : Exception
{
    /// <summary>Creates the exception.</summary>
    /// <param name="status">What the C library returned.</param>
    /// <param name="message">What was wrong, what was expected, how to mend it.</param>
    public HalfbyteException(HalfbyteStatus status, string message)
        : base(message) => Status = status;

    /// <summary>What the C library returned.</summary>
    public HalfbyteStatus Status { get; }
}
