// One pool of threads for the whole library. The calling thread always takes part; helpers start on first use.
#pragma once

#include <cstdint>
#include <memory>
#include <type_traits>

namespace halfbyte::cpu {

class ThreadPool {
   public:
    static ThreadPool& shared();

    // body(first, last) over [0, count) in ranges of whole grains, one contiguous range per thread. Returns when all are done.
    // If another caller is using the helpers, this one works alone rather than wait.
    template <class Body>
    void parallel_for(int threads, int64_t count, int64_t grain, const Body& body) {
        if (count <= 0) return;
        const int64_t grains = (count + grain - 1) / grain;
        if (threads <= 1 || grains <= 1) {
            body(int64_t{0}, count);
            return;
        }
        struct Call {
            const Body* body;
            int64_t count, grain, grains;
        } call{&body, count, grain, grains};
        const auto run = [](void* context, int part, int parts) {
            const Call& c = *static_cast<Call*>(context);
            const int64_t first = c.grains * part / parts * c.grain;
            const int64_t last = c.grains * (part + 1) / parts * c.grain;
            if (first < c.count && first < last) (*c.body)(first, last < c.count ? last : c.count);
        };
        run_parts(static_cast<int>(grains < threads ? grains : threads), run, &call);
    }

    ThreadPool(const ThreadPool&) = delete;
    ThreadPool& operator=(const ThreadPool&) = delete;

   private:
    using Part = void (*)(void* context, int part, int parts);

    ThreadPool();
    ~ThreadPool();
    void run_parts(int parts, Part run, void* context);

    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace halfbyte::cpu
