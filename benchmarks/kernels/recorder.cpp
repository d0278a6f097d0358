#include "recorder.h"

#include <fstream>
#include <iostream>

namespace halfbyte::benchmark {
namespace {

using Clock = std::chrono::steady_clock;
constexpr auto kBetweenWrites = std::chrono::seconds(5);
constexpr auto kBetweenLooks = std::chrono::milliseconds(50);

bool write_file(const std::string& path, const std::string& text) {
    if (path.empty()) return true;
    std::ofstream file(path, std::ios::binary);
    file << text;
    if (file.flush()) return true;
    std::cerr << "kernel_benchmark: could not write " << path << "\n";
    return false;
}

}  // namespace

Recorder::Recorder(Files files, std::chrono::milliseconds longest_row, std::function<std::string(size_t)> row_of,
                   std::function<void()> end)
    : files_(std::move(files)),
      longest_row_(longest_row),
      row_of_(std::move(row_of)),
      end_(std::move(end)),
      last_write_(Clock::now()),
      last_progress_(last_write_),
      watching_([this] { watch(); }) {}

Recorder::~Recorder() {
    {
        const std::lock_guard<std::mutex> guard(mutex_);
        is_over_ = true;
    }
    watching_.join();
}

void Recorder::add(const std::string& more, const Results& so_far) {
    const std::lock_guard<std::mutex> guard(mutex_);
    text_ += more;
    results_ = so_far;
    std::cout << more << std::flush;
    last_progress_ = Clock::now();
    if (last_progress_ - last_write_ < kBetweenWrites) return;
    write();
    last_write_ = last_progress_;
}

bool Recorder::finish(const Results& results) {
    const std::lock_guard<std::mutex> guard(mutex_);
    is_over_ = true;
    results_ = results;
    return write();
}

bool Recorder::write() const {
    const bool is_text_written = write_file(files_.text, text_), is_json_written = write_file(files_.json, json(results_));
    return is_text_written && is_json_written;
}

void Recorder::watch() {
    for (;; std::this_thread::sleep_for(kBetweenLooks)) {
        const std::lock_guard<std::mutex> guard(mutex_);
        if (is_over_) return;
        if (Clock::now() - last_progress_ < longest_row_) continue;
        results_.lost_at = row_of_(results_.rows.size() + results_.skipped.size());
        const std::string lost = text_lost(results_.lost_at, "the row did not return");
        text_ += lost;
        std::cout << lost << std::flush;
        write();
        end_();
        return;
    }
}

}  // namespace halfbyte::benchmark
