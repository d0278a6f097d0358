using CppSharp.AST;
using Type = CppSharp.AST.Type;

namespace Halfbyte.Bindings.Generator;

/// <summary>
/// The dialect that halfbyte.h is written in. Outside it CppSharp emits types that are marshalled, that differ between Windows and
/// Linux, or nothing at all; most of that would compile, so it is refused here.
/// </summary>
internal static class HeaderRules
{
    private static readonly HashSet<string> FixedWidth =
        ["int8_t", "uint8_t", "int16_t", "uint16_t", "int32_t", "uint32_t", "int64_t", "uint64_t"];

    public static IReadOnlyList<string> Check(IEnumerable<TranslationUnit> units)
    {
        var violations = new List<string>();
        foreach (TranslationUnit unit in units)
        {
            foreach (Function function in unit.Functions)
                CheckFunction(function, violations);
            foreach (Class type in unit.Classes)
                CheckStruct(type, violations);
            foreach (Enumeration type in unit.Enums.Where(type => string.IsNullOrEmpty(type.Name)))
                violations.Add($"{unit.FileName}: an enum without a name ({type.Items.FirstOrDefault()?.Name}, ...)");
            foreach (Variable variable in unit.Variables)
                violations.Add($"{variable.Name}: a global variable; offer a function");
        }

        return violations;
    }

    private static void CheckFunction(Function function, List<string> violations)
    {
        if (function.IsVariadic)
            violations.Add($"{function.Name}: variable arguments");
        if (function.IsInline)
            violations.Add($"{function.Name}: an inline function is not exported by the library");
        if (!IsTypedef(function.ReturnType.Type, "int32_t"))
            violations.Add($"{function.Name}: must return int32_t");

        foreach (Parameter parameter in function.Parameters)
        {
            if (string.IsNullOrEmpty(parameter.Name))
                violations.Add($"{function.Name}: parameter {parameter.Index + 1} has no name");
            if (WhatIsWrong(parameter.Type) is { } problem)
                violations.Add($"{function.Name}({parameter.Name}): {problem}");
        }
    }

    private static void CheckStruct(Class type, List<string> violations)
    {
        if (type.IsUnion)
            violations.Add($"{type.Name}: a union");

        foreach (Field field in type.Fields)
        {
            if (field.IsBitField)
                violations.Add($"{type.Name}.{field.Name}: a bit field");
            if (!IsPointer(field.Type) && !IsTypedef(field.Type, "int64_t") && !IsTypedef(field.Type, "uint64_t"))
                violations.Add($"{type.Name}.{field.Name}: fields have 8 bytes, so that no padding can arise: a pointer or int64_t");
            else if (WhatIsWrong(field.Type) is { } problem)
                violations.Add($"{type.Name}.{field.Name}: {problem}");
        }
    }

    private static string? WhatIsWrong(Type type) => type switch
    {
        TypedefType { Declaration: var typedef } => FixedWidth.Contains(typedef.Name) ? null : WhatIsWrong(typedef.Type),
        PointerType { Pointee: BuiltinType { Type: PrimitiveType.Void } } => null,
        PointerType { Pointee: var pointee } when IsStruct(pointee) => null,
        PointerType { Pointee: var pointee } => WhatIsWrong(pointee),
        BuiltinType { Type: PrimitiveType.Float or PrimitiveType.Double } => null,
        BuiltinType { Type: var primitive } => $"{primitive} is not a fixed-width type of stdint.h, float or double",
        TagType { Declaration: Enumeration } => "an enum has no width of its own; pass int32_t",
        TagType { Declaration: Class } => "structs are passed by pointer",
        ArrayType => "an array; pass a pointer",
        _ => $"{type.GetType().Name} has no plain C# counterpart",
    };

    private static bool IsTypedef(Type type, string name) => type is TypedefType { Declaration.Name: var found } && found == name;

    private static bool IsPointer(Type type) =>
        type is PointerType || type is TypedefType { Declaration.Type: var target } && IsPointer(target);

    private static bool IsStruct(Type type) => type switch
    {
        TagType { Declaration: Class } => true,
        TypedefType { Declaration.Type: var target } => IsStruct(target),
        _ => false,
    };
}
