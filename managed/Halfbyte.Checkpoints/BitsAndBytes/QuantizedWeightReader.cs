using System.Buffers.Binary;

namespace Halfbyte.Checkpoints;

/// <summary>Reads what is small about a quantized weight and checks that the large parts have the lengths it demands.</summary>
internal static class QuantizedWeightReader
{
    /// <summary>How far a stored table may be from ours: what PyTorch's allclose grants, far below half a step.</summary>
    private const float TableTolerance = 1e-6f;

    /// <summary>The state of a 4-bit weight, checked against all its parts.</summary>
    public static QuantState ReadState(QuantizedWeight weight, CheckpointLimits limits)
    {
        QuantState state = weight.PackedState is { } packed ? ReadPacked(weight, packed, limits) : UnpackedStateReader.Read(weight);
        if (state.IsDoubleQuantized != weight.NestedAbsmax is not null)
        {
            throw Fail(
                weight.Weight,
                state.IsDoubleQuantized
                    ? "quant_state describes double-quantized statistics, but nested_absmax is missing."
                    : "has nested_absmax, but quant_state says nothing of double quantization.");
        }

        CheckCodes(weight.Weight, state);
        CheckPart(weight.Absmax!, state.IsDoubleQuantized ? SafetensorsDType.U8 : SafetensorsDType.F32, state.Blocks, state);
        CheckPart(weight.QuantMap!, SafetensorsDType.F32, 16, state);
        if (state.IsDoubleQuantized)
        {
            CheckPart(weight.NestedAbsmax!, SafetensorsDType.F32, state.NestedBlocks, state);
            CheckPart(weight.NestedQuantMap!, SafetensorsDType.F32, 256, state);
        }

        return state;
    }

    /// <summary>Checks the layout byte of an int8 weight; a missing one means row-major.</summary>
    public static void CheckWeightFormat(QuantizedWeight weight)
    {
        if (weight.WeightFormat is not { } format)
        {
            return;
        }

        if (format.Info.DType != SafetensorsDType.U8 || format.Info.ElementCount != 1)
        {
            throw Fail(format, $"is {format.Info}; expected one uint8.");
        }

        byte value = format.File.ReadAll(format.Info)[0];
        if (value != 0)
        {
            throw Fail(format, $"says layout {value}; expected 0, row-major: the tiled layouts of old GPUs are no longer read, save the model again with a newer bitsandbytes.");
        }
    }

    /// <summary>Checks that the stored 16 values are those of the format: every decoder uses its own copy of them.</summary>
    public static void CheckQuantMap(QuantizedWeight weight)
    {
        ReadOnlySpan<float> table = Table(weight.Scheme);
        float[] stored = ReadFloats(weight.QuantMap!);
        for (int i = 0; i < table.Length; i++)
        {
            if (!(Math.Abs(stored[i] - table[i]) <= TableTolerance))
            {
                throw new CheckpointFormatException(
                    FormatRules.CodeTable,
                    $"entry {i} is {stored[i]}; the {QuantState.Name(weight.Scheme)} table has {table[i]}, and decoders use that.",
                    weight.QuantMap!.Path,
                    weight.QuantMap.Name);
            }
        }
    }

    /// <summary>The 256 values of the nested codes: finite, in [-1, 1], not falling.</summary>
    public static float[] ReadNestedQuantMap(QuantizedWeight weight)
    {
        float[] table = ReadFloats(weight.NestedQuantMap!);
        for (int i = 0; i < table.Length; i++)
        {
            if (!(Math.Abs(table[i]) <= 1) || (i > 0 && table[i] < table[i - 1]))
            {
                throw new CheckpointFormatException(
                    FormatRules.CodeTable,
                    $"entry {i} is {table[i]}; expected finite values from -1 to 1 in ascending order.",
                    weight.NestedQuantMap!.Path,
                    weight.NestedQuantMap.Name);
            }
        }

        return table;
    }

    /// <summary>Refuses statistics that are not finite or negative; <paramref name="first"/> is the index of the first one.</summary>
    public static void CheckStatistics(ReadOnlySpan<float> values, CheckpointTensor tensor, long first)
    {
        int bad = Numbers.IndexOfNonFiniteOrNegative(values);
        if (bad >= 0)
        {
            throw new CheckpointFormatException(
                FormatRules.Statistics,
                $"statistic {first + bad} is {values[bad]}; expected a finite number from 0 on: the weight cannot be restored, quantize it again.",
                tensor.Path,
                tensor.Name);
        }
    }

    public static ReadOnlySpan<float> Table(WeightScheme scheme) => scheme == WeightScheme.Nf4 ? FourBit.Nf4Values : FourBit.Fp4Values;

    private static QuantState ReadPacked(QuantizedWeight weight, CheckpointTensor packed, CheckpointLimits limits)
    {
        SafetensorsTensor info = packed.Info;
        if (info.DType != SafetensorsDType.U8)
        {
            throw Fail(packed, $"is {info}; expected JSON as uint8.");
        }

        return info.ByteLength <= limits.MaxQuantStateBytes
            ? QuantState.Parse(packed.File.ReadAll(info), weight.Scheme, packed.Path, weight.Name)
            : throw new CheckpointFormatException(
                FormatRules.QuantState,
                $"has {info.ByteLength} bytes of quant_state; expected at most {limits.MaxQuantStateBytes}.",
                packed.Path,
                packed.Name);
    }

    private static void CheckCodes(CheckpointTensor codes, QuantState state)
    {
        SafetensorsTensor info = codes.Info;
        bool known = info.DType is SafetensorsDType.U8 or SafetensorsDType.I8 or SafetensorsDType.F16 or SafetensorsDType.BF16
            or SafetensorsDType.F32 or SafetensorsDType.F64;
        if (!known)
        {
            throw Fail(codes, $"is {info}; 4-bit codes are stored as uint8, or as float16, bfloat16, float32 or float64 bytes.");
        }

        bool column = info.ShapeArray.Length == 1 || (info.ShapeArray.Length == 2 && info.ShapeArray[1] == 1);
        if (info.ByteLength != state.PackedBytes || !column)
        {
            throw Fail(
                codes,
                $"is {info}, {info.ByteLength} bytes; quant_state's shape {SafetensorsTensor.ShapeText(state.Shape)} needs one column of {state.PackedBytes} bytes.");
        }
    }

    private static void CheckPart(CheckpointTensor part, SafetensorsDType dtype, long count, QuantState state)
    {
        if (part.Info.DType != dtype || part.Info.ElementCount != count)
        {
            throw Fail(
                part,
                $"is {part.Info}; shape {SafetensorsTensor.ShapeText(state.Shape)} in blocks of {state.BlockSize} needs {dtype.ToTorchName()} [{count}].");
        }
    }

    private static float[] ReadFloats(CheckpointTensor tensor)
    {
        byte[] bytes = tensor.File.ReadAll(tensor.Info);
        float[] values = new float[bytes.Length / 4];
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = BinaryPrimitives.ReadSingleLittleEndian(bytes.AsSpan(4 * i));
        }

        return values;
    }

    private static CheckpointFormatException Fail(CheckpointTensor tensor, string sentence) =>
        new(FormatRules.QuantizedParts, sentence, tensor.Path, tensor.Name);
}
