using NUnit.Framework.Interfaces;

[assembly: Halfbyte.Tests.TestLog]

namespace Halfbyte.Tests;

/// <summary>
/// Writes "begin" and "end" of every test into the file that HALFBYTE_TEST_LOG names, if it names one: what a process that a kernel has
/// killed, or that had to be killed, was at.
/// </summary>
[AttributeUsage(AttributeTargets.Assembly)]
public sealed class TestLogAttribute : Attribute, ITestAction
{
    private static readonly string? Path = Environment.GetEnvironmentVariable("HALFBYTE_TEST_LOG");

    public ActionTargets Targets => ActionTargets.Test;

    public void BeforeTest(ITest test) => Write($"begin {test.FullName}");

    public void AfterTest(ITest test) => Write($"end {TestContext.CurrentContext.Result.Outcome.Status} {test.FullName}");

    private static void Write(string line)
    {
        if (!string.IsNullOrEmpty(Path))
        {
            File.AppendAllText(Path, line + Environment.NewLine);
        }
    }
}
