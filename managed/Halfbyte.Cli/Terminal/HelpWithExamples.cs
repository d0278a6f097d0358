using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;

using Halfbyte.Cli.Commands;

namespace Halfbyte.Cli.Terminal;

/// <summary>The standard help, then examples, then the exit codes.</summary>
internal sealed class HelpWithExamples(HelpAction standard) : SynchronousCommandLineAction
{
    public override bool ClearsParseErrors => true;

    public override int Invoke(ParseResult parseResult)
    {
        int result = standard.Invoke(parseResult);
        TextWriter writer = parseResult.InvocationConfiguration.Output;
        IEnumerable<Example> examples = parseResult.CommandResult.Command switch
        {
            ToolCommand command => command.Examples,
            RootCommand root => root.Subcommands.OfType<ToolCommand>().Select(command => command.Examples[0]),
            _ => [],
        };

        writer.WriteLine("Examples:");
        foreach (Example example in examples)
        {
            writer.WriteLine($"  {example.CommandLine}");
            writer.WriteLine($"      {example.Effect}");
        }

        writer.WriteLine();
        writer.WriteLine("Exit codes: 0 done, 1 bad input or a check failed, 2 usage, 3 environment, 70 a defect of halfbyte, 130 stopped.");
        return result;
    }
}
