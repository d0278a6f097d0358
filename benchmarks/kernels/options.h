// The command line.
#pragma once

#include <string>
#include <vector>

namespace halfbyte::benchmark {

struct Options {
    double seconds = 100;       // no row begins after this
    double row_seconds = 0.15;  // measuring one row, without setting it up
    bool quick = false;         // the rows of the targets table alone, measured shorter
    bool all = false;           // every row, however long it takes, output heads included
    bool list = false;          // print the rows' names and measure nothing
    std::string filter;         // of the rows' names; what contains it
    std::string after;          // only rows that come after the one of this name
    std::string json, text;     // files to write
    std::string cublaslt;       // libcublasLt.so, if not where the loader looks
    std::string bitsandbytes;   // libbitsandbytes_cuda*.so
    std::string commit;         // goes into the report

    std::string line;  // all of them, as they were given
    bool help = false;
    std::string error;  // what was wrong; empty: nothing
};

Options parse_options(const std::vector<std::string>& arguments);

extern const char* const kUsage;

}  // namespace halfbyte::benchmark
