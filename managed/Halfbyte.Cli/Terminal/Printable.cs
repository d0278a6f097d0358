using System.Globalization;
using System.Text;

namespace Halfbyte.Cli.Terminal;

/// <summary>
/// Names in a checkpoint are whatever its author wrote: escape sequences that move the cursor, direction marks that reverse a line,
/// line breaks that forge output. Everything that comes from a file passes here before it is printed.
/// </summary>
internal static class Printable
{
    /// <summary>The text with every character that is not plainly visible replaced by its escape, such as <c>\u001b</c>.</summary>
    internal static string Clean(string text)
    {
        int first = 0;
        while (first < text.Length && IsPlain(text[first]))
        {
            first++;
        }

        if (first == text.Length)
        {
            return text;
        }

        var clean = new StringBuilder(text.Length + 16).Append(text, 0, first);
        for (int i = first; i < text.Length; i++)
        {
            char c = text[i];
            if (IsPlain(c))
            {
                clean.Append(c);
            }
            else if (char.IsHighSurrogate(c) && i + 1 < text.Length && char.IsLowSurrogate(text[i + 1])
                     && IsVisible(CharUnicodeInfo.GetUnicodeCategory(text, i)))
            {
                clean.Append(c).Append(text[++i]);
            }
            else
            {
                clean.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}");
            }
        }

        return clean.ToString();
    }

    /// <summary>Several lines, each cleaned, with their line breaks kept. For texts of our own that quote a file.</summary>
    internal static string CleanLines(string text) => string.Join('\n', text.ReplaceLineEndings("\n").Split('\n').Select(Clean));

    private static bool IsPlain(char c) =>
        c is >= ' ' and <= '~' || (c > '\u009f' && !char.IsSurrogate(c) && IsVisible(CharUnicodeInfo.GetUnicodeCategory(c)));

    private static bool IsVisible(UnicodeCategory category) => category is not (
        UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.Surrogate or UnicodeCategory.PrivateUse
        or UnicodeCategory.OtherNotAssigned or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator);
}
