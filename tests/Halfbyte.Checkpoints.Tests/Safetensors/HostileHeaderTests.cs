using System.Text;

namespace Halfbyte.Checkpoints.Tests;

/// <summary>Attacks on the header of one file. Each is a file built by hand.</summary>
[TestFixture]
internal sealed class HostileHeaderTests
{
    private TestDirectory _directory = null!;

    [SetUp]
    public void SetUp() => _directory = new TestDirectory();

    [TearDown]
    public void TearDown() => _directory.Dispose();

    private string Write(byte[] bytes)
    {
        string path = _directory["model.safetensors"];
        File.WriteAllBytes(path, bytes);
        return path;
    }

    private CheckpointFormatException Refuse(byte[] bytes, string rule, CheckpointLimits? limits = null) =>
        Refused.ByAll(Write(bytes), rule, limits);

    private CheckpointFormatException Refuse(string header, byte[] data, string rule, CheckpointLimits? limits = null) =>
        Refuse(RawFile.Bytes(header, data), rule, limits);

    [TestCase(0)]
    [TestCase(1)]
    [TestCase(7)]
    public void A_file_shorter_than_its_length_field(int bytes) => Refuse(new byte[bytes], FormatRules.FileLength);

    [Test]
    public void A_header_of_length_zero() => Refuse(RawFile.Bytes("", []), FormatRules.HeaderJson);

    [TestCase(0x8000_0000_0000_0000ul)]
    [TestCase(0xFFFF_FFFF_FFFF_FFFFul)]
    [TestCase(0x7FFF_FFFF_FFFF_FFFFul)]
    [TestCase(0x7FFF_FFFF_FFFF_FFF8ul)]
    [TestCase(3ul)]
    public void A_header_longer_than_the_file(ulong length) =>
        Refuse(RawFile.Bytes("{}", [], length), FormatRules.HeaderLength);

    [Test]
    public void A_header_longer_than_the_limit() => Refuse(
        "{" + new string(' ', 5000) + "}", [], FormatRules.HeaderLength, new CheckpointLimits { MaxHeaderBytes = 4096 });

    [Test]
    public void The_default_limit_is_the_formats_own() => Assert.That(CheckpointLimits.Default.MaxHeaderBytes, Is.EqualTo(100_000_000));

