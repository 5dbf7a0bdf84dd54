"""Sets."""
WEIGHT = 25
KEY = b"set"
WORDS = [b"", b"a", b"b", b"member", b"01", b"-0", b"9223372036854775807", b"-9223372036854775808",
         b"9223372036854775808", b"70000", b"-5000000000", b"\x00\xff", b"l" * 64, b"m" * 65, b"n" * 300]


def member(g):
    r = g.random
    if r.random() < 0.75:
        return b"%d" % r.randint(0, 30)
    return r.choice(WORDS) if r.random() < 0.9 else g.value()


def members(g):
    """Mostly few, now and then so many that the set changes its form."""
    r = g.random
    if r.random() < 0.05:
        first, prefix = r.randint(0, 50), r.choice([b"", b"", b"word "])
        return [prefix + b"%d" % i for i in range(first, first + r.randint(20, 120))]
    return [member(g) for _ in range(r.randint(1, 6))]


def scan(g, key):
    """All in one step, since cursors are each server's own."""
    r = g.random
    options = [b"COUNT", b"1000"]
    if r.random() < 0.4:
        options += [b"MATCH", r.choice([b"*", b"1*", b"[ab]", b"?", b"nothing", b""])]
    if r.random() < 0.02:
        options += r.choice([[b"COUNT", b"0"], [b"COUNT", b"abc"], [b"TYPE", b"set"], [b"COUNT"]])
    return [b"SSCAN", key, b"0" if r.random() < 0.95 else b"abc", *options]


def count_of_intersection(g):
    keys = g.keys(3)
    number = b"%d" % len(keys) if g.chance(0.9) else g.integer(-1, 5)
    return [b"SINTERCARD", number, *keys,
            *g.random.choice([[], [], [b"LIMIT", g.integer(-1, 5)], [b"LIMIT"] if g.chance(0.2) else []])]


def command(g):
    r, key = g.random, g.key()
    algebra = r.choice([b"SINTER", b"SUNION", b"SDIFF"])
    return r.choice([
        lambda: [b"SADD", key, *members(g)], lambda: [b"SADD", key, *members(g)],
        lambda: [b"SADD", key, *members(g)],
        lambda: [b"SREM", key, *members(g)],
        lambda: [b"SCARD", key],
        lambda: [b"SISMEMBER", key, member(g)],
        lambda: [b"SMISMEMBER", key, *members(g)],
        lambda: [b"SMEMBERS", key],
        lambda: [b"SMOVE", key, g.key(), member(g)],
        lambda: [b"SPOP", key],
        lambda: [b"SPOP", key, g.integer(-1, 40)],
        lambda: [b"SRANDMEMBER", key, *r.choice([[], [g.integer(-5, 0)], [b"1000"], [g.integer(0, 40)]])],
        lambda: scan(g, key),
        lambda: [algebra, *g.keys(6)],
        lambda: [algebra + b"STORE", key, *g.keys(6)],
        lambda: count_of_intersection(g),
        lambda: [b"OBJECT", b"ENCODING", key],
    ])()


def by_count(command):
    """All of them, or each server's own choice."""
    return "sorted" if command[2:] == [b"1000"] else "type"


def by_step(command):
    return "sorted" if command[3:5] == [b"COUNT", b"1000"] else "kind"


MEASURES = {b"SSCAN": by_step, **dict.fromkeys([b"SMEMBERS", b"SINTER", b"SUNION", b"SDIFF"], "sorted"),
            b"SPOP": "type", b"SRANDMEMBER": by_count}
UNSTABLE = {b"SPOP": True}
CONFIG = {"set-max-intset-entries": ["512", "64", "10", "3", "0"]}
