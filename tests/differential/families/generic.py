"""Keys of any type. Not RANDOMKEY and SCAN, which delete what they find expired: by chance, and in an order
of each server's own."""

WEIGHT = 15
MEASURES = {b"KEYS": "sorted", b"DUMP": "dump", b"OBJECT": "form"}


def command(g):
    r, key = g.random, g.any_key()
    return r.choice([
        lambda: [b"DEL", *g.any_keys(2)], lambda: [b"UNLINK", *g.any_keys(2)],
        lambda: [b"EXISTS", *g.any_keys()], lambda: [b"TOUCH", *g.any_keys()],
        lambda: [b"TYPE", key], lambda: [b"TYPE", key],
        lambda: [b"OBJECT", b"ENCODING", key], lambda: [b"OBJECT", b"ENCODING", key],
        lambda: [b"RENAME", key, g.any_key()], lambda: [b"RENAMENX", key, g.any_key()],
        lambda: [b"COPY", key, g.any_key(), *r.choice([[], [b"REPLACE"], [b"DB", b"1"], [b"DB", b"2", b"REPLACE"],
                                                       [b"DB", b"77"]])],
        lambda: [b"MOVE", key, r.choice([b"0", b"1", b"2", b"16"])],
        lambda: [b"SELECT", r.choice([b"0", b"0", b"0", b"0", b"1", b"2", b"16"])],
        lambda: [b"DBSIZE"],
        lambda: [b"SWAPDB", b"0", r.choice([b"1", b"2"])] if g.chance(0.3) else [b"TYPE", key],
        lambda: [b"DUMP", key],
        lambda: [b"KEYS", r.choice([b"*", b"k*", b"[a-m][0-3]", b"?1", b"nothing"])],
        lambda: [b"FLUSHDB"] if g.chance(0.05) else [b"DBSIZE"],
    ])()
