using Halfbyte.Bindings;

namespace Halfbyte.Tests;

/// <summary>Devices, types and formats by name and number.</summary>
public sealed class NamesTests
{
    [TestCase("cpu", 0, "cpu")]
    [TestCase("cuda", 256, "cuda:0")]
    [TestCase("cuda:0", 256, "cuda:0")]
    [TestCase("cuda:17", 273, "cuda:17")]
    public void A_device_has_a_name_and_a_number(string text, int id, string name)
    {
        Device device = Device.Parse(text);
        Assert.That(device.NativeId, Is.EqualTo(id));
        Assert.That(device.ToString(), Is.EqualTo(name));
        Assert.That(device.IsCpu, Is.EqualTo(id == 0));
        Assert.That(device.IsCuda, Is.EqualTo(id != 0));
        Assert.That(device, Is.EqualTo(id == 0 ? Device.Cpu : Device.Cuda(id - 256)));
        Assert.That(device.Ordinal, Is.EqualTo(Math.Max(0, id - 256)));
    }

    [TestCase("")]
    [TestCase("CPU")]
    [TestCase("cpu:0")]
    [TestCase("cuda:")]
    [TestCase("cuda:-1")]
    [TestCase("cuda: 1")]
    [TestCase("cuda:2147483647")]
    [TestCase("cuda:99999999999")]
    [TestCase("gpu")]
    [TestCase(null)]
    public void Other_names_are_no_devices(string? text)
    {
        Assert.That(Device.TryParse(text, out Device device), Is.False);
        Assert.That(device, Is.EqualTo(Device.Cpu));
        if (text is not null)
        {
            Assert.That(Assert.Throws<FormatException>(() => Device.Parse(text))!.Message, Does.Contain("use 'cpu', 'cuda' or 'cuda:N'"));
        }
    }

    [Test]
    public void Devices_that_are_not_here_are_an_error()
    {
        Assert.Throws<HalfbyteDeviceException>(() => ComputeStream.Create(Device.Cuda(1000)));
        Assert.Throws<HalfbyteDeviceException>(() => HalfbyteEnvironment.DeviceName(Device.Cuda(1000)));
        Assert.Throws<HalfbyteDeviceException>(() => HalfbyteEnvironment.DeviceMemory(Device.Cuda(1000)));
        Assert.Throws<HalfbyteDeviceException>(() => ComputeStream.WrapCuda(1000, 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => Device.Cuda(-1));
    }

    [Test]
    public void Why_a_cuda_device_cannot_be_used_is_said()
    {
        string message = Assert.Throws<HalfbyteDeviceException>(() => ComputeStream.Create(Device.Cuda(1000)))!.Message;
        Assert.That(message, Does.StartWith("cuda:1000 cannot be used: "));
        if (HalfbyteEnvironment.CudaDeviceCount > 0)
        {
            Assert.That(message, Does.Contain("counted from cuda:0"));
        }
        else if (string.IsNullOrEmpty(Environment.GetEnvironmentVariable("HALFBYTE_LIBRARY")))
        {
            // Not that the library in use has no CUDA: what became of the one that has.
            Assert.That(message, Does.Contain("halfbyte_cuda: not found").Or.Contain("driver"));
        }
    }

    [TestCase(DType.Float32, "float32", 4)]
    [TestCase(DType.Float16, "float16", 2)]
    [TestCase(DType.BFloat16, "bfloat16", 2)]
    public void A_type_has_a_name_and_a_size(DType dtype, string name, int size)
    {
        Assert.That(dtype.ToTorchName(), Is.EqualTo(name));
        Assert.That(dtype.SizeInBytes(), Is.EqualTo(size));
        Assert.That(DTypes.TryParseTorchName(name, out DType parsed) && parsed == dtype, Is.True);
        Assert.That(DTypes.TryParseTorchName("torch." + name, out parsed) && parsed == dtype, Is.True);
        Assert.That(DTypes.TryParseTorchName(name + "x", out _), Is.False);
        Assert.That(DTypes.TryParseTorchName(null, out _), Is.False);
    }

    [Test]
    public void Types_of_the_language()
    {
        Assert.That(DTypes.Of<float>(), Is.EqualTo(DType.Float32));
        Assert.That(DTypes.Of<Half>(), Is.EqualTo(DType.Float16));
        Assert.That(DTypes.Of<BFloat16>(), Is.EqualTo(DType.BFloat16));
        Assert.Throws<HalfbyteArgumentException>(() => DTypes.Of<double>());
        Assert.Throws<HalfbyteArgumentException>(() => ((DType)0).SizeInBytes());
        Assert.Throws<HalfbyteArgumentException>(() => ((DType)9).ToTorchName());
        Assert.Throws<HalfbyteArgumentException>(() => ((QuantType)9).ToName());
    }

    [Test]
    public void Formats_of_checkpoints()
    {
        Assert.That(QuantTypes.TryParse("nf4", out QuantType type) && type == QuantType.Nf4, Is.True);
        Assert.That(QuantTypes.TryParse("fp4", out type) && type == QuantType.Fp4, Is.True);
        Assert.That(QuantTypes.TryParse("custom", out _), Is.False);
        Assert.That(QuantTypes.TryParse("NF4", out _), Is.False);
        Assert.That(QuantTypes.TryParse(null, out _), Is.False);
    }

    [Test]
    public void Enumerations_have_the_numbers_of_the_header()
    {
        AssertSame<DType, halfbyte_dtype>("HALFBYTE_DTYPE_");
        AssertSame<IndexType, halfbyte_index_type>("HALFBYTE_INDEX_TYPE_");
        AssertSame<QuantType, halfbyte_quant_type>("HALFBYTE_QUANT_TYPE_");
        AssertSame<CpuPath, halfbyte_cpu_path>("HALFBYTE_CPU_PATH_");
        AssertSame<HalfbyteStatus, halfbyte_status>("HALFBYTE_STATUS_");
    }

    [Test]
    public void The_library_tells_what_it_is()
    {
        Assert.That(HalfbyteEnvironment.AbiVersion, Is.EqualTo((int)halfbyte_abi.HALFBYTE_ABI_VERSION));
        Assert.That(HalfbyteEnvironment.NativeVersion, Does.Match(@"^\d+\.\d+\.\d+ \("));
        Assert.That(HalfbyteEnvironment.DeviceName(Device.Cpu), Does.Contain("("));
        Assert.That(HalfbyteEnvironment.CpuBestPath, Is.InRange(CpuPath.Scalar, CpuPath.Avx512Bf16));
        Assert.That(HalfbyteEnvironment.CudaDeviceCount, Is.Not.Negative);
        Assert.That(HalfbyteEnvironment.LoaderTrace, Is.Not.Empty);
        (long free, long total) = HalfbyteEnvironment.DeviceMemory(Device.Cpu);
        Assert.That(free, Is.InRange(1, total));
    }

    private static void AssertSame<TManaged, TNative>(string prefix)
        where TManaged : struct, Enum
        where TNative : struct, Enum
    {
        Dictionary<string, int> native = Enum.GetValues<TNative>().ToDictionary(
            value => value.ToString()[prefix.Length..].Replace("_", ""), value => Convert.ToInt32(value, null));
        Dictionary<string, int> managed = Enum.GetValues<TManaged>().ToDictionary(
            value => value.ToString().ToUpperInvariant(), value => Convert.ToInt32(value, null));
        Assert.That(managed, Is.EquivalentTo(native));
    }
}
