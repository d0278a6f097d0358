using System.Diagnostics;
using System.Numerics;
using System.Runtime.InteropServices;

namespace Halfbyte.Cli.Demo;

/// <summary>Multiplies by a reloaded layer, and by the original weight in float64, and compares.</summary>
internal static class ProductCheck
{
    /// <summary>Rows of activations: a few tokens at once.</summary>
    internal const int Rows = 4;

    private const int RowsAtATime = 64;

    /// <summary>The relative error of <c>layer(x)</c>, Frobenius norm of the difference over that of the exact product, and the time of one
    /// forward call once it is warm.</summary>
    internal static (double RelativeError, double Milliseconds) Run(QuantizedLinear layer, DemoTensor original, ComputeStream stream)
    {
        int columns = checked((int)layer.InFeatures);
        int features = checked((int)layer.OutFeatures);
        float[] x = SyntheticWeights.Activations(Rows, columns);
        BFloat16[] rounded = Array.ConvertAll(x, value => (BFloat16)value);
        var y = new BFloat16[Rows * features];
        layer.Forward<BFloat16>(stream, rounded, y);

        long start = Stopwatch.GetTimestamp();
        layer.Forward<BFloat16>(stream, rounded, y);
        double milliseconds = Stopwatch.GetElapsedTime(start).TotalMilliseconds;

        double[] exact = MultiplyExactly(Array.ConvertAll(rounded, value => (double)value), original, features, columns);
        double difference = 0;
        double norm = 0;
        for (int i = 0; i < exact.Length; i++)
        {
            double error = (double)y[i] - exact[i];
            difference += error * error;
            norm += exact[i] * exact[i];
        }

        return (Math.Sqrt(difference / norm), milliseconds);
    }

    private static double[] MultiplyExactly(double[] x, DemoTensor original, int features, int columns)
    {
        var y = new double[Rows * features];
        var chunk = new BFloat16[RowsAtATime * columns];
        for (int first = 0; first < features; first += RowsAtATime)
        {
            int count = Math.Min(RowsAtATime, features - first);
            SyntheticWeights.Fill(chunk.AsSpan(0, count * columns), first, original);
            int firstFeature = first; // captured below
            Parallel.For(0, count, i =>
            {
                Span<BFloat16> row = chunk.AsSpan(i * columns, columns);
                var weights = new double[columns];
                for (int k = 0; k < columns; k++)
                {
                    weights[k] = (double)row[k];
                }

                for (int m = 0; m < Rows; m++)
                {
                    y[(m * features) + firstFeature + i] = Dot(x.AsSpan(m * columns, columns), weights);
                }
            });
        }

        return y;
    }

    private static double Dot(ReadOnlySpan<double> left, ReadOnlySpan<double> right)
    {
        ReadOnlySpan<Vector<double>> leftVectors = MemoryMarshal.Cast<double, Vector<double>>(left);
        ReadOnlySpan<Vector<double>> rightVectors = MemoryMarshal.Cast<double, Vector<double>>(right);
        Vector<double> sum = default;
        for (int i = 0; i < leftVectors.Length; i++)
        {
            sum += leftVectors[i] * rightVectors[i];
        }

        double total = Vector.Sum(sum);
        for (int i = leftVectors.Length * Vector<double>.Count; i < left.Length; i++)
        {
            total += left[i] * right[i];
        }

        return total;
    }
}
