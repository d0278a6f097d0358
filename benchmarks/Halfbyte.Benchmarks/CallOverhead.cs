using BenchmarkDotNet.Attributes;

namespace Halfbyte.Benchmarks;

/// <summary>
/// One product by a weight of one block, where the arithmetic is next to nothing: through the layer, through the operation on a tensor,
/// and through the raw door, which is one call of the C function and a check of its status. Only the operation allocates: it prepares a layer
/// for each call.
/// </summary>
[MemoryDiagnoser]
public class CallOverhead : IDisposable
{
    private const int Features = 1;
    private const int Inputs = 32;

    private readonly FourBitWeight[] _weights = new FourBitWeight[1];
    private readonly ProductOutput[] _outputs = new ProductOutput[1];
    private ComputeStream _stream = null!;
    private Linear4Bit _layer = null!;
    private DeviceBuffer _x = null!;
    private DeviceBuffer _y = null!;
    private DeviceBuffer _workspace = null!;
    private ActivationsView _input;
    private ActivationsView _output;
    private ActivationsView _borrowedInput;
    private ActivationsView _borrowedOutput;

    [GlobalSetup]
    public void SetUp()
    {
        _stream = ComputeStream.CreateCpu(CpuPath.Auto, threads: 1);
        float[] weight = [.. Enumerable.Range(0, Inputs).Select(i => i - 15.5f)];
        _layer = new Linear4Bit(FourBit.Quantize<float>(_stream, weight, Features, Inputs));
        float[] x = [.. Enumerable.Repeat(0.5f, Inputs)];
        _x = _stream.Upload<float>(x);
        _y = _stream.Allocate(Features * sizeof(float));
        _workspace = _stream.Allocate(_layer.ForwardWorkspace(_stream, DType.Float32, 1));
        _input = new ActivationsView(_x, DType.Float32, 1, Inputs);
        _output = new ActivationsView(_y, DType.Float32, 1, Features);
        _borrowedInput = new ActivationsView(_x.Pointer, DType.Float32, 1, Inputs);
        _borrowedOutput = new ActivationsView(_y.Pointer, DType.Float32, 1, Features);
        _weights[0] = _layer.Weight.Descriptor;
        _outputs[0] = new ProductOutput { Y = _y.Pointer, LeadingDimension = Features };
        _layer.Forward(_stream, _input, _output); // the stream's workspace grows once
    }

    [Benchmark(Baseline = true, Description = "Raw.MatMulFourBit")]
    public void ThroughTheRawDoor() =>
        Raw.MatMulFourBit(
            _stream.Handle, _weights, _x.Pointer, DType.Float32, 1, Inputs, _outputs, _workspace.Pointer, _workspace.ByteLength);

    [Benchmark(Description = "Linear4Bit.Forward, pointers")]
    public void LayerWithPointers() => _layer.Forward(_stream, _borrowedInput, _borrowedOutput);

    [Benchmark(Description = "Linear4Bit.Forward, buffers")]
    public void LayerWithBuffers() => _layer.Forward(_stream, _input, _output);

    [Benchmark(Description = "FourBit.MatMul, buffers")]
    public void OperationWithBuffers() => FourBit.MatMul(_stream, _layer.Weight, _input, _output);

    [GlobalCleanup]
    public void Dispose()
    {
        _workspace.Dispose();
        _y.Dispose();
        _x.Dispose();
        _layer.Dispose();
        _stream.Dispose();
        GC.SuppressFinalize(this);
    }
}
