using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;

namespace Halfbyte.Bindings;

/// <summary>One library that the loader tried, and what came of it.</summary>
/// <param name="Candidate">The name or path that was tried.</param>
/// <param name="Accepted">Whether this is the library in use.</param>
/// <param name="Outcome">What was found, or why the library was passed over; may have several lines.</param>
public sealed record NativeLibraryAttempt(string Candidate, bool Accepted, string Outcome)
{
    /// <inheritdoc/>
    public override string ToString() => $"{Candidate}: {Outcome}";
}

/// <summary>
/// Chooses the native library behind the import name <c>halfbyte</c>, once per process, at the first native call.
/// </summary>
/// <remarks>
/// The candidates are <c>halfbyte_cuda</c>, then <c>halfbyte_cpu</c>. Each is looked up as .NET looks up any native library (so that
/// <c>runtimes/&lt;rid&gt;/native</c> of a package works), then in <see cref="AppContext.BaseDirectory"/>. It must have this assembly's
/// ABI version; <c>halfbyte_cuda</c> must also see a CUDA device, because it loads on machines without a driver too. If it sees none
/// and there is no <c>halfbyte_cpu</c>, it is used after all: it has the CPU backend.
/// If the environment variable <c>HALFBYTE_LIBRARY</c> is set, to a path or a name, it is the only candidate, and is taken without
/// counting devices.
/// </remarks>
public static unsafe class NativeLibraryLoader
{
    private const string ImportName = "halfbyte";
    private const string EnvironmentVariable = "HALFBYTE_LIBRARY";
    private const string CudaLibrary = "halfbyte_cuda";
    private const string CpuLibrary = "halfbyte_cpu";

    // The resolver runs once per imported function; Lazy makes it load once, and repeat a failure instead of the search.
    private static readonly Lazy<Loaded> Library = new(Load);

    private static NativeLibraryAttempt[] _trace = [];

    private sealed record Loaded(nint Handle, string Name);

    /// <summary>Every attempt so far, in order; empty before the first native call or <see cref="TryLoad"/>.</summary>
    public static IReadOnlyList<NativeLibraryAttempt> Trace => Volatile.Read(ref _trace);

    /// <summary>
    /// File of the library in use; its name alone where the system does not tell the file; null if none has been loaded.
    /// </summary>
    public static string? LoadedPath =>
        Trace is [.., { Accepted: true }] ? FindFile(Library.Value.Handle) ?? Library.Value.Name : null;

    /// <summary>
    /// Why the CUDA library is not the one in use, in one line: it was not found, cannot be loaded, or sees no device. Null if it is in use
    /// or was not tried.
    /// </summary>
    internal static string? CudaLibraryRefusal => Trace.Any(attempt => attempt.Accepted && attempt.Candidate == CudaLibrary)
        ? null
        : Trace.FirstOrDefault(attempt => attempt.Candidate == CudaLibrary)?.ToString().ReplaceLineEndings(" ");

    /// <summary>Loads the library now, without throwing.</summary>
    /// <param name="error">The diagnosis and, from its second line on, what was tried; null on success.</param>
    /// <returns>Whether there is a usable library.</returns>
    public static bool TryLoad([NotNullWhen(false)] out string? error)
    {
        try
        {
            _ = Library.Value;
            error = null;
            return true;
        }
        catch (DllNotFoundException e)
        {
            error = e.Message;
            return false;
        }
    }

    // A module initializer and not a static constructor: nothing else is sure to run before the first imported function.
    [ModuleInitializer]
    [SuppressMessage("Usage", "CA2255", Justification = "The reason is above.")]
    internal static void Register()
    {
        try
        {
            NativeLibrary.SetDllImportResolver(
                typeof(NativeLibraryLoader).Assembly, static (name, _, _) => name == ImportName ? Library.Value.Handle : 0);
        }
        catch (InvalidOperationException)
        {
            // The application has set a resolver for this assembly, and there can be one: the choice is its own.
        }
    }

