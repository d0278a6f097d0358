// Compiled as C++: the header needs nothing before it.
#include "halfbyte.h"
