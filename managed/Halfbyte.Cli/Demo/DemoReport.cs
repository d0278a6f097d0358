namespace Halfbyte.Cli.Demo;

/// <summary>What <c>demo</c> did and measured.</summary>
/// <param name="Directory">Where the checkpoints are, or were.</param>
/// <param name="Layers">How many layers the model has.</param>
/// <param name="Parameters">How many weights it has.</param>
/// <param name="LargestTensorBytes">Bytes of its largest tensor, on which the memory bound rests.</param>
/// <param name="WriteSeconds">Making up and writing the original.</param>
/// <param name="Formats">One entry per target format.</param>
/// <param name="Passed">Whether every bound held.</param>
/// <param name="Failures">Sentences about the bounds that did not.</param>
/// <param name="Seconds">The whole demo.</param>
internal sealed record DemoReport(
    string Directory, int Layers, long Parameters, long LargestTensorBytes, double WriteSeconds, IReadOnlyList<DemoFormat> Formats, bool Passed,
    IReadOnlyList<string> Failures, double Seconds);

/// <summary>One format's numbers.</summary>
/// <param name="Format">Its name.</param>
/// <param name="BytesBefore">Bytes of tensors in the original.</param>
/// <param name="BytesAfter">Bytes of tensors in the quantized checkpoint.</param>
/// <param name="BitsPerWeight">Over the quantized weights, statistics included.</param>
/// <param name="QuantizeSeconds">Reading, quantizing and writing.</param>
/// <param name="PeakResidentBytes">The most memory the quantizing process held.</param>
/// <param name="PeakBoundBytes">What it may hold: twice the largest tensor plus 300 MB.</param>
/// <param name="VerifySeconds">Checking the result.</param>
/// <param name="RelativeError">Over all quantized weights.</param>
/// <param name="ErrorBound">What the relative error of a kind may be.</param>
/// <param name="Kinds">One entry per kind of layer.</param>
internal sealed record DemoFormat(
    string Format, long BytesBefore, long BytesAfter, double BitsPerWeight, double QuantizeSeconds, long PeakResidentBytes,
    long PeakBoundBytes, double VerifySeconds, double RelativeError, double ErrorBound, IReadOnlyList<DemoKind> Kinds);

/// <summary>One kind of layer within one format.</summary>
/// <param name="Kind">The layer's name with its number as a star.</param>
/// <param name="Shape">Its weight's shape.</param>
/// <param name="Count">How many layers are of this kind.</param>
/// <param name="Elements">Their weights in all.</param>
/// <param name="BitsPerWeight">Stored bits per weight, statistics included.</param>
/// <param name="WeightError">Relative error of the restored weights: Frobenius norm of the difference over that of the original.</param>
/// <param name="ProductError">The same of x * W^T, against float64 products of the original weights.</param>
/// <param name="ForwardMilliseconds">One forward call on the demo's activations.</param>
internal sealed record DemoKind(
    string Kind, IReadOnlyList<long> Shape, int Count, long Elements, double BitsPerWeight, double WeightError, double ProductError,
    double ForwardMilliseconds);
