namespace Halfbyte.Tests;

/// <summary>What the four products and their workspace queries refuse, and that a refusal touches nothing.</summary>
[TestFixtureSource(typeof(TestDevices), nameof(TestDevices.All))]
public sealed unsafe class ProductAbiTests(string device) : DeviceTests(device)
{
    private const int M = 3;
    private const int N = 20;
    private const int K = 70;

    /// <summary>Either kind of forward product; <c>Four</c> or <c>Eight</c> has the weights.</summary>
    private record struct Forward(
        nint Stream, FourBitWeight[]? Four, Int8Weight[]? Eight, long Count, nint X, int DType, long Rows, long Ldx, float Threshold,
        ProductOutput[]? Outputs, nint Workspace, long WorkspaceBytes)
    {
        public readonly int Run()
        {
            fixed (FourBitWeight* four = Four)
            fixed (Int8Weight* eight = Eight)
            fixed (ProductOutput* outputs = Outputs)
            {
                return Eight is null
                    ? Native.halfbyte_matmul_4bit(Stream, Count, (nint)four, X, DType, Rows, Ldx, (nint)outputs, Workspace, WorkspaceBytes)
                    : Native.halfbyte_matmul_int8(
                        Stream, Count, (nint)eight, X, DType, Rows, Ldx, Threshold, (nint)outputs, Workspace, WorkspaceBytes);
            }
        }

        public readonly int Query(long* bytes)
        {
            fixed (FourBitWeight* four = Four)
            fixed (Int8Weight* eight = Eight)
            {
                return Eight is null
                    ? Native.halfbyte_matmul_4bit_workspace(Stream, Count, (nint)four, DType, Rows, bytes)
                    : Native.halfbyte_matmul_int8_workspace(Stream, Count, (nint)eight, DType, Rows, Threshold, bytes);
            }
        }
    }

    /// <summary>Either kind of transposed product.</summary>
    private record struct Backward(
        nint Stream, FourBitWeight[]? Four, Int8Weight[]? Eight, long Count, ProductGradient[]? Gradients, int DType, long Rows, nint Dx, long Lddx,
        nint Workspace, long WorkspaceBytes)
    {
        public readonly int Run()
        {
            fixed (FourBitWeight* four = Four)
            fixed (Int8Weight* eight = Eight)
            fixed (ProductGradient* gradients = Gradients)
            {
                return Eight is null
                    ? Native.halfbyte_matmul_4bit_transposed(
                        Stream, Count, (nint)four, (nint)gradients, DType, Rows, Dx, Lddx, Workspace, WorkspaceBytes)
                    : Native.halfbyte_matmul_int8_transposed(
                        Stream, Count, (nint)eight, (nint)gradients, DType, Rows, Dx, Lddx, Workspace, WorkspaceBytes);
            }
        }

        public readonly int Query(long* bytes)
        {
            fixed (FourBitWeight* four = Four)
            fixed (Int8Weight* eight = Eight)
            {
                return Eight is null
                    ? Native.halfbyte_matmul_4bit_transposed_workspace(Stream, Count, (nint)four, DType, Rows, bytes)
                    : Native.halfbyte_matmul_int8_transposed_workspace(Stream, Count, (nint)eight, DType, Rows, bytes);
            }
        }
    }

