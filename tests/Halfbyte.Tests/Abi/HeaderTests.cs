using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Halfbyte.Bindings;

namespace Halfbyte.Tests;

/// <summary>The header, the generated bindings, the structs of the raw door and the compiled library are one interface.</summary>
public sealed class HeaderTests
{
    private const BindingFlags All = BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Static | BindingFlags.Instance;

    [Test]
    public void The_header_is_read_whole()
    {
        // Guards the regular expressions: what they overlook, no test below would miss.
        string text = File.ReadAllText(Path.Combine(Repository.Root, "native", "include", "halfbyte.h"));
        Assert.That(Header.Instance.Functions, Has.Length.EqualTo(text.Split("HALFBYTE_API int32_t ").Length - 1));
        Assert.That(Header.Instance.Enums, Has.Count.EqualTo(text.Split("\nenum ").Length - 1));
        Assert.That(Header.Instance.Structs, Has.Count.EqualTo(text.Split("\ntypedef struct ").Length - 1));
        Assert.That(Header.Instance.Functions, Has.Length.GreaterThan(30));
        Assert.That(Header.Instance.Structs["halfbyte_weight_4bit"], Has.Length.EqualTo(12));
    }

    [Test]
    public void Every_function_is_bound_with_the_arguments_it_has()
    {
        Dictionary<string, MethodInfo> bound = typeof(Native).GetMethods(All | BindingFlags.DeclaredOnly).Where(method => method.IsStatic)
            .ToDictionary(method => method.Name);
        Assert.That(bound.Keys, Is.EquivalentTo(Header.Instance.Functions.Select(function => function.Name)));
        foreach (Header.Prototype function in Header.Instance.Functions)
        {
            MethodInfo method = bound[function.Name];
            Assert.That(method.ReturnType, Is.EqualTo(typeof(int)), function.Name);
            Assert.That(
                method.GetParameters().Select(parameter => parameter.Name), Is.EqualTo(function.Arguments.Select(argument => argument.Name)), function.Name);
            foreach ((ParameterInfo parameter, (string type, string name)) in method.GetParameters().Zip(function.Arguments))
            {
                Assert.That(SizeOf(parameter.ParameterType), Is.EqualTo(SizeOf(type)), $"{function.Name}: {name}");
                Assert.That(IsPointer(parameter.ParameterType), Is.EqualTo(type.Contains('*') || type.Contains("halfbyte_stream")), $"{function.Name}: {name}");
            }
        }
    }

    [Test]
    public void Enumerations_have_the_values_they_are_given()
    {
        foreach ((string name, Dictionary<string, int> members) in Header.Instance.Enums)
        {
            Type type = Bound(name);
            Assert.That(
                Enum.GetNames(type).ToDictionary(member => member, member => Convert.ToInt32(Enum.Parse(type, member), null)), Is.EquivalentTo(members), name);
        }
    }

    [Test]
    public void Structs_have_fields_of_eight_bytes_one_after_another()
    {
        foreach ((string name, (string Type, string Name)[] fields) in Header.Instance.Structs)
        {
            Type type = Bound(name).GetNestedType("__Internal", All)!;
            Assert.That(Marshal.SizeOf(type), Is.EqualTo(8 * fields.Length), name);
            for (int i = 0; i < fields.Length; i++)
            {
                Assert.That((int)Marshal.OffsetOf(type, fields[i].Name), Is.EqualTo(8 * i), $"{name}.{fields[i].Name}");
            }
        }
    }

    [Test]
    public void Structs_of_the_raw_door_have_the_layout_of_the_header()
    {
        FourBitWeight four = new()
        {
            Packed = 1,
            Absmax = 2,
            NestedAbsmax = 3,
            NestedCodebook = 4,
            NestedOffset = 5,
            Codebook = 6,
            Rows = 7,
            Columns = 8,
            BlockSize = 9,
            NestedBlockSize = 10,
            QuantType = (QuantType)11,
            Device = Device.Cuda(12),
        };
        Assert.That(Longs(four), Is.EqualTo(new long[] { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 256 + 12 }));
        AssertOrder<halfbyte_weight_4bit.__Internal>("packed", "absmax", "nested_absmax", "nested_codebook", "nested_offset", "codebook", "N", "K", "blocksize", "nested_blocksize", "quant_type", "device");
        Assert.That((four.Device, four.QuantType), Is.EqualTo((Device.Cuda(12), (QuantType)11)));

        Int8Weight eight = new() { Codes = 1, Absmax = 2, Rows = 3, Columns = 4, Device = Device.Cuda(0) };
        Assert.That(Longs(eight), Is.EqualTo(new long[] { 1, 2, 3, 4, 256 }));
        AssertOrder<halfbyte_weight_int8.__Internal>("codes", "absmax", "N", "K", "device");

        ProductOutput output = new() { Y = 1, LeadingDimension = 2, Bias = 3, BiasDType = DType.BFloat16 };
        Assert.That(Longs(output), Is.EqualTo(new long[] { 1, 2, 3, 3 }));
        AssertOrder<halfbyte_output.__Internal>("y", "ldy", "bias", "bias_dtype");

        ProductGradient gradient = new() { Dy = 1, LeadingDimension = 2 };
        Assert.That(Longs(gradient), Is.EqualTo(new long[] { 1, 2 }));
        AssertOrder<halfbyte_gradient.__Internal>("dy", "lddy");
    }

    [Test]
    public void The_library_exports_the_functions_of_the_header_and_no_others()
    {
        string path = NativeLibraryLoader.LoadedPath!;
        Assert.That(File.Exists(path), Is.True, path);
        nint library = NativeLibrary.Load(path);
        foreach (Header.Prototype function in Header.Instance.Functions)
        {
            Assert.That(NativeLibrary.TryGetExport(library, function.Name, out _), Is.True, function.Name);
        }

        NativeLibrary.Free(library);
        if (OperatingSystem.IsLinux())
        {
            Assert.That(ElfSymbols.Defined(File.ReadAllBytes(path)), Is.EquivalentTo(Header.Instance.Functions.Select(function => function.Name)));
        }
    }

    private static Type Bound(string name) => typeof(NativeMethods).Assembly.GetType($"Halfbyte.Bindings.{name}", throwOnError: true)!;

    private static long[] Longs<T>(T value)
        where T : unmanaged => MemoryMarshal.Cast<T, long>(new ReadOnlySpan<T>(in value)).ToArray();

    private static void AssertOrder<T>(params string[] fields)
        where T : struct
    {
        Assert.That(Unsafe.SizeOf<T>(), Is.EqualTo(8 * fields.Length));
        Assert.That(
            fields.Select(field => (int)Marshal.OffsetOf<T>(field)), Is.EqualTo(Enumerable.Range(0, fields.Length).Select(i => 8 * i)));
        string name = typeof(T).DeclaringType!.Name;
        Assert.That(Header.Instance.Structs[name].Select(field => field.Name), Is.EqualTo(fields), name);
    }

    private static bool IsPointer(Type type) => type.IsPointer || type == typeof(nint);

    private static int SizeOf(Type type) => IsPointer(type) ? 8 : Marshal.SizeOf(type);

    private static int SizeOf(string type) => type.Trim() switch
    {
        string pointer when pointer.Contains('*') || pointer == "halfbyte_stream" => 8,
        "int64_t" => 8,
        "int32_t" or "float" => 4,
        _ => throw new NotSupportedException(type),
    };
}
