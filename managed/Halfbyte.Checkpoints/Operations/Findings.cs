namespace Halfbyte.Checkpoints;

/// <summary>Collects what a verification finds.</summary>
internal sealed class Findings(int most)
{
    private readonly List<VerificationFinding> _list = [];
    private int _omitted;
    private bool _failed;

    /// <summary>Runs a check; what it throws becomes a finding.</summary>
    /// <returns>Whether it threw nothing.</returns>
    public bool Try(Action check)
    {
        try
        {
            check();
            return true;
        }
        catch (CheckpointFormatException e)
        {
            Add(e);
            return false;
        }
    }

    public void Add(CheckpointFormatException e) =>
        Add(new VerificationFinding(FindingSeverity.Error, e.Rule, FileName(e.Path), e.TensorName, e.Message));

    public void Add(FindingSeverity severity, string rule, CheckpointTensor tensor, string sentence)
    {
        // The exception writes the sentence the way all sentences are written.
        CheckpointFormatException e = new(rule, sentence, tensor.Path, tensor.Name);
        Add(new VerificationFinding(severity, rule, FileName(tensor.Path), tensor.Name, e.Message));
    }

    public void Add(FindingSeverity severity, string rule, string path, string sentence)
    {
        CheckpointFormatException e = new(rule, sentence, path);
        Add(new VerificationFinding(severity, rule, FileName(path), null, e.Message));
    }

    public VerificationReport Report(string path, int tensors, int quantized, long bytes) => new()
    {
        Path = path,
        Passed = !_failed,
        Findings = _list,
        FindingsOmitted = _omitted,
        Tensors = tensors,
        QuantizedWeights = quantized,
        BytesRead = bytes,
    };

    private static string? FileName(string? path) => path is null ? null : Path.GetFileName(path);

    private void Add(VerificationFinding finding)
    {
        _failed |= finding.Severity == FindingSeverity.Error;
        if (_list.Count < most)
        {
            _list.Add(finding);
        }
        else
        {
            _omitted++;
        }
    }
}
