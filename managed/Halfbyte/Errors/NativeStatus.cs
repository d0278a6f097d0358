using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;

using Halfbyte.Bindings;

namespace Halfbyte;

/// <summary>Turns what the C library returns into exceptions.</summary>
internal static class NativeStatus
{
    /// <summary>Throws if <paramref name="status"/> is not OK. Must be called on the thread that made the call, before another one.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Check(int status)
    {
        if (status != 0)
        {
            Throw(status);
        }
    }

    /// <summary>Throws unless a larger workspace mends it. A call that fails has done nothing, so it can be repeated with one.</summary>
    public static void ThrowUnlessWorkspaceTooSmall(int status)
    {
        if (status != (int)HalfbyteStatus.WorkspaceTooSmall)
        {
            Throw(status);
        }
    }

    [DoesNotReturn]
    [StackTraceHidden]
    public static void Throw(int status) => throw ToException((HalfbyteStatus)status, LastError(status));

    private static Exception ToException(HalfbyteStatus status, string message) => status switch
    {
        >= HalfbyteStatus.NullPointer and <= HalfbyteStatus.WorkspaceTooSmall => new HalfbyteArgumentException(status, message),
        HalfbyteStatus.OutOfMemory => new HalfbyteOutOfMemoryException(message),
        HalfbyteStatus.NoDevice => new HalfbyteDeviceException(status, WithTheLoadersReason(message)),
        HalfbyteStatus.NotSupported => new HalfbyteDeviceException(status, message),
        _ => new HalfbyteException(status, message),
    };

    // "cuda:0 cannot be used: ...": the CPU library can only say that it has no CUDA. Why it is the one in use, the loader knows.
    private static string WithTheLoadersReason(string message) =>
        message.StartsWith("cuda:", StringComparison.Ordinal) && NativeLibraryLoader.CudaLibraryRefusal is { } refusal
            ? $"{message[..message.IndexOf(": ", StringComparison.Ordinal)]}: {refusal}."
            : message;

    private static unsafe string LastError(int status)
    {
        string text = NativeText.Read(Native.halfbyte_last_error);
        return text.Length > 0 ? text : $"the native library returned status {status} ({(HalfbyteStatus)status}) without a text.";
    }
}
