"""The longest wait while a keyspace grows to 20 M keys and while it is deleted key by key, against the very same commands
where they change nothing: SETs of keys that are there, DELs of keys that are not."""
from servers import PANDO, SIDES, need, rate_load
from table import Figures

KEYS, RATE, PROBES = 20_000_000, 300_000, 5_000
GROWS, SHRINKS = "growth to 20 M keys: longest wait, over no growth", "shrinking back: longest wait, over no shrinking"


def phase(bench, server, what, first, keys, changed, left):
    """The longest latency of the probe in ms."""
    result = rate_load(bench.generator, server, w=what, f=first, n=keys, b=20, r=RATE, q=PROBES)
    need(result["per_s"] > 0.9 * RATE, f"{result['per_s']:.0f} of {RATE} commands/s were answered")
    need(result["changed"] == changed, f"{result['changed']:.0f} keys were deleted, not {changed}")
    need(server.run("DBSIZE") == left + 1, f"DBSIZE is {server.run('DBSIZE')}")  # the probe's key
    return result["probe_max"] / 1e3


def measure_all(bench, table):
    figures, keys = Figures(), bench.scaled(KEYS) // 20 * 20
    for number in range(bench.rounds or 3):
        for side in SIDES if number == 0 else (PANDO,):  # the bar is absolute: one round of Redis shows where it stands
            with figures.guard(side, GROWS, SHRINKS), bench.server(side) as server:
                growing = phase(bench, server, "fill", 0, keys, 0, keys)
                steady = phase(bench, server, "fill", 0, keys, 0, keys)
                figures.add(GROWS, side, growing - steady)
                steady = phase(bench, server, "drain", keys, keys, 0, keys)
                shrinking = phase(bench, server, "drain", 0, keys, keys, 0)
                figures.add(SHRINKS, side, shrinking - steady)
    table.row(GROWS, "%.2f ms", figures, limit=1)
    table.row(SHRINKS, "%.2f ms", figures, limit=1)
