using System.Security.Cryptography;
using System.Text;

namespace Halfbyte.Checkpoints;

/// <summary>
/// Says that the process of a stage lives: a file beside the stage that it alone holds open. The system lets go of it however the process
/// ends, so a stage whose lock can be taken is the leftover of a process that was killed.
/// </summary>
internal sealed class StageLock : IDisposable
{
    private const string Suffix = ".lock";

    private readonly string _path;
    private readonly FileStream _file;
    private bool _abandoned;

    private StageLock(string path, FileMode mode)
    {
        _path = path;
        _file = new FileStream(path, mode, FileAccess.ReadWrite, FileShare.None, bufferSize: 0);
    }

    /// <summary>A name for a new stage of <paramref name="target"/> in <paramref name="directory"/>. The target's name can be told from it.</summary>
    public static string NewStage(string directory, string target) =>
        Path.Combine(directory, NamePrefix(target) + Guid.NewGuid().ToString("N")[..12]);

    /// <summary>Holds a stage that does not exist yet.</summary>
    public static StageLock Take(string stage) => new(stage + Suffix, FileMode.CreateNew);

    /// <summary>
    /// Removes what killed processes left in <paramref name="directory"/> on their way to <paramref name="target"/>; what cannot be removed
    /// stays. So does a stage that holds the files it was about to replace: there may be no other copy of them.
    /// </summary>
    public static void RemoveLeftovers(string directory, string target)
    {
        foreach (string path in Locks(directory, target))
        {
            string stage = path[..^Suffix.Length];
            using StageLock? taken = TryTake(path);
            if (taken is not null && !Directory.Exists(Path.Combine(stage, TemporaryFiles.AsideName)))
            {
                TemporaryFiles.TryDeleteDirectory(stage);
            }

            if (taken is not null && Directory.Exists(stage))
            {
                taken.Abandon();
            }
        }
    }

    /// <summary>The stage is gone, or in its place.</summary>
    public void Dispose()
    {
        _file.Dispose();
        if (!_abandoned)
        {
            TemporaryFiles.TryDeleteFile(_path);
        }
    }

    /// <summary>The lock stays with its stage, for the next run.</summary>
    private void Abandon() => _abandoned = true;

    private static StageLock? TryTake(string path)
    {
        try
        {
            return new(path, FileMode.Open);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null; // its process lives, or it is gone by now
        }
    }

    private static string[] Locks(string directory, string target)
    {
        try
        {
            return Directory.GetFiles(directory, NamePrefix(target) + "*" + Suffix);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }

    /// <summary>A hash, because a name may be as long as a file system allows.</summary>
    private static string NamePrefix(string target) =>
        TemporaryFiles.Prefix + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(Path.GetFileName(target))))[..8] + "-";
}
