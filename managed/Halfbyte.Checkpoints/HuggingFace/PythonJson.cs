using System.Globalization;
using System.Text;

namespace Halfbyte.Checkpoints;

/// <summary>Writes JSON as Python's <c>json.dumps</c> does, character for character, so that files can be compared with Python's.</summary>
internal static class PythonJson
{
    /// <summary>A string with <c>ensure_ascii</c>: everything outside printable ASCII escaped.</summary>
    public static string String(string text)
    {
        var builder = new StringBuilder(text.Length + 2).Append('"');
        foreach (char c in text)
        {
            _ = c switch
            {
                '"' => builder.Append("\\\""),
                '\\' => builder.Append("\\\\"),
                '\n' => builder.Append("\\n"),
                '\r' => builder.Append("\\r"),
                '\t' => builder.Append("\\t"),
                '\f' => builder.Append("\\f"),
                '\b' => builder.Append("\\b"),
                >= ' ' and <= '~' => builder.Append(c),
                _ => builder.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}"),
            };
        }

        return builder.Append('"').ToString();
    }

    /// <summary>
    /// <c>repr(float)</c>: the shortest digits that read back as the same double; positional from 1e-4 up to below 1e16, else scientific
    /// with at least two exponent digits.
    /// </summary>
    public static string Float(double value)
    {
        if (!double.IsFinite(value))
        {
            throw new ArgumentOutOfRangeException(nameof(value), value, "JSON has finite numbers only.");
        }

        if (value == 0)
        {
            return double.IsNegative(value) ? "-0.0" : "0.0";
        }

        // .NET's shortest form has the same digits; only their arrangement differs.
        (string digits, int exponent) = Split(Math.Abs(value).ToString("R", CultureInfo.InvariantCulture));
        var text = new StringBuilder();
        if (value < 0)
        {
            text.Append('-');
        }

        if (exponent is >= -4 and < 16)
        {
            if (exponent < 0)
            {
                text.Append("0.").Append('0', -exponent - 1).Append(digits);
            }
            else if (digits.Length <= exponent + 1)
            {
                text.Append(digits).Append('0', exponent + 1 - digits.Length).Append(".0");
            }
            else
            {
                text.Append(digits, 0, exponent + 1).Append('.').Append(digits, exponent + 1, digits.Length - exponent - 1);
            }

            return text.ToString();
        }

        text.Append(digits[0]);
        if (digits.Length > 1)
        {
            text.Append('.').Append(digits, 1, digits.Length - 1);
        }

        return text.Append(CultureInfo.InvariantCulture, $"e{(exponent < 0 ? '-' : '+')}{Math.Abs(exponent):00}").ToString();
    }

    /// <summary>Significant digits without leading and trailing zeros, and the power of ten of the first.</summary>
    private static (string Digits, int Exponent) Split(string number)
    {
        int e = number.IndexOf('E', StringComparison.Ordinal);
        int exponent = e < 0 ? 0 : int.Parse(number.AsSpan(e + 1), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);
        string mantissa = e < 0 ? number : number[..e];
        int point = mantissa.IndexOf('.', StringComparison.Ordinal);
        int integerDigits = point < 0 ? mantissa.Length : point;
        string digits = mantissa.Replace(".", "", StringComparison.Ordinal);
        int leading = digits.Length - digits.TrimStart('0').Length;
        return (digits.Trim('0'), exponent + integerDigits - 1 - leading);
    }
}
