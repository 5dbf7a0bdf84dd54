/* What finding a command by its name costs. */
#include "cmd/command.h"
#include <stdio.h>
#include <time.h>

static double cpu_seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void measure(const char *what, const struct span *names, int count)
{
    const int rounds = 20000000;
    uintptr_t sum = 0;
    double start = cpu_seconds();

    for (int i = 0, at = 0; i < rounds; i++, at = at + 1 == count ? 0 : at + 1)
        sum += (uintptr_t)command_find(names[at]);
    printf("%-24s %6.1f ns\n", what, (cpu_seconds() - start) * 1e9 / rounds + (sum == 1));
}

int main(void)
{
    static const struct span mixed[] = {SPAN("SET"),    SPAN("GET"),    SPAN("INCRBYFLOAT"),
                                        SPAN("PING"),   SPAN("expire"), SPAN("COMMAND"),
                                        SPAN("Config"), SPAN("EXISTS")};
    static const struct span one[] = {SPAN("COMMAND")},
                             unknown[] = {SPAN("NOSUCHCOMMAND"), SPAN("NO")};

    measure("one name", one, 1);
    measure("eight names", mixed, 8);
    measure("unknown names", unknown, 2);
    return 0;
}
