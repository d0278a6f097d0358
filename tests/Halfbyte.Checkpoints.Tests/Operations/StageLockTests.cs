namespace Halfbyte.Checkpoints.Tests;

/// <summary>What a killed run leaves is told from what a live one works on.</summary>
[TestFixture]
internal sealed class StageLockTests
{
    private TestDirectory _directory = null!;

    [SetUp]
    public void SetUp() => _directory = new TestDirectory();

    [TearDown]
    public void TearDown() => _directory.Dispose();

    [Test]
    public void A_stage_is_removed_if_nobody_holds_it()
    {
        string stage = Abandoned("out");
        Clean("out");
        Assert.That(TestDirectory.List(_directory.Root), Is.Empty, stage);
    }

    [Test]
    public void A_stage_that_is_held_is_left_alone()
    {
        string stage = StageLock.NewStage(_directory.Root, _directory["out"]);
        using StageLock held = StageLock.Take(stage);
        Directory.CreateDirectory(stage);
        Clean("out");
        Assert.That(Directory.Exists(stage), Is.True);
        Assert.That(File.Exists(stage + ".lock"), Is.True);
    }

    [Test]
    public void A_stage_of_another_output_is_left_alone()
    {
        string stage = Abandoned("out");
        Clean("out2");
        Assert.That(Directory.Exists(stage), Is.True);
    }

    [Test]
    public void A_stage_with_the_files_it_was_replacing_is_kept_with_its_lock()
    {
        string stage = Abandoned("out");
        string old = Directory.CreateDirectory(Path.Combine(stage, TemporaryFiles.AsideName)).FullName;
        File.WriteAllText(Path.Combine(old, "config.json"), "{}");
        string[] before = TestDirectory.List(_directory.Root);
        Clean("out");
        Clean("out");
        Assert.That(TestDirectory.List(_directory.Root), Is.EqualTo(before));
    }

    [Test]
    public void A_lock_without_a_stage_is_removed_and_a_stage_without_a_lock_is_not_ours()
    {
        string stage = Abandoned("out");
        Directory.Delete(stage, recursive: true);
        string foreign = StageLock.NewStage(_directory.Root, _directory["out"]);
        Directory.CreateDirectory(foreign);
        Clean("out");
        Assert.That(Directory.GetFileSystemEntries(_directory.Root), Is.EqualTo(new[] { foreign }));
    }

    [Test]
    public void Names_of_any_length_have_a_stage()
    {
        string stage = StageLock.NewStage(_directory.Root, _directory[new string('x', 255)]);
        StageLock.Take(stage).Dispose();
        Assert.That(TestDirectory.List(_directory.Root), Is.Empty);
    }

    private void Clean(string name) => StageLock.RemoveLeftovers(_directory.Root, _directory[name]);

    /// <summary>A stage and a lock file that nobody holds: what SIGKILL leaves.</summary>
    private string Abandoned(string name)
    {
        string stage = StageLock.NewStage(_directory.Root, _directory[name]);
        Directory.CreateDirectory(stage);
        File.WriteAllText(Path.Combine(stage, "model.safetensors"), "half");
        File.WriteAllText(stage + ".lock", "");
        return stage;
    }
}
