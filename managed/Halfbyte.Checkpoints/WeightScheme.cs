using System.Diagnostics.CodeAnalysis;
using System.Text.Json.Serialization;

namespace Halfbyte.Checkpoints;

/// <summary>How a weight is stored.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<WeightScheme>))]
public enum WeightScheme
{
    /// <summary>As it is: floating point, or anything this library passes through.</summary>
    [JsonStringEnumMemberName("none")]
    None = 0,

    /// <summary>4 bits, the NormalFloat table of QLoRA (Dettmers et al., 2023).</summary>
    [JsonStringEnumMemberName("nf4")]
    Nf4 = 1,

    /// <summary>4 bits, a floating-point table with one sign, two exponent and one mantissa bit.</summary>
    [JsonStringEnumMemberName("fp4")]
    Fp4 = 2,

    /// <summary>8 bits with one scale per row, LLM.int8() (Dettmers et al., 2022).</summary>
    [SuppressMessage("Naming", "CA1720:Identifier contains type name", Justification = "It is the format's name.")]
    [JsonStringEnumMemberName("int8")]
    Int8 = 3,
}
