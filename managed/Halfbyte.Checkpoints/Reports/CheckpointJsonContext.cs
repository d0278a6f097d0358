using System.Text.Json.Serialization;

namespace Halfbyte.Checkpoints;

/// <summary>
/// Serializes the reports without reflection: <c>JsonSerializer.Serialize(report, CheckpointJsonContext.Default.ConversionReport)</c>. Names
/// and texts are in snake_case, those that <c>halfbyte --json</c> prints.
/// </summary>
[JsonSourceGenerationOptions(
    WriteIndented = true,
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals)]
[JsonSerializable(typeof(ConversionReport))]
[JsonSerializable(typeof(InspectionReport))]
[JsonSerializable(typeof(VerificationReport))]
[JsonSerializable(typeof(ComparisonReport))]
public sealed partial class CheckpointJsonContext : JsonSerializerContext;
