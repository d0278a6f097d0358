// The parts that need no device: statistics, options, the selection of rows, targets and reports.
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "peers/bitsandbytes.h"
#include "recorder.h"
#include "report.h"
#include "run.h"
#include "targets.h"
#include "tests/harness.h"

using namespace halfbyte::benchmark;

namespace {

Row matmul(int64_t M, int64_t N, int64_t K, double ours, const char* peer, double theirs) {
    Row row;
    row.name = "matmul_4bit nf4 M=" + std::to_string(M);
    row.operation = "matmul_4bit";
    row.format = "nf4";
    row.M = M;
    row.N = N;
    row.K = K;
    row.ours = summarize({ours});
    row.peers.push_back({peer, summarize({theirs}), {}, {}});
    return row;
}

Row dequantize(double ours, double copy) {
    Row row = matmul(0, 14336, 4096, ours, peer::kCopy, copy);
    row.operation = "dequantize_4bit";
    return row;
}

std::vector<Finding> measured(const std::vector<Row>& rows) {
    std::vector<Finding> findings = evaluate(rows);
    std::erase_if(findings, [](const Finding& f) { return f.row == nullptr; });
    return findings;
}

Verdict verdict(const Row& row) {
    const std::vector<Row> rows = {row};
    const std::vector<Finding> findings = measured(rows);
    EXPECT_EQUAL(findings.size(), 1);
    return findings.empty() ? Verdict::kNotMeasured : findings[0].verdict;
}

}  // namespace

TEST(summary_of_samples) {
    const Summary s = summarize({5, 1, 3, 2, 4});
    EXPECT_EQUAL(s.median, 3);
    EXPECT_EQUAL(s.least, 1);
    EXPECT_EQUAL(s.samples, 5);
    EXPECT(std::abs(s.spread - 2.0 / 3) < 1e-12);
    EXPECT_EQUAL(summarize({1, 2}).median, 1.5);
    EXPECT_EQUAL(summarize({}).samples, 0);
    EXPECT(std::isnan(summarize({}).median));
}

TEST(options_of_the_command_line) {
    EXPECT_EQUAL(parse_options({}).seconds, 100);
    EXPECT_EQUAL(parse_options({"--quick"}).seconds, 30);
    EXPECT_EQUAL(parse_options({"--quick", "--seconds", "7.5"}).seconds, 7.5);
    EXPECT(parse_options({"--all"}).seconds > 1e6);
    EXPECT(parse_options({"--filter", "M=1"}).filter == "M=1");
    for (const std::vector<std::string>& wrong :
         std::vector<std::vector<std::string>>{{"--no"}, {"--json"}, {"--seconds", "0"}, {"--seconds", "9x"}, {"--quick", "--all"}})
        EXPECT(!parse_options(wrong).error.empty());
}

TEST(rows_in_the_order_of_their_importance) {
    Options options;
    const std::vector<Task> tasks = select(options, layers(), llama_3_8b_decoder_layer());
    EXPECT(std::is_sorted(tasks.begin(), tasks.end(), [](const Task& a, const Task& b) { return a.priority < b.priority; }));
    EXPECT(std::none_of(tasks.begin(), tasks.end(), [](const Task& t) { return t.name.find("151936") != std::string::npos; }));
    for (size_t i = 0; i < tasks.size(); ++i)
        for (size_t j = 0; j < i; ++j)
            if (tasks[i].name == tasks[j].name) test::fail(__FILE__, __LINE__, "twice: " + tasks[i].name);
    options.all = true;
    EXPECT(select(options, layers(), llama_3_8b_decoder_layer()).size() > tasks.size());
    options.all = false;
    options.quick = true;
    EXPECT(select(options, layers(), llama_3_8b_decoder_layer()).size() < 80);
    options.after = select(options, layers(), llama_3_8b_decoder_layer())[10].name;
    const std::vector<Task> later = select(options, layers(), llama_3_8b_decoder_layer());
    options.after.clear();
    EXPECT_EQUAL(later.size() + 11, select(options, layers(), llama_3_8b_decoder_layer()).size());
    options.quick = false;
    options.filter = "nested 14336x4096 M=16";
    EXPECT_EQUAL(select(options, layers(), llama_3_8b_decoder_layer()).size(), 1);
}

TEST(targets_that_are_ratios) {
    const auto over_bf16 = [](double ratio) { return verdict(matmul(8, 14336, 4096, 10, peer::kBFloat16, 10 * ratio)); };
    EXPECT(over_bf16(2.1) == Verdict::kMissed);
    EXPECT(over_bf16(2.2) == Verdict::kMet);
    EXPECT(over_bf16(2.85) == Verdict::kAimed);
    EXPECT(over_bf16(3.55) == Verdict::kAimed);  // within what a measurement can be off
    EXPECT(over_bf16(4) == Verdict::kSuspicious);
}

TEST(targets_that_are_shares) {
    EXPECT(verdict(dequantize(0.80, 1)) == Verdict::kMissed);
    EXPECT(verdict(dequantize(0.74, 1)) == Verdict::kMet);
    EXPECT(verdict(dequantize(0.66, 1)) == Verdict::kAimed);
    EXPECT(verdict(dequantize(0.50, 1)) == Verdict::kSuspicious);
}

TEST(a_target_that_is_a_share_of_the_limit) {
    Row row = matmul(1, 14336, 4096, 10, peer::kBitsandbytes, 30);
    row.limit_microseconds = 9;
    const std::vector<Row> rows = {row};
    int found = 0;
    for (const Finding& finding : measured(rows)) {
        if (finding.target->peer != std::string(peer::kLimit)) continue;
        ++found;
        EXPECT(finding.verdict == Verdict::kAimed);
    }
    EXPECT_EQUAL(found, 1);
}

