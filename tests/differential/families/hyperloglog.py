"""HyperLogLogs, sparse and dense."""

WEIGHT = 12
KEY = b"p"
CONFIG = {"hll-sparse-max-bytes": ["3000", "3000", "100", "10", "0", "20000"]}


def element(g):
    return b"%d" % g.random.randint(0, 10**g.random.randint(1, 6))


def command(g):
    r, key = g.random, g.key()
    return r.choice([
        lambda: [b"PFADD", key, *(element(g) for _ in range(r.randint(0, 3)))],
        lambda: [b"PFADD", key, *(element(g) for _ in range(r.randint(0, 30)))],
        lambda: [b"PFADD", key, *(element(g) for _ in range(r.choice([10, 300])))] if r.random() < 0.2 else None,
        lambda: [b"PFADD", key, g.value()],
        lambda: [b"PFCOUNT", key], lambda: [b"PFCOUNT", key],
        lambda: [b"PFCOUNT", *g.keys()],
        lambda: [b"PFMERGE", key, *g.keys(3)] if r.random() < 0.5 else [b"DEL", key],
        lambda: [b"PFDEBUG", g.case(r.choice([b"ENCODING", b"DECODE"])), key],
        lambda: [b"PFDEBUG", r.choice([b"TODENSE", b"GETREG", b"WRONG"]), key] if r.random() < 0.1 else None,
        lambda: [b"GET", key],
        lambda: [b"SETRANGE", key, b"8", b"\x00" * 7 + b"\x80"] if r.random() < 0.1 else None,
        lambda: [b"DEL", key],
    ])()
