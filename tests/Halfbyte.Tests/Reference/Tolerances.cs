namespace Halfbyte.Tests;

/// <summary>How far a product may be from its float64 value. The only place with tolerances; quantizers and dequantizers have none.</summary>
public static class Tolerances
{
    private const double Float32Unit = 1.0 / (1 << 24);

    /// <summary>
    /// 4-bit: table values and statistics are exact, so all error is that of summing <paramref name="terms"/> products in float32. Each product
    /// and each scaling rounds a few times (hence the constant), and the roundings of the partial sums, which are independent, add up
    /// like a random walk (hence the root): a plain sum of 4304 terms stays below half of this, and weights or activations rounded
    /// to bfloat16 on the way, with errors of 2^-9 a term, come out above it.
    /// </summary>
    public static double FourBit(double magnitude, double value, long terms, DType output) =>
        Accumulated(magnitude, 8 + (2 * Math.Sqrt(terms)), value, output);

    /// <summary>
    /// 4-bit on CUDA: tensor cores multiply 16-bit activations by weights of their type, so each weight is rounded to it first, by up to half a
    /// unit in its last place. In long sums these roundings too add up like a random walk, which is then the bound: a rounding has a
    /// third of its square on average, the terms of a sum differ in size, and eight times the root is above six deviations. Sixteen missing
    /// terms of thousands are beyond it. float32 activations are multiplied as on the CPU.
    /// </summary>
    public static double FourBitRounded(double magnitude, double value, long terms, DType output)
    {
        (double unit, double smallest) = LastPlace(output);
        double rounded = output == DType.Float32 ? 0 : (unit * Math.Min(1, 8 / Math.Sqrt(terms)) * magnitude) + smallest;
        return FourBit(magnitude, value, terms, output) + rounded;
    }

    /// <summary>Which of the two holds on a device.</summary>
    public static Func<double, double, long, DType, double> FourBitOn(Device device) => device.IsCuda ? FourBitRounded : FourBit;

    /// <summary>
    /// int8: the integer sum is exact; its conversion, two scales and 1/127^2 round once each, the outlier sum of <paramref name="terms"/>
    /// products as in <see cref="FourBit"/>.
    /// </summary>
    public static double Int8(double magnitude, double value, long terms, DType output) =>
        Accumulated(magnitude, 8 + (2 * Math.Sqrt(terms)), value, output);

    /// <summary>
    /// The accumulated error, and one rounding to the type of the output: half a unit in the last place, which near zero is half of the
    /// smallest number.
    /// </summary>
    private static double Accumulated(double magnitude, double roundings, double value, DType output)
    {
        double accumulated = (roundings * Float32Unit * magnitude) + float.Epsilon;
        (double unit, double smallest) = LastPlace(output);
        return accumulated + Math.Max(unit * (Math.Abs(value) + accumulated), smallest / 2);
    }

    /// <summary>Half a unit in the last place of one, and the smallest number.</summary>
    private static (double Unit, double Smallest) LastPlace(DType dtype) => dtype switch
    {
        DType.Float32 => (Float32Unit, Math.ScaleB(1, -149)),
        DType.Float16 => (1.0 / (1 << 11), Math.ScaleB(1, -24)),
        _ => (1.0 / (1 << 8), Math.ScaleB(1, -133)),
    };
}
