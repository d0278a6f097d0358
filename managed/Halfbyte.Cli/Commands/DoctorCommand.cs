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

        if (report.Devices.Count > 0)
        {
            var devices = new Grid("device", "path", "name", GridColumn.Right("memory free"), GridColumn.Right("in all"), "self-test");
            foreach (DeviceDiagnosis device in report.Devices)
            {
                devices.Add(
                    device.Device, device.Path ?? "", device.Name, device.FreeBytes is long free ? Format.Bytes(free) : "",
                    device.TotalBytes is long total ? Format.Bytes(total) : "",
                    device.Passed == true ? Format.Text($"passed in {device.Milliseconds:0} ms") : device.SelfTest);
            }

            terminal.Table(devices);
        }

        if (report.NoCudaReason is not null)
        {
            terminal.Line($"cuda      {report.NoCudaReason}");
        }

        terminal.Verdict(report.Healthy, report.Verdict);
        if (report.Fix is not null)
        {
            terminal.Line(report.Fix);
        }
    }
}
