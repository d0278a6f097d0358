using System.Buffers.Binary;
using System.Text;
using System.Text.Unicode;

namespace Halfbyte.Checkpoints;

/// <summary>
/// Reads a state stored member by member, one small tensor each: text as uint8, integers as int64 or int32, the offset as a float.
/// </summary>
internal static class UnpackedStateReader
{
    private const int MaxBytes = 1024;

    public static QuantState Read(QuantizedWeight weight)
    {
        Dictionary<string, CheckpointTensor> parts = weight.UnpackedState!;
        QuantState.Members members = new()
        {
            QuantType = Text("quant_type"),
            DType = Text("dtype"),
            NestedDType = Text("nested_dtype"),
            Shape = parts.TryGetValue("shape", out CheckpointTensor? shape) ? ReadIntegers(shape) : null,
            BlockSize = Integer("blocksize"),
            NestedBlockSize = Integer("nested_blocksize"),
            NestedOffset = parts.TryGetValue("nested_offset", out CheckpointTensor? offset) ? ReadFloat(offset) : null,
        };
        return QuantState.FromMembers(members, weight.Scheme, weight.Weight.Path, weight.Name);

        string? Text(string name) => parts.TryGetValue(name, out CheckpointTensor? tensor) ? ReadText(tensor) : null;

        long? Integer(string name) =>
            !parts.TryGetValue(name, out CheckpointTensor? tensor) ? null
            : ReadIntegers(tensor) is [long value] ? value
            : throw Fail("must hold one integer.", tensor);
    }

    public static string ReadText(CheckpointTensor tensor)
    {
        if (tensor.Info.DType != SafetensorsDType.U8 || tensor.Info.ByteLength > MaxBytes)
        {
            throw Fail($"is {tensor.Info}; expected a short text as uint8.", tensor);
        }

        byte[] bytes = tensor.File.ReadAll(tensor.Info);
        return Utf8.IsValid(bytes) ? Encoding.UTF8.GetString(bytes) : throw Fail("is not valid UTF-8.", tensor);
    }

    private static long[] ReadIntegers(CheckpointTensor tensor)
    {
        if (tensor.Info.DType is not (SafetensorsDType.I64 or SafetensorsDType.I32) || tensor.Info.ByteLength > MaxBytes)
        {
            throw Fail($"is {tensor.Info}; expected a few integers as int64 or int32.", tensor);
        }

        byte[] bytes = tensor.File.ReadAll(tensor.Info);
        int size = tensor.Info.DType == SafetensorsDType.I64 ? 8 : 4;
        long[] values = new long[bytes.Length / size];
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = size == 8
                ? BinaryPrimitives.ReadInt64LittleEndian(bytes.AsSpan(8 * i))
                : BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan(4 * i));
        }

        return values;
    }

    private static double ReadFloat(CheckpointTensor tensor)
    {
        if (tensor.Info.ElementCount != 1 || tensor.Info.DType is not (SafetensorsDType.F32 or SafetensorsDType.F64))
        {
            throw Fail($"is {tensor.Info}; expected one float32.", tensor);
        }

        byte[] bytes = tensor.File.ReadAll(tensor.Info);
        return bytes.Length == 8 ? BinaryPrimitives.ReadDoubleLittleEndian(bytes) : BinaryPrimitives.ReadSingleLittleEndian(bytes);
    }

    private static CheckpointFormatException Fail(string sentence, CheckpointTensor tensor) =>
        new(FormatRules.QuantState, sentence, tensor.Path, tensor.Name);
}