    [Test]
    public void A_huge_claimed_header_allocates_nothing()
    {
        string path = Write(RawFile.Bytes("{}", [], 0x7FFF_0000_0000ul));
        Assert.Throws<CheckpointFormatException>(() => SafetensorsFile.Open(path));
        long before = GC.GetAllocatedBytesForCurrentThread();
        Assert.Throws<CheckpointFormatException>(() => SafetensorsFile.Open(path));
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.LessThan(256 << 10));
    }

    [Test]
    public void Bytes_that_are_not_utf8() => Refuse(
        RawFile.Bytes([.. "{\"a"u8, 0xFF, .. "\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}}"u8], []), FormatRules.HeaderJson);

    [Test]
    public void A_byte_order_mark() => Refuse(RawFile.Bytes([0xEF, 0xBB, 0xBF, (byte)'{', (byte)'}'], []), FormatRules.HeaderJson);

    [TestCase("[]")]
    [TestCase(" {}")]
    [TestCase("\"text\"")]
    [TestCase("{")]
    [TestCase("{}}")]
    [TestCase("{} x")]
    [TestCase("{/* comment */}")]
    [TestCase("{\"a\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]},}")]
    [TestCase("{\"a\":[]}")]
    [TestCase("{\"a\":1}")]
    [TestCase("{\"a\":null}")]
    [TestCase("{\"a\":{}}")]
    [TestCase("{\"a\":{\"dtype\":\"U8\",\"shape\":[0]}}")]
    [TestCase("{\"a\":{\"shape\":[0],\"data_offsets\":[0,0]}}")]
    [TestCase("{\"a\":{\"dtype\":\"U8\",\"data_offsets\":[0,0]}}")]
    [TestCase("{\"a\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0],\"more\":1}}")]
    [TestCase("{\"\\ud800\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}}")]
    [TestCase("{\"a\":{\"dtype\":\"\\ud800\",\"shape\":[0],\"data_offsets\":[0,0]}}")]
    public void Json_of_another_structure(string header) => Refuse(header, [], FormatRules.HeaderJson);

    [Test]
    public void A_nesting_bomb() => Refuse("{\"a\":" + new string('[', 100_000) + "}", [], FormatRules.HeaderJson);

    [Test]
    public void A_name_twice() => Refuse(
        """{"w":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"w":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}""",
        new byte[2],
        FormatRules.Duplicate);

    [Test]
    public void A_name_twice_in_two_spellings() => Refuse(
        """{"w":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"\u0077":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}""",
        new byte[2],
        FormatRules.Duplicate);

    [TestCase("""{"w":{"dtype":"U8","dtype":"I8","shape":[1],"data_offsets":[0,1]}}""")]
    [TestCase("""{"w":{"dtype":"U8","shape":[1],"shape":[1],"data_offsets":[0,1]}}""")]
    [TestCase("""{"w":{"dtype":"U8","shape":[1],"data_offsets":[0,1],"data_offsets":[0,1]}}""")]
    [TestCase("""{"w":{"dtype":"U8","\u0064type":"I8","shape":[1],"data_offsets":[0,1]}}""")]
    public void A_member_twice_in_one_entry(string header) => Refuse(header, new byte[1], FormatRules.Duplicate);

    [Test]
    public void More_tensors_than_the_limit()
    {
        string entries = string.Join(',', Enumerable.Range(0, 101).Select(i => $"\"t{i}\":{{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}}"));
        Refuse("{" + entries + "}", [], FormatRules.TensorCount, new CheckpointLimits { MaxTensors = 100 });
    }

    [Test]
    public void A_bloated_header_is_read_in_linear_time_and_can_be_cancelled()
    {
        StringBuilder header = new("{");
        for (int i = 0; i < 200_000; i++)
        {
            header.Append(i == 0 ? "" : ",").Append("\"t").Append(i).Append("\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}");
        }

        string path = Write(RawFile.Bytes(header.Append('}').ToString(), []));
        long start = Environment.TickCount64;
        using (SafetensorsFile file = SafetensorsFile.Open(path))
        {
            Assert.That(file.Tensors, Has.Count.EqualTo(200_000));
        }

        Assert.That(Environment.TickCount64 - start, Is.LessThan(20_000));
        using CancellationTokenSource cancelled = new();
        cancelled.Cancel();
        Assert.Throws<OperationCanceledException>(() => SafetensorsFile.Open(path, cancellationToken: cancelled.Token));
    }

    [TestCase("[0,4]", "[3,7]", 7, TestName = "Overlapping tensors")]
    [TestCase("[0,4]", "[5,9]", 9, TestName = "A hole between tensors")]
    [TestCase("[1,5]", "[5,9]", 9, TestName = "A hole before the first tensor")]
    [TestCase("[0,4]", "[4,8]", 9, TestName = "A byte after the last tensor")]
    [TestCase("[0,4]", "[4,8]", 7, TestName = "A byte missing from the last tensor")]
    [TestCase("[0,4]", "[0,4]", 4, TestName = "Two tensors with the same bytes")]
    [TestCase("[4,0]", "[0,4]", 4, TestName = "Offsets in the wrong order")]
    [TestCase("[0,3]", "[3,7]", 7, TestName = "Fewer bytes than the shape")]
    [TestCase("[0,5]", "[5,9]", 9, TestName = "More bytes than the shape")]
    [TestCase("[0]", "[0,4]", 4, TestName = "One offset")]
    [TestCase("[0,4,4]", "[4,8]", 8, TestName = "Three offsets")]
    [TestCase("[-1,3]", "[4,8]", 8, TestName = "A negative offset")]
    [TestCase("[0.0,4]", "[4,8]", 8, TestName = "A fractional offset")]
    [TestCase("[0,18446744073709551620]", "[4,8]", 8, TestName = "An offset beyond 64 bits")]
    [TestCase("[9223372036854775800,9223372036854775804]", "[0,4]", 4, TestName = "An offset near 2^63")]
    [TestCase("\"0,4\"", "[4,8]", 8, TestName = "Offsets as text")]
    public void Offsets(string first, string second, int data) => Refuse(
        $"{{\"a\":{{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":{first}}},\"b\":{{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":{second}}}}}",
        new byte[data],
        FormatRules.DataOffsets);

    [Test]
    public void Empty_tensors_may_share_an_offset_as_in_the_reference_implementation()
    {
        string path = Write(RawFile.Bytes(
            """{"b":{"dtype":"F32","shape":[0],"data_offsets":[4,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"c":{"dtype":"F32","shape":[0,7],"data_offsets":[4,4]}}""",
            new byte[4]));
        using SafetensorsFile file = SafetensorsFile.Open(path);
        Assert.That(file.Tensors.Select(t => t.Name), Is.EqualTo(new[] { "a", "b", "c" }));
    }

    [TestCase("[4194305,4194305,211106198978564]", TestName = "A product that wraps to 4 in 64 bits")]
    [TestCase("[9223372036854775807,2]", TestName = "A product beyond 63 bits")]
    [TestCase("[9223372036854775807]", TestName = "Bits beyond 63 bits")]
    [TestCase("[9223372036854775807,9223372036854775807,0]", TestName = "An overflow before a zero")]
    [TestCase("[-1]", TestName = "A negative dimension")]
    [TestCase("[-0]", TestName = "Minus zero")]
    [TestCase("[1.0]", TestName = "A fraction")]
    [TestCase("[1e0]", TestName = "An exponent")]
    [TestCase("[\"1\"]", TestName = "A dimension as text")]
    [TestCase("[null]", TestName = "Null for a dimension")]
    [TestCase("[[1]]", TestName = "An array for a dimension")]
    [TestCase("[36893488147419103233]", TestName = "A dimension beyond 64 bits")]
    [TestCase("1", TestName = "A number for a shape")]
    public void Shapes(string shape) => Refuse(
        $"{{\"a\":{{\"dtype\":\"F32\",\"shape\":{shape},\"data_offsets\":[0,4]}}}}", new byte[4], FormatRules.Shape);

    [Test]
    public void More_dimensions_than_any_tensor_has() => Refuse(
        $"{{\"a\":{{\"dtype\":\"F32\",\"shape\":[{string.Join(',', Enumerable.Repeat(1, 65))}],\"data_offsets\":[0,4]}}}}", new byte[4], FormatRules.Shape);

    [Test]
    public void Elements_of_half_a_byte_that_fill_no_whole_byte() => Refuse(
        """{"a":{"dtype":"F4","shape":[3],"data_offsets":[0,2]}}""", new byte[2], FormatRules.Shape);

    [TestCase("\"F33\"")]
    [TestCase("\"f32\"")]
    [TestCase("\"\"")]
    [TestCase("7")]
    [TestCase("null")]
    public void An_unknown_type(string dtype)
    {
        CheckpointFormatException e = Refuse(
            $"{{\"some.tensor\":{{\"dtype\":{dtype},\"shape\":[1],\"data_offsets\":[0,4]}}}}", new byte[4], FormatRules.DType);
        Assert.That(e.TensorName, Is.EqualTo("some.tensor"));
    }

    [TestCase("""{"__metadata__":[]}""", FormatRules.Metadata)]
    [TestCase("""{"__metadata__":{"a":1}}""", FormatRules.Metadata)]
    [TestCase("""{"__metadata__":{"a":{"b":"c"}}}""", FormatRules.Metadata)]
    [TestCase("""{"__metadata__":{"a":null}}""", FormatRules.Metadata)]
    [TestCase("""{"__metadata__":{"a":"1","a":"2"}}""", FormatRules.Duplicate)]
    [TestCase("""{"__metadata__":{},"__metadata__":{}}""", FormatRules.Duplicate)]
    public void Metadata(string header, string rule) => Refuse(header, [], rule);

    [Test]
    public void Metadata_members_named_like_those_of_a_tensor_are_plain_metadata()
    {
        string path = Write(RawFile.Bytes("""{"__metadata__":{"shape":"x","dtype":"y","data_offsets":"z"}}""", []));
        using SafetensorsFile file = SafetensorsFile.Open(path);
        Assert.That(file.Metadata["shape"], Is.EqualTo("x"));
    }

    [Test]
    public void A_huge_name() => Refuse(
        $"{{\"{new string('n', 5000)}\":{{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}}}}", [], FormatRules.TensorName);

    [Test]
    public void An_empty_name() => Refuse("""{"":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}""", [], FormatRules.TensorName);

    [TestCase("\\u001b[2J\\u001b[31mpwned")]
    [TestCase("two\\nlines\\r\\n")]
    [TestCase("\\u202egnirts")]
    [TestCase("a\\u0000b")]
    [TestCase("bell\\u0007 csi\\u009b")]
    public void Names_with_control_characters_are_escaped_in_messages(string name)
    {
        CheckpointFormatException e = Refuse(
            $"{{\"{name}\":{{\"dtype\":\"nope\",\"shape\":[0],\"data_offsets\":[0,0]}}}}", [], FormatRules.DType);
        Assert.That(e.Message, Does.Contain("\\u00").Or.Contain("\\u202e"));
        Assert.That(e.TensorName!.Any(c => char.IsControl(c) || c == '\u202e'), Is.True, "the property is the name itself");
    }

    [Test]
    public void Control_characters_in_a_dtype_or_member_are_escaped_too()
    {
        Refuse("""{"a":{"dtype":"\u001b[31m","shape":[0],"data_offsets":[0,0]}}""", [], FormatRules.DType);
        Refuse("""{"a":{"\u001b[31m":1}}""", [], FormatRules.HeaderJson);
        Refuse("""{"__metadata__":{"\u001b[31m":1}}""", [], FormatRules.Metadata);
    }

    [Test]
    public void A_file_truncated_while_it_is_open()
    {
        string path = Write(RawFile.Of(("a", "U8", [4096], new byte[4096])));
        using SafetensorsFile file = SafetensorsFile.Open(path);
        using (FileStream truncate = new(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite))
        {
            truncate.SetLength(200);
        }

        CheckpointFormatException e = Assert.Throws<CheckpointFormatException>(() => file.ReadAll(file.Tensors[0]))!;
        Assert.That(e.Rule, Is.EqualTo(FormatRules.FileLength));
    }

    [Test]
    public void Messages_name_file_tensor_and_offset()
    {
        CheckpointFormatException e = Refuse(
            """{"model.w":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}""", new byte[4], FormatRules.DataOffsets);
        using (Assert.EnterMultipleScope())
        {
            Assert.That(e.Path, Does.EndWith("model.safetensors"));
            Assert.That(e.TensorName, Is.EqualTo("model.w"));
            Assert.That(e.Offset, Is.GreaterThan(8));
            Assert.That(e.Message, Does.StartWith($"'{e.Path}', tensor 'model.w', byte "));
        }
    }

    [Test]
    public void Every_type_of_the_format_is_read()
    {
        List<string> entries = [];
        long offset = 0;
        foreach (SafetensorsDType dtype in Enum.GetValues<SafetensorsDType>())
        {
            int bytes = dtype.Bits();
            entries.Add($"\"t.{dtype}\":{{\"dtype\":\"{dtype}\",\"shape\":[2,4],\"data_offsets\":[{offset},{offset + bytes}]}}");
            offset += bytes;
        }

        string path = Write(RawFile.Bytes("{" + string.Join(',', entries) + "}   ", new byte[offset]));
        using SafetensorsFile file = SafetensorsFile.Open(path);
        Assert.That(file.Tensors, Has.Count.EqualTo(22));
    }
}