    private static Loaded Load()
    {
        string? chosen = Environment.GetEnvironmentVariable(EnvironmentVariable);
        if (chosen is "")
            chosen = null;

        var trace = new List<NativeLibraryAttempt>();
        bool found = false;
        Loaded? withoutDevice = null;
        foreach (string candidate in chosen is null ? [CudaLibrary, CpuLibrary] : new[] { chosen })
        {
            bool accepted = false;
            if (TryOpen(candidate, out nint handle, out string outcome))
            {
                found = true;
                accepted = IsCompatible(handle, out outcome);
                if (accepted && chosen is null && candidate == CudaLibrary)
                {
                    accepted = SeesDevice(handle, ref outcome);
                    if (!accepted)
                        withoutDevice = new(handle, candidate);
                }
            }

            Note(candidate, accepted, outcome);
            if (accepted)
                return new(handle, candidate);

            // A refused library stays in memory: it may have started the CUDA driver's threads, and is not asked again.
        }

        if (withoutDevice is not null)
        {
            Note(withoutDevice.Name, true, $"used for its CPU backend, since {CpuLibrary} cannot be");
            return withoutDevice;
        }

        throw new DllNotFoundException(Report(chosen, found, trace));

        void Note(string candidate, bool accepted, string outcome)
        {
            trace.Add(new(candidate, accepted, outcome));
            Volatile.Write(ref _trace, [.. trace]);
        }
    }

    private static bool TryOpen(string candidate, out nint handle, out string failure)
    {
        handle = 0;
        bool isPath = Path.GetFileName(candidate) != candidate;
        try
        {
            handle = isPath
                ? NativeLibrary.Load(Path.GetFullPath(candidate))
                : NativeLibrary.Load(candidate, typeof(NativeLibraryLoader).Assembly, searchPath: null);
            failure = "";
            return true;
        }
        catch (Exception e) when (e is DllNotFoundException or BadImageFormatException)
        {
            failure = Condense(candidate, e.Message);
        }

        // The runtime looks beside this assembly, which a plug-in host may have loaded from elsewhere.
        string beside = Path.Combine(AppContext.BaseDirectory, FileName(candidate));
        return !isPath && File.Exists(beside) && TryOpen(beside, out handle, out failure);
    }

    // Both ask through function pointers, because the imported functions bind to whatever is accepted in the end.
    private static bool IsCompatible(nint handle, out string outcome)
    {
        const int Expected = (int)halfbyte_abi.HALFBYTE_ABI_VERSION;

        if (!NativeLibrary.TryGetExport(handle, nameof(NativeMethods.__Internal.halfbyte_abi_version), out nint abiVersion))
        {
            outcome = "loaded, but it is not a Halfbyte library";
            return false;
        }

        int version = ((delegate* unmanaged[Cdecl]<int>)abiVersion)();
        outcome = version == Expected
            ? $"loaded, ABI version {version}"
            : $"loaded, but it has ABI version {version} and this Halfbyte.Bindings needs {Expected}; use packages of one Halfbyte version";
        return version == Expected;
    }

    private static bool SeesDevice(nint handle, ref string outcome)
    {
        int count = 0;
        nint deviceCount = NativeLibrary.GetExport(handle, nameof(NativeMethods.__Internal.halfbyte_cuda_device_count));
        var status = (halfbyte_status)((delegate* unmanaged[Cdecl]<int*, int>)deviceCount)(&count);
        if (status == halfbyte_status.HALFBYTE_STATUS_OK && count > 0)
            return true;

        outcome = "loaded, but " + (status == halfbyte_status.HALFBYTE_STATUS_OK
            ? WhyNoDevice(handle)
            : $"counting the CUDA devices failed with status {(int)status} ({status})");
        return false;
    }

