namespace Halfbyte.Tests;

/// <summary>Ways to spoil a valid weight, each with the status and the name it must be refused with.</summary>
public static class WeightRefusals
{
    public static IEnumerable<(HalfbyteStatus Status, string Argument, FourBitWeight Weight)> Of(FourBitWeight w, string name)
    {
        Device other = w.Device.IsCpu ? Device.Cuda(0) : Device.Cpu;
        yield return (HalfbyteStatus.NullPointer, $"{name}.packed", w with { Packed = 0 });
        yield return (HalfbyteStatus.NullPointer, $"{name}.absmax", w with { Absmax = 0 });
        yield return (HalfbyteStatus.NullPointer, $"{name}.codebook", w with { QuantType = QuantType.Custom, Codebook = 0 });
        yield return (HalfbyteStatus.Misaligned, $"{name}.codebook", w with { Codebook = 4097 });
        yield return (HalfbyteStatus.InvalidSize, name, w with { Rows = -1 });
        yield return (HalfbyteStatus.InvalidSize, name, w with { Columns = -1 });
        yield return (HalfbyteStatus.InvalidSize, name, w with { Rows = 1L << 58 });
        yield return (HalfbyteStatus.InvalidSize, name, w with { Rows = long.MaxValue });
        yield return (HalfbyteStatus.InvalidFormat, $"{name}.blocksize is 16", w with { BlockSize = 16 });
        yield return (HalfbyteStatus.InvalidFormat, $"{name}.blocksize is 0", w with { BlockSize = 0 });
        yield return (HalfbyteStatus.InvalidFormat, $"{name}.blocksize is 100", w with { BlockSize = 100 });
        yield return (HalfbyteStatus.InvalidFormat, $"{name}.quant_type is 0", w with { QuantType = 0 });
        yield return (HalfbyteStatus.InvalidFormat, $"{name}.quant_type is 4", w with { QuantType = (QuantType)4 });
        yield return (HalfbyteStatus.WrongDevice, $"{name}.device", w with { Device = other });
        if (w.NestedAbsmax == 0)
        {
            yield return (HalfbyteStatus.Misaligned, $"{name}.absmax", w with { Absmax = w.Absmax + 2 });
            yield break;
        }

        yield return (HalfbyteStatus.NullPointer, $"{name}.nested_codebook", w with { NestedCodebook = 0 });
        yield return (HalfbyteStatus.NullPointer, $"{name}.nested_offset", w with { NestedOffset = 0 });
        yield return (HalfbyteStatus.Misaligned, $"{name}.nested_absmax", w with { NestedAbsmax = w.NestedAbsmax + 1 });
        yield return (HalfbyteStatus.InvalidFormat, $"{name}.nested_blocksize is 0", w with { NestedBlockSize = 0 });
        yield return (HalfbyteStatus.InvalidFormat, $"{name}.nested_blocksize is 100", w with { NestedBlockSize = 100 });
    }

    public static IEnumerable<(HalfbyteStatus Status, string Argument, Int8Weight Weight)> Of(Int8Weight w, string name)
    {
        Device other = w.Device.IsCpu ? Device.Cuda(0) : Device.Cpu;
        yield return (HalfbyteStatus.NullPointer, $"{name}.codes", w with { Codes = 0 });
        yield return (HalfbyteStatus.NullPointer, $"{name}.absmax", w with { Absmax = 0 });
        yield return (HalfbyteStatus.Misaligned, $"{name}.absmax", w with { Absmax = w.Absmax + 2 });
        yield return (HalfbyteStatus.InvalidSize, name, w with { Rows = -1 });
        yield return (HalfbyteStatus.InvalidSize, name, w with { Columns = -1 });
        yield return (HalfbyteStatus.InvalidSize, name, w with { Rows = 1L << 60 });
        yield return (HalfbyteStatus.WrongDevice, $"{name}.device", w with { Device = other });
    }
}
