namespace Halfbyte.Tests;

/// <summary>What halfbyte_lookup_4bit refuses, and that a refusal touches nothing.</summary>
[TestFixtureSource(typeof(TestDevices), nameof(TestDevices.All))]
public sealed unsafe class Lookup4BitAbiTests(string device) : DeviceTests(device)
{
    private const int N = 5;
    private const int K = 30;
    private const int M = 4;

    private record struct Lookup(
        nint Stream, FourBitWeight Weight, nint Indices, int IndexType, long Count, nint Output, int DType, long LeadingDimension)
    {
        public readonly int Run()
        {
            FourBitWeight weight = Weight;
            return Native.halfbyte_lookup_4bit(
                Stream, (nint)(&weight), Indices, IndexType, Count, Output, DType, LeadingDimension);
        }
    }

    [Test]
    public void Lookup_refuses()
    {
        foreach (bool nested in (bool[])[false, true])
        {
            using var weight = new Weight4Bit(Stream, N, K, new(QuantType.Nf4, 32, nested));
            using TestBuffer indices = Upload<long>([4, 0, 3, 3, 0]);
            using TestBuffer output = Allocate(M * (K + 2) * sizeof(float));
            FourBitWeight w = weight.Descriptor;
            var good = new Lookup(Stream.Handle, w, indices.Pointer, 2, M, output.Pointer, 1, K + 2);
            List<(HalfbyteStatus, string, Lookup)> refused =
            [
                (HalfbyteStatus.NullPointer, "stream", good with { Stream = 0 }),
                (HalfbyteStatus.NullPointer, "indices", good with { Indices = 0 }),
                (HalfbyteStatus.NullPointer, "output", good with { Output = 0 }),
                (HalfbyteStatus.Misaligned, "indices", good with { Indices = indices.Pointer + 4 }),
                (HalfbyteStatus.Misaligned, "indices", good with { Indices = indices.Pointer + 2, IndexType = 1 }),
                (HalfbyteStatus.Misaligned, "output", good with { Output = output.Pointer + 2 }),
                (HalfbyteStatus.Misaligned, "output", good with { Output = output.Pointer + 1, DType = 2 }),
                (HalfbyteStatus.Overlap, "output", good with { Output = w.Packed & -4 }),
                (HalfbyteStatus.Overlap, "output", good with { Output = w.Absmax & -4 }),
                (HalfbyteStatus.Overlap, "output", good with { Output = indices.Pointer + (8 * M) - 4 }),
                (HalfbyteStatus.Overlap, "output", good with { Indices = output.Pointer + 16 }),
                (HalfbyteStatus.InvalidDType, "dtype is 7", good with { DType = 7 }),
                (HalfbyteStatus.InvalidDType, "index_type is 0", good with { IndexType = 0 }),
                (HalfbyteStatus.InvalidDType, "index_type is 3", good with { IndexType = 3 }),
                (HalfbyteStatus.InvalidDType, "index_type is 8", good with { IndexType = 8 }),
                (HalfbyteStatus.InvalidSize, "M is -1", good with { Count = -1 }),
                (HalfbyteStatus.InvalidSize, "M is", good with { Count = long.MaxValue / 4 }),
                (HalfbyteStatus.InvalidSize, "output", good with { Count = long.MaxValue / 8 }),
                (HalfbyteStatus.InvalidSize, "ldoutput is 29", good with { LeadingDimension = K - 1 }),
                (HalfbyteStatus.InvalidSize, "ldoutput is 0", good with { LeadingDimension = 0 }),
                (HalfbyteStatus.InvalidSize, "ldoutput is -1", good with { LeadingDimension = -1, Count = 0 }),
                .. WeightRefusals.Of(w, "weight").Select(refusal => (refusal.Status, refusal.Argument, good with { Weight = refusal.Weight })),
            ];
            foreach ((HalfbyteStatus status, string argument, Lookup call) in refused)
            {
                Refusal.Expect(call.Run(), status, argument);
            }

            Refusal.Expect(
                Native.halfbyte_lookup_4bit(Stream.Handle, 0, indices.Pointer, 2, M, output.Pointer, 1, K), HalfbyteStatus.NullPointer, "weight");
            output.AssertUntouched("output");
            Assert.That((good with { Count = 0, Indices = 0, Output = 0 }).Run(), Is.Zero, "empty tensors may be null");
            Assert.That(good.Run(), Is.Zero);
        }
    }
}
