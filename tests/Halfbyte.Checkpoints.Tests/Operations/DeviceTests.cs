using Halfbyte.Tests;

namespace Halfbyte.Checkpoints.Tests;

/// <summary>Every device writes the same files. Of a missing one, <see cref="TestDevicesTests"/> speaks for all.</summary>
[TestFixtureSource(nameof(Devices))]
internal sealed class DeviceTests(string name)
{
    private readonly Device _device = Device.Parse(name);

    private static IEnumerable<TestFixtureData> Devices => TestDevices.Cuda.Prepend(new TestFixtureData("cpu").SetArgDisplayNames("cpu"));

    [Test]
    public void Files_are_those_of_the_cpu(
        [Values(WeightScheme.Nf4, WeightScheme.Fp4, WeightScheme.Int8)] WeightScheme scheme, [Values("F32", "F16", "BF16")] string dtype)
    {
        using TestDirectory directory = new();
        TinyModel.Write(directory["in"], dtype);
        QuantizeOptions options = new() { Scheme = scheme, DoubleQuantize = scheme != WeightScheme.Int8, ChunkBytes = 1 << 14 };
        CheckpointQuantizer.Quantize(directory["in"], directory["cpu"], options);
        CheckpointQuantizer.Quantize(directory["in"], directory["device"], options with { Device = _device });
        CheckpointDequantizer.Dequantize(directory["cpu"], directory["cpu-full"], new DequantizeOptions { ChunkBytes = 1 << 14 });
        CheckpointDequantizer.Dequantize(directory["cpu"], directory["device-full"], new DequantizeOptions { ChunkBytes = 1 << 14, Device = _device });
        using (Assert.EnterMultipleScope())
        {
            Assert.That(File.ReadAllBytes(directory["device/model.safetensors"]), Is.EqualTo(File.ReadAllBytes(directory["cpu/model.safetensors"])));
            Assert.That(File.ReadAllBytes(directory["device-full/model.safetensors"]), Is.EqualTo(File.ReadAllBytes(directory["cpu-full/model.safetensors"])));
            Assert.That(
                CheckpointComparer.Compare(directory["in"], directory["cpu"], new CompareOptions { Device = _device }).RelativeError,
                Is.EqualTo(CheckpointComparer.Compare(directory["in"], directory["cpu"]).RelativeError));
        }
    }

    [Test]
    public void Weights_load_onto_the_device_and_are_saved_from_it()
    {
        using TestDirectory directory = new();
        TinyModel.Write(directory["in"]);
        CheckpointQuantizer.Quantize(directory["in"], directory["q"], new QuantizeOptions { DoubleQuantize = true });
        using ComputeStream stream = ComputeStream.Create(_device);
        using CheckpointReader reader = CheckpointReader.Open(directory["q"]);
        IndependentReader original = new(directory["q"]);
        string name = TinyModel.LinearNames[3];
        using QuantizedTensor weight = reader.LoadLinear(name, stream);
        Assert.That(weight.Device, Is.EqualTo(_device));
        CheckpointWriter writer = new();
        writer.Add(name, weight);
        writer.Write(directory["out"], stream);
        IndependentReader saved = new(directory["out"]);
        foreach (string part in saved.Names)
        {
            Assert.That(saved[part].Data, Is.EqualTo(original[part].Data), part);
        }
    }
}
