namespace Halfbyte.Checkpoints.Tests;

/// <summary>However an operation ends, the output is complete or as it was.</summary>
[TestFixture]
internal sealed class NothingLeftBehindTests
{
    private TestDirectory _directory = null!;
    private string _input = null!;

    [SetUp]
    public void SetUp()
    {
        _directory = new TestDirectory();
        _input = TinyModel.Write(_directory["in"]);
    }

    [TearDown]
    public void TearDown() => _directory.Dispose();

    private string Output => _directory["out"];

    [Test]
    public void Cancelling_at_any_chunk([Values] bool dequantize, [Values] bool existing)
    {
        string input = _input;
        if (dequantize)
        {
            CheckpointQuantizer.Quantize(_input, _directory["q"]);
            input = _directory["q"];
        }

        int chunks = 0;
        Run(input, dequantize, _directory["whole"], new Reporter(_ => chunks++), CancellationToken.None);
        for (int at = 1; at <= chunks; at += 3)
        {
            string[] before = Prepare(existing);
            using CancellationTokenSource source = new();
            int seen = 0;
            Reporter reporter = new(_ =>
            {
                if (++seen == at)
                {
                    source.Cancel();
                }
            });
            Assert.Throws<OperationCanceledException>(() => Run(input, dequantize, Output, reporter, source.Token));
            Assert.That(TestDirectory.List(Output), Is.EqualTo(before), $"cancelled at chunk {at}");
        }

        Assert.That(TestDirectory.List(_directory.Root), Has.None.Contain(".halfbyte-tmp-"));
    }

    [Test]
    public void Cancelled_before_it_starts()
    {
        using CancellationTokenSource source = new();
        source.Cancel();
        Assert.Throws<OperationCanceledException>(() => CheckpointQuantizer.Quantize(_input, Output, cancellationToken: source.Token));
        Assert.ThrowsAsync<TaskCanceledException>(() => CheckpointQuantizer.QuantizeAsync(_input, Output, cancellationToken: source.Token));
        Assert.That(Directory.Exists(Output), Is.False);
    }

    [Test]
    public void A_disk_that_fills_up_while_writing([Values] bool existing)
    {
        string[] before = Prepare(existing);
        long total = new FileInfo(Path.Combine(_input, "model.safetensors")).Length;
        for (long capacity = 0; capacity < total / 2; capacity += 5_000)
        {
            CheckpointOutputException e = Assert.Throws<CheckpointOutputException>(
                () => CheckpointQuantizer.Quantize(
                    _input, Output, new QuantizeOptions { Storage = new FailingStorage { Capacity = capacity }, MaxShardBytes = 30_000 }))!;
            Assert.That(e.Message, Does.Contain("the disk is full").And.Contain("Nothing was left behind"));
            Refused.IsOneSafeLine(e.Message);
            Assert.That(TestDirectory.List(Output), Is.EqualTo(before), $"full after {capacity} bytes");
        }

        Assert.That(TestDirectory.List(_directory.Root), Has.None.Contain(".halfbyte-tmp-"));
    }

    [Test]
    public void A_disk_without_room_is_noticed_before_work_starts()
    {
        CheckpointOutputException e = Assert.Throws<CheckpointOutputException>(
            () => CheckpointQuantizer.Quantize(_input, Output, new QuantizeOptions { Storage = new FailingStorage { Free = 1000 } }))!;
        Assert.That(e.Message, Does.Contain("1,000 are free"));
        Assert.Throws<CheckpointOutputException>(() => CheckpointQuantizer.Quantize(
            _input, Output, new QuantizeOptions { Storage = new FailingStorage { Capacity = 1000, FailOnCreate = true } }));
        CheckpointQuantizer.Quantize(_input, _directory["q"]);
        Assert.Throws<CheckpointOutputException>(
            () => CheckpointDequantizer.Dequantize(_directory["q"], Output, new DequantizeOptions { Storage = new FailingStorage { Free = 1000 } }));
        Assert.That(Directory.Exists(Output), Is.False);
        Assert.That(TestDirectory.List(_directory.Root), Has.None.Contain(".halfbyte-tmp-"));
    }

