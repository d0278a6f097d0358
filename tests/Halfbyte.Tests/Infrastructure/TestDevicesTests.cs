namespace Halfbyte.Tests;

public sealed class TestDevicesTests
{
    private const string Variable = "HALFBYTE_REQUIRE_DEVICES";

    [TestCaseSource(typeof(TestDevices), nameof(TestDevices.Names))]
    public void Device_is_tested(string name)
    {
        if (TestDevices.WhyMissing(name) is string reason)
        {
            if (TestDevices.IsRequired(name, Environment.GetEnvironmentVariable(Variable)))
            {
                Assert.Fail($"{Variable} lists {name}, and it is not here: {reason}");
            }

            Assert.Ignore($"no test runs on {name}: {reason}");
        }
    }

    [Test]
    public void The_list_of_required_devices_has_no_misspelling()
    {
        string[] known = [.. TestDevices.Names, "cpu", "cuda"];
        string[] listed = (Environment.GetEnvironmentVariable(Variable) ?? "").Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        Assert.That(listed, Is.SubsetOf(known));
    }

    [TestCase("cuda:0", "cpu, cuda", true)]
    [TestCase("cpu:scalar", "cpu", true)]
    [TestCase("cpu:avx512", "cpu", false)]
    [TestCase("cpu:avx512", "cuda:0,cpu:avx512", true)]
    [TestCase("cuda:0", null, false)]
    public void A_device_is_required_if_listed(string name, string? list, bool required) =>
        Assert.That(TestDevices.IsRequired(name, list), Is.EqualTo(required));
}
