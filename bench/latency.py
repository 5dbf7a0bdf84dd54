"""Latency without pipeline at 70% of the load that Redis can take at most, offered at a steady rate to both."""
from servers import REDIS, SIDES, need, rate_load
from table import Figures

KEYS, SECONDS, SHARE = 1_000_000, 10, 0.7
LABEL = "p99 latency at 70% of Redis' maximum load"


def offer(bench, side, rate):
    """Half SET, half GET of keys that are there, on 50 connections; rate 0: as fast as they go."""
    keys = bench.scaled(KEYS)
    with bench.server(side) as server:
        server.pipe((f"SET key:{i:012d} vvvvvvvvvvvvvvvv\n" for i in range(keys)), keys)
        return measure(bench, server, keys, rate)


def measure(bench, server, keys, rate):
    result = rate_load(bench.generator, server, k=keys, r=rate, s=bench.seconds(SECONDS))
    need(result["commands"] * 0.45 < result["hits"] < result["commands"] * 0.55, "keys are missing")
    need(server.run("DBSIZE") == keys, f"DBSIZE is {server.run('DBSIZE')}")
    need(result["per_s"] > 0.97 * rate, f"{result['per_s']:.0f} of {rate:.0f} requests/s were answered")
    return result


def measure_all(bench, table):
    figures = Figures()
    for _ in range(bench.rounds or 5):
        with figures.guard(REDIS, LABEL):
            rate = SHARE * offer(bench, REDIS, 0)["per_s"]
            for side in SIDES:
                with figures.guard(side, LABEL):
                    figures.add(LABEL, side, offer(bench, side, rate)["p99"])
    table.row(LABEL, "%.0f us", figures, times=1.0)