    [Test]
    public void Room_for_the_output_and_a_little_more_is_enough([Values] bool shards)
    {
        long maxShardBytes = shards ? 20_000 : long.MaxValue;
        CheckpointQuantizer.Quantize(_input, _directory["q"], new QuantizeOptions { MaxShardBytes = maxShardBytes });
        FileInfo[] files = new DirectoryInfo(_directory["q"]).GetFiles();
        long written = files.Sum(file => file.Length);
        long free = written + (files.Length * 16_384);

        CheckpointQuantizer.Quantize(
            _input, Output, new QuantizeOptions { Storage = new FailingStorage { Free = free, Capacity = free }, MaxShardBytes = maxShardBytes });
        Assert.Throws<CheckpointOutputException>(() => CheckpointQuantizer.Quantize(
            _input, _directory["none"], new QuantizeOptions { Storage = new FailingStorage { Free = written }, MaxShardBytes = maxShardBytes }));
    }

    [Test]
    public void A_rename_that_fails_is_undone()
    {
        CheckpointQuantizer.Quantize(_input, Output, new QuantizeOptions { MaxShardBytes = 30_000 });
        File.WriteAllText(Path.Combine(Output, "notes.txt"), "mine");
        Dictionary<string, byte[]> before = Directory.GetFiles(Output).ToDictionary(f => f, File.ReadAllBytes);
        FailingStorage counting = new();
        CheckpointQuantizer.Quantize(_input, _directory["count"], new QuantizeOptions { Storage = counting, MaxShardBytes = 20_000 });
        for (int move = 1; move < 40; move++)
        {
            QuantizeOptions options = new() { Force = true, MaxShardBytes = 20_000, Storage = new FailingStorage { FailingMove = move } };
            try
            {
                CheckpointQuantizer.Quantize(_input, Output, options);
            }
            catch (CheckpointOutputException)
            {
                Assert.That(Directory.GetFileSystemEntries(Output), Is.EquivalentTo(before.Keys), $"move {move}");
                foreach ((string file, byte[] bytes) in before)
                {
                    Assert.That(File.ReadAllBytes(file), Is.EqualTo(bytes));
                }

                continue;
            }

            Assert.That(move, Is.GreaterThan(10), "the run should have had more renames than this");
            return;
        }

        Assert.Fail("the run never succeeded");
    }

    [Test]
    public void An_existing_checkpoint_is_kept_unless_forced()
    {
        CheckpointQuantizer.Quantize(_input, Output, new QuantizeOptions { MaxShardBytes = 30_000 });
        File.WriteAllText(Path.Combine(Output, "notes.txt"), "mine");
        string[] before = TestDirectory.List(Output);
        CheckpointOutputException e = Assert.Throws<CheckpointOutputException>(() => CheckpointQuantizer.Quantize(_input, Output))!;
        Assert.That(e.Message, Does.Contain("already holds a checkpoint"));
        Assert.That(TestDirectory.List(Output), Is.EqualTo(before));

        CheckpointQuantizer.Quantize(_input, Output, new QuantizeOptions { Force = true });
        Assert.That(TestDirectory.List(Output), Is.EqualTo(new[] { "config.json", "model.safetensors", "modeling_tiny.py", "notes.txt", "tokenizer.json" }));
        Assert.That(CheckpointVerifier.Verify(Output).Findings, Is.Empty);
    }

    [Test]
    public void A_directory_with_other_files_is_kept_and_filled()
    {
        Directory.CreateDirectory(Output);
        File.WriteAllText(Path.Combine(Output, "notes.txt"), "mine");
        CheckpointQuantizer.Quantize(_input, Output);
        Assert.That(File.ReadAllText(Path.Combine(Output, "notes.txt")), Is.EqualTo("mine"));
        Assert.That(CheckpointVerifier.Verify(Output).Findings, Is.Empty);
    }

    [Test]
    public void Impossible_outputs_are_refused()
    {
        Assert.Throws<CheckpointOutputException>(() => CheckpointQuantizer.Quantize(_input, _input, new QuantizeOptions { Force = true }));
        Assert.Throws<CheckpointOutputException>(() => CheckpointQuantizer.Quantize(_input, Path.Combine(_input, "config.json")));
        Assert.Throws<CheckpointOutputException>(() => CheckpointQuantizer.Quantize(_input, Path.Combine(_input, "config.json", "below")));
    }

