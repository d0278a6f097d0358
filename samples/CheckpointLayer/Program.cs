// Loads one layer of a quantized checkpoint and multiplies by it, the way an engine does in its loop.
//   halfbyte demo --dir /tmp/demo --layers 1
//   dotnet run --project samples/CheckpointLayer -- /tmp/demo/nf4 model.layers.0.mlp.up_proj
using Halfbyte;
using Halfbyte.Checkpoints;

if (args.Length != 2)
{
    Console.Error.WriteLine("usage: CheckpointLayer CHECKPOINT MODULE");
    return 2;
}

using var stream = ComputeStream.Create(Device.Cpu);
using var checkpoint = CheckpointReader.Open(args[0]);
// Weight, bias and, for LLM.int8(), the outlier threshold of config.json; the layer owns its parts.
using QuantizedLinear layer = checkpoint.LoadLayer(args[1], stream);

// Activations live in buffers of the device; views say how to read them. A call on views allocates nothing.
const int M = 4; // tokens
BFloat16[] tokens = [.. Enumerable.Range(0, M * (int)layer.InFeatures).Select(i => (BFloat16)MathF.Sin(i))];
using DeviceBuffer x = stream.Upload<BFloat16>(tokens);
using DeviceBuffer y = stream.Allocate(M * layer.OutFeatures * DType.BFloat16.SizeInBytes());
layer.Forward(
    stream,
    new ActivationsView(x, DType.BFloat16, M, layer.InFeatures),
    new ActivationsView(y, DType.BFloat16, M, layer.OutFeatures));

var result = new BFloat16[M * layer.OutFeatures];
stream.Download<BFloat16>(y, result); // waits for the device
Console.WriteLine($"{layer}: y[0, 0..3] = {string.Join(", ", result[..4])}");
return 0;
