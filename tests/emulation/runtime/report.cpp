#include "report.h"

#include <cxxabi.h>
#include <dlfcn.h>

#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <sstream>
#include <utility>
#include <vector>

namespace halfbyte::emulation {
namespace {

std::mutex g_mutex;
Report g_report;

std::string file_name(const std::string& path) { return path.substr(path.rfind('/') + 1); }

// Symbols of kernels are hidden, so the dynamic linker does not know them; addr2line (binutils, always beside g++) reads the
// debug information instead. Only called when a fault is reported or kernels are counted: it takes a second, for one address as for
// many. {function, file:line} of each.
std::vector<std::pair<std::string, std::string>> addr2line(const std::vector<const void*>& codes) {
    std::vector<std::pair<std::string, std::string>> results(codes.size());
    Dl_info info{};
    if (codes.empty() || dladdr(const_cast<void*>(codes[0]), &info) == 0 || info.dli_fname == nullptr) return results;
    std::string command = text("addr2line -f -C -e '%s'", info.dli_fname);
    for (const void* code : codes)
        command += text(" 0x%tx", static_cast<const char*>(code) - static_cast<const char*>(info.dli_fbase));
    FILE* pipe = popen((command + " 2>/dev/null").c_str(), "r");
    if (pipe == nullptr) return results;
    std::string output;
    char buffer[512];
    while (fgets(buffer, sizeof buffer, pipe) != nullptr) output += buffer;
    pclose(pipe);
    std::istringstream lines(output);
    for (auto& [function, place] : results) {
        if (!std::getline(lines, function) || !std::getline(lines, place)) return results;
        if (function.starts_with("??")) function.clear();
        place = file_name(place.substr(0, place.find(' ')));
        if (place.starts_with("?")) place.clear();
    }
    return results;
}

}  // namespace

const char* name(Fault fault) {
    switch (fault) {
        case Fault::kNone:
            return "no fault";
        case Fault::kDivergentBarrier:
            return "divergent barrier";
        case Fault::kDivergentWarp:
            return "divergent warp instruction";
        case Fault::kDeadlock:
            return "deadlock";
        case Fault::kSharedOutOfBounds:
            return "shared memory out of bounds";
        case Fault::kGlobalOutOfBounds:
            return "global memory out of bounds";
        case Fault::kNotDeviceMemory:
            return "not device memory";
        case Fault::kMisaligned:
            return "misaligned address";
        case Fault::kUninitializedShared:
            return "read of uninitialized shared memory";
        case Fault::kRace:
            return "race";
        case Fault::kNotWaitedFor:
            return "asynchronous copy not waited for";
        case Fault::kBlockNotThere:
            return "block of the cluster not there";
        case Fault::kOverlap:
            return "overlapped kernel not waited for";
        case Fault::kReadOnlyPath:
            return "read-only path to memory that changes";
        case Fault::kMissingProxyFence:
            return "missing fence.proxy.async";
        case Fault::kOrderDependence:
            return "result depends on thread order";
        case Fault::kInvalidInstruction:
            return "invalid instruction";
    }
    return "?";
}

std::string text(const char* format, ...) {
    char buffer[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(buffer, sizeof buffer, format, arguments);
    va_end(arguments);
    return buffer;
}

std::string source_line(const void* code) {
    if (code == nullptr) return "";
    return addr2line({static_cast<const char*>(code) - 1})[0].second;  // a return address lies behind its call
}

std::vector<std::string> function_names(const std::vector<const void*>& codes) {
    std::vector<std::string> names;
    for (auto& [name, place] : addr2line(codes)) {
        if (name.starts_with("void ")) name.erase(0, 5);
        int depth = 0;  // cut at the parameter list: the first '(' outside template arguments, "(anonymous namespace)" excepted
        for (size_t i = 0; i < name.size(); ++i) {
            if (name[i] == '<') ++depth;
            if (name[i] == '>') --depth;
            if (name[i] == '(' && depth == 0 && !name.substr(i).starts_with("(anonymous")) name.erase(i);
        }
        names.push_back(name.empty() ? "kernel" : name);
    }
    return names;
}

std::string function_name(const void* code) { return function_names({code})[0]; }

std::string to_text(const Site& site) {
    return site.line() == 0 ? "" : text("%s:%u", file_name(site.file_name()).c_str(), site.line());
}

void publish(Report report) {
    const std::lock_guard lock(g_mutex);
    g_report = std::move(report);
}

Report peek_report() {
    const std::lock_guard lock(g_mutex);
    return g_report;
}

Report take_report() {
    const std::lock_guard lock(g_mutex);
    return std::exchange(g_report, {});
}

}  // namespace halfbyte::emulation
