/* Compiled as C99: the header needs nothing before it. */
#include "halfbyte.h"
