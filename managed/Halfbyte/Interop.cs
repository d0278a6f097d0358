// The one place that knows the shape of the generated bindings.
global using Native = Halfbyte.Bindings.NativeMethods.__Internal;