    /// <summary>The library's own sentence, which ends in the reason: "cuda:0 cannot be used: there is no NVIDIA driver, ...".</summary>
    private static string WhyNoDevice(nint handle)
    {
        const int Capacity = 512;
        byte* text = stackalloc byte[Capacity];
        long length = 0;
        var deviceName = (delegate* unmanaged[Cdecl]<int, byte*, long, long*, int>)NativeLibrary.GetExport(
            handle, nameof(NativeMethods.__Internal.halfbyte_device_name));
        var lastError = (delegate* unmanaged[Cdecl]<byte*, long, long*, int>)NativeLibrary.GetExport(
            handle, nameof(NativeMethods.__Internal.halfbyte_last_error));
        _ = deviceName((int)halfbyte_device.HALFBYTE_DEVICE_CUDA, text, Capacity, &length);
        _ = lastError(text, Capacity, &length);
        string sentence = Encoding.UTF8.GetString(text, (int)Math.Min(length, Capacity));
        return sentence[(sentence.IndexOf(": ", StringComparison.Ordinal) + 1)..].Trim(' ', '.');
    }

    private static string Report(string? chosen, bool found, List<NativeLibraryAttempt> trace)
    {
        var report = new StringBuilder();
        report.Append((chosen, found) switch
        {
            (not null, _) => $"{EnvironmentVariable} is '{chosen}', which is not a usable Halfbyte library.",
            (null, true) => "A native Halfbyte library was found, but none can be used here.",
            (null, false) => "No native Halfbyte library could be loaded. The package Halfbyte holds one for the system and processor " +
                $"it was packed on; elsewhere, and in a clone, build one with ./build.sh, or set {EnvironmentVariable} to the path of one.",
        });

        report.Append("\nTried:");
        foreach (NativeLibraryAttempt attempt in trace)
            report.Append("\n  ").Append(attempt.ToString().ReplaceLineEndings("\n    "));
        return report.ToString();
    }

    /// <summary>What the runtime says about a library it could not load, without the lines that only say "not there".</summary>
    /// <remarks>
    /// On Linux that is a general sentence and a line per file name and folder tried. What remains (a missing dependency, a library
    /// for another processor) is kept word for word, as is any message of another form.
    /// </remarks>
    private static string Condense(string candidate, string message)
    {
        string[] lines = message.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        if (lines.Length == 1)
            return lines[0];

        string name = Path.GetFileName(candidate);
        var folders = new SortedSet<string>(StringComparer.Ordinal);
        var reasons = new List<string>();
        foreach (string line in lines[1..])
        {
            int colon = line.IndexOf(": ", StringComparison.Ordinal);
            bool absent = colon > 0 && line.EndsWith("No such file or directory", StringComparison.Ordinal) &&
                Path.GetFileName(line[..colon]).Contains(name, StringComparison.Ordinal);
            if (!absent)
                reasons.Add(line);
            else if (Path.GetDirectoryName(line[..colon]) is { Length: > 0 } folder)
                folders.Add(folder);
        }

        if (reasons.Count > 0)
            return string.Join('\n', reasons);
        return name != candidate
            ? "no such file"
            : $"not found (looked in {string.Join(", ", folders)} and on the system's library path)";
    }

    private static string FileName(string library) =>
        OperatingSystem.IsWindows() ? $"{library}.dll" : OperatingSystem.IsMacOS() ? $"lib{library}.dylib" : $"lib{library}.so";

    /// <summary>The module that holds one of the library's functions: .NET does not keep the path it found a library at.</summary>
    private static string? FindFile(nint handle)
    {
        nuint address = (nuint)NativeLibrary.GetExport(handle, nameof(NativeMethods.__Internal.halfbyte_abi_version));
        using Process process = Process.GetCurrentProcess();
        foreach (ProcessModule module in process.Modules)
        {
            using (module)
            {
                nuint start = (nuint)module.BaseAddress;
                if (address >= start && address - start < (nuint)module.ModuleMemorySize)
                    return module.FileName;
            }
        }

        return null;
    }
}
