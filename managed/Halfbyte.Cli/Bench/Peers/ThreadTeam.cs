namespace Halfbyte.Cli.Bench.Peers;

/// <summary>A fixed set of threads that do one thing together, again and again. The caller is member 0. Cheaper and steadier than a
/// task scheduler, so that a peer's time is its work.</summary>
internal sealed class ThreadTeam : IDisposable
{
    private readonly Thread[] _workers;
    private readonly SemaphoreSlim[] _gates;
    private readonly CountdownEvent _done;
    private Action<int>? _body;
    private volatile bool _stopping;

    internal ThreadTeam(int size)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(size, 1);
        Size = size;
        _done = new CountdownEvent(Math.Max(1, size - 1));
        _gates = [.. Enumerable.Range(1, size - 1).Select(_ => new SemaphoreSlim(0))];
        _workers = [.. Enumerable.Range(1, size - 1).Select(StartWorker)];
    }

    internal int Size { get; }

    /// <summary>Runs <paramref name="body"/> once per member, with the member's index, and returns when all are done.</summary>
    internal void Run(Action<int> body)
    {
        if (Size == 1)
        {
            body(0);
            return;
        }

        _body = body;
        _done.Reset();
        foreach (SemaphoreSlim gate in _gates)
        {
            gate.Release();
        }

        body(0);
        _done.Wait();
    }

    /// <summary>The part of <paramref name="count"/> items that belongs to a member, in multiples of <paramref name="grain"/>.</summary>
    internal (long Start, long Length) Part(int member, long count, long grain)
    {
        long grains = (count + grain - 1) / grain;
        long first = Math.Min(count, grains * member / Size * grain);
        long end = Math.Min(count, grains * (member + 1) / Size * grain);
        return (first, end - first);
    }

    public void Dispose()
    {
        _stopping = true;
        foreach (SemaphoreSlim gate in _gates)
        {
            gate.Release();
        }

        foreach (Thread worker in _workers)
        {
            worker.Join();
        }

        foreach (SemaphoreSlim gate in _gates)
        {
            gate.Dispose();
        }

        _done.Dispose();
    }

    private Thread StartWorker(int member)
    {
        var thread = new Thread(() => Work(member)) { IsBackground = true, Name = $"bench peer {member}" };
        thread.Start();
        return thread;
    }

    private void Work(int member)
    {
        while (true)
        {
            _gates[member - 1].Wait();
            if (_stopping)
            {
                return;
            }

            try
            {
                _body!(member);
            }
            finally
            {
                _done.Signal();
            }
        }
    }
}
