namespace Halfbyte.Cli;

/// <summary>The options parse one by one but make no sense together, or OUT is not free. The text says how to mend it.</summary>
internal sealed class UsageException(string message) : Exception(message);
