namespace Halfbyte.Tests;

/// <summary>The sizes of products that are tested on every device: small enough for the slowest, odd enough for all.</summary>
public static class Shapes
{
    /// <summary>Rows of activations: the boundaries of every tile size in use.</summary>
    public static int[] Rows => [0, 1, 2, 3, 4, 5, 8, 16, 17, 33, 64, 65];

    /// <summary>N and K: K no multiple of the block or of anything, blocks that straddle rows, single rows and columns.</summary>
    public static (int N, int K)[] Weights =>
    [
        (1, 1), (2, 1), (1, 2), (3, 31), (16, 32), (8, 33), (33, 63), (32, 64), (17, 65), (129, 100), (64, 256), (47, 131), (31, 513),
    ];

    /// <summary>Slices of layers that exist: K = 4304 is no multiple of 64, N = 1152 none of 128, vocabularies are odd.</summary>
    public static (int M, int N, int K)[] Real =>
        [(1, 36, 4304), (3, 129, 1152), (2, 9, 11008), (5, 1152, 72), (9, 41, 1536), (1, 133, 4096), (2, 12, 18944)];
}
