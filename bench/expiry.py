"""A million keys whose deadlines lie within the same 10 s: how late their events are, and what it costs other requests."""
import time

from servers import SIDES, need, rate_load
from table import Figures

KEYS, WINDOW_S, OTHER_KEYS = 1_000_000, 10, 100_000
LATE, LOST = "1 M keys expire in 10 s: p99 of the events' delay", "1 M keys expire in 10 s: throughput lost"


def measure(bench, server):
    """A window of full load (50 clients, no pipeline) before the first deadline, another while the keys expire."""
    keys, others = bench.scaled(KEYS), bench.scaled(OTHER_KEYS)
    server.run("CONFIG", "SET", "notify-keyspace-events", "Ex")
    server.pipe((f"SET key:{i:012d} vvvvvvvvvvvvvvvv\n" for i in range(others)), others)
    window_s = bench.seconds(WINDOW_S)
    first = time.time() + 8 * keys / KEYS + window_s / 2
    step = window_s / keys
    deadlines = (int((first + i * step) * 1000) for i in range(keys))
    server.pipe((f"SET due:{due}:{i} v PXAT {due}\n" for i, due in enumerate(deadlines)), keys)
    left_s = first - time.time() - 0.2  # for the subscription to be there in time
    need(left_s > window_s / 4, "the keys were not written in time")
    before = rate_load(bench.generator, server, k=others, s=left_s)
    need(server.run("DBSIZE") == others + keys, "keys are missing before the first deadline")
    during = rate_load(bench.generator, server, k=others, s=first + window_s - time.time(), e=keys)
    need(during["events"] == keys, f"{during['events']:.0f} of {keys} events within 10 s")
    need(server.run("DBSIZE") == others, f"DBSIZE is {server.run('DBSIZE')} in the end")
    return during["late_p99"] / 1e3, 100 * (1 - during["per_s"] / before["per_s"])


def measure_all(bench, table):
    figures = Figures()
    for _ in range(bench.rounds or 3):
        for side in SIDES:
            with figures.guard(side, LATE, LOST), bench.server(side) as server:
                late_ms, lost = measure(bench, server)
                figures.add(LATE, side, late_ms)
                figures.add(LOST, side, lost)
    table.row(LATE, "%.0f ms", figures, limit=200)
    table.row(LOST, "%.1f%%", figures, limit=10)
