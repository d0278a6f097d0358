namespace Halfbyte.Checkpoints;

/// <summary>
/// A checkpoint breaks a rule of its format, or holds something the asked operation cannot serve. It is the only exception that the
/// content of files can cause. The message is one line, names file, tensor and offset where they are known, says what was expected
/// and how to mend it; control characters from the file are escaped in it.
/// </summary>
public sealed class CheckpointFormatException : Exception
{
    /// <summary>Creates the exception.</summary>
    /// <param name="rule">The broken rule, one of <see cref="FormatRules"/>.</param>
    /// <param name="sentence">What is wrong, what was expected, how to mend it; without file, tensor and offset.</param>
    /// <param name="path">The file, if known.</param>
    /// <param name="tensorName">The tensor's name as the file spells it, if known.</param>
    /// <param name="offset">The byte offset in the file, if known.</param>
    /// <param name="innerException">What was caught, if anything.</param>
    public CheckpointFormatException(
        string rule,
        string sentence,
        string? path = null,
        string? tensorName = null,
        long? offset = null,
        Exception? innerException = null)
        : base(Compose(sentence, path, tensorName, offset), innerException)
    {
        Rule = rule;
        Path = path;
        TensorName = tensorName;
        Offset = offset;
    }

    /// <summary>The broken rule, one of <see cref="FormatRules"/>: stable, for programs.</summary>
    public string Rule { get; }

    /// <summary>The file, or null.</summary>
    public string? Path { get; }

    /// <summary>The tensor's name exactly as the file spells it (escape it before printing: <see cref="SafeText.Escape"/>), or null.</summary>
    public string? TensorName { get; }

    /// <summary>The byte offset in the file, or null.</summary>
    public long? Offset { get; }

    private static string Compose(string sentence, string? path, string? tensorName, long? offset)
    {
        var place = new List<string>(3);
        if (path is not null)
        {
            place.Add(SafeText.QuotePath(path));
        }

        if (tensorName is not null)
        {
            place.Add($"tensor {SafeText.Quote(tensorName)}");
        }

        if (offset is not null)
        {
            place.Add(string.Create(System.Globalization.CultureInfo.InvariantCulture, $"byte {offset}"));
        }

        return place.Count == 0 ? sentence : $"{string.Join(", ", place)}: {sentence}";
    }
}
