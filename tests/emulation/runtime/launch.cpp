#include "launch.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <memory>
#include <numeric>
#include <random>
#include <string_view>
#include <thread>
#include <unordered_map>

#include "api.h"
#include "block.h"
#include "device_memory.h"
#include "special_registers.h"

thread_local constinit uint3 threadIdx{};
thread_local constinit uint3 blockIdx{};
thread_local constinit dim3 blockDim{};
thread_local constinit dim3 gridDim{};

namespace halfbyte::emulation {
namespace {

constexpr size_t kLargestSnapshot = size_t{1} << 30;
constexpr size_t kLargestResidency = 256;  // blocks that one OS thread keeps waiting for others

std::mutex g_mutex;  // of everything below
std::vector<std::unique_ptr<Block>> g_blocks;
std::vector<Order> g_orders;
bool g_counting = false;
std::map<std::string, Counts> g_counts;
std::unordered_map<const void*, std::string> g_names;
std::unordered_map<const void*, LaunchSize> g_sizes;

// Blocks are expensive to make (stacks, the shared window), so they are kept.
std::vector<std::unique_ptr<Block>> take_blocks(size_t count) {
    std::vector<std::unique_ptr<Block>> blocks;
    const std::lock_guard lock(g_mutex);
    for (; blocks.size() < count && !g_blocks.empty(); g_blocks.pop_back()) blocks.push_back(std::move(g_blocks.back()));
    while (blocks.size() < count) blocks.push_back(std::make_unique<Block>());
    return blocks;
}

void give_back(std::vector<std::unique_ptr<Block>> blocks) {
    const std::lock_guard lock(g_mutex);
    for (auto& block : blocks) g_blocks.push_back(std::move(block));
}

std::vector<Order> orders_of(std::string_view list) {
    std::vector<Order> orders;
    while (!list.empty()) {
        const std::string_view item = list.substr(0, list.find(','));
        list.remove_prefix(std::min(list.size(), item.size() + 1));
        if (item == "forward") orders.push_back({Order::kForward, 0});
        else if (item == "reverse") orders.push_back({Order::kReverse, 0});
        else if (item.starts_with("random:")) orders.push_back({Order::kRandom, std::strtoull(item.data() + 7, nullptr, 10)});
        else
            std::fprintf(stderr, "emulation: HALFBYTE_EMULATION_ORDERS: '%.*s' is none of forward, reverse, random:<seed>\n",
                         static_cast<int>(item.size()), item.data());
    }
    if (orders.empty()) orders.push_back({});
    return orders;
}

std::vector<Order> current_orders() {
    const std::lock_guard lock(g_mutex);
    if (g_orders.empty()) {
        const char* list = std::getenv("HALFBYTE_EMULATION_ORDERS");
        g_orders = orders_of(list != nullptr ? list : "");
    }
    return g_orders;
}

unsigned os_threads() {
    static const unsigned count = [] {
        const char* text = std::getenv("HALFBYTE_EMULATION_THREADS");
        const unsigned asked = text != nullptr ? static_cast<unsigned>(std::atoi(text)) : std::thread::hardware_concurrency();
        return std::clamp(asked, 1u, 64u);
    }();
    return count;
}

std::chrono::seconds time_limit() {
    static const int seconds = [] {
        const char* text = std::getenv("HALFBYTE_EMULATION_SECONDS");
        return text != nullptr && std::atoi(text) > 0 ? std::atoi(text) : 120;
    }();
    return std::chrono::seconds(seconds);
}

// The n-th cluster to run: 0, 1, 2, ... forward, from the last in reverse, and in steps coprime to the count at random.
class BlockOrder {
   public:
    BlockOrder(const Order& order, uint64_t count) : order_(order), count_(count) {
        if (order.kind != Order::kRandom || count < 2) return;
        std::mt19937_64 random(order.seed);
        first_ = random() % count;
        for (step_ = random() % count; std::gcd(step_, count) != 1;) step_ = (step_ + 1) % count;
    }
    uint64_t at(uint64_t n) const {
        if (order_.kind == Order::kForward) return n;
        if (order_.kind == Order::kReverse) return count_ - 1 - n;
        return static_cast<uint64_t>((first_ + static_cast<unsigned __int128>(step_) * n) % count_);
    }

