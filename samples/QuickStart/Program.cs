// Quantizes a weight matrix to NF4 and multiplies by it.
//   dotnet run --project samples/QuickStart
using Halfbyte;

const int N = 4096; // output features
const int K = 4096; // input features

var random = new Random(1);
float[] weight = [.. Enumerable.Range(0, N * K).Select(_ => 0.02f * (random.NextSingle() + random.NextSingle() - 1))];
float[] x = [.. Enumerable.Range(0, K).Select(_ => random.NextSingle() - 0.5f)];

// A stream is a device plus an order of work on it. Device.Cuda(0) instead of Device.Cpu is all that changes on a GPU.
using var stream = ComputeStream.Create(Device.Cpu);

// 4.13 bits per weight: blocks of 64 values, their statistics themselves in 8 bits. The layer owns the tensor.
using var layer = new Linear4Bit(FourBit.Quantize<float>(stream, weight, N, K, new FourBitOptions { DoubleQuantize = true }));

var y = new float[N];
layer.Forward<float>(stream, x, y); // y = x * W^T

Console.WriteLine($"{stream}: {layer.Weight}, {layer.Weight.BitsPerWeight:0.00} bits per weight");
Console.WriteLine($"relative error of the product: {RelativeError(y):0.000}");

// Against the weight as it was.
double RelativeError(float[] result)
{
    double difference = 0;
    double norm = 0;
    for (int n = 0; n < N; n++)
    {
        double exact = 0;
        for (int k = 0; k < K; k++)
        {
            exact += (double)x[k] * weight[(n * K) + k];
        }

        difference += (result[n] - exact) * (result[n] - exact);
        norm += exact * exact;
    }

    return Math.Sqrt(difference / norm);
}
