#include "options.h"

#include <cstdlib>
#include <functional>
#include <map>

namespace halfbyte::benchmark {

const char* const kUsage =
    R"(kernel_benchmark: times every operation of halfbyte.h on CUDA device 0, beside what else does the same.

  --seconds <n>            no row begins later than this (100; --quick: 30; --all: no limit)
  --quick                  the rows of the targets table alone, measured shorter
  --all                    every row, output heads included
  --filter <text>          only rows whose name contains it
  --after <row>            only rows that come after this one: the device was lost in it
  --list                   print the names of the rows in order, and measure nothing
  --json <file>            machine, method and all rows
  --text <file>            what goes to standard output
  --cublaslt <file>        libcublasLt.so, if the loader does not find it (also $HALFBYTE_CUBLASLT)
  --bitsandbytes <file>    libbitsandbytes_cuda*.so (also $HALFBYTE_BITSANDBYTES)
  --commit <text>          what was built; for the report

benchmarks/README.md explains the numbers.
)";

Options parse_options(const std::vector<std::string>& arguments) {
    Options options;
    for (const std::string& argument : arguments) options.line += (options.line.empty() ? "" : " ") + argument;
    bool has_seconds = false;
    const auto environment = [](const char* name) {
        const char* value = std::getenv(name);
        return std::string(value != nullptr ? value : "");
    };
    options.cublaslt = environment("HALFBYTE_CUBLASLT");
    options.bitsandbytes = environment("HALFBYTE_BITSANDBYTES");
    const std::map<std::string, bool*> flags = {{"--quick", &options.quick},
                                                {"--all", &options.all},
                                                {"--list", &options.list},
                                                {"--help", &options.help},
                                                {"-h", &options.help}};
    const std::map<std::string, std::string*> texts = {{"--filter", &options.filter},
                                                       {"--after", &options.after},
                                                       {"--json", &options.json},
                                                       {"--text", &options.text},
                                                       {"--cublaslt", &options.cublaslt},
                                                       {"--commit", &options.commit},
                                                       {"--bitsandbytes", &options.bitsandbytes}};
    for (size_t i = 0; i < arguments.size(); ++i) {
        const std::string& name = arguments[i];
        if (const auto flag = flags.find(name); flag != flags.end()) {
            *flag->second = true;
            continue;
        }
        const auto text = texts.find(name);
        if (text == texts.end() && name != "--seconds") {
            options.error = "unknown option '" + name + "'; --help lists them";
            return options;
        }
        if (++i == arguments.size()) {
            options.error = name + " needs a value";
            return options;
        }
        if (text != texts.end()) {
            *text->second = arguments[i];
            continue;
        }
        char* end = nullptr;
        options.seconds = std::strtod(arguments[i].c_str(), &end);
        has_seconds = true;
        if (end == arguments[i].c_str() || *end != 0 || !(options.seconds > 0)) {
            options.error = "--seconds needs a positive number, not '" + arguments[i] + "'";
            return options;
        }
    }
    if (options.quick && options.all) options.error = "--quick and --all exclude each other";
    if (options.quick) options.row_seconds = 0.05;
    if (!has_seconds) options.seconds = options.quick ? 30 : options.all ? 1e9 : 100;
    return options;
}

}  // namespace halfbyte::benchmark
