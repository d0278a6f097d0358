using System.Text;

namespace Halfbyte.Checkpoints.Tests;

/// <summary>The JSON blob of a 4-bit weight: written byte for byte as Python does, read strictly.</summary>
[TestFixture]
internal sealed class QuantStateTests
{
    [Test]
    public void Written_like_python_without_double_quantization()
    {
        QuantState state = new() { Scheme = WeightScheme.Nf4, BlockSize = 64, DType = DType.BFloat16, Shape = [4096, 11008] };
        Assert.That(
            Encoding.ASCII.GetString(state.ToBytes()),
            Is.EqualTo("""{"quant_type": "nf4", "blocksize": 64, "dtype": "bfloat16", "shape": [4096, 11008]}"""));
    }

    [Test]
    public void Written_like_python_with_double_quantization()
    {
        QuantState state = new()
        {
            Scheme = WeightScheme.Fp4,
            BlockSize = 128,
            DType = DType.Float16,
            Shape = [8, 3, 5],
            NestedOffset = BitConverter.UInt32BitsToSingle(0x3D8057B2),
        };
        Assert.That(
            Encoding.ASCII.GetString(state.ToBytes()),
            Is.EqualTo("""{"quant_type": "fp4", "blocksize": 128, "dtype": "float16", "shape": [8, 3, 5], "nested_blocksize": 256, "nested_dtype": "float32", "nested_offset": 0.06266726553440094}"""));
    }

    /// <summary>The texts are what Python's json.dumps prints for these float32 values.</summary>
    [TestCase(0x00000000u, "0.0")]
    [TestCase(0x80000000u, "-0.0")]
    [TestCase(0x3F800000u, "1.0")]
    [TestCase(0x3DCCCCCDu, "0.10000000149011612")]
    [TestCase(0x3F000000u, "0.5")]
    [TestCase(0xBE800000u, "-0.25")]
    [TestCase(0x38D1B717u, "9.999999747378752e-05")]
    [TestCase(0x3727C5ACu, "9.999999747378752e-06")]
    [TestCase(0x377BA882u, "1.4999999621068127e-05")]
    [TestCase(0x58635FA9u, "999999986991104.0")]
    [TestCase(0x5A0E1BCAu, "1.0000000272564224e+16")]
    [TestCase(0x5A2F7151u, "1.2345678407663616e+16")]
    [TestCase(0x47F12065u, "123456.7890625")]
    [TestCase(0x7F7FFFFFu, "3.4028234663852886e+38")]
    [TestCase(0x00000001u, "1.401298464324817e-45")]
    [TestCase(0x00800000u, "1.1754943508222875e-38")]
    [TestCase(0x3D000000u, "0.03125")]
    [TestCase(0x3C23D70Au, "0.009999999776482582")]
    [TestCase(0x40000000u, "2.0")]
    [TestCase(0x42C80000u, "100.0")]
    [TestCase(0x477FE000u, "65504.0")]
    [TestCase(0x64078678u, "9.999999778196308e+21")]
    [TestCase(0x3D987261u, "0.07443691045045853")]
    [TestCase(0x3B7DB949u, "0.003871517488732934")]
    [TestCase(0x76DF70AFu, "2.2659525278463194e+33")]
    [TestCase(0x4EC3FC3Bu, "1644043648.0")]
    [TestCase(0x36432ED4u, "2.9084521884215064e-06")]
    [TestCase(0x180019CFu, "1.655664226106254e-24")]
    [TestCase(0x449092B5u, "1156.5845947265625")]
    public void Numbers_are_printed_like_python(uint bits, string expected) =>
        Assert.That(PythonJson.Float(BitConverter.UInt32BitsToSingle(bits)), Is.EqualTo(expected));

    [Test]
    public void Printed_numbers_read_back_exactly_and_fit_the_room_left_for_them()
    {
        Random random = new(3);
        for (int i = 0; i < 20_000; i++)
        {
            float value = BitConverter.UInt32BitsToSingle((uint)random.NextInt64(uint.MaxValue));
            if (float.IsFinite(value))
            {
                string text = PythonJson.Float(value);
                Assert.That((float)double.Parse(text, System.Globalization.CultureInfo.InvariantCulture), Is.EqualTo(value));
                Assert.That(text, Has.Length.LessThanOrEqualTo(PythonJson.Float(-float.Epsilon).Length + 8));
            }
        }
    }

