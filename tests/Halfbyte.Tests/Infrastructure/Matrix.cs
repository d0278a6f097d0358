namespace Halfbyte.Tests;

/// <summary>A matrix on the device whose rows may be further apart than they are long; what lies between must stay as it is.</summary>
public sealed class Matrix : IDisposable
{
    private readonly TestBuffer _buffer;

    /// <summary>An output.</summary>
    public Matrix(ComputeStream stream, DType dtype, int rows, int columns, int gap = 0)
    {
        (DType, Rows, Columns, LeadingDimension) = (dtype, rows, columns, columns + gap);
        _buffer = new(stream, Length * dtype.SizeInBytes());
    }

    /// <summary>An input. The gaps hold not-a-number, which would show in any result.</summary>
    public Matrix(ComputeStream stream, DType dtype, int rows, int columns, float[] values, int gap = 0)
    {
        (DType, Rows, Columns, LeadingDimension) = (dtype, rows, columns, columns + gap);
        float[] padded = new float[Length];
        padded.AsSpan().Fill(float.NaN);
        for (int row = 0; row < rows; row++)
        {
            values.AsSpan(row * columns, columns).CopyTo(padded.AsSpan(row * LeadingDimension));
        }

        _buffer = TestBuffer.Upload<byte>(stream, Elements.Encode(padded, dtype));
    }

    public DType DType { get; }

    public int Rows { get; }

    public int Columns { get; }

    public int LeadingDimension { get; }

    public nint Pointer => _buffer.Pointer;

    public ActivationsView View => new(Pointer, DType, Rows, Columns, LeadingDimension);

    private int Length => Rows == 0 ? 0 : ((Rows - 1) * LeadingDimension) + Columns;

    /// <summary>The rows without what lies between, which is checked.</summary>
    public float[] Read()
    {
        byte[] bytes = _buffer.Read<byte>();
        float[] all = Elements.Decode(bytes, DType);
        float[] values = new float[Rows * Columns];
        int size = DType.SizeInBytes();
        for (int row = 0; row < Rows; row++)
        {
            all.AsSpan(row * LeadingDimension, Columns).CopyTo(values.AsSpan(row * Columns));
            if (row + 1 < Rows)
            {
                int gap = ((row * LeadingDimension) + Columns) * size;
                Assert.That(
                    bytes.AsSpan(gap, (LeadingDimension - Columns) * size).IndexOfAnyExcept((byte)0xA5),
                    Is.EqualTo(-1),
                    $"something was written between rows {row} and {row + 1}");
            }
        }

        return values;
    }

    public byte[] ReadBytes() => _buffer.Read<byte>();

    public void AssertUntouched(string what) => _buffer.AssertUntouched(what);

    public void Dispose() => _buffer.Dispose();
}