TEST(a_target_without_its_peer_is_not_measured) {
    EXPECT(verdict(matmul(8, 14336, 4096, 10, peer::kBitsandbytes, 30)) == Verdict::kNotMeasured);
    EXPECT_EQUAL(evaluate({}).size(), targets().size());
    EXPECT(measured({matmul(2, 14336, 4096, 10, peer::kBFloat16, 30)}).empty());  // no target for M=2
}

TEST(accuracy_is_a_share_of_the_peers_error) {
    Row row;
    row.operation = "accuracy";
    row.our_error = 1e-3;
    row.peer_error = 0.95e-3;
    EXPECT(verdict(row) == Verdict::kMissed);
    row.peer_error = 1.05e-3;
    EXPECT(verdict(row) == Verdict::kMet);
}

TEST(every_target_has_a_row) {
    const std::vector<Task> tasks = select({}, layers(), llama_3_8b_decoder_layer());
    const auto has = [&](const std::string& name) {
        return std::any_of(tasks.begin(), tasks.end(), [&](const Task& t) { return t.name == name && t.priority == 0; });
    };
    for (const char* name :
         {"dequantize_4bit nf4 14336x4096", "quantize_4bit nf4 14336x4096", "quantize_int8_rows 14336x4096",
          "quantize_blockwise 14336x4096", "dequantize_blockwise 14336x4096", "matmul_4bit nf4 4096x14336 M=1",
          "matmul_4bit nf4 nested 14336x4096 M=1", "matmul_4bit nf4 4096x4096 M=8", "matmul_4bit_transposed nf4 14336x4096 M=1024",
          "accuracy nf4 4096x4096 M=3", "chain nf4 M=1", "chain nf4 4096x4096 M=1"})
        if (!has(name)) test::fail(__FILE__, __LINE__, std::string("not among the first rows: ") + name);
}

TEST(bitsandbytes_takes_its_fused_kernel_where_its_package_would) {
    constexpr int kH200 = 132;
    // The largest M of the fused kernel.
    const auto last = [](int64_t N, int64_t K) {
        int64_t M = 1;
        while (bitsandbytes_is_fused(M + 1, N, K, kH200)) ++M;
        return M;
    };
    EXPECT_EQUAL(last(4096, 4096), 7);
    EXPECT_EQUAL(last(6144, 4096), 16);
    EXPECT_EQUAL(last(14336, 4096), 32);
    EXPECT_EQUAL(last(28672, 4096), 64);
    EXPECT_EQUAL(last(4096, 14336), 5);
    EXPECT_EQUAL(last(8192, 8192), 16);
    EXPECT_EQUAL(last(1024, 4096), 7);
}

TEST(reports_say_what_was_measured) {
    Results results;
    results.machine.gpu = "a \"GPU\"\n";
    results.rows = {matmul(8, 14336, 4096, 10, peer::kBFloat16, 40), dequantize(2, 4), Row{}};
    results.rows[0].limit = "memory";
    results.rows[2].name = "broken";
    results.rows[2].failure = "no memory";
    const std::string object = json(results), table = text_targets(results);
    EXPECT(object.find(R"("gpu": "a \"GPU\"\u000a")") != std::string::npos);
    EXPECT(object.find("nan") == std::string::npos && object.find("inf") == std::string::npos);
    EXPECT_EQUAL(std::count(object.begin(), object.end(), '{'), std::count(object.begin(), object.end(), '}'));
    EXPECT_EQUAL(std::count(object.begin(), object.end(), '['), std::count(object.begin(), object.end(), ']'));
    EXPECT(table.find("SUSPICIOUS") != std::string::npos &&
           table.find("4.00, and 3.50 is the most that can be") != std::string::npos);
    EXPECT(text_row(results.rows[0]).find("4.00x") != std::string::npos);
    EXPECT(text_row(results.rows[2]).find("FAILED: no memory") != std::string::npos);
}

TEST(choices_stand_side_by_side) {
    Row row = matmul(32, 4096, 4096, 20, "stream", 20);
    row.operation = "choice";
    row.note = "stream or wgmma";
    row.peers.push_back({"wgmma", summarize({16}), {}, {}});
    row.peers.push_back({"chunks", {}, "not supported", {}});
    Results results;
    EXPECT_EQUAL(text_choices(results).size(), 0);
    results.rows = {row};
    const std::string text = text_choices(results);
    EXPECT(text.find("[16.0]") != std::string::npos && text.find("[20.0]") == std::string::npos);
    EXPECT(text.find("1.25x as fast") != std::string::npos);
    EXPECT(text.find("refused") != std::string::npos);
}

TEST(a_row_that_does_not_return_ends_the_run) {
    const std::filesystem::path text = std::filesystem::temp_directory_path() / ("halfbyte-recorder-" + std::to_string(getpid()));
    std::atomic<bool> is_ended = false;
    Results results;
    results.rows = {matmul(8, 14336, 4096, 10, peer::kBFloat16, 40)};
    {
        Recorder recorder(
            {text.string(), {}}, std::chrono::milliseconds(300), [](size_t rows) { return "row " + std::to_string(rows); },
            [&] { is_ended = true; });
        recorder.add("the first\n", results);
        for (int i = 0; i < 600 && !is_ended; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    EXPECT(is_ended);
    std::ifstream file(text);
    const std::string written{std::istreambuf_iterator<char>(file), {}};
    EXPECT(written.find("the first\n") == 0 && written.find("lost at: row 1\n") != std::string::npos);
    std::filesystem::remove(text);
}
