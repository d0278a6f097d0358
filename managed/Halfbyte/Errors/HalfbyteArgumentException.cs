namespace Halfbyte;

/// <summary>
/// An argument that cannot be right: a shape, a data type, a device, a format. The message names the thing, says what was
/// expected and how to mend it. The call has done nothing.
/// </summary>
public sealed class HalfbyteArgumentException : ArgumentException
{
    /// <summary>Creates the exception.</summary>
    /// <param name="status">The kind of mistake: <see cref="HalfbyteStatus.NullPointer"/> to <see cref="HalfbyteStatus.WorkspaceTooSmall"/>.</param>
    /// <param name="message">What was wrong, what was expected, how to mend it.</param>
    public HalfbyteArgumentException(HalfbyteStatus status, string message)
        : base(message) => Status = status;

    /// <summary>The kind of mistake.</summary>
    public HalfbyteStatus Status { get; }
}
