using FsCheck;
using FsCheck.Fluent;

namespace Halfbyte.Checkpoints.Tests;

/// <summary>Valid files with a few bytes changed: whatever comes of them, only one type of exception does.</summary>
[TestFixture]
internal sealed class FuzzTests
{
    private static readonly byte[][] Seeds =
    [
        QuantizedFile.FourBit().Bytes(),
        QuantizedFile.Nested().Bytes(),
        QuantizedFile.Int8().Bytes(),
        RawFile.Of(("fc.weight", "BF16", [4, 32], RawFile.BFloats(RawFile.Weights(128, 1))), ("norm.weight", "F32", [4], new byte[16]), ("e", "F4", [2, 0], [])),
    ];

    private static readonly byte[] Index = RawFile.Text(
        "{\"metadata\": {\"total_size\": 272}, \"weight_map\": {\"fc.weight\": \"a.safetensors\", \"norm.weight\": \"a.safetensors\", \"e\": \"a.safetensors\"}}");

    private static readonly byte[] Config = RawFile.Text(
        "{\"model_type\": \"llama\", \"vocab_size\": 32, \"quantization_config\": {\"quant_method\": \"bitsandbytes\", \"load_in_4bit\": true, \"llm_int8_skip_modules\": [\"lm_head\"], \"llm_int8_threshold\": 6.0}}");

    /// <summary>One change: where (as a fraction of the range), how, and with what.</summary>
    private sealed record Edit(int Position, int Kind, byte Value);

    private static Arbitrary<(int Seed, bool Header, Edit[] Edits)> Mutations { get; } = (
        from seed in Gen.Choose(0, Seeds.Length - 1)
        from header in Gen.Elements(true, true, false)
        from count in Gen.Choose(1, 4)
        from edits in (
            from position in Gen.Choose(0, int.MaxValue)
            from kind in Gen.Choose(0, 6)
            from value in Gen.Choose(0, 255)
            select new Edit(position, kind, (byte)value)).ArrayOf(count)
        select (seed, header, edits)).ToArbitrary();

    [Test]
    public void Changed_safetensors_files()
    {
        using TestDirectory directory = new();
        Prop.ForAll(Mutations, mutation =>
        {
            byte[] seed = Seeds[mutation.Seed];
            int headerEnd = 8 + BitConverter.ToInt32(seed);
            (int from, int to) = mutation.Header ? (0, headerEnd) : (headerEnd, seed.Length);
            string path = directory["model.safetensors"];
            File.WriteAllBytes(path, Mutate(seed, from, to, mutation.Edits));
            Survive(path, directory["out"]);
        }).Check(Config_(1500));
    }

    [Test]
    public void Changed_indexes_and_configurations()
    {
        using TestDirectory directory = new();
        string model = directory["model"];
        Directory.CreateDirectory(model);
        File.WriteAllBytes(Path.Combine(model, "a.safetensors"), Seeds[3]);
        Prop.ForAll(Mutations, mutation =>
        {
            byte[] index = mutation.Header ? Mutate(Index, 0, Index.Length, mutation.Edits) : Index;
            byte[] config = mutation.Header ? Config : Mutate(Config, 0, Config.Length, mutation.Edits);
            File.WriteAllBytes(Path.Combine(model, "model.safetensors.index.json"), index);
            File.WriteAllBytes(Path.Combine(model, "config.json"), config);
            Survive(model, directory["out"]);
        }).Check(Config_(600));
    }

    [Test]
    public void Changed_states()
    {
        byte[] seed = RawFile.Text(QuantizedFile.NestedState);
        Prop.ForAll(Mutations, mutation =>
        {
            try
            {
                QuantState state = QuantState.Parse(Mutate(seed, 0, seed.Length, mutation.Edits), WeightScheme.Nf4, "file", "weight");
                Assert.That(state.Blocks, Is.GreaterThanOrEqualTo(0));
            }
            catch (CheckpointFormatException e)
            {
                Refused.IsOneSafeLine(e.Message);
            }
        }).Check(Config_(5000));
    }

    /// <summary>HALFBYTE_FUZZ multiplies the number of cases, for a longer look than a test run takes.</summary>
    private static Config Config_(int tests)
    {
        int times = int.TryParse(Environment.GetEnvironmentVariable("HALFBYTE_FUZZ"), out int factor) ? factor : 1;
        return FsCheck.Config.QuickThrowOnFailure.WithMaxTest(tests * times);
    }

    private static byte[] Mutate(byte[] seed, int from, int to, Edit[] edits)
    {
        List<byte> bytes = [.. seed];
        foreach (Edit edit in edits)
        {
            int end = Math.Min(to, bytes.Count);
            if (end <= from)
            {
                break;
            }

            int at = from + (edit.Position % (end - from));
            switch (edit.Kind)
            {
                case 0:
                    bytes[at] = edit.Value;
                    break;
                case 1:
                    bytes[at] ^= (byte)(1 << (edit.Value & 7));
                    break;
                case 2:
                    bytes[at] = (byte)('0' + (edit.Value % 10));
                    break;
                case 3:
                    bytes.Insert(at, edit.Value);
                    break;
                case 4:
                    bytes.RemoveAt(at);
                    break;
                case 5:
                    // A token of JSON where none was expected.
                    bytes[at] = "{}[]\",:-.e\\\0"u8[edit.Value % 12];
                    break;
                default:
                    bytes.RemoveRange(at, Math.Min(bytes.Count - at, edit.Value));
                    break;
            }
        }

        return [.. bytes];
    }

    /// <summary>Runs everything that reads; an output is allowed only from an operation that did not refuse.</summary>
    private static void Survive(string path, string output)
    {
        foreach (VerificationFinding finding in CheckpointVerifier.Verify(path).Findings)
        {
            Refused.IsOneSafeLine(finding.Message);
        }

        Action[] operations =
        [
            () => CheckpointInspector.Inspect(path),
            () => CheckpointQuantizer.Quantize(path, output, new QuantizeOptions { Storage = NoFlush.Instance }),
            () => CheckpointQuantizer.Quantize(path, output, new QuantizeOptions { Scheme = WeightScheme.Int8, Storage = NoFlush.Instance }),
            () => CheckpointDequantizer.Dequantize(path, output, new DequantizeOptions { Storage = NoFlush.Instance }),
            () => CheckpointComparer.Compare(path, path),
        ];
        foreach (Action operation in operations)
        {
            try
            {
                operation();
                if (Directory.Exists(output))
                {
                    Assert.That(CheckpointVerifier.Verify(output).Findings.Where(f => f.Rule.StartsWith("safetensors.", StringComparison.Ordinal) && f.Severity == FindingSeverity.Error), Is.Empty);
                    Directory.Delete(output, recursive: true);
                }
            }
            catch (CheckpointFormatException e)
            {
                Refused.IsOneSafeLine(e.Message);
                Assert.That(Directory.Exists(output), Is.False);
            }
        }
    }

    /// <summary>The real file system without waiting for the disk.</summary>
    private sealed class NoFlush : IStorage
    {
        public static NoFlush Instance { get; } = new();

        public IOutputFile Create(string path, long length) => new File(FileStorage.Instance.Create(path, length));

        public long? FreeBytes(string directory) => null;

        public void Move(string from, string to) => FileStorage.Instance.Move(from, to);

        private sealed class File(IOutputFile inner) : IOutputFile
        {
            public void Write(long offset, ReadOnlySpan<byte> bytes) => inner.Write(offset, bytes);

            public void Truncate(long length) => inner.Truncate(length);

            public void Flush()
            {
            }

            public void Dispose() => inner.Dispose();
        }
    }
}