    [Test]
    public void A_forward_product_refuses([Values(4, 8)] int bits)
    {
        using var four = new Weight4Bit(Stream, N, K, new(QuantType.Nf4, 64, true));
        using var eight = new WeightInt8(Stream, N, K);
        using TestBuffer x = Upload<float>(Data.Normal(1, M * K));
        using TestBuffer y0 = Allocate(M * N * 4);
        using TestBuffer y1 = Allocate(M * N * 4);
        using TestBuffer bias = Upload<float>(new float[N + 1]);
        ProductOutput[] outputs = [new() { Y = y0.Pointer, LeadingDimension = N, Bias = bias.Pointer, BiasDType = DType.Float32 }, new() { Y = y1.Pointer, LeadingDimension = N }];
        FourBitWeight[]? weights4 = bits == 4 ? [four.Descriptor, four.Descriptor] : null;
        Int8Weight[]? weights8 = bits == 8 ? [eight.Descriptor, eight.Descriptor] : null;
        var good = new Forward(Stream.Handle, weights4, weights8, 2, x.Pointer, 1, M, K, 6, outputs, 0, 0);
        long bytes;
        Assert.That(good.Query(&bytes), Is.Zero);
        using TestBuffer workspace = Allocate(bytes + 64);
        good = good with { Workspace = workspace.Pointer, WorkspaceBytes = bytes };

        ProductOutput[] Second(ProductOutput output) => [outputs[0], output];
        List<(HalfbyteStatus, string, Forward)> refused =
        [
            (HalfbyteStatus.NullPointer, "x", good with { X = 0 }),
            (HalfbyteStatus.NullPointer, "outputs", good with { Outputs = null }),
            (HalfbyteStatus.NullPointer, "outputs[1].y", good with { Outputs = Second(outputs[1] with { Y = 0 }) }),
            (HalfbyteStatus.Misaligned, "x", good with { X = x.Pointer + 2 }),
            (HalfbyteStatus.Misaligned, "outputs[1].y", good with { Outputs = Second(outputs[1] with { Y = y1.Pointer + 1 }) }),
            (HalfbyteStatus.Misaligned, "outputs[1].bias", good with { Outputs = Second(outputs[1] with { Bias = bias.Pointer + 2, BiasDType = DType.Float32 }) }),
            (HalfbyteStatus.Overlap, "outputs[1].y", good with { Outputs = Second(outputs[1] with { Y = y0.Pointer + (4 * ((M * N) - 1)) }) }),
            (HalfbyteStatus.Overlap, "outputs[1].y", good with { Outputs = Second(outputs[1] with { Y = x.Pointer }) }),
            (HalfbyteStatus.Overlap, "outputs[1].y", good with { Outputs = Second(outputs[1] with { Y = bias.Pointer }) }),
            (HalfbyteStatus.InvalidSize, "ldx", good with { Ldx = K - 1 }),
            (HalfbyteStatus.InvalidSize, "ldx", good with { Ldx = -1 }),
            (HalfbyteStatus.InvalidSize, "x has 3 rows", good with { Ldx = long.MaxValue / 2 }),
            (HalfbyteStatus.InvalidSize, "outputs[1].ldy", good with { Outputs = Second(outputs[1] with { LeadingDimension = N - 1 }) }),
            (HalfbyteStatus.InvalidSize, "workspace_bytes", good with { WorkspaceBytes = -1 }),
            (HalfbyteStatus.InvalidDType, "outputs[1].bias_dtype", good with { Outputs = Second(outputs[1] with { Bias = bias.Pointer, BiasDType = (DType)5 }) }),
            (HalfbyteStatus.InvalidDType, "outputs[1].bias_dtype", good with { Outputs = Second(outputs[1] with { Bias = bias.Pointer, BiasDType = 0 }) }),
        ];
        if (bytes > 0)
        {
            refused.Add((HalfbyteStatus.WorkspaceTooSmall, $"needs {bytes}", good with { WorkspaceBytes = bytes - 1 }));
            refused.Add((HalfbyteStatus.WorkspaceTooSmall, "workspace", good with { Workspace = 0, WorkspaceBytes = 0 }));
            refused.Add((HalfbyteStatus.NullPointer, "workspace", good with { Workspace = 0 }));
            refused.Add((HalfbyteStatus.Misaligned, "workspace", good with { Workspace = workspace.Pointer + 32 }));
            refused.Add((HalfbyteStatus.Overlap, "workspace", good with { Workspace = x.Pointer }));
        }

        // These the query refuses as well.
        List<(HalfbyteStatus, string, Forward)> refusedByBoth =
        [
            (HalfbyteStatus.NullPointer, "stream", good with { Stream = 0 }),
            (HalfbyteStatus.NullPointer, "weights", good with { Four = bits == 4 ? [] : null, Eight = bits == 8 ? [] : null }),
            (HalfbyteStatus.InvalidSize, "count is -1", good with { Count = -1 }),
            (HalfbyteStatus.InvalidSize, "M is -1", good with { Rows = -1 }),
            (HalfbyteStatus.InvalidSize, "M is", good with { Rows = long.MaxValue }),
            (HalfbyteStatus.InvalidDType, "dtype is 0", good with { DType = 0 }),
            (HalfbyteStatus.InvalidDType, "dtype is 4", good with { DType = 4 }),
        ];
        if (bits == 8)
        {
            refusedByBoth.Add((HalfbyteStatus.InvalidValue, "threshold", good with { Threshold = -1 }));
            refusedByBoth.Add((HalfbyteStatus.InvalidValue, "threshold", good with { Threshold = float.NaN }));
        }

        AddWeights(four.Descriptor, eight.Descriptor, bits, (status, argument, w4, w8, byQuery) =>
            (byQuery ? refusedByBoth : refused).Add((status, argument, good with { Four = w4, Eight = w8 })));
        foreach ((HalfbyteStatus status, string argument, Forward call) in refusedByBoth)
        {
            long untouched = 12345;
            Refusal.Expect(call.Query(&untouched), status, argument);
            Assert.That(untouched, Is.EqualTo(12345));
        }

        Refusal.Expect(good.Query(null), HalfbyteStatus.NullPointer, "bytes");
        foreach ((HalfbyteStatus status, string argument, Forward call) in refused.Concat(refusedByBoth))
        {
            Refusal.Expect(call.Run(), status, argument);
        }

        y0.AssertUntouched("y of the first weight");
        y1.AssertUntouched("y of the second weight");
        workspace.AssertUntouched("workspace");
        Assert.That((good with { Rows = 0, X = 0, Outputs = [new() { LeadingDimension = N }, new() { LeadingDimension = N }] }).Run(), Is.Zero, "no rows, no memory");
        Assert.That(good.Run(), Is.Zero);
    }

