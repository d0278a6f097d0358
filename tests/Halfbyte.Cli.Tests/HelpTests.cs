using System.CommandLine;
using System.Reflection;

using Halfbyte.Cli.Commands;
using Halfbyte.Cli.Terminal;

namespace Halfbyte.Cli.Tests;

public class HelpTests
{
    private static IEnumerable<string> Commands =>
        HalfbyteTool.Create(new ToolHost(TextWriter.Null, TextWriter.Null, false, false)).Subcommands.Select(command => command.Name);

    [TestCaseSource(nameof(Commands))]
    public void Every_command_has_help_with_examples_and_exit_codes(string command)
    {
        ToolRun run = ToolRun.Of(command, "--help");

        Assert.That(run.ExitCode, Is.Zero);
        Assert.That(run.Output, Does.Contain("Examples:").And.Contain($"  halfbyte {command}").And.Contain("Exit codes:").And.Contain("--json"));
        Assert.That(run.Error, Is.Empty);
    }

    [Test]
    public void Every_exit_code_is_documented()
    {
        string help = ToolRun.Of("--help").Output;
        foreach (int code in typeof(ExitCodes).GetFields(BindingFlags.Static | BindingFlags.NonPublic).Select(field => (int)field.GetRawConstantValue()!))
        {
            Assert.That(help, Does.Match($@"(?m)^Exit codes: (.*, )?{code} "));
        }
    }

    [TestCaseSource(nameof(Commands))]
    public void Every_example_parses(string name)
    {
        RootCommand root = HalfbyteTool.Create(new ToolHost(TextWriter.Null, TextWriter.Null, false, false));
        var command = (ToolCommand)root.Subcommands.Single(one => one.Name == name);

        Assert.That(command.Examples, Is.Not.Empty);
        foreach (Example example in command.Examples)
        {
            string[] arguments = example.CommandLine.Split(' ')[1..];
            Assert.That(root.Parse(arguments).Errors.Select(error => error.Message), Is.Empty, example.CommandLine);
        }
    }

    [Test]
    public void The_root_lists_all_commands_of_the_contract()
    {
        Assert.That(
            Commands, Is.SupersetOf(new[] { "quantize", "dequantize", "inspect", "verify", "compare", "doctor", "bench", "demo" }));
        Assert.That(ToolRun.Of("--help").Output, Does.Contain("halfbyte quantize"));
    }

    [Test]
    public void The_version_is_one_line()
    {
        ToolRun run = ToolRun.Of("--version");

        Assert.That(run.ExitCode, Is.Zero);
        Assert.That(run.Output.Trim(), Does.Match(@"^\d+\.\d+\.\d+"));
    }
}
