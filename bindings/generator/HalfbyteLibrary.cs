using CppSharp;
using CppSharp.AST;
using CppSharp.Generators;
using CppSharp.Parser;
using CppSharp.Passes;

namespace Halfbyte.Bindings.Generator;

/// <summary>What CppSharp is asked to do: one C header in, one file of raw declarations out.</summary>
internal sealed class HalfbyteLibrary(string header, string output) : ILibrary
{
    /// <summary>False if the header uses what does not come out as plain blittable C#; nothing is written then.</summary>
    public bool HeaderIsLean { get; private set; } = true;

    public void Setup(Driver driver)
    {
        ParserOptions parser = driver.ParserOptions;
        parser.LanguageVersion = LanguageVersion.C99_GNU;

        // One target and no system headers: the result must not depend on the machine that makes it. The header includes
        // stddef.h and stdint.h only, and clang brings both.
        parser.TargetTriple = "x86_64-unknown-linux-gnu";
        parser.MicrosoftMode = false;
        parser.NoStandardIncludes = true;
        parser.NoBuiltinIncludes = true;
        parser.AddArguments("-ffreestanding");
        parser.AddSystemIncludeDirs(parser.BuiltinsDir);

        DriverOptions options = driver.Options;
        options.GeneratorKind = GeneratorKind.CSharp;
        options.OutputDir = Path.GetDirectoryName(output)!;
        options.OutputNewLineType = NewLineType.LF;
        options.GenerateName = _ => Path.GetFileNameWithoutExtension(output);
        options.GenerateFreeStandingFunctionsClassName = _ => "NativeMethods";
        options.GenerateSequentialLayout = false; // explicit offsets: clang states the layout, .NET does not infer it

        Module module = options.AddModule("halfbyte");
        module.OutputNamespace = "Halfbyte.Bindings";
        module.IncludeDirs.Add(Path.GetDirectoryName(header)!);
        module.Headers.Add(Path.GetFileName(header));
    }

    public void SetupPasses(Driver driver) =>
        driver.AddGeneratorOutputPass(new RawDeclarationsPass(Path.GetFileName(header)));

    public void Preprocess(Driver driver, ASTContext ctx)
    {
        // These turn a C API into one for people: PascalCase, `ref` parameters, properties, methods on classes, [Flags] where the
        // values look like bits. managed/Halfbyte does that by hand; here every name and type stays the header's own.
        driver.Context.TranslationUnitPasses.Passes.RemoveAll(pass => pass
            is CaseRenamePass
            or MarshalPrimitivePointersAsRefTypePass
            or GetterSetterToPropertyPass
            or MoveFunctionToClassPass
            or CheckEnumsPass);

        List<TranslationUnit> units = [.. ctx.TranslationUnits.Where(unit => unit.IsValid && !unit.IsSystemHeader)];

        IReadOnlyList<string> violations = HeaderRules.Check(units);
        foreach (string violation in violations)
            Diagnostics.Error(violation);
        HeaderIsLean = violations.Count == 0;
        driver.Options.DryRun = !HeaderIsLean;

        // As classes they would become heap objects behind a global dictionary.
        foreach (Class type in units.SelectMany(unit => unit.Classes))
            type.Type = ClassType.ValueType;

        // C leaves an enum's type to the compiler and clang picks unsigned int; the ABI passes enums as int32_t.
        foreach (Enumeration type in units.SelectMany(unit => unit.Enums))
            type.Type = type.BuiltinType = new BuiltinType(PrimitiveType.Int);
    }

    public void Postprocess(Driver driver, ASTContext ctx)
    {
    }

    // The second output that CppSharp makes, "Std", is for C++ library types.
    public void GenerateCode(Driver driver, List<GeneratorOutput> outputs) =>
        outputs.RemoveAll(o => o.TranslationUnit.Module == driver.Options.SystemModule);
}
