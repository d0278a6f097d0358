using System.Buffers.Binary;
using System.Globalization;
using System.Text;

namespace Halfbyte.Checkpoints.Tests;

/// <summary>Safetensors files built by hand, byte by byte, so that they can be wrong, and so that nothing under test builds them.</summary>
internal static class RawFile
{
    /// <summary>Length, header, data.</summary>
    public static byte[] Bytes(string header, byte[] data, ulong? length = null) => Bytes(Encoding.UTF8.GetBytes(header), data, length);

    public static byte[] Bytes(byte[] header, byte[] data, ulong? length = null)
    {
        byte[] file = new byte[8 + header.Length + data.Length];
        BinaryPrimitives.WriteUInt64LittleEndian(file, length ?? (ulong)header.Length);
        header.CopyTo(file, 8);
        data.CopyTo(file, 8 + header.Length);
        return file;
    }

    /// <summary>A correct file of tensors in the order given.</summary>
    public static byte[] Of(params (string Name, string DType, long[] Shape, byte[] Data)[] tensors)
    {
        List<string> entries = ["\"__metadata__\":{\"format\":\"pt\"}"];
        using MemoryStream data = new();
        foreach ((string name, string dtype, long[] shape, byte[] bytes) in tensors)
        {
            entries.Add(string.Create(
                CultureInfo.InvariantCulture,
                $"\"{name}\":{{\"dtype\":\"{dtype}\",\"shape\":[{string.Join(',', shape)}],\"data_offsets\":[{data.Length},{data.Length + bytes.Length}]}}"));
            data.Write(bytes);
        }

        return Bytes("{" + string.Join(',', entries) + "}", data.ToArray());
    }

    public static byte[] Floats(params float[] values)
    {
        byte[] bytes = new byte[4 * values.Length];
        Buffer.BlockCopy(values, 0, bytes, 0, bytes.Length);
        return bytes;
    }

    public static byte[] BFloats(params float[] values)
    {
        byte[] bytes = new byte[2 * values.Length];
        for (int i = 0; i < values.Length; i++)
        {
            BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(2 * i), ((BFloat16)values[i]).ToBits());
        }

        return bytes;
    }

    public static byte[] Halves(params float[] values)
    {
        byte[] bytes = new byte[2 * values.Length];
        for (int i = 0; i < values.Length; i++)
        {
            BinaryPrimitives.WriteHalfLittleEndian(bytes.AsSpan(2 * i), (Half)values[i]);
        }

        return bytes;
    }

    public static byte[] Text(string text) => Encoding.UTF8.GetBytes(text);

    /// <summary>Weights like a trained layer's: normal, with a few large ones.</summary>
    public static float[] Weights(int count, int seed)
    {
        Random random = new(seed);
        float[] values = new float[count];
        for (int i = 0; i < count; i++)
        {
            double u = 1 - random.NextDouble();
            double normal = Math.Sqrt(-2 * Math.Log(u)) * Math.Cos(2 * Math.PI * random.NextDouble());
            values[i] = (float)(0.02 * normal * (random.Next(1000) == 0 ? 8 : 1));
        }

        return values;
    }

    /// <summary>Elements of one of the three types.</summary>
    public static byte[] Elements(string dtype, float[] values) => dtype switch
    {
        "F32" => Floats(values),
        "F16" => Halves(values),
        _ => BFloats(values),
    };
}
