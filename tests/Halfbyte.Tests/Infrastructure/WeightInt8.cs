namespace Halfbyte.Tests;

/// <summary>An int8 weight made by the reference: its values in float64, and on the device what the library reads.</summary>
public sealed class WeightInt8 : IDisposable
{
    private readonly TestBuffer _codes;
    private readonly TestBuffer _absmax;

    public WeightInt8(ComputeStream stream, int n, int k, int seed = 1)
    {
        (N, K) = (n, k);
        ReferenceInt8.Rows q = ReferenceInt8.Quantize(Data.Normal(seed, (long)n * k, scale: 0.05), n, k, 0);
        (Codes, Absmax) = (q.Codes, q.Absmax);
        Values = new double[Codes.Length];
        for (int i = 0; i < Codes.Length; i++)
        {
            Values[i] = Codes[i] * (double)Absmax[i / k] / 127;
        }

        _codes = TestBuffer.Upload<sbyte>(stream, Codes);
        _absmax = TestBuffer.Upload<float>(stream, Absmax);
        Descriptor = new() { Codes = _codes.Pointer, Absmax = _absmax.Pointer, Rows = n, Columns = k, Device = stream.Device };
    }

    public int N { get; }

    public int K { get; }

    public sbyte[] Codes { get; }

    public float[] Absmax { get; }

    public double[] Values { get; }

    public Int8Weight Descriptor { get; }

    public void Dispose()
    {
        _codes.Dispose();
        _absmax.Dispose();
    }
}
