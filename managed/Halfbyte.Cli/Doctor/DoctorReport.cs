namespace Halfbyte.Cli.Doctor;

/// <summary>What <c>doctor</c> found.</summary>
/// <param name="Healthy">Whether everything that is needed works.</param>
/// <param name="Verdict">One line.</param>
/// <param name="Fix">What to do, or null.</param>
/// <param name="ToolVersion">The version of this tool.</param>
/// <param name="Runtime">The .NET runtime.</param>
/// <param name="OperatingSystem">The operating system and architecture.</param>
/// <param name="Settings">The environment variables that Halfbyte reads, each tried.</param>
/// <param name="LibraryTrace">Every native library that was tried, and what came of it.</param>
/// <param name="AbiVersion">The C interface's version, if a library was loaded.</param>
/// <param name="NativeVersion">The native library's version and build.</param>
/// <param name="Devices">The CPU's paths and the CUDA devices, each with the outcome of its self-test.</param>
/// <param name="NoCudaReason">Why there is no CUDA device, if there is none.</param>
internal sealed record DoctorReport(
    bool Healthy,
    string Verdict,
    string? Fix,
    string ToolVersion,
    string Runtime,
    string OperatingSystem,
    IReadOnlyList<SettingDiagnosis> Settings,
    IReadOnlyList<string> LibraryTrace,
    int? AbiVersion,
    string? NativeVersion,
    IReadOnlyList<DeviceDiagnosis> Devices,
    string? NoCudaReason);

/// <summary>An environment variable.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Value">Its value, or null where it is not set.</param>
/// <param name="Problem">What is wrong with the value, or null.</param>
internal sealed record SettingDiagnosis(string Name, string? Value, string? Problem);

/// <summary>A device, or one way to use the CPU.</summary>
/// <param name="Device"><c>cpu</c> or <c>cuda:0</c>.</param>
/// <param name="Path">For the CPU, which instructions; else null.</param>
/// <param name="Name">What it is called.</param>
/// <param name="Available">Whether it can be used here.</param>
/// <param name="SelfTest"><c>passed</c>, or what differed, or why it was not run.</param>
/// <param name="Passed">Whether the self-test ran and held; null if it did not run.</param>
/// <param name="FreeBytes">Memory free on the device.</param>
/// <param name="TotalBytes">Memory of the device.</param>
/// <param name="Milliseconds">How long the self-test took.</param>
internal sealed record DeviceDiagnosis(
    string Device, string? Path, string Name, bool Available, string SelfTest, bool? Passed, long? FreeBytes, long? TotalBytes,
    double Milliseconds);
