"""SORT over lists, sets and sorted sets of its own, most of them of numbers."""
WEIGHT = 8
KEY = b"sort"


def element(g):
    r = g.random
    return b"%d" % r.randint(0, 20) if r.random() < 0.98 else r.choice([b"a", b"B", b"10x", b"2.5", b"-3e2"])


def elements(g):
    return [element(g) for _ in range(g.random.randint(1, 10))]


def fill(g, key):
    r = g.random
    if r.random() < 0.3:
        return [b"DEL", key]
    return r.choice([
        lambda: [b"RPUSH", key, *elements(g)],
        lambda: [b"SADD", key, *elements(g)],
        lambda: [b"ZADD", key, *sum(([b"%d" % r.randint(0, 5), e] for e in elements(g)), [])],
        lambda: [b"SET", b"sort_w_" + element(g), b"%d" % r.randint(0, 30)],
        lambda: [b"HSET", b"sort_h_" + element(g), b"f", b"%d" % r.randint(0, 30), b"g", g.value()],
        lambda: [b"DEL", b"sort_w_" + element(g), b"sort_h_" + element(g)],
    ])()


def sort(g):
    """By numbers, so that elements that are equal are the same; what is stored has one order only."""
    r, options = g.random, []
    if r.random() < 0.4:
        options += [g.case(b"BY"), r.choice([b"sort_w_*", b"sort_h_*->f", b"nothing_*", b"sort_h_*->none"])]
    elif r.random() < 0.2:
        options += [b"ALPHA"]
    if r.random() < 0.4:
        options += [g.case(b"LIMIT"), g.integer(-1, 8), g.integer(-1, 8)]
    for _ in range(r.choice([0, 0, 0, 1, 2, 3])):
        options += [b"GET", r.choice([b"#", b"sort_w_*", b"sort_h_*->f", b"sort_h_*->g", b"nothing"])]
    options += g.options(b"DESC", b"ASC", probability=0.2)
    if r.random() < 0.03:
        options += r.choice([[b"WRONG"], [b"BY"], [b"LIMIT", b"1"], [b"STORE"]])
    # A list that Redis stores here has nodes of the default size for life, which DUMP shows.
    plain = g.config.get("list-max-listpack-size", "-2") == "-2" and g.config.get("list-compress-depth", "0") == "0"
    store = [b"STORE", g.key()] if plain and r.random() < 0.5 else []
    return [b"SORT", g.any_key() if r.random() < 0.02 else g.key(), *options, *store] if store or r.random() < 0.7 \
        else [b"SORT_RO", g.key(), *options]


def command(g):
    r, key = g.random, g.key()
    choice = r.random()
    if choice < 0.45:
        return fill(g, key)
    if choice < 0.55:
        return [b"SORT", key, b"BY", b"nosort", *g.options(b"DESC", b"ALPHA")]
    if choice < 0.6:
        return [b"LRANGE", key, b"0", b"-1"]
    return sort(g)


def by_order(command):
    """Without sorting a set has an order of its own."""
    unsorted = b"BY" in command and not any(b"*" in argument for argument in command)
    return "sorted" if unsorted else "equal"


MEASURES = {b"SORT": by_order}