    [Test]
    public void Text_is_escaped_like_python() =>
        Assert.That(PythonJson.String("a\"\\\n\t\u0001é\U0001F600~\u007f"), Is.EqualTo("\"a\\\"\\\\\\n\\t\\u0001\\u00e9\\ud83d\\ude00~\\u007f\""));

    [TestCase("""{"quant_type": "nf4", "blocksize": 64, "dtype": "bfloat16", "shape": [4, 8]}""", null)]
    [TestCase("""{"quant_type":"nf4","blocksize":32,"dtype":"float32","shape":[]}""", null)]
    [TestCase("""{"shape": [32], "dtype": "float16", "blocksize": 4096, "quant_type": "nf4"}""", null)]
    [TestCase("""{"quant_type": "nf4", "blocksize": 64, "dtype": "bfloat16", "shape": [4, 8], "nested_blocksize": 256, "nested_dtype": "float32", "nested_offset": 1e-05}""", 1e-5f)]
    [TestCase("""{"quant_type": "nf4", "blocksize": 64, "dtype": "bfloat16", "shape": [4, 8], "nested_blocksize": 256, "nested_dtype": "float32", "nested_offset": 0}""", 0f)]
    public void Read(string json, float? offset)
    {
        QuantState state = QuantState.Parse(Encoding.UTF8.GetBytes(json), WeightScheme.Nf4, null, "w");
        Assert.That(state.NestedOffset, Is.EqualTo(offset));
    }

