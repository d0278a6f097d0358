using CppSharp;

namespace Halfbyte.Bindings.Generator;

internal static class Program
{
    private static int Main(string[] args)
    {
        if (args.Length != 2)
        {
            Console.Error.WriteLine("usage: Halfbyte.Bindings.Generator <header.h> <output.g.cs>");
            return 2;
        }

        if (!File.Exists(args[0]))
        {
            Console.Error.WriteLine($"No such header: {Path.GetFullPath(args[0])}");
            return 2;
        }

        var library = new HalfbyteLibrary(Path.GetFullPath(args[0]), Path.GetFullPath(args[1]));

        // Run returns false after a parse error; without this the program would exit with 0 and leave the old file in place.
        bool generated = ConsoleDriver.Run(library);
        return generated && library.HeaderIsLean ? 0 : 1;
    }
}
