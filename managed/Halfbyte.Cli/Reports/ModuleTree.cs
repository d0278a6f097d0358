using Halfbyte.Checkpoints;
using Halfbyte.Cli.Terminal;

namespace Halfbyte.Cli.Reports;

/// <summary>
/// The modules that the dots in tensor names spell out. Neighbours with numbers for names and equal content are folded into one:
/// <c>0..47 (x48)</c>.
/// </summary>
internal sealed class ModuleTree
{
    /// <summary>Names with more dots keep the rest in one piece: no model nests deeper, and a hostile name may have thousands.</summary>
    internal const int DeepestLevel = 16;

    private readonly Dictionary<string, ModuleTree> _byName = new(StringComparer.Ordinal);
    private readonly List<ModuleTree> _children = [];
    private readonly string _name;
    private readonly List<string> _leaves = [];

    private ModuleTree(string name) => _name = name;

    private long Bytes { get; set; }

    internal static TextTree Draw(string title, IEnumerable<InspectedTensor> tensors, int depth)
    {
        var root = new ModuleTree("");
        foreach (InspectedTensor tensor in tensors)
        {
            root.Add(tensor);
        }

        var tree = new TextTree($"{title}  {Format.Bytes(root.Bytes)}");
        root.DrawChildren(tree, depth);
        return tree;
    }

    internal static string Storage(InspectedTensor tensor)
    {
        string text = tensor.Scheme == WeightScheme.None ? tensor.DType : WeightSchemeName(tensor.Scheme);
        if (tensor.BlockSize is int blockSize)
        {
            text += $" bs={blockSize}";
        }

        return tensor.DoubleQuantized ? text + " dq" : text;
    }

    private static string WeightSchemeName(WeightScheme scheme) => scheme switch
    {
        WeightScheme.Nf4 => "nf4",
        WeightScheme.Fp4 => "fp4",
        _ => "int8",
    };

    private void Add(InspectedTensor tensor)
    {
        string[] parts = tensor.Name.Split('.', DeepestLevel);
        ModuleTree node = this;
        node.Bytes += tensor.Bytes;
        foreach (string part in parts)
        {
            if (!node._byName.TryGetValue(part, out ModuleTree? child))
            {
                child = new ModuleTree(part);
                node._byName.Add(part, child);
                node._children.Add(child);
            }

            node = child;
            node.Bytes += tensor.Bytes;
        }

        node._leaves.Add($"{Storage(tensor)}  {Format.Shape(tensor.Shape)}");
    }

    private void DrawChildren(TextTree tree, int depth)
    {
        if (depth == 0)
        {
            return;
        }

        for (int i = 0; i < _children.Count;)
        {
            int end = FoldedEnd(i);
            _children[i].Draw(tree, _children[end - 1]._name, end - i, depth);
            i = end;
        }
    }

    private void Draw(TextTree tree, string lastName, int count, int depth)
    {
        string label = count == 1 ? _name : $"{_name}..{lastName} (x{count})";
        ModuleTree shown = this;
        if (_leaves.Count == 0 && _children is [{ _children.Count: 0 } only])
        {
            shown = only; // a module with one tensor and nothing else takes one line
            label += "." + only._name;
        }

        if (shown._leaves.Count > 0)
        {
            label += "  " + string.Join("; ", shown._leaves);
        }

        label += count == 1 ? $"  {Format.Bytes(Bytes)}" : $"  {Format.Bytes(Bytes)} each";
        shown.DrawChildren(tree.Add(label), depth - 1);
    }

    // One past the last of the neighbours that look like the first.
    private int FoldedEnd(int first)
    {
        int end = first + 1;
        if (!LayerKind.IsNumber(_children[first]._name))
        {
            return end;
        }

        while (end < _children.Count && LayerKind.IsNumber(_children[end]._name) && LooksLike(_children[first], _children[end]))
        {
            end++;
        }

        return end;
    }

    private static bool LooksLike(ModuleTree left, ModuleTree right)
    {
        // Not their bytes: the JSON text beside a 4-bit weight is a few characters longer or shorter from layer to layer.
        if (left._children.Count != right._children.Count || !left._leaves.SequenceEqual(right._leaves))
        {
            return false;
        }

        foreach (ModuleTree child in left._children)
        {
            if (!right._byName.TryGetValue(child._name, out ModuleTree? other) || !LooksLike(child, other))
            {
                return false;
            }
        }

        return true;
    }
}
