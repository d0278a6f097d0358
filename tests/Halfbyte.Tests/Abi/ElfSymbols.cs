using System.Buffers.Binary;
using System.Text;

namespace Halfbyte.Tests;

/// <summary>The names a 64-bit little-endian ELF shared library defines for others: its .dynsym.</summary>
public static class ElfSymbols
{
    public static IReadOnlyList<string> Defined(byte[] file)
    {
        Assert.That(file.AsSpan(0, 6).SequenceEqual((ReadOnlySpan<byte>)[0x7F, (byte)'E', (byte)'L', (byte)'F', 2, 1]), Is.True, "64-bit ELF");
        long sections = Int64(file, 0x28);
        int sectionSize = Int16(file, 0x3A);
        int sectionCount = Int16(file, 0x3C);
        var names = new List<string>();
        for (int i = 0; i < sectionCount; i++)
        {
            long section = sections + (i * sectionSize);
            const int DynamicSymbols = 11;
            if (Int32(file, section + 4) != DynamicSymbols)
            {
                continue;
            }

            long strings = Int64(file, sections + (Int32(file, section + 0x28) * sectionSize) + 0x18);
            long begin = Int64(file, section + 0x18);
            long end = begin + Int64(file, section + 0x20);
            for (long symbol = begin; symbol < end; symbol += 24)
            {
                int binding = file[symbol + 4] >> 4;
                bool defined = Int16(file, symbol + 6) != 0;
                if (defined && binding is (1 or 2))
                {
                    names.Add(Text(file, strings + Int32(file, symbol)));
                }
            }
        }

        Assert.That(names, Is.Not.Empty, "the library has a .dynsym");
        return names;
    }

    private static string Text(byte[] file, long offset)
    {
        ReadOnlySpan<byte> rest = file.AsSpan((int)offset);
        return Encoding.ASCII.GetString(rest[..rest.IndexOf((byte)0)]);
    }

    private static int Int16(byte[] file, long offset) => BinaryPrimitives.ReadUInt16LittleEndian(file.AsSpan((int)offset));

    private static int Int32(byte[] file, long offset) => BinaryPrimitives.ReadInt32LittleEndian(file.AsSpan((int)offset));

    private static long Int64(byte[] file, long offset) => BinaryPrimitives.ReadInt64LittleEndian(file.AsSpan((int)offset));
}
