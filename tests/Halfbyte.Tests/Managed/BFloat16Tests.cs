using System.Globalization;
using System.Runtime.InteropServices;

namespace Halfbyte.Tests;

public sealed class BFloat16Tests
{
    [Test]
    public void Every_pattern_goes_to_float_and_back_and_through_text()
    {
        for (int bits = 0; bits < 65536; bits++)
        {
            var value = BFloat16.FromBits((ushort)bits);
            float single = (float)value;
            Assert.That(BitConverter.SingleToUInt32Bits(single), Is.EqualTo((uint)bits << 16));
            var back = (BFloat16)single;
            if (float.IsNaN(single))
            {
                Assert.That(BFloat16.IsNaN(value) && BFloat16.IsNaN(back), Is.True);
            }
            else
            {
                Assert.That(back.ToBits(), Is.EqualTo(bits));
                Assert.That(BFloat16.Parse(value.ToString(), CultureInfo.InvariantCulture).ToBits(), Is.EqualTo(bits), value.ToString());
            }

            Assert.That(BFloat16.IsInfinity(value), Is.EqualTo(float.IsInfinity(single)));
            Assert.That(BFloat16.IsFinite(value), Is.EqualTo(float.IsFinite(single)));
            Assert.That(BFloat16.IsNegative(value), Is.EqualTo(float.IsNegative(single)));
        }
    }

    [Test]
    public void Rounding_is_to_nearest_even()
    {
        // Between all neighbours: the middle, and one step of float or double to either side of it.
        for (int bits = 0; bits < 0x7F7F; bits++)
        {
            float low = BitConverter.UInt32BitsToSingle((uint)bits << 16);
            float middle = BitConverter.UInt32BitsToSingle(((uint)bits << 16) | 0x8000);
            int even = bits + (bits & 1);
            Assert.That(((BFloat16)middle).ToBits(), Is.EqualTo(even));
            Assert.That(((BFloat16)MathF.BitDecrement(middle)).ToBits(), Is.EqualTo(bits));
            Assert.That(((BFloat16)MathF.BitIncrement(middle)).ToBits(), Is.EqualTo(bits + 1));
            Assert.That(((BFloat16)(double)middle).ToBits(), Is.EqualTo(even));
            Assert.That(((BFloat16)Math.BitDecrement((double)middle)).ToBits(), Is.EqualTo(bits), "rounded once, not by way of float");
            Assert.That(((BFloat16)(-Math.BitIncrement((double)middle))).ToBits(), Is.EqualTo((bits + 1) | 0x8000));
            Assert.That(((BFloat16)low).ToBits(), Is.EqualTo(bits));
        }
    }

    [Test]
    public void Overflow_is_infinite()
    {
        Assert.That((BFloat16)float.MaxValue, Is.EqualTo(BFloat16.PositiveInfinity));
        Assert.That((BFloat16)1e300, Is.EqualTo(BFloat16.PositiveInfinity));
        Assert.That((BFloat16)(-1e300), Is.EqualTo(BFloat16.NegativeInfinity));
        Assert.That(BFloat16.IsNaN((BFloat16)double.NaN), Is.True);
        Assert.That((float)BFloat16.MaxValue, Is.EqualTo(3.3895314e38f));
        Assert.That((float)BFloat16.Epsilon, Is.EqualTo(MathF.ScaleB(1, -133)));
    }

    [Test]
    public void Comparison_is_that_of_numbers()
    {
        BFloat16[] numbers = [BFloat16.NegativeInfinity, BFloat16.MinValue, (BFloat16)(-1f), BFloat16.Zero, BFloat16.Epsilon, BFloat16.One, BFloat16.MaxValue, BFloat16.PositiveInfinity];
        for (int i = 0; i < numbers.Length; i++)
        {
            for (int j = 0; j < numbers.Length; j++)
            {
                Assert.That(numbers[i] < numbers[j], Is.EqualTo(i < j));
                Assert.That(numbers[i] >= numbers[j], Is.EqualTo(i >= j));
                Assert.That(numbers[i] == numbers[j], Is.EqualTo(i == j));
                Assert.That(Math.Sign(numbers[i].CompareTo(numbers[j])), Is.EqualTo(Math.Sign(i.CompareTo(j))));
            }
        }

        var negativeZero = BFloat16.FromBits(0x8000);
        BFloat16 notANumber = BFloat16.NaN;
        Assert.That(negativeZero == BFloat16.Zero && negativeZero.Equals(BFloat16.Zero), Is.True);
        Assert.That(negativeZero.GetHashCode(), Is.EqualTo(BFloat16.Zero.GetHashCode()));
        Assert.That(notANumber == BFloat16.NaN, Is.False);
        Assert.That(notANumber.Equals(BFloat16.NaN), Is.True, "as Half: Equals is an equivalence");
        Assert.Throws<ArgumentException>(() => BFloat16.One.CompareTo("1"));
    }

    [Test]
    public void It_is_two_bytes_that_cast_to_and_from_ushort()
    {
        BFloat16[] values = [BFloat16.One, BFloat16.NaN];
        Assert.That(MemoryMarshal.Cast<BFloat16, ushort>(values).ToArray(), Is.EqualTo(new ushort[] { 0x3F80, 0xFFC0 }));
    }

    [Test]
    public void Text_follows_format_and_culture()
    {
        Assert.That(((BFloat16)0.1f).ToString(), Is.EqualTo("0.1"));
        Assert.That(((BFloat16)0.1f).ToString("F6", CultureInfo.InvariantCulture), Is.EqualTo("0.100098"));
        Assert.That($"{BFloat16.One:F2}", Is.EqualTo("1.00"));
        Span<char> two = stackalloc char[2];
        Assert.That(((BFloat16)0.1f).TryFormat(two, out int written, default, CultureInfo.InvariantCulture), Is.False);
        Assert.That(written, Is.Zero);
        Assert.That(BFloat16.TryParse("x", CultureInfo.InvariantCulture, out _), Is.False);
    }
}
