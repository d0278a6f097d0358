namespace Halfbyte.Tests;

/// <summary>The code tables, bit for bit where the format fixes bits.</summary>
public sealed class FormatTests
{
    [Test]
    public void Nf4_has_the_published_values() => Expect.Bits(FourBit.Nf4Values, ReferenceTables.Nf4, "nf4");

    [Test]
    public void Fp4_has_the_rounded_quotients()
    {
        Expect.Bits(FourBit.Fp4Values, ReferenceTables.Fp4, "fp4");
        double[] twelfths = [0, 1.0 / 16, 8, 12, 4, 6, 2, 3];
        Expect.Bits(FourBit.Fp4Values[..8], [.. twelfths.Select(value => (float)(value / 12))], "fp4 as quotients");
        Expect.Bits(FourBit.Fp4Values[8..], [.. twelfths.Select(value => -(float)(value / 12))], "fp4, negative half");
    }

    [TestCase(true)]
    [TestCase(false)]
    public void Dynamic_maps_follow_their_closed_form(bool signed)
    {
        ReadOnlySpan<float> map = signed ? Blockwise.DynamicMapSigned : Blockwise.DynamicMapUnsigned;
        double[] expected = ReferenceTables.DynamicMap(signed);
        Assert.That(map.Length, Is.EqualTo(256));
        for (int i = 0; i < 256; i++)
        {
            // The tables in use were computed with three float32 roundings: bounds, mean, power of ten.
            Assert.That(map[i], Is.EqualTo(expected[i]).Within(Math.Abs(expected[i]) * 4 / (1 << 24)), $"entry {i}");
            Assert.That(i == 0 || map[i] > map[i - 1], Is.True, $"entry {i} ascends");
        }
    }

    [Test]
    public void Dynamic_maps_have_their_landmarks()
    {
        ReadOnlySpan<float> signed = Blockwise.DynamicMapSigned;
        ReadOnlySpan<float> unsigned = Blockwise.DynamicMapUnsigned;
        Assert.That((signed[0], signed[127], signed[255]), Is.EqualTo((-0.99296874f, 0f, 1f)), "there is no -1");
        Assert.That((unsigned[0], unsigned[255]), Is.EqualTo((0f, 1f)));
        Assert.That(unsigned[1], Is.EqualTo(3.25e-7f).Within(1e-13f));
        Assert.That(unsigned[254], Is.EqualTo(0.996484375f).Within(1e-7f));
        Assert.That(BitConverter.SingleToUInt32Bits(signed[127]), Is.Zero, "zero is positive");
        for (int i = 0; i < 127; i++)
        {
            Assert.That(signed[i], Is.EqualTo(-signed[254 - i]), $"entry {i} mirrors {254 - i}");
        }
    }
}
