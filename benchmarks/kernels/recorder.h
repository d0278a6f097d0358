// Keeps what is measured: prints it, writes it to the files every few seconds, and ends the process when a row does not return.
#pragma once

#include <chrono>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include "report.h"

namespace halfbyte::benchmark {

class Recorder {
   public:
    struct Files {
        std::string text, json;  // empty: none
    };
    // `end` is called from another thread when nothing has come for `longest_row`, after all has been written; it must not return.
    // `row_of`: the name of the row that follows after so many.
    Recorder(Files files, std::chrono::milliseconds longest_row, std::function<std::string(size_t)> row_of,
             std::function<void()> end);
    ~Recorder();

    void add(const std::string& more, const Results& so_far);
    // Writes the files for the last time. False if that fails.
    bool finish(const Results& results);

   private:
    bool write() const;
    void watch();

    const Files files_;
    const std::chrono::milliseconds longest_row_;
    const std::function<std::string(size_t)> row_of_;
    const std::function<void()> end_;
    std::mutex mutex_;  // of all that follows
    std::string text_;
    Results results_;
    std::chrono::steady_clock::time_point last_write_, last_progress_;
    bool is_over_ = false;
    std::thread watching_;  // the last: it uses all of them
};

}  // namespace halfbyte::benchmark
