#include "io/slice.h"

#include <sched.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ENGINE_SLICE_NS     100000 /* the shortest that the kernel takes */
#define BACKGROUND_SLICE_NS 200000
#define BACKGROUND_NICE     10

/* sched_setattr has no wrapper in the C library; the layout is the kernel's (sched_setattr(2)). */
struct sched_attributes {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime_ns, deadline_ns, period_ns;
};
_Static_assert(sizeof(struct sched_attributes) == 48, "SCHED_ATTR_SIZE_VER0");

/* Of the calling thread. A failure changes nothing but latencies. */
static void set(int nice, uint64_t slice_ns)
{
    struct sched_attributes attributes = {
        .size = sizeof attributes, .policy = SCHED_OTHER, .nice = nice, .runtime_ns = slice_ns};

    syscall(SYS_sched_setattr, 0, &attributes, 0);
}

void slice_engine(void)
{
    if (sched_getscheduler(0) == SCHED_OTHER) set(getpriority(PRIO_PROCESS, 0), ENGINE_SLICE_NS);
}

void slice_yield(void)
{
    sched_yield();
}

void slice_background(void)
{
    set(getpriority(PRIO_PROCESS, 0) + BACKGROUND_NICE, BACKGROUND_SLICE_NS);
}
