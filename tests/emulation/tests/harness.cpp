#include "harness.h"

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <string_view>

namespace test {
namespace {
bool g_failed = false;
bool g_verbose = false;  // print the reports of faults that were expected
}  // namespace

std::vector<Case>& cases() {
    static std::vector<Case> all;
    return all;
}

void fail(const char* file, int line, const std::string& what) {
    g_failed = true;
    std::printf("  %s:%d: %s\n", std::strrchr(file, '/') ? std::strrchr(file, '/') + 1 : file, line, what.c_str());
}

void run_in_all_orders() {
    using halfbyte::emulation::Order;
    halfbyte::emulation::set_orders({{Order::kForward, 0}, {Order::kReverse, 0}, {Order::kRandom, 1}, {Order::kRandom, 2}});
}

void run_in_order(halfbyte::emulation::Order order) { halfbyte::emulation::set_orders({order}); }

void expect_fault(const char* file, int line, cudaError_t status, halfbyte::emulation::Fault fault, const std::string& text) {
    const halfbyte::emulation::Report report = halfbyte::emulation::take_report();
    if (status != cudaErrorLaunchFailure || report.fault != fault || report.text.find(text) == std::string::npos)
        fail(file, line, std::string("expected '") + name(fault) + "' with '" + text + "', got '" + report.text + "'");
    else if (g_verbose) std::printf("    %s\n", report.text.c_str());
}

void expect_success(const char* file, int line, cudaError_t status) {
    const halfbyte::emulation::Report report = halfbyte::emulation::take_report();
    if (status != cudaSuccess) fail(file, line, std::string(cudaGetErrorName(status)) + ": " + report.text);
}

uint32_t Random::next() {
    state_ = state_ * 6364136223846793005u + 1442695040888963407u;
    return static_cast<uint32_t>(state_ >> 32) ^ static_cast<uint32_t>(state_ >> 51);
}

// What ptxas cannot tell of the library's kernels: how much shared memory their launches ask for.
static void print_launches() {
    std::printf("%-100s threads  shared memory of the largest launch\n", "kernel");
    for (const auto& [kernel, size] : halfbyte::emulation::largest_launches()) {
        constexpr std::string_view kOurs = "halfbyte::cuda::(anonymous namespace)::";
        if (kernel.starts_with(kOurs))
            std::printf("%-100s %7u %14zu\n", kernel.c_str() + kOurs.size(), size.threads, size.shared_bytes);
    }
}

}  // namespace test

// emulation_tests [part of a name]: with a part of a name, those tests alone, and what the emulator reported.
int main(int argc, char** argv) {
    setenv("HALFBYTE_EMULATION_SECONDS", "15", 0);  // an endless loop is one of the tests; others share their cores
    test::g_verbose = argc > 1;
    int passed = 0, failed = 0;
    for (const test::Case& each : test::cases()) {
        if (argc > 1 && std::strstr(each.name, argv[1]) == nullptr) continue;
        test::g_failed = false;
        test::run_in_all_orders();
        halfbyte::emulation::take_report();
        const auto start = std::chrono::steady_clock::now();
        each.run();
        const double ms = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
        std::printf("%s %s (%.1f ms)\n", test::g_failed ? "FAIL" : "ok  ", each.name, ms);
        std::fflush(stdout);
        ++(test::g_failed ? failed : passed);
    }
    if (argc == 1) test::print_launches();
    std::printf("%d passed, %d failed\n", passed, failed);
    return failed == 0 && passed > 0 ? 0 : 1;
}
