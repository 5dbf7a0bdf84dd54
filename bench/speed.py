"""Server CPU per request under redis-benchmark."""
import dataclasses
import math
import typing

from servers import SIDES, need
from table import Figures


def values_of(length):
    def check(run, keys, requests):
        need(all(run("STRLEN", run("RANDOMKEY")) == length for _ in range(20)), f"values are not of {length} bytes")
        near(run("DBSIZE"), distinct(keys, requests), "DBSIZE")
    return check


def distinct(keys, requests):
    """How many different keys that many random ones are, on average."""
    return keys * (1 - math.exp(-requests / keys))


def near(found, expected, what):
    need(abs(found - expected) <= 0.02 * expected + 300, f"{what} is {found}, not about {expected:.0f}")


def size(command, key):
    """Members drawn at random: as many as random keys of a keyspace would be."""
    return lambda run, keys, requests: near(run(command, key), distinct(keys, requests), f"{command} {key}")


def grown(command, key):
    return lambda run, keys, requests: near(run(command, key), requests, f"{command} {key}")


def sums(run, keys, requests):
    near(run("DBSIZE"), distinct(keys, requests), "DBSIZE")
    need(int(run("GET", run("RANDOMKEY"))) > 0, "counters do not count")


def multiple(run, keys, requests):
    near(run("DBSIZE"), distinct(keys, 10 * requests), "DBSIZE")


def emptied(command, key):
    return lambda run, keys, requests: need(run(command, key) < 0.1 * keys, f"{key} holds {run(command, key)}")


def nothing_lost(run, keys, requests):
    need(run("DBSIZE") > 0 and run("GET", run("RANDOMKEY")) is not None, "values are missing")


@dataclasses.dataclass
class Work:
    label: str
    options: str  # of redis-benchmark; KEYS is the size of the keyspace
    requests: int  # at scale 1
    bar: float
    check: typing.Callable  # of a function that runs a command, the number of keys and of requests
    fresh: bool = True  # starts with an empty keyspace; else with what the work before has left
    keys: int = 1_000_000


PLAIN = [
    Work("SET, pipeline 16, 50 clients", "-c 50 -P 16 -r KEYS -d 16 -t set", 2_000_000, 0.5, values_of(16)),
    Work("GET, pipeline 16, 50 clients", "-c 50 -P 16 -r KEYS -t get", 2_000_000, 0.5, nothing_lost, False),
    Work("SET, pipeline 64, 50 clients", "-c 50 -P 64 -r KEYS -d 16 -t set", 4_000_000, 0.5, values_of(16)),
    Work("GET, pipeline 64, 50 clients", "-c 50 -P 64 -r KEYS -t get", 4_000_000, 0.5, nothing_lost, False),
]
REST = [
    Work("INCR, pipeline 64", "-c 50 -P 64 -r KEYS -t incr", 3_000_000, 0.6, sums),
    Work("LPUSH, pipeline 64", "-c 50 -P 64 -t lpush", 3_000_000, 0.6, grown("LLEN", "mylist")),
    Work("LRANGE 600", "-c 50 -P 1 lrange mylist 0 599", 30_000, 0.7,
         lambda run, keys, requests: need(len(run("LRANGE", "mylist", 0, 599)) == 600, "the list is short"), False),
    Work("LPOP, pipeline 64", "-c 50 -P 64 -t lpop", 3_000_000, 0.6, emptied("LLEN", "mylist"), False),
    Work("SADD, pipeline 64", "-c 50 -P 64 -r KEYS -t sadd", 3_000_000, 0.6, size("SCARD", "myset")),
    Work("HSET, pipeline 64", "-c 50 -P 64 -r KEYS -t hset", 3_000_000, 0.6, size("HLEN", "myhash")),
    Work("ZADD, pipeline 64", "-c 50 -P 64 -r KEYS -t zadd", 2_000_000, 0.6, size("ZCARD", "myzset")),
    Work("ZPOPMIN, pipeline 64", "-c 50 -P 64 -t zpopmin", 800_000, 0.6, emptied("ZCARD", "myzset"), False),
    Work("XADD, pipeline 64", "-c 50 -P 64 xadd s * f v", 2_000_000, 0.6, grown("XLEN", "s")),
    Work("MSET of 10, pipeline 16", "-c 50 -P 16 -r KEYS -t mset", 300_000, 0.6, multiple),
    Work("SET of 4 KB, pipeline 16", "-c 50 -P 16 -r KEYS -d 4096 -t set", 300_000, 0.7, values_of(4096), keys=10_000),
    Work("GET of 4 KB, pipeline 16", "-c 50 -P 16 -r KEYS -t get", 500_000, 0.7, nothing_lost, False, keys=10_000),
    Work("SET, no pipeline, 50 clients", "-c 50 -P 1 -r KEYS -d 16 -t set", 300_000, 0.92, values_of(16)),
    Work("GET, no pipeline, 50 clients", "-c 50 -P 1 -r KEYS -t get", 300_000, 1.0, nothing_lost, False),
    Work("SET, no pipeline, 1000 clients", "-c 1000 -P 1 -r KEYS -d 16 -t set", 300_000, 0.92, values_of(16)),
    Work("GET, no pipeline, 1000 clients", "-c 1000 -P 1 -r KEYS -t get", 300_000, 1.0, nothing_lost, False),
]


def measure(bench, server, work):
    keys, requests = bench.scaled(work.keys), bench.scaled(work.requests)
    if work.fresh:
        server.run("FLUSHALL")
    cpu_us = server.cpu_us()
    server.benchmark(work.options.replace("KEYS", str(keys)), requests)
    cpu_us = server.cpu_us() - cpu_us
    work.check(server.run, keys, requests)
    return cpu_us / requests


def measure_all(bench, table):
    figures, works = Figures(), PLAIN if bench.quick else PLAIN + REST
    for _ in range(bench.rounds or 3):
        for side in SIDES:
            with figures.guard(side, *(work.label for work in works)), bench.server(side) as server:
                for work in works:
                    with figures.guard(side, work.label):
                        figures.add(work.label, side, measure(bench, server, work))
    for work in works:
        table.row("CPU of " + work.label, "%.3f us", figures, times=work.bar, name=work.label)
