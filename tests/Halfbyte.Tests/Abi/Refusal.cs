using System.Text;

namespace Halfbyte.Tests;

/// <summary>What the C library says about the last call that failed on this thread.</summary>
public static unsafe class Refusal
{
    public static string LastError()
    {
        long length;
        Assert.That(Native.halfbyte_last_error(null, 0, &length), Is.Zero);
        byte[] text = new byte[length];
        fixed (byte* pointer = text)
        {
            Assert.That(Native.halfbyte_last_error(pointer, length, &length), Is.Zero);
        }

        return Encoding.UTF8.GetString(text);
    }

    /// <summary>The call returned <paramref name="status"/>, with a sentence that names <paramref name="argument"/>.</summary>
    public static void Expect(int actual, HalfbyteStatus status, string argument)
    {
        Assert.That((HalfbyteStatus)actual, Is.EqualTo(status), $"for {argument}: {LastError()}");
        string text = LastError();
        Assert.That(text, Does.Contain(argument));
        Assert.That(text, Does.EndWith("."), "a sentence");
    }
}
