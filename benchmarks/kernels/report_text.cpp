// Tables of fixed width. Ratios say how many times as fast as the peer we are.
#include <algorithm>
#include <cstdarg>
#include <cstdio>

#include "report.h"
#include "targets.h"

namespace halfbyte::benchmark {
namespace {

struct Column {
    const char* peer;
    const char* title;
};
constexpr Column kColumns[] = {{peer::kCopy, "copy"},          {peer::kBFloat16, "bf16"},    {peer::kInt8, "int8"},
                               {peer::kDequantize, "dq+bf16"}, {peer::kBitsandbytes, "bnb"}, {peer::kPlain, "plain"}};

[[gnu::format(printf, 1, 2)]] std::string format(const char* pattern, ...) {
    char text[512];
    va_list arguments;
    va_start(arguments, pattern);
    std::vsnprintf(text, sizeof text, pattern, arguments);
    va_end(arguments);
    return text;
}

std::string range(double worst, double best, int count) {
    if (count == 0) return "-";
    return count == 1 ? format("%.2f", worst) : format("%.2f to %.2f", worst, best);
}

}  // namespace

std::string text_heading(const Results& results) {
    const Machine& m = results.machine;
    std::string text =
        format("%s (sm_%d), %d multiprocessors, L2 %.0f MB, up to %d MHz, memory %d MHz\n", m.gpu.c_str(), m.capability,
               m.multiprocessors, static_cast<double>(m.l2_bytes) * 1e-6, m.sm_clock_mhz, m.memory_clock_mhz);
    text += format("driver %s; runtime %s; halfbyte %s%s%s; %s\n", m.driver.c_str(), m.runtime.c_str(), m.library.c_str(),
                   results.commit.empty() ? "" : ", ", results.commit.c_str(), results.date.c_str());
    for (const std::string& peer : results.peers) text += "beside " + peer + "\n";
    for (const Peer& peer : results.absent) text += "without " + peer.name + ": " + peer.reason + "\n";
    text += format("\nmeasured limits: read %.0f GB/s, copy %.0f GB/s (read + written), bf16 %.0f TFLOP/s, int8 %.0f TOP/s\n",
                   results.limits.read_gigabytes_per_second, results.limits.copy_gigabytes_per_second,
                   results.limits.bf16_teraflops, results.limits.int8_teraflops);
    return text;
}

std::string text_columns() {
    std::string text = format("\n%-46s %10s %6s %9s %10s %6s", "row", "us", "+-%", "GB/s", "TFLOP/s", "limit");
    for (const Column& column : kColumns) text += format(" %8s", column.title);
    return text + "\n";
}

std::string text_row(const Row& row) {
    if (!row.failure.empty()) return format("%-46s FAILED: ", row.name.c_str()) + row.failure + "\n";
    if (row.operation == "accuracy")
        return format("%-46s error %.2e, dequantize + bf16 %.2e: %.2f of it\n", row.name.c_str(), row.our_error, row.peer_error,
                      row.our_error / row.peer_error);
    if (row.operation == "choice") {
        std::string text = format("%-46s %10.2f", row.name.c_str(), row.ours.median);
        for (const Peer& peer : row.peers)
            text += peer.time.samples > 0 ? format("  %s %.2f", peer.name.c_str(), peer.time.median)
                                          : "  " + peer.name + ": " + peer.reason;
        return text + "\n";
    }
    std::string text = format("%-46s %10.2f %6.1f", row.name.c_str(), row.ours.median, 50 * row.ours.spread);
    // The figure that limits.
    text +=
        row.limit == "compute" ? format(" %9s %10.1f", "", row.teraflops()) : format(" %9.0f %10s", row.gigabytes_per_second(), "");
    text += format(" %5.0f%%", 100 * row.share_of_limit());
    for (const Column& column : kColumns) {
        const Peer* peer = row.find(column.peer);
        text += peer != nullptr ? format(" %7.2fx", peer->ratio(row.ours)) : format(" %8s", "");
    }
    while (text.back() == ' ') text.pop_back();
    return text + "\n";
}

std::string text_lost(const std::string& row, const char* why) {
    return format("the device is lost: %s\nlost at: ", why) + row + "\n";
}

std::string text_targets(const Results& results) {
    const std::vector<Finding> findings = evaluate(results.rows);
    std::string text = format("\n%-60s %6s %6s %7s   %-14s %s\n", "target", "must", "aim", "ceiling", "measured", "verdict");
    std::string suspicious;
    for (const Target& target : targets()) {
        double worst = NAN, best = NAN;
        int measured = 0, met = 0, doubtful = 0;
        std::string where;
        for (const Finding& finding : findings) {
            if (finding.target != &target || finding.verdict == Verdict::kNotMeasured) continue;
            ++measured;
            met += finding.verdict != Verdict::kMissed;
            doubtful += finding.verdict == Verdict::kSuspicious;
            if (finding.verdict == Verdict::kSuspicious)
                suspicious += format("  %s: %.2f, and %.2f is the most that can be\n", finding.row->name.c_str(), finding.value,
                                     target.ceiling);
            const bool is_worse = !(target.is_share ? finding.value <= worst : finding.value >= worst);
            const bool is_better = !(target.is_share ? finding.value >= best : finding.value <= best);
            if (is_worse) worst = finding.value, where = finding.row->name;
            if (is_better) best = finding.value;
        }
        std::string verdict = measured == 0     ? "not measured"
                              : met == measured ? "met"
                                                : format("MISSED, %d of %d met", met, measured);
        if (doubtful > 0) verdict += ", SUSPICIOUS";
        if (measured > 1 && met < measured) verdict += "; worst: " + where;
        text += format("%-60s %6.2f %6.2f %7.2f   %-14s %s\n", target.name, target.must, target.aim, target.ceiling,
                       range(worst, best, measured).c_str(), verdict.c_str());
    }
    if (!suspicious.empty()) text += "\nBeyond what the hardware can do; look for the mistake in the measurement:\n" + suspicious;
    if (!results.skipped.empty())
        text += format("\n%zu rows were left out for lack of time; --seconds, --all\n", results.skipped.size());
    return text + format("%zu rows in %.0f s\n", results.rows.size(), results.seconds);
}

}  // namespace halfbyte::benchmark