   private:
    Order order_;
    uint64_t count_, first_ = 0, step_ = 1;
};

void run_clusters(Launch& launch) {
    const unsigned width = launch.grid.x / launch.cluster;
    const uint64_t count = uint64_t{width} * launch.grid.y * launch.grid.z;
    const BlockOrder order(launch.order, count);
    std::atomic<uint64_t> next = 0;
    // An OS thread goes on with a new cluster when the one it runs waits for another, as a GPU would have both resident.
    const auto work = [&] {
        std::deque<std::unique_ptr<Cluster>> paused;
        while (!launch.failed) {
            std::unique_ptr<Cluster> cluster;
            const uint64_t n = paused.size() * launch.cluster < kLargestResidency ? next++ : count;
            if (n < count) {
                const uint64_t i = order.at(n);
                const dim3 first(static_cast<unsigned>(i % width) * launch.cluster,
                                 static_cast<unsigned>(i / width % launch.grid.y),
                                 static_cast<unsigned>(i / (uint64_t{width} * launch.grid.y)));
                cluster = std::make_unique<Cluster>(launch, take_blocks(launch.cluster), first);
            } else if (!paused.empty()) {
                cluster = std::move(paused.front());
                paused.pop_front();
            } else {
                break;
            }
            if (cluster->run()) give_back(cluster->take_blocks());
            else paused.push_back(std::move(cluster));
        }
        for (auto& cluster : paused) give_back(cluster->take_blocks());
    };
    std::vector<std::thread> helpers;
    for (uint64_t i = 1; i < std::min<uint64_t>(os_threads(), count); ++i) helpers.emplace_back(work);
    work();
    for (std::thread& helper : helpers) helper.join();
}

// Where two results of one launch differ, in words; empty if nowhere.
std::string difference(const DeviceMemory::Snapshot& a, const DeviceMemory::Snapshot& b) {
    for (size_t i = 0; i < a.size(); ++i) {
        const auto at = std::mismatch(a[i].second.begin(), a[i].second.end(), b[i].second.begin());
        if (at.first == a[i].second.end()) continue;
        return text("byte %td of an allocation of %zu bytes", at.first - a[i].second.begin(), a[i].second.size());
    }
    return "";
}

std::string to_text(const Order& order) {
    if (order.kind == Order::kRandom) return text("random:%llu", static_cast<unsigned long long>(order.seed));
    return order.kind == Order::kForward ? "forward" : "reverse";
}

}  // namespace

void set_orders(std::vector<Order> orders) {
    const std::lock_guard lock(g_mutex);
    g_orders = std::move(orders);
}

void start_counting() {
    const std::lock_guard lock(g_mutex);
    g_counting = true;
    g_counts.clear();
}

std::map<std::string, Counts> stop_counting() {
    const std::lock_guard lock(g_mutex);
    g_counting = false;
    return std::exchange(g_counts, {});
}

std::map<std::string, LaunchSize> largest_launches() {
    const std::lock_guard lock(g_mutex);
    std::vector<const void*> kernels;
    for (const auto& [kernel, size] : g_sizes) kernels.push_back(kernel);
    const std::vector<std::string> names = function_names(kernels);
    std::map<std::string, LaunchSize> sizes;
    for (size_t i = 0; i < kernels.size(); ++i) sizes[names[i]] = g_sizes[kernels[i]];
    return sizes;
}

std::mutex& device_mutex() {
    static std::mutex mutex;
    return mutex;
}

cudaError_t run(const cudaLaunchConfig_t& config, unsigned cluster, const void* function, void (*call)(void*), void* arguments,
                size_t argument_bytes) {
    // Running again from a snapshot must not undo what another host thread does meanwhile.
    const std::lock_guard lock_device(device_mutex());
    std::vector<Order> orders = current_orders();
    const DeviceMemory& memory = DeviceMemory::instance();
    if (orders.size() > 1 && memory.used() > kLargestSnapshot) {
        std::fprintf(stderr, "emulation: %zu bytes are allocated, too many to run %s in several orders\n", memory.used(),
                     function_name(function).c_str());
        orders.resize(1);
    }
    {
        const std::lock_guard lock(g_mutex);
        LaunchSize& size = g_sizes[function];
        size.threads = std::max(size.threads, config.blockDim.x * config.blockDim.y * config.blockDim.z);
        size.shared_bytes = std::max(size.shared_bytes, config.dynamicSmemBytes);
    }
    const Footprint footprint = begin_footprint(config);
    DeviceMemory::Snapshot before, first;
    if (orders.size() > 1) before = memory.snapshot();
    for (size_t i = 0; i < orders.size(); ++i) {
        if (i > 0) DeviceMemory::restore(before);
        Launch launch{.function = function,
                      .call = call,
                      .arguments = arguments,
                      .argument_bytes = argument_bytes,
                      .grid = config.gridDim,
                      .block = config.blockDim,
                      .cluster = cluster,
                      .shared_bytes = config.dynamicSmemBytes,
                      .order = orders[i],
                      .footprint = footprint,
                      .architecture = architecture(),
                      .counting = g_counting && i == 0,
                      .deadline = std::chrono::steady_clock::now() + time_limit(),
                      .failed = false,
                      .mutex = {},
                      .report = {},
                      .counts = {}};
        run_clusters(launch);
        if (launch.failed) {
            launch.report.text += text(" [order %s]", to_text(orders[i]).c_str());
            publish(launch.report);
            return cudaErrorLaunchFailure;
        }
        if (launch.counting) {
            launch.counts.launches = 1;
            launch.counts.overlapping = footprint.may_overlap;
            const std::lock_guard lock(g_mutex);
            std::string& name = g_names[function];
            if (name.empty()) name = launch.name();
            add(g_counts[name], launch.counts);
        }
        if (orders.size() == 1) continue;
        DeviceMemory::Snapshot after = memory.snapshot();
        if (i == 0) {
            first = std::move(after);
        } else if (const std::string where = difference(first, after); !where.empty()) {
            publish({Fault::kOrderDependence,
                     text("%s: %s: %s differs between orders %s and %s", launch.name().c_str(), name(Fault::kOrderDependence),
                          where.c_str(), to_text(orders[0]).c_str(), to_text(orders[i]).c_str())});
            return cudaErrorLaunchFailure;
        }
    }
    return cudaSuccess;
}

}  // namespace halfbyte::emulation
