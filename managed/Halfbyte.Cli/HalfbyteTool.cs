using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;

using Halfbyte.Cli.Commands;
using Halfbyte.Cli.Terminal;

namespace Halfbyte.Cli;

/// <summary>The root command. Everything the tool does can be reached through <see cref="Run"/>, in a process or in a test.</summary>
internal static class HalfbyteTool
{
    private const string Description = """
        Low-bit checkpoints: quantize to NF4, FP4 or LLM.int8(), and back.

        Reads and writes sharded safetensors as Hugging Face and bitsandbytes lay them out.
        """;

    internal static int Run(IReadOnlyList<string> args, ToolHost host, CancellationToken cancellation = default)
    {
        RootCommand root = Create(host);
        ParseResult parse = root.Parse(args, new ParserConfiguration { ResponseFileTokenReplacer = null });
        var invocation = new InvocationConfiguration
        {
            Output = host.Out,
            Error = host.Error,
            EnableDefaultExceptionHandler = false,
            ProcessTerminationTimeout = null, // Program handles signals
        };

        if (parse.Action is ParseErrorAction error)
        {
            using var suggestion = new StringWriter(); // "did you mean" belongs after the error, and beside it
            error.ShowHelp = false;
            invocation.Output = suggestion;
            parse.Invoke(invocation);
            host.Error.Write(suggestion.ToString());
            host.Error.WriteLine($"Run '{CommandPath(parse)} --help' for the options and examples.");
            return ExitCodes.Usage;
        }

        return parse.InvokeAsync(invocation, cancellation).GetAwaiter().GetResult();
    }

    internal static RootCommand Create(ToolHost host)
    {
        var root = new RootCommand(Description)
        {
            new QuantizeCommand(host),
            new DequantizeCommand(host),
            new InspectCommand(host),
            new VerifyCommand(host),
            new CompareCommand(host),
            new DoctorCommand(host),
            new BenchCommand(host),
            new DemoCommand(host),
        };

        HelpOption help = root.Options.OfType<HelpOption>().Single();
        var standardHelp = (HelpAction)help.Action!;
        help.Action = new HelpWithExamples(standardHelp);
        root.SetAction(parse =>
        {
            standardHelp.Invoke(parse);
            host.Error.WriteLine("halfbyte: no command was given; 'halfbyte COMMAND --help' shows a command's options and examples.");
            return ExitCodes.Usage;
        });
        return root;
    }

    private static string CommandPath(ParseResult parse)
    {
        Command command = parse.CommandResult.Command;
        return command is RootCommand ? "halfbyte" : $"halfbyte {command.Name}";
    }
}
