// The results for people and for programs.
#pragma once

#include <string>
#include <vector>

#include "device.h"
#include "row.h"

namespace halfbyte::benchmark {

struct Results {
    Machine machine;
    Limits limits;
    std::vector<Row> rows;
    std::vector<std::string> skipped;     // names of rows that time did not suffice for
    std::vector<Peer> absent;             // peers that could not be opened, and why
    std::vector<std::string> peers;       // those that could, with versions
    std::string commit, date, arguments;  // date: UTC, ISO 8601
    std::string lost_at;                  // the row in which the device was lost
    double seconds = 0;
    int64_t footprint = 0;
};

std::string text_heading(const Results& results);
std::string text_columns();
std::string text_row(const Row& row);  // one line, printed as soon as it is measured
std::string text_lost(const std::string& row, const char* why);
std::string text_targets(const Results& results);
std::string text_choices(const Results& results);  // nothing if there are none

std::string json(const Results& results);

}  // namespace halfbyte::benchmark
