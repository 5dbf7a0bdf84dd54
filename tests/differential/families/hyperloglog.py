"""HyperLogLogs, sparse and dense. Other families write into the keys p0 to p5 too, so that what is there may
be corrupt: they get one element at a time, since Redis keeps those before one that fails. Many at once go
to keys that are only touched here, and PFDEBUG makes only those dense, which WATCH in Redis does not see."""

WEIGHT = 12
KEY = b"p"
CONFIG = {"hll-sparse-max-bytes": ["3000", "3000", "100", "10", "0", "20000"]}


def element(g):
    return g.value() if g.chance(0.1) else b"%d" % g.random.randint(0, 10**g.random.randint(1, 6))


def sound_key(g):
    return b"pp%d" % g.random.randint(0, 3)


def command(g):
    r, key, sound = g.random, g.key(), sound_key(g)
    either = r.choice([key, sound])
    return r.choice([
        lambda: [b"PFADD", key, element(g)], lambda: [b"PFADD", key, element(g)], lambda: [b"PFADD", key],
        lambda: [b"PFADD", sound, *(element(g) for _ in range(r.randint(0, 5)))],
        lambda: [b"PFADD", sound, *(element(g) for _ in range(r.randint(0, 30)))],
        lambda: [b"PFADD", sound, *(element(g) for _ in range(r.choice([10, 300])))] if r.random() < 0.2 else None,
        lambda: [b"PFCOUNT", either], lambda: [b"PFCOUNT", either],
        lambda: [b"PFCOUNT", *g.keys(2), sound],
        lambda: [b"PFMERGE", key, *g.keys(2), sound],
        lambda: [b"PFMERGE", sound, sound_key(g)] if r.random() < 0.2 else [b"DEL", sound],
        lambda: [b"PFDEBUG", g.case(r.choice([b"ENCODING", b"DECODE"])), either],
        lambda: [b"PFDEBUG", r.choice([b"TODENSE", b"GETREG", b"WRONG"]), sound] if r.random() < 0.1 else None,
        lambda: [b"GET", either],
        lambda: [b"SETRANGE", key, b"8", b"\x00" * 7 + b"\x80"] if r.random() < 0.1 else None,
        lambda: [b"DEL", key], lambda: [b"DEL", sound],
    ])()
