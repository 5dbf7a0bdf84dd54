"""Streams. Ids are small and given, so that they meet, and rise slowly; nothing hangs on the clock: what
must be idle is made so by XCLAIM IDLE. Counts are small: those of Redis run over, and then its replicas refuse them."""

WEIGHT = 30
KEY = b"x"
CONFIG = {"stream-node-max-entries": ["100", "5", "3", "1", "0"], "stream-node-max-bytes": ["4096", "200", "60", "0"]}
MEASURES = {b"XPENDING": "moments", b"XINFO": "moments"}

FIELDS = [[b"a"], [b"a"], [b"a"], [b"b"], [b"a", b"b"], [b"b", b"a"], [b"1", b"2"], [b""], [b"long" * 20]]
VALUES = [b"v", b"1", b"-70000", b"12345678901", b"007", b"", b"z" * 70, b"y" * 300, b"\x00\xff"]
ODD_IDS = [b"0", b"0-0", b"18446744073709551615", b"18446744073709551615-18446744073709551615", b"x", b"1-", b"+5",
           b"07-02", b"-", b"+", b"$", b">", b"(3", b"3--1", b""]


def grow(g):
    """An id that rises from call to call."""
    r = g.random
    g.stream_ms = getattr(g, "stream_ms", 0) + r.choice([0, 1, 1, 1, 3])
    return b"%d-%d" % (g.stream_ms, r.randint(0, 3)) if r.random() < 0.8 else b"%d-*" % g.stream_ms


def identifier(g):
    r = g.random
    if r.random() < 0.03:
        return r.choice(ODD_IDS)
    last = getattr(g, "stream_ms", 0)
    ms = r.randint(max(0, last - 60), last + 2)
    return b"%d-%d" % (ms, r.randint(0, 3)) if r.random() < 0.8 else b"%d" % ms


def ids(g, most=4):
    return [identifier(g) for _ in range(g.random.randint(1, most))]


def start(g):
    r = g.random
    return b"-" if r.random() < 0.4 else (b"(" if r.random() < 0.2 else b"") + identifier(g)


def end(g):
    r = g.random
    return b"+" if r.random() < 0.4 else (b"(" if r.random() < 0.2 else b"") + identifier(g)


def pairs(g):
    return sum(([field, g.random.choice(VALUES)] for field in g.random.choice(FIELDS)), [])


def trimming(g):
    r = g.random
    word = r.choice([b"MAXLEN", b"MINID"])
    words = [g.case(word), *r.choice([[], [b"="], [b"~"], [b"~"]]),
             g.integer(0, 12) if word == b"MAXLEN" else identifier(g)]
    return words + ([g.case(b"LIMIT"), g.integer(-1, 6)] if r.random() < 0.2 else [])


def count(g, low=-1, high=5, probability=0.4):
    return [g.case(b"COUNT"), g.integer(low, high)] if g.chance(probability) else []


def group(g):
    return b"g" if g.chance(0.85) else b"h"


def consumer(g):
    return g.random.choice([b"c", b"d", b"e"])


def add(g, key):
    options = [b"NOMKSTREAM"] if g.chance(0.05) else []
    if g.chance(0.15):
        options += trimming(g)
    return [b"XADD", key, *options, identifier(g) if g.chance(0.1) else grow(g), *pairs(g)]


def read(g, key):
    words = [b"XREAD", *count(g), b"STREAMS"]
    if g.chance(0.3):
        return [*words, key, g.key(), identifier(g), g.random.choice([identifier(g), b"$"])]
    return [*words, key, identifier(g)]


def read_group(g, key):
    r = g.random
    words = [b"XREADGROUP", b"GROUP", group(g), consumer(g), *count(g, probability=0.7), *g.options(b"NOACK", probability=0.2),
             b"STREAMS"]
    new_or_old = [b">" if r.random() < 0.75 else identifier(g) for _ in range(2)]
    return [*words, key, g.key(), *new_or_old] if r.random() < 0.1 else [*words, key, new_or_old[0]]


def claim(g, key):
    r = g.random
    options = r.choice([[], [], [b"JUSTID"], [b"FORCE"], [b"FORCE", b"JUSTID"], [b"IDLE", b"1000000"], [b"TIME", b"5"],
                        [b"RETRYCOUNT", g.integer(-1, 5)], [b"LASTID", identifier(g)], [b"WRONG"] if r.random() < 0.1 else []])
    return [b"XCLAIM", key, group(g), consumer(g), r.choice([b"0", b"0", b"500000", b"-1"]), *ids(g), *options]


def claim_by_itself(g, key):
    return [b"XAUTOCLAIM", key, group(g), consumer(g), g.random.choice([b"0", b"500000"]), start(g), *count(g, 0, 3),
            *g.options(b"JUSTID", probability=0.2)]


def pending(g, key):
    if g.chance(0.3):
        return [b"XPENDING", key, group(g)]
    return [b"XPENDING", key, group(g), *([b"IDLE", b"500000"] if g.chance(0.3) else []), start(g), end(g), g.integer(-1, 6),
            *([consumer(g)] if g.chance(0.4) else [])]


def manage(g, key):
    r = g.random
    read = [b"ENTRIESREAD", b"%d" % r.randint(-2, 10)] if r.random() < 0.3 else []
    place = r.choice([b"0", b"$", identifier(g)])
    return r.choice([
        lambda: [b"XGROUP", b"CREATE", key, group(g), place, *g.options(b"MKSTREAM", probability=0.5), *read],
        lambda: [b"XGROUP", b"CREATE", key, group(g), b"0", b"MKSTREAM"],
        lambda: [b"XGROUP", b"CREATE", key, group(g), b"0", b"MKSTREAM"],
        lambda: [b"XGROUP", b"SETID", key, group(g), place, *read],
        lambda: [b"XGROUP", b"CREATECONSUMER", key, group(g), consumer(g)],
        lambda: [b"XGROUP", b"DELCONSUMER", key, group(g), consumer(g)],
        lambda: [b"XGROUP", b"DESTROY", key, group(g)] if r.random() < 0.2 else [b"XINFO", b"GROUPS", key],
    ])()


def info(g, key):
    return g.random.choice([
        lambda: [b"XINFO", b"STREAM", key],
        lambda: [b"XINFO", b"STREAM", key, b"FULL", *count(g)],
        lambda: [b"XINFO", b"GROUPS", key],
        lambda: [b"XINFO", b"CONSUMERS", key, group(g)],
    ])()


def set_id(g, key):
    r = g.random
    options = [b"ENTRIESADDED", b"%d" % r.randint(-1, 50)] if r.random() < 0.3 else []
    options += [b"MAXDELETEDID", identifier(g)] if r.random() < 0.3 else []
    return [b"XSETID", key, identifier(g), *options]


def command(g):
    r, key = g.random, g.key()
    makers = {
        add: 12, read: 2, read_group: 6, claim: 3, claim_by_itself: 2, pending: 2, manage: 7, info: 4, set_id: 1,
        lambda g, key: [b"XTRIM", key, *trimming(g)]: 1.5,
        lambda g, key: [b"XDEL", key, *ids(g)]: 4,
        lambda g, key: [b"XACK", key, group(g), *ids(g)]: 2,
        lambda g, key: [b"XRANGE", key, start(g), end(g), *count(g)]: 2,
        lambda g, key: [b"XREVRANGE", key, end(g), start(g), *count(g)]: 2,
        lambda g, key: [b"XLEN", key]: 0.5,
        lambda g, key: [b"DUMP", key]: 1,
        lambda g, key: [b"DEL", key]: 0.05,
    }
    return r.choices(list(makers), list(makers.values()))[0](g, key)
