#include "io/crew.h"

#include "base/mem.h"
#include "io/socket.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PAIRS = 200, BYTES = 300, ROUNDS = 50 };

struct pairs {
    int near[PAIRS], far[PAIRS];
    char sent[PAIRS][BYTES], received[PAIRS][BYTES];
    struct crew_call calls[PAIRS];
};

static struct pairs *pairs_new(void)
{
    struct pairs *pairs = mem_zalloc(sizeof *pairs);

    for (int i = 0; i < PAIRS; i++) {
        int both[2];
        cr_assert(eq(int, socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, both), 0));
        pairs->near[i] = both[0];
        pairs->far[i] = both[1];
    }
    return pairs;
}

static void pairs_free(struct pairs *pairs)
{
    for (int i = 0; i < PAIRS; i++) {
        socket_close(pairs->near[i]);
        socket_close(pairs->far[i]);
    }
    mem_free(pairs);
}

static void list_writes(struct pairs *pairs, int round)
{
    for (int i = 0; i < PAIRS; i++) {
        memset(pairs->sent[i], round * 7 + i, BYTES);
        pairs->calls[i] = (struct crew_call){
            .fd = pairs->near[i], .writes = true, .bytes = pairs->sent[i], .len = BYTES};
    }
}

static void list_reads(struct pairs *pairs)
{
    for (int i = 0; i < PAIRS; i++)
        pairs->calls[i] = (struct crew_call){
            .fd = pairs->far[i], .bytes = pairs->received[i], .len = BYTES, .result = -1000};
}

Test(crew, every_call_is_made_once_by_any_number_of_threads)
{
    static const int sizes[] = {1, 3, 17};
    struct pairs *pairs = pairs_new();

    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        struct crew *crew = crew_new(sizes[s]);
        cr_assert(eq(int, crew_size(crew), sizes[s]));
        for (int round = 0; round < ROUNDS; round++) {
            int count = round < PAIRS ? PAIRS - round : 1; /* rounds of different lengths */
            list_writes(pairs, round);
            crew_run(crew, pairs->calls, count);
            for (int i = 0; i < count; i++) cr_assert_eq(pairs->calls[i].result, BYTES);
            list_reads(pairs);
            crew_run(crew, pairs->calls, PAIRS);
            for (int i = 0; i < PAIRS; i++) {
                cr_assert_eq(pairs->calls[i].result, i < count ? BYTES : -EAGAIN, "%d", i);
                if (i < count) cr_assert_arr_eq(pairs->received[i], pairs->sent[i], BYTES);
            }
        }
        crew_run(crew, pairs->calls, 0);
        crew_free(crew);
    }
    pairs_free(pairs);
}

Test(crew, the_end_of_a_stream_and_errors_are_results)
{
    struct pairs *pairs = pairs_new();
    struct crew *crew = crew_new(2);

    shutdown(pairs->near[0], SHUT_WR);
    list_reads(pairs);
    crew_run(crew, pairs->calls, 2);
    cr_assert_eq(pairs->calls[0].result, 0);
    cr_assert_eq(pairs->calls[1].result, -EAGAIN);
    shutdown(pairs->far[1], SHUT_RDWR);
    list_writes(pairs, 0);
    crew_run(crew, pairs->calls + 1, 1);
    cr_assert_eq(pairs->calls[1].result, -EPIPE);
    crew_free(crew);
    pairs_free(pairs);
}
