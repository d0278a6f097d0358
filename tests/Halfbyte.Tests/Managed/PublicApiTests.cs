namespace Halfbyte.Tests;

/// <summary>
/// The public surface, as approved. After a deliberate change run the test with HALFBYTE_UPDATE_APPROVED=1 and commit the file with it.
/// </summary>
public sealed class PublicApiTests
{
    [Test]
    public void The_public_surface_is_the_approved_one()
    {
        string path = Path.Combine(Repository.ProjectDirectory, "PublicApi.approved.txt");
        string actual = PublicSurface.Of(typeof(ComputeStream).Assembly);
        if (Environment.GetEnvironmentVariable("HALFBYTE_UPDATE_APPROVED") == "1")
        {
            File.WriteAllText(path, actual);
        }

        Assert.That(actual, Is.EqualTo(File.ReadAllText(path).ReplaceLineEndings("\n")));
    }
}
