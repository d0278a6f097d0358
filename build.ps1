<#
.SYNOPSIS
  The one entry on Windows: the verbs of build.sh (build, demo, test, bench, bindings, pack, format, clean), for the CPU library.
.EXAMPLE
  ./build.ps1 test
#>
param(
    [ValidateSet('build', 'demo', 'test', 'bench', 'bindings', 'pack', 'gpu-bundle', 'format', 'clean')]
    [string] $Verb = 'build',
    [Parameter(ValueFromRemainingArguments)]
    [string[]] $Rest = @()
)

$ErrorActionPreference = 'Stop'
Set-Location $PSScriptRoot
$env:DOTNET_CLI_TELEMETRY_OPTOUT = '1'
$env:DOTNET_NOLOGO = '1'

$Configuration = 'Release'
$NativeBuild = 'artifacts/native'
$Tool = if ($IsWindows -or $env:OS -eq 'Windows_NT') { 'artifacts/halfbyte/halfbyte.exe' } else { 'artifacts/halfbyte/halfbyte' }

function Say([string] $text) { Write-Host "`n== $text" }

function Require([string] $command, [string] $remedy) {
    if (-not (Get-Command $command -ErrorAction SilentlyContinue)) {
        [Console]::Error.WriteLine("build.ps1: '$command' was not found. $remedy")
        exit 3
    }
}

function Invoke-Checked([string] $command, [string[]] $arguments) {
    & $command @arguments
    if ($LASTEXITCODE -ne 0) { exit $LASTEXITCODE }
}

function Stop-Usage([string] $sentence) {
    [Console]::Error.WriteLine("build.ps1: $sentence")
    exit 2
}

if ($Rest -contains '--cuda') {
    Stop-Usage 'the CUDA library is built on Linux only, so there is no --cuda here; in WSL, run ./build.sh with --cuda.'
}

function Build {
    Require 'dotnet' 'Install the .NET 10 SDK: https://dotnet.microsoft.com/download'
    Require 'cmake' 'Install CMake 3.22 or newer and a C++20 compiler (Visual Studio 2022 with the clang toolset).'
    Say 'Native library'
    # The kernels use GCC/Clang vector intrinsics and attributes; clang-cl understands both.
    $compiler = @()
    if ($env:OS -eq 'Windows_NT' -and -not (Test-Path "$NativeBuild/CMakeCache.txt")) { $compiler = @('-T', 'ClangCL') }
    Invoke-Checked cmake (@('-S', 'native', '-B', $NativeBuild, "-DCMAKE_BUILD_TYPE=$Configuration") + $compiler)
    Invoke-Checked cmake @('--build', $NativeBuild, '--config', $Configuration, '--parallel')
    Say 'Managed projects'
    Invoke-Checked dotnet @('build', 'Halfbyte.slnx', '-c', $Configuration)
    Invoke-Checked dotnet @('publish', 'managed/Halfbyte.Cli/Halfbyte.Cli.csproj', '-c', $Configuration, '--no-build', '-o', 'artifacts/halfbyte')
}

function Test {
    Build
    $total = @{ succeeded = 0; failed = 0; skipped = 0 }
    $broken = $false
    foreach ($project in 'Halfbyte.Tests', 'Halfbyte.Checkpoints.Tests', 'Halfbyte.Cli.Tests') {
        Say $project
        $log = & "artifacts/bin/$project/$($Configuration.ToLower())/$project" @Rest 2>&1 | Tee-Object -Variable lines
        if ($LASTEXITCODE -ne 0) { $broken = $true }
        $lines | ForEach-Object { Write-Host $_ }
        foreach ($line in $log) {
            if ("$line" -match '^\s*(succeeded|failed|skipped):\s*(\d+)') { $total[$Matches[1]] += [int] $Matches[2] }
        }
    }
    if ($broken -and $total.failed -eq 0) { $total.failed = 1 }
    Write-Host "`n$($total.succeeded) passed, $($total.failed) failed, $($total.skipped) skipped"
    if ($total.failed -ne 0 -or $total.succeeded -eq 0) { exit 1 }
}

switch ($Verb) {
    'build' { Build }
    'demo' { Build; Say 'Demo'; Invoke-Checked $Tool (@('demo') + $Rest) }
    'test' { Test }
    'bench' { Build; Say 'Bench'; Invoke-Checked $Tool (@('bench') + $Rest) }
    'bindings' { Invoke-Checked dotnet @('run', '--project', 'bindings/generator', '--', 'native/include/halfbyte.h', 'bindings/Generated/NativeMethods.g.cs') }
    'pack' { Build; Say 'Packages'; Invoke-Checked dotnet @('pack', 'Halfbyte.slnx', '-c', $Configuration, '--no-build') }
    'gpu-bundle' { Stop-Usage 'a bundle is made and unpacked on Linux; in WSL, run ./build.sh gpu-bundle.' }
    'format' { Invoke-Checked dotnet @('format', 'whitespace', 'Halfbyte.slnx', '--exclude', 'bindings/Generated') }
    'clean' { if (Test-Path artifacts) { Remove-Item -Recurse -Force artifacts } }
}
