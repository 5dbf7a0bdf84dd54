"""Transactions around whatever comes."""

WEIGHT = 3


def command(g):
    return [g.random.choice([b"MULTI", b"EXEC", b"EXEC", b"DISCARD", b"UNWATCH"])] if g.chance(0.7) \
        else [b"WATCH", *g.any_keys(2)]
