/* How long a thread of ours may keep a core from the others that want it: the slice of SCHED_OTHER, which Linux 6.12 and
 * later take from sched_setattr(2). Of two threads that wait, the one with the shorter slice is let in first. Older kernels
 * ignore it. */
#ifndef PANDO_IO_SLICE_H
#define PANDO_IO_SLICE_H

/* The engine: let in at once when it wakes. */
void slice_engine(void);
/* Work that nobody waits for: a lower weight, and slices that delay the engine little. */
void slice_background(void);
/* Between two pieces of such work, of some 200 us: lets in whoever waits for the core. The scheduler itself may do that as late
 * as at its next tick, a millisecond or four, even for an engine that has more right to it. */
void slice_yield(void);

#endif
