namespace Halfbyte.Tests;

/// <summary>Products in float64, and beside each result the sum of the magnitudes that went into it, which its error is measured by.</summary>
public sealed record Product(double[] Values, double[] Magnitudes, int Rows, int Columns)
{
    /// <summary><c>y[M, N] = x[M, K] * w[N, K]^T + bias[N]</c>.</summary>
    public static Product Forward(float[] x, double[] w, float[]? bias, int m, int n, int k)
    {
        var product = new Product(new double[m * n], new double[m * n], m, n);
        for (int row = 0; row < m; row++)
        {
            for (int column = 0; column < n; column++)
            {
                double sum = bias is null ? 0 : bias[column];
                double magnitude = Math.Abs(sum);
                for (int i = 0; i < k; i++)
                {
                    double term = x[(row * k) + i] * w[(column * k) + i];
                    sum += term;
                    magnitude += Math.Abs(term);
                }

                product.Values[(row * n) + column] = sum;
                product.Magnitudes[(row * n) + column] = magnitude;
            }
        }

        return product;
    }

    /// <summary><c>dx[M, K] = dy[M, N] * w[N, K]</c>, added to <paramref name="onto"/>.</summary>
    public static Product Backward(float[] dy, double[] w, int m, int n, int k, Product? onto = null)
    {
        Product product = onto ?? new(new double[m * k], new double[m * k], m, k);
        for (int row = 0; row < m; row++)
        {
            for (int column = 0; column < n; column++)
            {
                for (int i = 0; i < k; i++)
                {
                    double term = dy[(row * n) + column] * w[(column * k) + i];
                    product.Values[(row * k) + i] += term;
                    product.Magnitudes[(row * k) + i] += Math.Abs(term);
                }
            }
        }

        return product;
    }

    /// <summary>LLM.int8() in the words of halfbyte.h section 10, from codes that <see cref="ReferenceInt8"/> made.</summary>
    public static Product Int8(float[] x, sbyte[] codes, float[] absmax, float[]? bias, int m, int n, int k, float threshold)
    {
        ReferenceInt8.Rows q = ReferenceInt8.Quantize(x, m, k, threshold);
        var product = new Product(new double[m * n], new double[m * n], m, n);
        for (int row = 0; row < m; row++)
        {
            for (int column = 0; column < n; column++)
            {
                long exact = 0;
                for (int i = 0; i < k; i++)
                {
                    exact += q.Codes[(row * k) + i] * codes[(column * k) + i];
                }

                double sum = exact * (double)q.Absmax[row] * absmax[column] / (127.0 * 127.0);
                double magnitude = Math.Abs(sum);
                foreach (long c in q.OutlierColumns)
                {
                    double term = x[(row * k) + c] * (codes[(column * k) + c] * (double)absmax[column] / 127.0);
                    sum += term;
                    magnitude += Math.Abs(term);
                }

                sum += bias is null ? 0 : bias[column];
                magnitude += bias is null ? 0 : Math.Abs(bias[column]);
                product.Values[(row * n) + column] = sum;
                product.Magnitudes[(row * n) + column] = magnitude;
            }
        }

        return product;
    }
}
