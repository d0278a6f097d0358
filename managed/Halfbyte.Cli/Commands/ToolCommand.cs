using System.CommandLine;
using System.CommandLine.Parsing;
using System.Diagnostics;

using Halfbyte.Cli.Bench;
using Halfbyte.Cli.Terminal;

using Microsoft.Extensions.Logging;

namespace Halfbyte.Cli.Commands;

/// <summary>A command line worth copying, and what it does.</summary>
internal readonly record struct Example(string CommandLine, string Effect);

/// <summary>What all commands share: <c>--json</c>, <c>--verbose</c>, examples below the help, and one place that turns an exception
/// into a sentence and an exit code.</summary>
internal abstract class ToolCommand : Command
{
    private readonly Option<bool> _json = new("--json") { Description = "Print the result as JSON on standard output, and nothing else." };

    private readonly Option<bool> _verbose = new("--verbose", "-v") { Description = "Log what happens to standard error." };

    protected ToolCommand(ToolHost host, string name, string description)
        : base(name, description)
    {
        Host = host;
        SetAction((parse, cancellation) => Task.FromResult(Run(parse, cancellation)));
    }

    /// <summary>Shown below the options by <c>--help</c>.</summary>
    internal abstract IReadOnlyList<Example> Examples { get; }

    protected ToolHost Host { get; }

    /// <summary>Called once the command has added its own options, so that the common ones come last in the help.</summary>
    protected void AddCommonOptions()
    {
        Options.Add(_json);
        Options.Add(_verbose);
        foreach (Argument argument in Arguments)
        {
            argument.Validators.Add(result => RefuseEmpty(result, argument.Name));
        }

        foreach (Option option in Options)
        {
            option.Validators.Add(result => RefuseEmpty(result, option.Name));
        }
    }

    /// <summary>Does the work; returns one of <see cref="ExitCodes"/>.</summary>
    protected abstract int Execute(ParseResult parse, Output output, ILogger logger, CancellationToken cancellation);

    // A script's unset variable. No path, name or number is empty.
    private static void RefuseEmpty(SymbolResult result, string name)
    {
        if (result.Tokens.Any(token => token.Value.Length == 0))
        {
            result.AddError($"{name} is empty; give it a value, or leave it out.");
        }
    }

    private int Run(ParseResult parse, CancellationToken cancellation)
    {
        long start = Stopwatch.GetTimestamp();
        bool isVerbose = parse.GetValue(_verbose);
        var output = new Output(Host, parse.GetValue(_json), isVerbose);
        using ILoggerFactory loggers = ToolLogging.Create(isVerbose);
        ILogger logger = loggers.CreateLogger("halfbyte");
        ToolLog.CommandStarted(logger, MachineInfo.ToolVersion, Name);
        int exitCode;
        try
        {
            exitCode = Execute(parse, output, logger, cancellation);
        }
        catch (Exception exception)
        {
            exitCode = Failure.Report(exception, output, Name);
        }

        ToolLog.CommandEnded(logger, exitCode, Stopwatch.GetElapsedTime(start).TotalSeconds);
        return exitCode;
    }
}