    [Test]
    public void An_output_that_is_the_input_by_way_of_a_link_is_refused()
    {
        TestDirectory.Link(_directory["link"], _directory.Root);
        string[] before = TestDirectory.List(_input);
        CheckpointOutputException e = Assert.Throws<CheckpointOutputException>(
            () => CheckpointQuantizer.Quantize(_input, _directory["link/in"], new QuantizeOptions { Force = true }))!;
        Assert.That(e.Message, Does.Contain("input's own directory"));
        Assert.That(TestDirectory.List(_input), Is.EqualTo(before));
        File.Delete(_directory["link"]);
    }

    [Test]
    public void Parents_of_the_output_are_created_and_removed_again_on_failure()
    {
        string output = _directory["a/b/out"];
        Assert.Throws<CheckpointOutputException>(
            () => CheckpointQuantizer.Quantize(_input, output, new QuantizeOptions { Storage = new FailingStorage { Capacity = 5000 } }));
        Assert.That(Directory.Exists(_directory["a"]), Is.False);
        CheckpointQuantizer.Quantize(_input, output);
        Assert.That(File.Exists(Path.Combine(output, "model.safetensors")), Is.True);
    }

    [Test]
    public void An_empty_directory_is_filled_in_place()
    {
        Directory.CreateDirectory(Output);
        CheckpointQuantizer.Quantize(_input, Output);
        Assert.That(TestDirectory.List(Output), Has.Length.EqualTo(4));
    }

    [Test]
    public void Subdirectories_go_along_and_other_weights_do_not()
    {
        Directory.CreateDirectory(Path.Combine(_input, "1_Pooling"));
        Directory.CreateDirectory(Path.Combine(_input, ".git"));
        File.WriteAllText(Path.Combine(_input, "1_Pooling", "config.json"), "{}");
        File.WriteAllText(Path.Combine(_input, ".git", "HEAD"), "x");
        File.WriteAllText(Path.Combine(_input, "pytorch_model.bin"), "x");
        File.WriteAllText(Path.Combine(_input, "model.gguf"), "x");
        File.WriteAllText(Path.Combine(_input, "pytorch_model.bin.index.json"), "{}");
        Directory.CreateDirectory(Output);
        CheckpointQuantizer.Quantize(_input, Output);
        Assert.That(
            TestDirectory.List(Output),
            Is.EqualTo(new[] { "1_Pooling/", "1_Pooling/config.json", "config.json", "model.safetensors", "modeling_tiny.py", "tokenizer.json" }));
    }

    [Test]
    public void An_output_inside_the_input_is_fine_and_not_copied_into_itself()
    {
        string output = Path.Combine(_input, "nf4");
        CheckpointQuantizer.Quantize(_input, output);
        CheckpointQuantizer.Quantize(_input, output, new QuantizeOptions { Force = true });
        Assert.That(TestDirectory.List(output), Is.EqualTo(new[] { "config.json", "model.safetensors", "modeling_tiny.py", "tokenizer.json" }));
    }

    private static void Run(string input, bool dequantize, string output, IProgress<CheckpointProgress> progress, CancellationToken token)
    {
        if (dequantize)
        {
            CheckpointDequantizer.Dequantize(input, output, new DequantizeOptions { Force = true, ChunkBytes = 1 << 14 }, progress, token);
        }
        else
        {
            CheckpointQuantizer.Quantize(input, output, new QuantizeOptions { Force = true, ChunkBytes = 1 << 14 }, progress, token);
        }
    }

    private string[] Prepare(bool existing)
    {
        if (existing && !Directory.Exists(Output))
        {
            Directory.CreateDirectory(Output);
            File.WriteAllText(Path.Combine(Output, "notes.txt"), "mine");
        }

        return TestDirectory.List(Output);
    }

    private sealed class Reporter(Action<CheckpointProgress> action) : IProgress<CheckpointProgress>
    {
        public void Report(CheckpointProgress value) => action(value);
    }
}
