namespace Halfbyte.Tests;

/// <summary>Options are values, their code books included.</summary>
public sealed class FourBitOptionsTests
{
    private static FourBitOptions Custom => new() { QuantType = QuantType.Custom, Codebook = Data.CustomCodebook };

    [Test]
    public void Equal_code_books_make_equal_options()
    {
        FourBitOptions again = Custom;
        Assert.That(Custom, Is.EqualTo(again));
        Assert.That(Custom.GetHashCode(), Is.EqualTo(again.GetHashCode()));
        float[] another = Data.CustomCodebook;
        another[3] = -0.6f;
        Assert.That(Custom with { Codebook = another }, Is.Not.EqualTo(Custom));
        Assert.That(Custom with { BlockSize = 32 }, Is.Not.EqualTo(Custom));
        Assert.That(new FourBitOptions { DoubleQuantize = true }, Is.Not.EqualTo(FourBitOptions.Default));
        Assert.That(new FourBitOptions(), Is.EqualTo(FourBitOptions.Default));
    }

    [Test]
    public void They_say_what_they_are()
    {
        Assert.That(new FourBitOptions { DoubleQuantize = true }.ToString(), Is.EqualTo("Nf4 bs=64 dq"));
        Assert.That(Custom.ToString(), Does.StartWith("Custom bs=64 [-1, -0.9, -0.9, ").And.EndWith("0.975]"));
    }
}
