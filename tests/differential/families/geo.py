"""Places: the whole earth, its edges and its poles, and a crowded town. No two lie at the same spot: what is
equally far away has no order in Redis."""

WEIGHT = 15
KEY = b"g"
CONFIG = {"zset-max-listpack-entries": ["128", "8", "3", "0"]}

UNITS = {b"m": 1, b"km": 1000, b"ft": 0.3048, b"mi": 1609.34}


def point(g):
    r = g.random
    kind = r.random()
    if kind < 0.02:
        return [r.choice([b"181", b"-180.1", b"x", b"nan", b"0"]), r.choice([b"86", b"-85.06", b"", b"inf", b"0"])]
    if kind < 0.06:
        longitude, latitude = r.choice([-180, 180]), r.choice([-85.05112878, 85.05112878])
        if r.random() < 0.5:
            longitude = r.uniform(-180, 180)
        elif r.random() < 0.5:
            latitude = r.uniform(-85, 85)
    elif kind < 0.5:
        longitude, latitude = r.gauss(13.4, 0.1), r.gauss(52.5, 0.1)
    elif kind < 0.65:
        longitude, latitude = r.choice([-180, 179]) + r.random(), r.uniform(-85, 85)
    elif kind < 0.8:
        longitude, latitude = r.uniform(-180, 180), r.choice([-85, 80]) + r.random() * 5
    else:
        longitude, latitude = r.uniform(-180, 180), r.uniform(-85, 85)
    return [b"%r" % longitude if r.random() < 0.9 else b"%.3f" % longitude, b"%r" % latitude]


def member(g):
    return b"p%d" % g.random.randint(0, 15)


def length(g, unit):
    r = g.random
    if r.random() < 0.03:
        return r.choice([b"-1", b"x", b"0", b"inf", b"1e300"])
    return b"%r" % (10 ** (r.uniform(3, 5) if r.random() < 0.5 else r.uniform(-1, 7.5)) / UNITS[unit])


def unit(g):
    word = g.random.choice(list(UNITS))
    return word, (g.case(word.upper()) if not g.chance(0.02) else b"yd")


def circle(g):
    name, word = unit(g)
    return [length(g, name), word]


def shape(g):
    if g.chance(0.5):
        return [b"BYRADIUS", *circle(g)]
    name, word = unit(g)
    return [b"BYBOX", length(g, name), length(g, name), word]


def centre(g):
    return [b"FROMMEMBER", member(g)] if g.chance(0.4) else [b"FROMLONLAT", *point(g)]


def options(g, store=()):
    """`store`: what of STORE and STOREDIST the command knows."""
    r = g.random
    words = []
    if r.random() < 0.5:
        words += [[r.choice([b"ASC", b"DESC"])]]
    if r.random() < 0.4:
        words += [[b"COUNT", g.integer(1, 6), *([b"ANY"] if r.random() < 0.5 else [])]]
    if store and r.random() < 0.5:
        words += [list(r.choice(store))]
    if not words or (not store or r.random() < 0.1):
        words += [[word] for word in (b"WITHDIST", b"WITHCOORD", b"WITHHASH") if r.random() < 0.4]
    if r.random() < 0.02:
        words += [[r.choice([b"ANY", b"WRONG", b"COUNT", b"STORE", b"STOREDIST"])]]
    r.shuffle(words)
    return [g.case(word) if word.isalpha() else word for word in sum(words, [])]


def geosearch(g, store=()):
    parts = [centre(g), shape(g)]
    g.random.shuffle(parts)
    return [*parts[0], *parts[1], *options(g, store)]


def command(g):
    r, key = g.random, g.key()
    keys = [(b"STORE", g.key()), (b"STOREDIST", g.key())]
    return r.choice([
        lambda: [b"GEOADD", key, *sum(([*point(g), member(g)] for _ in range(r.randint(1, 12))), [])],
        lambda: [b"GEOADD", key, *(g.case(w) for w in (b"NX", b"XX", b"CH") if r.random() < 0.3), *point(g), member(g)],
        lambda: [b"GEOPOS", key, member(g), member(g)],
        lambda: [b"GEOHASH", key, member(g), member(g)],
        lambda: [b"GEODIST", key, member(g), member(g), *([unit(g)[1]] if r.random() < 0.7 else [])],
        lambda: [b"GEORADIUS", key, *point(g), *circle(g), *options(g, keys)],
        lambda: [b"GEORADIUS_RO", key, *point(g), *circle(g), *options(g)],
        lambda: [b"GEORADIUSBYMEMBER", key, member(g), *circle(g), *options(g, keys)],
        lambda: [b"GEORADIUSBYMEMBER_RO", key, member(g), *circle(g), *options(g)],
        lambda: [b"GEOSEARCH", key, *geosearch(g)], lambda: [b"GEOSEARCH", key, *geosearch(g)],
        lambda: [b"GEOSEARCHSTORE", g.key(), key, *geosearch(g, [(b"STOREDIST",)])],
        lambda: [b"ZREM", key, member(g)],
        lambda: [b"ZADD", key, r.choice([b"-1", b"1.5", b"1e17", b"inf"]), member(g)] if r.random() < 0.1 else
                [b"ZCARD", key],
    ])()
