using System.Diagnostics;

namespace Halfbyte.Cli.Bench;

/// <summary>Seconds of two things measured in turns: ours, the peer, ours, the peer. What disturbs the machine disturbs both.</summary>
internal sealed record Timing(int Repetitions, double Best, double Median, double PeerBest, double PeerMedian)
{
    /// <summary>
    /// Measures until both the least number of repetitions and the time are reached, or patience ends. Each action gets a counter, so that it can
    /// take the next of several buffers. The best of each side is what the table shows: disturbances only ever add time.
    /// </summary>
    internal static Timing Interleave(BenchContext context, Action<int> ours, Action<int> peer)
    {
        (int least, int most, TimeSpan time, TimeSpan patience) = context.Quick
            ? (2, 3, TimeSpan.FromMilliseconds(20), TimeSpan.FromSeconds(1))
            : (9, 2000, TimeSpan.FromSeconds(1.5), TimeSpan.FromSeconds(6));
        var oursSeconds = new List<double>(most);
        var peerSeconds = new List<double>(most);
        int turn = 0;
        ours(turn++); // the first of each meets cold code and unmapped pages
        peer(turn++);
        long start = Stopwatch.GetTimestamp();
        for (int i = 0; i < most; i++)
        {
            TimeSpan elapsed = Stopwatch.GetElapsedTime(start);
            if (i > 1 && elapsed >= (i < least ? patience : time))
            {
                break;
            }

            context.Cancellation.ThrowIfCancellationRequested();
            oursSeconds.Add(Measure(ours, turn++));
            peerSeconds.Add(Measure(peer, turn++));
        }

        return new Timing(
            oursSeconds.Count, oursSeconds.Min(), MedianOf(oursSeconds), peerSeconds.Min(), MedianOf(peerSeconds));
    }

    private static double Measure(Action<int> action, int turn)
    {
        long start = Stopwatch.GetTimestamp();
        action(turn);
        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    private static double MedianOf(List<double> seconds)
    {
        seconds.Sort();
        int middle = seconds.Count / 2;
        return seconds.Count % 2 == 1 ? seconds[middle] : (seconds[middle - 1] + seconds[middle]) / 2;
    }
}
