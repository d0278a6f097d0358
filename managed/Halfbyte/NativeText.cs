using System.Text;

namespace Halfbyte;

/// <summary>Reads text out of the C library: it fills a buffer of ours and tells the full length.</summary>
internal static unsafe class NativeText
{
    public delegate int Reader(byte* text, long capacity, long* length);

    public static string Read(Reader reader)
    {
        byte* small = stackalloc byte[512];
        long length;
        NativeStatus.Check(reader(small, 512, &length));
        if (length <= 512)
        {
            return Encoding.UTF8.GetString(small, (int)length);
        }

        byte[] large = new byte[length];
        fixed (byte* text = large)
        {
            NativeStatus.Check(reader(text, large.Length, &length));
        }

        return Encoding.UTF8.GetString(large, 0, (int)Math.Min(length, large.Length));
    }
}
