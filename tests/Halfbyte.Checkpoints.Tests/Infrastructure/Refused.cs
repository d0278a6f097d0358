namespace Halfbyte.Checkpoints.Tests;

/// <summary>What is owed to a hostile file: one sentence from every operation, and nothing left behind.</summary>
internal static class Refused
{
    /// <summary>Verifies, quantizes and dequantizes; the rule must be the one reported where the file is read far enough to see it.</summary>
    public static CheckpointFormatException ByAll(string path, string rule, CheckpointLimits? limits = null)
    {
        limits ??= CheckpointLimits.Default;
        string output = Path.Combine(Path.GetDirectoryName(Path.TrimEndingDirectorySeparator(path))!, "out");
        VerificationReport report = CheckpointVerifier.Verify(path, new VerifyOptions { Limits = limits });
        CheckpointFormatException dequantize = Assert.Throws<CheckpointFormatException>(
            () => CheckpointDequantizer.Dequantize(path, output, new DequantizeOptions { Limits = limits }))!;
        CheckpointFormatException quantize = Assert.Throws<CheckpointFormatException>(
            () => CheckpointQuantizer.Quantize(path, output, new QuantizeOptions { Limits = limits }))!;
        using (Assert.EnterMultipleScope())
        {
            Assert.That(report.Passed, Is.False);
            Assert.That(report.Findings.Where(f => f.Severity == FindingSeverity.Error).Select(f => f.Rule), Has.Some.EqualTo(rule));
            Assert.That(dequantize.Rule, Is.EqualTo(rule), dequantize.Message);
            Assert.That(quantize.Rule, Is.EqualTo(rule).Or.EqualTo(FormatRules.AlreadyQuantized), quantize.Message);
            foreach (string message in report.Findings.Select(f => f.Message).Concat([dequantize.Message, quantize.Message]))
            {
                IsOneSafeLine(message);
            }

            Assert.That(Directory.Exists(output), Is.False, "an output was left behind");
            Assert.That(
                Directory.EnumerateFileSystemEntries(Path.GetDirectoryName(output)!).Select(Path.GetFileName),
                Has.None.StartsWith(".halfbyte-tmp-"));
        }

        return dequantize;
    }

    public static void IsOneSafeLine(string message)
    {
        Assert.That(message, Is.Not.Empty);
        Assert.That(message.Any(char.IsControl), Is.False, "a control character reached the message");
        Assert.That(message, Has.Length.LessThan(1000));
    }
}
