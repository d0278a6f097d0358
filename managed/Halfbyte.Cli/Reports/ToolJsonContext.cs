using System.Text.Json.Serialization;

using Halfbyte.Checkpoints;
using Halfbyte.Cli.Bench;
using Halfbyte.Cli.Demo;
using Halfbyte.Cli.Doctor;

namespace Halfbyte.Cli.Reports;

/// <summary>Everything <c>--json</c> prints, serialized without reflection. Names are snake_case, as in the configuration files of models.</summary>
[JsonSourceGenerationOptions(
    WriteIndented = true,
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals)]
[JsonSerializable(typeof(ConversionReport))]
[JsonSerializable(typeof(InspectionReport))]
[JsonSerializable(typeof(VerificationReport))]
[JsonSerializable(typeof(ComparisonReport))]
[JsonSerializable(typeof(IReadOnlyList<BenchRow>))]
[JsonSerializable(typeof(BenchResults))]
[JsonSerializable(typeof(DoctorReport))]
[JsonSerializable(typeof(DemoReport))]
internal sealed partial class ToolJsonContext : JsonSerializerContext;
