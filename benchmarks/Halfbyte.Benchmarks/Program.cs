using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Running;
using BenchmarkDotNet.Toolchains.InProcess.Emit;

// What a call from C# costs. How fast the operations themselves are, beside their peers, is `halfbyte bench`.
//   dotnet run -c Release --project benchmarks/Halfbyte.Benchmarks -- --filter '*'
IConfig config = DefaultConfig.Instance.AddJob(Job.ShortRun.WithToolchain(InProcessEmitToolchain.Instance));
BenchmarkSwitcher.FromAssembly(typeof(Program).Assembly).Run(args, config);
