"""Sorted sets. No zero is negative: a load leaves it so, where Redis makes small sorted sets and plain zeros
(docs/COMPATIBILITY.md). Ranges by strings go over keys of their own, whose members all have one score: in others
Redis' skiplists find what chance has laid on the way."""

WEIGHT = 30
KEY = b"z"


def scan_measure(command):
    """Only a call that goes all the way round finds the same in both servers' tables."""
    return "scored" if command[2:] == [b"0", b"COUNT", b"10000"] else "kind"


CONFIG = {"zset-max-listpack-entries": ["128", "8", "3", "0"], "zset-max-listpack-value": ["64", "5"]}
MEASURES = {b"ZRANDMEMBER": lambda command: "kind" if command[2:] else "type", b"ZSCAN": scan_measure}

SCORES = [b"0", b"1", b"1.5", b"-3", b"0.1", b"1e3", b"1e19", b"inf", b"-inf", b"+inf", b"4611686018427387904",
          b"-4611686018427387905", b"1e-7", b"123456789012", b"0x10"]


def score(g):
    r = g.random
    if r.random() < 0.02:
        return r.choice([b"nan", b"abc", b"", b" 1", b"(1"])
    return r.choice(SCORES) if r.random() < 0.2 else b"%d" % r.randint(-20, 20)


def weight(g):
    r = g.random
    return r.choice([b"nan", b"abc", b""]) if r.random() < 0.02 else r.choice([b"1", b"2", b"0.1", b"1e3", b"inf", b"17", b"1e-7"])


def member(g):
    r = g.random
    if r.random() < 0.85:
        return b"m%d" % r.randint(0, 15)
    return g.value()


def pairs(g, most=4):
    return sum(([score(g), member(g)] for _ in range(g.random.randint(1, most))), [])


def conditions(g):
    r = g.random
    words = [word for word in (b"NX", b"XX", b"GT", b"LT", b"CH", b"INCR") if r.random() < 0.12]
    r.shuffle(words)
    return [g.case(word) for word in words]


def bound(g):
    text = score(g)
    return b"(" + text if g.chance(0.3) else text


def lex_bound(g):
    r = g.random
    if r.random() < 0.03:
        return r.choice([b"", b"m1", b"-x", b"+x"])
    return r.choice([b"-", b"+", b"[", b"("] + [b"[m%d" % r.randint(0, 15), b"(m%d" % r.randint(0, 15)] * 4)


def limit(g):
    return [b"LIMIT", g.integer(-1, 5), g.integer(-1, 8)] if g.chance(0.3) else []


def with_scores(g):
    return [g.case(b"WITHSCORES")] if g.chance(0.5) else []


def range_of(g, key, store=False):
    """What ZRANGE and ZRANGESTORE take behind the name of the sorted set."""
    r = g.random
    tail = [] if store else with_scores(g)
    if r.random() < 0.02:
        tail += [r.choice([b"WRONG", b"REV", b"LIMIT"])]
    reverse = [b"REV"] if r.random() < 0.4 else []
    kind = r.random()
    if kind < 0.4:
        return [key, g.integer(-6, 8), g.integer(-6, 8), *reverse, *tail]
    if kind < 0.75:
        return [key, bound(g), bound(g), b"BYSCORE", *reverse, *limit(g), *tail]
    return [lex_key(g), lex_bound(g), lex_bound(g), b"BYLEX", *limit(g), *reverse, *(tail if r.random() < 0.1 else [])]


def lex_key(g):
    return b"zlex%d" % g.random.randint(0, 1)


def inputs(g):
    r = g.random
    keys = [g.any_key() if r.random() < 0.1 else g.key() for _ in range(r.randint(1, 3))]
    return [b"%d" % len(keys) if r.random() < 0.97 else g.number(), *keys], len(keys)


def combination(g, weights=True):
    r = g.random
    words, count = inputs(g)
    if weights and r.random() < 0.3:
        words += [b"WEIGHTS", *(weight(g) for _ in range(count))]
    if weights and r.random() < 0.3:
        words += [b"AGGREGATE", g.case(r.choice([b"SUM", b"MIN", b"MAX"]))]
    return words


def pop_count(g):
    return [g.integer(0, 4)] if g.chance(0.4) else []


def command(g):
    r, key = g.random, g.key()
    name = member(g)
    return r.choice([
        lambda: [b"ZADD", key, *pairs(g)], lambda: [b"ZADD", key, *pairs(g)], lambda: [b"ZADD", key, *pairs(g, 12)],
        lambda: [b"ZADD", key, *conditions(g), *pairs(g, 2)],
        lambda: [b"ZADD", key, b"INCR", score(g), name],
        lambda: [b"ZADD", lex_key(g), *sum(([b"0", b"m%d" % r.randint(0, 15)] for _ in range(3)), [])],
        lambda: [b"ZINCRBY", key, score(g), name],
        lambda: [b"ZREM", key, *(member(g) for _ in range(r.randint(1, 3)))],
        lambda: [b"ZREM", lex_key(g), b"m%d" % r.randint(0, 15)],
        lambda: [b"ZCARD", key],
        lambda: [b"ZSCORE", key, name], lambda: [b"ZMSCORE", key, name, member(g)],
        lambda: [r.choice([b"ZRANK", b"ZREVRANK"]), key, name],
        lambda: [b"ZCOUNT", key, bound(g), bound(g)],
        lambda: [b"ZLEXCOUNT", lex_key(g), lex_bound(g), lex_bound(g)],
        lambda: [b"ZRANGE", *range_of(g, key)], lambda: [b"ZRANGE", *range_of(g, key)],
        lambda: [b"ZRANGESTORE", g.key(), *range_of(g, key, store=True)],
        lambda: [b"ZREVRANGE", key, g.integer(-6, 8), g.integer(-6, 8), *with_scores(g)],
        lambda: [r.choice([b"ZRANGEBYSCORE", b"ZREVRANGEBYSCORE"]), key, bound(g), bound(g), *with_scores(g), *limit(g)],
        lambda: [r.choice([b"ZRANGEBYLEX", b"ZREVRANGEBYLEX"]), lex_key(g), lex_bound(g), lex_bound(g), *limit(g)],
        lambda: [b"ZREMRANGEBYRANK", key, g.integer(-3, 8), g.integer(-3, 4)],
        lambda: [b"ZREMRANGEBYSCORE", key, bound(g), bound(g)],
        lambda: [b"ZREMRANGEBYLEX", lex_key(g), lex_bound(g), lex_bound(g)],
        lambda: [r.choice([b"ZPOPMIN", b"ZPOPMAX"]), key, *pop_count(g)],
        lambda: [b"ZMPOP", *inputs(g)[0], g.case(r.choice([b"MIN", b"MAX"])),
                 *([b"COUNT", g.integer(1, 4)] if r.random() < 0.5 else [])],
        lambda: [r.choice([b"ZUNION", b"ZINTER"]), *combination(g), *with_scores(g)],
        lambda: [b"ZDIFF", *combination(g, weights=False), *with_scores(g)],
        lambda: [r.choice([b"ZUNIONSTORE", b"ZINTERSTORE"]), g.key(), *combination(g)],
        lambda: [b"ZDIFFSTORE", g.key(), *combination(g, weights=False)],
        lambda: [b"ZINTERCARD", *inputs(g)[0], *([b"LIMIT", g.integer(0, 3)] if r.random() < 0.4 else [])],
        lambda: [b"ZRANDMEMBER", key, *([g.integer(-4, 4), *with_scores(g)] if r.random() < 0.7 else [])],
        lambda: [b"ZSCAN", key, b"0", b"COUNT", b"10000"],
    ])()