    [TestCase("")]
    [TestCase("[]")]
    [TestCase("null")]
    [TestCase("{")]
    [TestCase("{}")]
    [TestCase("""{"quant_type": "nf4", "blocksize": 64, "dtype": "bfloat16", "shape": [4, 8]} x""")]
    [TestCase("""{"quant_type": "nf4", "blocksize": 64, "dtype": "bfloat16"}""")]
    [TestCase("""{"quant_type": "nf4", "blocksize": 64, "shape": [4, 8]}""")]
    [TestCase("""{"quant_type": "nf4", "dtype": "bfloat16", "shape": [4, 8]}""")]
    [TestCase("""{"blocksize": 64, "dtype": "bfloat16", "shape": [4, 8]}""")]
    [TestCase("""{"quant_type": "fp4", "blocksize": 64, "dtype": "bfloat16", "shape": [4, 8]}""")]
    [TestCase("""{"quant_type": "int4", "blocksize": 64, "dtype": "bfloat16", "shape": [4, 8]}""")]
    [TestCase("""{"quant_type": 4, "blocksize": 64, "dtype": "bfloat16", "shape": [4, 8]}""")]
    [TestCase("""{"quant_type": "nf4", "blocksize": 0, "dtype": "bfloat16", "shape": [4, 8]}""")]
    [TestCase("""{"quant_type": "nf4", "blocksize": 16, "dtype": "bfloat16", "shape": [4, 8]}""")]
    [TestCase("""{"quant_type": "nf4", "blocksize": 48, "dtype": "bfloat16", "shape": [4, 8]}""")]
    [TestCase("""{"quant_type": "nf4", "blocksize": 8192, "dtype": "bfloat16", "shape": [4, 8]}""")]
    [TestCase("""{"quant_type": "nf4", "blocksize": -64, "dtype": "bfloat16", "shape": [4, 8]}""")]
    [TestCase("""{"quant_type": "nf4", "blocksize": 64.0, "dtype": "bfloat16", "shape": [4, 8]}""")]
    [TestCase("""{"quant_type": "nf4", "blocksize": 6e1, "dtype": "bfloat16", "shape": [4, 8]}""")]
    [TestCase("""{"quant_type": "nf4", "blocksize": "64", "dtype": "bfloat16", "shape": [4, 8]}""")]
    [TestCase("""{"quant_type": "nf4", "blocksize": 18446744073709551680, "dtype": "bfloat16", "shape": [4, 8]}""")]
    [TestCase("""{"quant_type": "nf4", "blocksize": 64, "dtype": "torch.bfloat16", "shape": [4, 8]}""")]
    [TestCase("""{"quant_type": "nf4", "blocksize": 64, "dtype": "float64", "shape": [4, 8]}""")]
    [TestCase("""{"quant_type": "nf4", "blocksize": 64, "dtype": "__class__", "shape": [4, 8]}""")]
    [TestCase("""{"quant_type": "nf4", "blocksize": 64, "dtype": "bfloat16", "shape": null}""")]
    [TestCase("""{"quant_type": "nf4", "blocksize": 64, "dtype": "bfloat16", "shape": [4, -8]}""")]
    [TestCase("""{"quant_type": "nf4", "blocksize": 64, "dtype": "bfloat16", "shape": [4.0, 8]}""")]
    [TestCase("""{"quant_type": "nf4", "blocksize": 64, "dtype": "bfloat16", "shape": [4294967296, 4294967296]}""")]
    [TestCase("""{"quant_type": "nf4", "blocksize": 64, "dtype": "bfloat16", "shape": [[4, 8]]}""")]
    [TestCase("""{"quant_type": "nf4", "blocksize": 64, "dtype": "bfloat16", "shape": [4, 8], "quant_type": "nf4"}""")]
    [TestCase("""{"quant_type": "nf4", "blocksize": 64, "dtype": "bfloat16", "shape": [4, 8], "\u0073hape": [4, 8]}""")]
    [TestCase("""{"quant_type": "nf4", "blocksize": 64, "dtype": "bfloat16", "shape": [4, 8], "extra": 1}""")]
    [TestCase("""{"quant_type": "nf4", "blocksize": 64, "dtype": "bfloat16", "shape": [4, 8], "absmax": 1}""")]
    [TestCase("""{"quant_type": "nf4", "blocksize": 64, "dtype": "bfloat16", "shape": [4, 8], "nested_blocksize": 256}""")]
    [TestCase("""{"quant_type": "nf4", "blocksize": 64, "dtype": "bfloat16", "shape": [4, 8], "nested_blocksize": 256, "nested_dtype": "float32"}""")]
    [TestCase("""{"quant_type": "nf4", "blocksize": 64, "dtype": "bfloat16", "shape": [4, 8], "nested_blocksize": 128, "nested_dtype": "float32", "nested_offset": 0.1}""")]
    [TestCase("""{"quant_type": "nf4", "blocksize": 64, "dtype": "bfloat16", "shape": [4, 8], "nested_blocksize": 256, "nested_dtype": "float16", "nested_offset": 0.1}""")]
    [TestCase("""{"quant_type": "nf4", "blocksize": 64, "dtype": "bfloat16", "shape": [4, 8], "nested_blocksize": 256, "nested_dtype": "float32", "nested_offset": 1e300}""")]
    [TestCase("""{"quant_type": "nf4", "blocksize": 64, "dtype": "bfloat16", "shape": [4, 8], "nested_blocksize": 256, "nested_dtype": "float32", "nested_offset": 1e999}""")]
    [TestCase("""{"quant_type": "nf4", "blocksize": 64, "dtype": "bfloat16", "shape": [4, 8], "nested_blocksize": 256, "nested_dtype": "float32", "nested_offset": NaN}""")]
    [TestCase("""{"quant_type": "nf4", "blocksize": 64, "dtype": "bfloat16", "shape": [4, 8], "nested_blocksize": 256, "nested_dtype": "float32", "nested_offset": "0.1"}""")]
    [TestCase("""{"quant_type": "\ud800", "blocksize": 64, "dtype": "bfloat16", "shape": [4, 8]}""")]
    public void Refuse(string json)
    {
        CheckpointFormatException e = Assert.Throws<CheckpointFormatException>(
            () => QuantState.Parse(Encoding.UTF8.GetBytes(json), WeightScheme.Nf4, "model.safetensors", "w"))!;
        Assert.That(e.Rule, Is.EqualTo(FormatRules.QuantState));
        Refused.IsOneSafeLine(e.Message);
    }

    [Test]
    public void Refuse_bytes_that_are_not_utf8() => Assert.Throws<CheckpointFormatException>(
        () => QuantState.Parse([(byte)'{', 0xC3, (byte)'}'], WeightScheme.Nf4, null, null));
}
