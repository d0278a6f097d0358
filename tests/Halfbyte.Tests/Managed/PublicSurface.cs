using System.Reflection;
using System.Text;

namespace Halfbyte.Tests;

/// <summary>The public types and members of an assembly as text, sorted, one line each.</summary>
public static class PublicSurface
{
    private const BindingFlags Declared =
        BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance | BindingFlags.Static | BindingFlags.DeclaredOnly;

    private static readonly NullabilityInfoContext Nullability = new();

    public static string Of(Assembly assembly)
    {
        var text = new StringBuilder();
        foreach (Type type in assembly.GetExportedTypes().OrderBy(type => type.FullName, StringComparer.Ordinal))
        {
            string bases = string.Join(", ", new[] { type.BaseType }.Concat(type.IsEnum ? [] : type.GetInterfaces())
                .OfType<Type>().Where(t => t != typeof(object) && t != typeof(ValueType) && t != typeof(Enum)).Select(Name).Order(StringComparer.Ordinal));
            text.Append(Kind(type)).Append(' ').Append(Name(type)).Append(bases.Length > 0 ? $" : {bases}" : "").Append('\n');
            foreach (string member in Members(type).Distinct().Order(StringComparer.Ordinal))
            {
                text.Append("    ").Append(member).Append('\n');
            }
        }

        return text.ToString();
    }

    private static IEnumerable<string> Members(Type type)
    {
        if (type.IsEnum)
        {
            return Enum.GetValues(type).Cast<object>().Select(value => $"{value} = {Convert.ToInt64(value, null)}");
        }

        return type.GetConstructors(Declared).Where(IsVisible).Select(constructor => $"new({Parameters(constructor)})")
            .Concat(type.GetFields(Declared).Where(field => field.IsPublic).Select(field =>
                $"{(field.IsLiteral ? "const " : field.IsStatic ? "static " : "")}{Name(field.FieldType)} {field.Name}{(field.IsLiteral ? $" = {field.GetRawConstantValue()}" : "")}"))
            .Concat(type.GetProperties(Declared).Where(property => property.GetAccessors(true).Any(IsVisible)).Select(property =>
                $"{Static(property.GetAccessors(true)[0])}{Name(property.PropertyType)}{Mark(Nullability.Create(property))} {property.Name} {{ {Accessors(property)} }}"))
            .Concat(type.GetMethods(Declared).Where(IsVisible).Where(method => !method.IsSpecialName || method.Name.StartsWith("op_", StringComparison.Ordinal)).Select(method =>
                $"{Static(method)}{Name(method.ReturnType)}{Mark(Nullability.Create(method.ReturnParameter))} {method.Name}{Generics(method)}({Parameters(method)})"));
    }

    private static bool IsVisible(MethodBase method) => method.IsPublic || method.IsFamily || method.IsFamilyOrAssembly;

    private static string Accessors(PropertyInfo property)
    {
        string get = property.GetMethod is { } getter && IsVisible(getter) ? "get;" : "";
        if (property.SetMethod is not { } setter || !IsVisible(setter))
        {
            return get;
        }

        bool init = setter.ReturnParameter.GetRequiredCustomModifiers().Any(modifier => modifier.Name == "IsExternalInit");
        return $"{get} {(init ? "init;" : "set;")}".Trim();
    }

    private static string Parameters(MethodBase method) => string.Join(", ", method.GetParameters().Select(parameter =>
        $"{(parameter.IsIn ? "in " : parameter.IsOut ? "out " : "")}{Name(parameter.ParameterType)}{Mark(Nullability.Create(parameter))} {parameter.Name}" +
        (parameter.HasDefaultValue ? $" = {parameter.RawDefaultValue ?? "default"}" : "")));

    private static string Generics(MethodInfo method) =>
        method.IsGenericMethod ? $"<{string.Join(", ", method.GetGenericArguments().Select(Name))}>" : "";

    private static string Mark(NullabilityInfo info) => !info.Type.IsValueType && info.ReadState == NullabilityState.Nullable ? "?" : "";

    private static string Static(MethodBase method) => method.IsStatic ? "static " : method.IsAbstract ? "abstract " : "";

    private static string Kind(Type type) => type switch
    {
        { IsEnum: true } => "enum",
        { IsValueType: true } => "struct",
        { IsAbstract: true, IsSealed: true } => "static class",
        { IsAbstract: true } => "abstract class",
        { IsSealed: true } => "sealed class",
        _ => "class",
    };

    private static string Name(Type type)
    {
        if (type.IsByRef)
        {
            return Name(type.GetElementType()!);
        }

        return type.IsGenericType
            ? $"{type.Name.Split('`')[0]}<{string.Join(", ", type.GetGenericArguments().Select(Name))}>"
            : type.Name;
    }
}
