namespace Halfbyte.Tests;

/// <summary>Codes, nested statistics and the mean equal the definition bit for bit; the mean's order of additions is part of it.</summary>
[TestFixtureSource(typeof(TestDevices), nameof(TestDevices.All))]
public sealed class DoubleQuantizationTests(string device) : DeviceTests(device)
{
    private static readonly int[] Counts = [0, 1, 2, 31, 255, 256, 257, 511, 16383, 16384, 16385, 16640, 50001];

    private static float[] Map => Blockwise.DynamicMapSigned.ToArray();

    [Test]
    public void Any_count([ValueSource(nameof(Counts))] int count) =>
        AssertEqualsReference(Array.ConvertAll(Data.Normal(count, count), value => 0.02f + Math.Abs(value * 0.005f)));

    [Test]
    public void Sums_that_depend_on_their_order()
    {
        // Numbers of 100 binary magnitudes that cancel, far apart, leave their rounding errors as the sum: another order leaves others.
        float[] large = [.. Data.Normal(1, 20_000).Select((value, i) => MathF.ScaleB(value, i * 37 % 101))];
        float[] values = [.. large, .. Data.Normal(2, 500), .. large.Select(value => -value).Order()];
        AssertEqualsReference(values);

        double plain = 0;
        foreach (float value in values)
        {
            plain += value;
        }

        Assert.That((float)(plain / values.Length), Is.Not.EqualTo(ReferenceDoubleQuantization.Mean(values)), "the data tells orders apart");
    }

    [Test]
    public void Equal_statistics_leave_nothing() => AssertEqualsReference([.. Enumerable.Repeat(0.125f, 700)]);

    [Test]
    public void Statistics_that_are_not_finite()
    {
        AssertEqualsReference([1, 2, float.PositiveInfinity, 3]);
        AssertEqualsReference([1, 2, float.NaN, 3]);
        AssertEqualsReference(new float[300]);
    }

    [Test]
    public void Any_number_of_threads()
    {
        float[] values = Array.ConvertAll(Data.Normal(9, 100_003), Math.Abs);
        WithThreads(stream => AssertEqualsReference(values, stream));
    }

    [Test]
    public void The_mean_of_more_chunks_than_are_summed_at_once()
    {
        float[] values = [.. Data.Normal(4, 1_100_003).Select((value, i) => MathF.ScaleB(value, i % 61))];
        float expected = ReferenceDoubleQuantization.Mean(values);
        WithThreads(stream =>
        {
            using DeviceBuffer absmax = stream.Upload<float>(values);
            using DeviceBuffer codes = stream.Allocate(values.Length);
            using DeviceBuffer nested = stream.Allocate(DoubleQuantization.NestedCount(values.Length) * sizeof(float));
            using DeviceBuffer offset = stream.Allocate(sizeof(float));
            DoubleQuantization.Quantize(stream, absmax, values.Length, codes, nested, offset);
            float[] actual = new float[1];
            stream.Download(offset, actual.AsSpan());
            Expect.Bits(actual, [expected], "offset");
        });
    }

    private void AssertEqualsReference(float[] values, ComputeStream? stream = null)
    {
        stream ??= Stream;
        (byte[] codes, float[] nested, float offset) = ReferenceDoubleQuantization.Quantize(values, Map);
        float[] restored = ReferenceDoubleQuantization.Dequantize(codes, nested, offset, Map);
        using TestBuffer absmax = TestBuffer.Upload<float>(stream, values);
        using var deviceCodes = new TestBuffer(stream, values.Length);
        using var deviceNested = new TestBuffer(stream, nested.Length * sizeof(float));
        using var deviceOffset = new TestBuffer(stream, sizeof(float));
        using var back = new TestBuffer(stream, values.Length * sizeof(float));
        Raw.DoubleQuantize(stream.Handle, absmax.Pointer, values.Length, deviceCodes.Pointer, deviceNested.Pointer, deviceOffset.Pointer);
        Expect.Bits(deviceOffset.Read<float>(), [offset], "offset");
        Expect.Bits(deviceNested.Read<float>(), nested, "nested absmax");
        Expect.Equal<byte>(deviceCodes.Read<byte>(), codes, "codes");

        Raw.DoubleDequantize(stream.Handle, deviceCodes.Pointer, deviceNested.Pointer, deviceOffset.Pointer, 0, values.Length, back.Pointer);
        Expect.Bits(back.Read<float>(), restored, "restored");
        using TestBuffer table = TestBuffer.Upload<float>(stream, Array.ConvertAll(Map, value => 2 * value));
        Raw.DoubleDequantize(stream.Handle, deviceCodes.Pointer, deviceNested.Pointer, deviceOffset.Pointer, table.Pointer, values.Length, back.Pointer);
        float[] doubled = ReferenceDoubleQuantization.Dequantize(codes, nested, offset, Array.ConvertAll(Map, value => 2 * value));
        Expect.Bits(back.Read<float>(), doubled, "restored with a table of the caller's");
    }
}
