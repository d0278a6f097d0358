namespace Halfbyte.Checkpoints;

/// <summary>
/// The output cannot be written: it already holds a checkpoint, the disk is full, the place is the input itself. Whatever had been
/// written was removed again. The message is one line and says how to mend it.
/// </summary>
public sealed class CheckpointOutputException : IOException
{
    /// <summary>Creates the exception.</summary>
    public CheckpointOutputException(string message, Exception? innerException = null)
        : base(message, innerException)
    {
    }
}
