"""Lists: short ones that are one node, and at times so much at once that there are many."""

WEIGHT = 30
KEY = b"l"
CONFIG = {"list-max-listpack-size": ["-2", "-1", "1", "3", "20"], "list-compress-depth": ["0", "0", "1", "2"]}
ENDS = [b"LEFT", b"RIGHT"]


def element(g):
    r = g.random
    if r.random() < 0.6:
        return b"%d" % r.randint(-5, 20)
    if r.random() < 0.1:
        return r.choice([b"w", b"long text "]) * r.choice([3, 20, 70, 400])
    return g.number() if r.random() < 0.2 else g.value()


def elements(g):
    r = g.random
    if r.random() < 0.05:
        return [b"element:%d" % i for i in range(r.randint(20, 300))]
    return [element(g) for _ in range(r.randint(1, 5))]


def end(g):
    return g.case(g.random.choice(ENDS)) if g.chance(0.98) else b"UP"


def index(g):
    return g.integer(-12, 12) if g.chance(0.9) else g.integer(-400, 400)


def position_options(g):
    words = []
    for word, values in ((b"RANK", (-3, 3)), (b"COUNT", (-1, 4)), (b"MAXLEN", (-1, 20))):
        if g.chance(0.35):
            words += [g.case(word), g.integer(*values)]
    return words + g.options(b"WRONG", probability=0.02)


def several(g):
    keys = g.keys(3)
    count = b"%d" % len(keys) if g.chance(0.97) else g.number()
    return [count, *keys, end(g), *([g.case(b"COUNT"), g.integer(0, 10)] if g.chance(0.5) else [])]


def command(g):
    r, key = g.random, g.key()
    return r.choice([
        lambda: [b"LPUSH", key, *elements(g)],
        lambda: [b"RPUSH", key, *elements(g)],
        lambda: [b"RPUSH", key, *elements(g)],
        lambda: [b"LPUSHX", key, *elements(g)],
        lambda: [b"RPUSHX", key, *elements(g)],
        lambda: [r.choice([b"LPOP", b"RPOP"]), key],
        lambda: [r.choice([b"LPOP", b"RPOP"]), key, g.integer(-1, 8)],
        lambda: [b"LLEN", key],
        lambda: [b"LINDEX", key, index(g)],
        lambda: [b"LSET", key, g.integer(-4, 4), element(g)],
        lambda: [b"LINSERT", key, g.case(r.choice([b"BEFORE", b"AFTER"])), element(g), element(g)],
        lambda: [b"LINSERT", key, g.case(r.choice([b"BEFORE", b"AFTER", b"AT"])), b"%d" % r.randint(0, 5), element(g)],
        lambda: [b"LRANGE", key, index(g), index(g)],
        lambda: [b"LRANGE", key, b"0", b"-1"],
        lambda: [b"LREM", key, g.integer(-3, 3), element(g)],
        lambda: [b"LTRIM", key, g.integer(-200, 3), g.integer(-3, 200)],
        lambda: [b"LTRIM", key, index(g), index(g)] if g.chance(0.3) else [b"LLEN", key],
        lambda: [b"LPOS", key, element(g), *position_options(g)],
        lambda: [b"LMOVE", key, g.key(), end(g), end(g)],
        lambda: [b"RPOPLPUSH", key, g.key()],
        lambda: [b"LMPOP", *several(g)],
        lambda: [b"DUMP", key],
        lambda: [b"OBJECT", b"ENCODING", key],
        lambda: [b"DEL", key] if g.chance(0.3) else [b"LLEN", key],
    ])()
