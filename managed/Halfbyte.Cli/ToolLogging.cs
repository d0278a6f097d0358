using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Logging.Console;

namespace Halfbyte.Cli;

/// <summary>The log that <c>--verbose</c> turns on: one line per event, on standard error.</summary>
internal static class ToolLogging
{
    internal static ILoggerFactory Create(bool verbose) => !verbose
        ? NullLoggerFactory.Instance
        : LoggerFactory.Create(builder => builder
            .SetMinimumLevel(LogLevel.Debug)
            .AddSimpleConsole(options =>
            {
                options.SingleLine = true;
                options.TimestampFormat = "HH:mm:ss.fff ";
                options.ColorBehavior = LoggerColorBehavior.Disabled;
            })
            .Services.ConfigureStandardError());

    private static void ConfigureStandardError(this Microsoft.Extensions.DependencyInjection.IServiceCollection services) =>
        Microsoft.Extensions.DependencyInjection.OptionsServiceCollectionExtensions.Configure<ConsoleLoggerOptions>(
            services, options => options.LogToStandardErrorThreshold = LogLevel.Trace);
}