    [Test]
    public void A_transposed_product_refuses([Values(4, 8)] int bits)
    {
        using var four = new Weight4Bit(Stream, N, K, new(QuantType.Fp4, 32, false));
        using var eight = new WeightInt8(Stream, N, K);
        using TestBuffer dy0 = Upload<float>(Data.Normal(1, M * N));
        using TestBuffer dy1 = Upload<float>(Data.Normal(2, M * N));
        using TestBuffer dx = Allocate(M * K * 4);
        ProductGradient[] gradients = [new() { Dy = dy0.Pointer, LeadingDimension = N }, new() { Dy = dy1.Pointer, LeadingDimension = N }];
        FourBitWeight[]? weights4 = bits == 4 ? [four.Descriptor, four.Descriptor] : null;
        Int8Weight[]? weights8 = bits == 8 ? [eight.Descriptor, eight.Descriptor] : null;
        var good = new Backward(Stream.Handle, weights4, weights8, 2, gradients, 1, M, dx.Pointer, K, 0, 0);
        long bytes;
        Assert.That(good.Query(&bytes), Is.Zero);
        using TestBuffer workspace = Allocate(bytes + 64);
        good = good with { Workspace = workspace.Pointer, WorkspaceBytes = bytes };
        List<(HalfbyteStatus, string, Backward)> refused =
        [
            (HalfbyteStatus.NullPointer, "dx", good with { Dx = 0 }),
            (HalfbyteStatus.NullPointer, "gradients", good with { Gradients = null }),
            (HalfbyteStatus.NullPointer, "gradients[1].dy", good with { Gradients = [gradients[0], gradients[1] with { Dy = 0 }] }),
            (HalfbyteStatus.Misaligned, "dx", good with { Dx = dx.Pointer + 2 }),
            (HalfbyteStatus.Misaligned, "gradients[1].dy", good with { Gradients = [gradients[0], gradients[1] with { Dy = dy1.Pointer + 1 }] }),
            (HalfbyteStatus.Overlap, "dx", good with { Dx = dy1.Pointer + 4 }),
            (HalfbyteStatus.InvalidSize, "lddx", good with { Lddx = K - 1 }),
            (HalfbyteStatus.InvalidSize, "gradients[1].lddy", good with { Gradients = [gradients[0], gradients[1] with { LeadingDimension = N - 1 }] }),
            (HalfbyteStatus.InvalidSize, "workspace_bytes", good with { WorkspaceBytes = -1 }),
        ];
        if (bytes > 0)
        {
            refused.Add((HalfbyteStatus.WorkspaceTooSmall, $"needs {bytes}", good with { WorkspaceBytes = bytes - 1 }));
            refused.Add((HalfbyteStatus.NullPointer, "workspace", good with { Workspace = 0 }));
            refused.Add((HalfbyteStatus.Misaligned, "workspace", good with { Workspace = workspace.Pointer + 32 }));
        }

        List<(HalfbyteStatus, string, Backward)> refusedByBoth =
        [
            (HalfbyteStatus.NullPointer, "stream", good with { Stream = 0 }),
            (HalfbyteStatus.InvalidSize, "count is 0", good with { Count = 0 }),
            (HalfbyteStatus.InvalidSize, "count is -1", good with { Count = -1 }),
            (HalfbyteStatus.InvalidSize, "M is -1", good with { Rows = -1 }),
            (HalfbyteStatus.InvalidSize, "M is", good with { Rows = long.MaxValue }),
            (HalfbyteStatus.InvalidDType, "dtype is 4", good with { DType = 4 }),
        ];
        AddWeights(four.Descriptor, eight.Descriptor, bits, (status, argument, w4, w8, byQuery) =>
            (byQuery ? refusedByBoth : refused).Add((status, argument, good with { Four = w4, Eight = w8 })));
        foreach ((HalfbyteStatus status, string argument, Backward call) in refusedByBoth)
        {
            long untouched = 12345;
            Refusal.Expect(call.Query(&untouched), status, argument);
            Assert.That(untouched, Is.EqualTo(12345));
        }

        Refusal.Expect(good.Query(null), HalfbyteStatus.NullPointer, "bytes");
        foreach ((HalfbyteStatus status, string argument, Backward call) in refused.Concat(refusedByBoth))
        {
            Refusal.Expect(call.Run(), status, argument);
        }

        dx.AssertUntouched("dx");
        workspace.AssertUntouched("workspace");
        Assert.That((good with { Rows = 0, Dx = 0, Gradients = [new() { LeadingDimension = N }, new() { LeadingDimension = N }] }).Run(), Is.Zero, "no rows, no memory");
        Assert.That(good.Run(), Is.Zero);
    }

    /// <summary>Spoils the second of two weights, and makes one whose K differs. A query reads no pointers and refuses the rest.</summary>
    private static void AddWeights(
        FourBitWeight four, Int8Weight eight, int bits, Action<HalfbyteStatus, string, FourBitWeight[]?, Int8Weight[]?, bool> add)
    {
        if (bits == 4)
        {
            foreach ((HalfbyteStatus status, string argument, FourBitWeight weight) in WeightRefusals.Of(four, "weights[1]"))
            {
                add(status, argument, [four, weight], null, status is not (HalfbyteStatus.NullPointer or HalfbyteStatus.Misaligned));
            }

            add(HalfbyteStatus.InvalidSize, "weights[1].K is 71", [four, four with { Columns = K + 1 }], null, true);
        }
        else
        {
            foreach ((HalfbyteStatus status, string argument, Int8Weight weight) in WeightRefusals.Of(eight, "weights[1]"))
            {
                add(status, argument, null, [eight, weight], status is not (HalfbyteStatus.NullPointer or HalfbyteStatus.Misaligned));
            }

            add(HalfbyteStatus.InvalidSize, "weights[1].K is 71", null, [eight, eight with { Columns = K + 1 }], true);
        }
    }
}
