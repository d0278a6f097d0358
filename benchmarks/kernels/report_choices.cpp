// The rows of choices side by side, question by question, for whoever sets the limits between kernels.
#include <algorithm>
#include <cstdio>

#include "report.h"

namespace halfbyte::benchmark {
namespace {

std::string column(const std::string& text) { return std::string(text.size() < 10 ? 10 - text.size() : 1, ' ') + text; }

std::string column(double microseconds, bool is_best) {
    char text[32];
    std::snprintf(text, sizeof text, is_best ? "[%.1f]" : "%.1f ", microseconds);
    return column(text);
}

}  // namespace

std::string text_choices(const Results& results) {
    constexpr double kWorthIt = 1.02;  // closer than this, two ways are equal
    std::string text, question;
    for (const Row& row : results.rows) {
        if (row.operation != "choice" || !row.failure.empty()) continue;
        if (row.note != question) {
            question = row.note;
            text +=
                (text.empty() ? "\nChoices, in microseconds; [fastest]; \"taken\" is what the library takes by itself\n\n" : "\n") +
                question + "\n" + column("layer") + column("M") + column("taken ");
            for (const Peer& peer : row.peers) text += column(peer.name + " ");
            text += "\n";
        }
        double least = NAN;
        for (const Peer& peer : row.peers) least = std::fmin(least, peer.time.median);
        text += column(std::to_string(row.N) + "x" + std::to_string(row.K)) + column(std::to_string(row.M)) +
                column(row.ours.median, false);
        for (const Peer& peer : row.peers)
            text += peer.time.samples > 0 ? column(peer.time.median, peer.time.median == least) : column("refused ");
        if (row.ours.median > least * kWorthIt) {
            char lost[64];
            std::snprintf(lost, sizeof lost, "  %.2fx as fast", row.ours.median / least);
            text += lost;
        }
        text += "\n";
    }
    return text;
}

}  // namespace halfbyte::benchmark
