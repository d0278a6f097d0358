using System.Globalization;
using System.Text;

namespace Halfbyte.Checkpoints;

/// <summary>Makes text from files safe to print: names in a checkpoint are its author's, not ours.</summary>
public static class SafeText
{
    private const int MaxLength = 200;

    /// <summary>
    /// The text with control characters, line separators, bidirectional overrides and lone surrogates as <c>\uXXXX</c>, cut to 200
    /// characters. What is left cannot move a terminal's cursor, start an escape sequence or forge a second line.
    /// </summary>
    public static string Escape(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        var needsWork = text.Length > MaxLength;
        for (var i = 0; i < text.Length && !needsWork; i++)
        {
            needsWork = !IsPlain(text[i]) || char.IsSurrogate(text[i]);
        }

        if (!needsWork)
        {
            return text;
        }

        var builder = new StringBuilder();
        for (var i = 0; i < text.Length; i++)
        {
            if (builder.Length >= MaxLength)
            {
                return builder.Append("...").ToString();
            }

            var c = text[i];
            if (char.IsHighSurrogate(c) && i + 1 < text.Length && char.IsLowSurrogate(text[i + 1]))
            {
                builder.Append(c).Append(text[++i]);
            }
            else if (IsPlain(c) && !char.IsSurrogate(c))
            {
                builder.Append(c);
            }
            else
            {
                builder.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}");
            }
        }

        return builder.ToString();
    }

    internal static string Quote(string text) => $"'{Escape(text)}'";

    /// <summary>A path as the user wrote it; of a long one the end, which has the file's name.</summary>
    internal static string QuotePath(string path) => Quote(path.Length <= MaxLength ? path : "..." + path[^(MaxLength - 3)..]);

    private static bool IsPlain(char c) => char.GetUnicodeCategory(c) is not (
        UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator);
}
