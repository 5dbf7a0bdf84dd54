"""Resident bytes per key or element: the slope between half of the keys and all of them, so that what a server takes before
the first key is left out. The empty server has a row in start.py."""
from servers import SIDES, need
from table import Figures

KEYS = 1_000_000
KEY, BIG = "key:%012d", "big"
ROWS = [  # label, bar, command number i, the type, what counts the elements of one big value
    ("string 16/16", 0.50, lambda i: f"SET key:{i:012d} vvvvvvvvvvvvvvvv", "string", None),
    ("string 16/16 with TTL", 0.46, lambda i: f"SET key:{i:012d} vvvvvvvvvvvvvvvv EX 100000", "string", None),
    ("string 16/32", 0.55, lambda i: f"SET key:{i:012d} {'v' * 32}", "string", None),
    ("string 16/integer", 0.50, lambda i: f"SET key:{i:012d} {i * 1000003}", "string", None),
    ("string 16/100", 0.70, lambda i: f"SET key:{i:012d} {'v' * 100}", "string", None),
    ("small hash, 5 fields", 0.72,
     lambda i: f"HSET key:{i:012d} f1 value1 f2 value2 f3 value3 f4 {i} f5 x", "hash", None),
    ("small set, 5 integers", 0.68, lambda i: f"SADD key:{i:012d} {i} {i + 1} {i + 2} {i + 3} {i + 4}", "set", None),
    ("small sorted set, 5 members", 0.75, lambda i: f"ZADD key:{i:012d} 1 a 2 b 3 c 4 d 5 e", "zset", None),
    ("big sorted set", 0.52, lambda i: f"ZADD big {i * 7919 % 1000003} member:{i:012d}", "zset", "ZCARD"),
    ("big hash", 0.60, lambda i: f"HSET big field:{i:012d} vvvvvvvvvvvvvvvv", "hash", "HLEN"),
    ("big set", 0.62, lambda i: f"SADD big member:{i:012d}", "set", "SCARD"),
    ("big list", 1.0, lambda i: f"RPUSH big element:{i:012d}", "list", "LLEN"),
    ("big stream", 1.0, lambda i: f"XADD big * f1 v{i} f2 v", "stream", "XLEN"),
]


def measure(bench, server, make, kind, count):
    half = bench.scaled(KEYS) // 2
    server.pipe((make(i) + "\n" for i in range(half)), half)
    first = server.settled_memory()
    server.pipe((make(i) + "\n" for i in range(half, 2 * half)), half)
    resident = server.settled_memory() - first
    held = server.run(count, BIG) if count else server.run("DBSIZE")
    need(held == 2 * half, f"{held} of {2 * half} are there")
    need(server.run("TYPE", server.run("RANDOMKEY")) == kind, f"they are no {kind}")
    if "EX" in make(0).split():
        need(server.run("TTL", KEY % 0) > 0, "they have no deadline")
    return resident / half


def measure_all(bench, table):
    for label, bar, make, kind, count in ROWS:
        figures = Figures()
        for side in SIDES:
            with figures.guard(side, label), bench.server(side) as server:
                figures.add(label, side, measure(bench, server, make, kind, count))
        table.row("memory: " + label, "%.1f B", figures, times=bar, name=label)
