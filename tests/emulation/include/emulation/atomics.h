// Atomic operations and fences. Blocks run on several OS threads, so these are atomic for real. They announce themselves to the
// emulator; the operation itself is hidden from the instrumentation, which would take it for a race.
#pragma once

#include <type_traits>

#include "../../runtime/instructions.h"

namespace halfbyte::emulation {

// Built-ins, because the functions of <atomic> would be instrumented even when called from here.
template <class T>
[[gnu::no_sanitize("thread")]] T atomic_load(const T* p) {
    T value;
    __atomic_load(p, &value, __ATOMIC_SEQ_CST);
    return value;
}
template <class T>
[[gnu::no_sanitize("thread")]] void atomic_store(T* p, T value) {
    __atomic_store(p, &value, __ATOMIC_SEQ_CST);
}
template <class T>
[[gnu::no_sanitize("thread")]] bool atomic_replace(T* p, T& former, T value) {
    return __atomic_compare_exchange(p, &former, &value, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

template <class T, class Change>
T atomically(T* p, Change change) {  // replaces *p by change(*p), returns the former value
    observe(p, sizeof(T), false, true);
    observe(p, sizeof(T), true, true);
    T former = atomic_load(p);
    while (!atomic_replace(p, former, change(former))) {
    }
    return former;
}

}  // namespace halfbyte::emulation

// Not a deduced type for `value`: as on a GPU, atomicAdd(&unsigned, 1) converts the 1.
#define HALFBYTE_ATOMIC(function, expression)                                                 \
    template <class T>                                                                        \
    T function(T* p, std::type_identity_t<T> value) {                                         \
        return halfbyte::emulation::atomically(p, [=](T former) -> T { return expression; }); \
    }
HALFBYTE_ATOMIC(atomicAdd, static_cast<T>(former + value))
HALFBYTE_ATOMIC(atomicSub, static_cast<T>(former - value))
HALFBYTE_ATOMIC(atomicMin, former < value ? former : value)
HALFBYTE_ATOMIC(atomicMax, former > value ? former : value)
HALFBYTE_ATOMIC(atomicAnd, former& value)
HALFBYTE_ATOMIC(atomicOr, former | value)
HALFBYTE_ATOMIC(atomicXor, former ^ value)
HALFBYTE_ATOMIC(atomicExch, (static_cast<void>(former), value))
HALFBYTE_ATOMIC(atomicInc, former >= value ? T{0} : static_cast<T>(former + 1))
#undef HALFBYTE_ATOMIC

template <class T>
T atomicCAS(T* p, std::type_identity_t<T> expected, std::type_identity_t<T> value) {
    return halfbyte::emulation::atomically(p, [=](T former) { return former == expected ? value : former; });
}

[[gnu::no_sanitize("thread")]] inline void __threadfence() { __atomic_thread_fence(__ATOMIC_SEQ_CST); }
inline void __threadfence_block() {}
[[gnu::no_sanitize("thread")]] inline void __threadfence_system() { __atomic_thread_fence(__ATOMIC_SEQ_CST); }
inline void __nanosleep(unsigned) { halfbyte::emulation::polled(); }
