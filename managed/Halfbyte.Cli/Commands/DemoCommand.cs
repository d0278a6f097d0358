using System.CommandLine;
using Halfbyte.Cli.Terminal;
using Microsoft.Extensions.Logging;
namespace Halfbyte.Cli.Commands;
internal sealed class DemoCommand : ToolCommand
{
    internal DemoCommand(ToolHost host) : base(host, "demo", "x") => AddCommonOptions();
    internal override IReadOnlyList<Example> Examples => [new("halfbyte demo", "x")];
    protected override int Execute(ParseResult parse, Output output, ILoggerFactory loggers, CancellationToken cancellation) => 0;
}
