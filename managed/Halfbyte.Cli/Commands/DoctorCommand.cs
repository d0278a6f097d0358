using System.CommandLine;

using Halfbyte.Cli.Doctor;
using Halfbyte.Cli.Reports;
using Halfbyte.Cli.Terminal;

using Microsoft.Extensions.Logging;

namespace Halfbyte.Cli.Commands;

/// <summary><c>halfbyte doctor</c></summary>
internal sealed class DoctorCommand : ToolCommand
{
    internal DoctorCommand(ToolHost host)
        : base(host, "doctor", "Examine this machine: the native library, the devices, and whether each computes exactly what is defined.") =>
        AddCommonOptions();

    internal override IReadOnlyList<Example> Examples =>
    [
        new("halfbyte doctor", "A verdict in one line, and what to do."),
        new("halfbyte doctor --json", "The same for a bug report or a script."),
    ];

    protected override int Execute(ParseResult parse, Output terminal, ILogger logger, CancellationToken cancellation)
    {
        DoctorReport report = Diagnosis.Examine(cancellation);
        terminal.Document(report, ToolJsonContext.Default.DoctorReport);
        Write(terminal, report);
        return report.Healthy ? ExitCodes.Ok : ExitCodes.Environment;
    }

    private static void Write(Output terminal, DoctorReport report)
    {
        terminal.Line($"halfbyte  {report.ToolVersion}");
        terminal.Line($"runtime   {report.Runtime}, {report.OperatingSystem}");
        terminal.Line($"library   {report.NativeVersion ?? "none"}{(report.AbiVersion is int abi ? $", ABI {abi}" : "")}");
        foreach (string line in report.LibraryTrace)
        {
            terminal.Line($"          {line}");
        }

        foreach (SettingDiagnosis setting in report.Settings.Where(setting => setting.Value is not null))
        {
            terminal.Line($"setting   {setting.Name}={setting.Value}");
        }

        foreach (DeviceDiagnosis device in report.Devices.DistinctBy(device => device.Device))
        {
            string memory = device is { FreeBytes: long free, TotalBytes: long total } ? $", {Format.Bytes(free)} of {Format.Bytes(total)} free" : "";
            terminal.Line($"{device.Device,-10}{device.Name}{memory}");
        }

        if (report.NoCudaReason is not null)
        {
            terminal.Line($"cuda      {report.NoCudaReason}");
        }

        if (report.Devices.Count > 0)
        {
            terminal.Table(SelfTests(report));
        }

        terminal.Verdict(report.Healthy, report.Verdict);
        if (report.Fix is not null)
        {
            terminal.Line(report.Fix);
        }
    }

    private static Grid SelfTests(DoctorReport report)
    {
        var grid = new Grid("device", "path", "self-test");
        foreach (DeviceDiagnosis device in report.Devices)
        {
            grid.Add(
                device.Device, device.Path ?? "",
                device.Passed == true ? Format.Text($"passed in {device.Milliseconds:0} ms") : device.SelfTest);
        }

        return grid;
    }
}
