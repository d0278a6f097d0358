// The results as one JSON object. NaN, which JSON lacks, is null.
#include <cmath>
#include <cstdio>

#include "report.h"
#include "targets.h"

namespace halfbyte::benchmark {
namespace {

// Objects and arrays, one level of indentation per nesting down to kInline levels, then on one line.
class Writer {
   public:
    Writer& open(char bracket, const char* key = nullptr) {
        begin(key);
        text_ += bracket;
        closers_ += bracket == '{' ? '}' : ']';
        is_first_ = true;
        return *this;
    }
    Writer& close() {
        const char closer = closers_.back();
        closers_.pop_back();
        if (!is_first_) new_line();
        text_ += closer;
        is_first_ = false;
        return *this;
    }
    Writer& put(const char* key, const std::string& value) {
        begin(key);
        quote(value);
        return *this;
    }
    Writer& put(const char* key, const char* value) { return put(key, std::string(value)); }
    Writer& put(const char* key, double value) {
        begin(key);
        char number[32];
        std::snprintf(number, sizeof number, "%.6g", value);
        text_ += std::isfinite(value) ? number : "null";
        return *this;
    }
    Writer& put(const char* key, int64_t value) {
        begin(key);
        text_ += std::to_string(value);
        return *this;
    }
    Writer& put(const char* key, int value) { return put(key, int64_t{value}); }
    std::string text() const { return text_ + "\n"; }

   private:
    static constexpr size_t kInline = 3;

    void begin(const char* key) {
        if (!closers_.empty()) {
            if (!is_first_) text_ += ',';
            if (!is_first_ && closers_.size() >= kInline) text_ += ' ';
            new_line();
        }
        is_first_ = false;
        if (key == nullptr) return;
        quote(key);
        text_ += ": ";
    }
    void new_line() {
        if (closers_.size() >= kInline) return;
        text_ += '\n';
        text_.append(2 * closers_.size(), ' ');
    }
    void quote(const std::string& value) {
        text_ += '"';
        for (const char c : value) {
            if (c == '"' || c == '\\') {
                text_ += '\\';
                text_ += c;
            } else if (static_cast<unsigned char>(c) < 0x20) {
                char escaped[8];
                std::snprintf(escaped, sizeof escaped, "\\u%04x", static_cast<unsigned>(c));
                text_ += escaped;
            } else {
                text_ += c;
            }
        }
        text_ += '"';
    }

    std::string text_, closers_;
    bool is_first_ = true;
};

void put_summary(Writer& w, const Summary& s) {
    w.put("median_us", s.median).put("min_us", s.least).put("spread", s.spread).put("samples", s.samples);
}

void put_row(Writer& w, const Row& row, const std::vector<Finding>& findings) {
    w.open('{').put("name", row.name).put("operation", row.operation).put("format", row.format).put("dtype", row.dtype);
    w.put("M", row.M).put("N", row.N).put("K", row.K);
    if (!row.note.empty()) w.put("note", row.note);
    if (!row.failure.empty()) w.put("failure", row.failure);
    if (row.operation == "accuracy") {
        w.put("error", row.our_error).put("peer_error", row.peer_error);
    } else {
        put_summary(w, row.ours);
        w.put("bytes", row.bytes).put("flops", row.flops);
        w.put("gigabytes_per_second", row.gigabytes_per_second()).put("teraflops", row.teraflops());
        w.put("limit", row.limit).put("limit_us", row.limit_microseconds).put("share_of_limit", row.share_of_limit());
    }
    w.open('[', "peers");
    for (const Peer& peer : row.peers) {
        w.open('{').put("name", peer.name);
        if (peer.time.samples > 0) {
            put_summary(w, peer.time);
            w.put("ratio", peer.ratio(row.ours));
            if (!peer.note.empty()) w.put("note", peer.note);
        } else if (!peer.reason.empty()) {
            w.put("absent", peer.reason);
        }
        w.close();
    }
    w.close();
    w.open('[', "targets");
    for (const Finding& finding : findings) {
        if (finding.row != &row) continue;
        const Target& target = *finding.target;
        w.open('{').put("name", target.name).put("peer", target.peer).put("kind", target.is_share ? "share" : "ratio");
        w.put("must", target.must).put("aim", target.aim).put("ceiling", target.ceiling);
        w.put("value", finding.value).put("verdict", name(finding.verdict)).close();
    }
    w.close().close();
}

}  // namespace

std::string json(const Results& results) {
    const Machine& m = results.machine;
    Writer w;
    w.open('{').open('{', "machine");
    w.put("gpu", m.gpu).put("compute_capability", m.capability).put("multiprocessors", m.multiprocessors);
    w.put("l2_bytes", m.l2_bytes).put("memory_bytes", m.memory_bytes);
    w.put("highest_sm_clock_mhz", m.sm_clock_mhz).put("highest_memory_clock_mhz", m.memory_clock_mhz);
    w.put("driver", m.driver).put("runtime", m.runtime).put("library", m.library);
    w.put("commit", results.commit).put("date", results.date).close();
    w.open('{', "method").put("arguments", results.arguments);
    w.put("timing", "CUDA events around replays of CUDA graphs, candidates in turns; median of the samples");
    w.put("spread", "the middle half of the samples, as a share of the median");
    w.put("data", "normally distributed; weights really quantized");
    w.put("footprint_bytes", results.footprint).put("seconds", results.seconds).close();
    w.open('{', "limits").put("read_gigabytes_per_second", results.limits.read_gigabytes_per_second);
    w.put("copy_gigabytes_per_second", results.limits.copy_gigabytes_per_second);
    w.put("bf16_teraflops", results.limits.bf16_teraflops).put("int8_teraops", results.limits.int8_teraflops).close();
    w.open('[', "peers");
    for (const std::string& peer : results.peers) w.open('{').put("name", peer).close();
    for (const Peer& peer : results.absent) w.open('{').put("name", peer.name).put("absent", peer.reason).close();
    w.close().open('[', "rows");
    const std::vector<Finding> findings = evaluate(results.rows);
    for (const Row& row : results.rows) put_row(w, row, findings);
    w.close().open('[', "targets");
    for (const Finding& finding : findings) {
        const Target& target = *finding.target;
        w.open('{').put("target", target.name).put("row", finding.row != nullptr ? finding.row->name : "");
        w.put("must", target.must).put("aim", target.aim).put("ceiling", target.ceiling);
        w.put("value", finding.value).put("verdict", name(finding.verdict)).close();
    }
    w.close();
    if (!results.lost_at.empty()) w.put("lost_at", results.lost_at);
    w.open('[', "skipped");
    for (const std::string& row : results.skipped) w.put(nullptr, row);
    return w.close().close().text();
}

}  // namespace halfbyte::benchmark
