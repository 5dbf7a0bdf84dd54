"""Hashes: few fields, so that they meet; long ones and many of them at times, which make tables."""

WEIGHT = 30
KEY = b"h"
CONFIG = {"hash-max-listpack-entries": ["512", "4", "0"], "hash-max-listpack-value": ["64", "8"]}


def scan_measure(command):
    """Only a call that goes all the way round finds the same in both servers' tables."""
    return "sorted" if b"1000" in command and command[2:3] == [b"0"] else "kind"


MEASURES = {b"HGETALL": "sorted", b"HKEYS": "sorted", b"HVALS": "sorted", b"HSCAN": scan_measure,
            b"HRANDFIELD": "type"}


def field(g):
    r = g.random
    if r.random() < 0.03:
        return r.choice([b"", b"f" * 70, b"\x00\xff", b"-0", b"9223372036854775808"])
    return r.choice([b"f%d", b"%d", b"field:%d"]) % r.randint(0, 5)


def value(g):
    return g.number() if g.chance(0.4) else g.value()


def pairs(g):
    many = g.random.randint(1, 4) if g.chance(0.95) else g.random.randint(10, 40)
    return sum(([field(g) if many < 5 else b"m%d" % g.random.randint(0, 99), value(g)] for _ in range(many)), [])


def fields(g):
    return [field(g) for _ in range(g.random.randint(1, 4))]


def scan(g):
    words = [b"0" if g.chance(0.95) else g.number()]
    if g.chance(0.3):
        words += [g.case(b"MATCH"), g.random.choice([b"f*", b"*", b"[0-3]", b"?", b""])]
    if g.chance(0.8):
        words += [g.case(b"COUNT"), g.random.choice([b"1000", b"1000", b"1000", b"1", b"0", b"x"])]
    return words + g.options(b"WRONG", probability=0.02)


def command(g):
    r, key = g.random, g.key()
    return r.choice([
        lambda: [b"HSET", key, *pairs(g)],
        lambda: [b"HSET", key, *pairs(g)],
        lambda: [b"HMSET", key, *pairs(g)],
        lambda: [b"HSETNX", key, field(g), value(g)],
        lambda: [b"HDEL", key, *fields(g)],
        lambda: [b"HINCRBY", key, field(g), g.number()],
        lambda: [b"HINCRBY", key, b"n%d" % r.randint(0, 2), g.integer(-1000, 1000)],
        lambda: [b"HINCRBYFLOAT", key, b"n%d" % r.randint(0, 2), r.choice([b"0.5", b"1", b"-3", g.number()])],
        lambda: [b"HGET", key, field(g)],
        lambda: [b"HMGET", key, *fields(g)],
        lambda: [b"HGETALL", key],
        lambda: [b"HKEYS", key],
        lambda: [b"HVALS", key],
        lambda: [b"HLEN", key],
        lambda: [b"HEXISTS", key, field(g)],
        lambda: [b"HSTRLEN", key, field(g)],
        lambda: [b"HSCAN", key, *scan(g)],
        lambda: [b"HRANDFIELD", key],
        lambda: [b"HRANDFIELD", key, g.integer(-6, 40), *g.options(b"WITHVALUES")],
        lambda: [b"OBJECT", b"ENCODING", key],
        lambda: [b"DEL", key],
    ])()
