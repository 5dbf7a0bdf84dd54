"""Transactions around whatever comes."""

WEIGHT = 4


def command(g):
    """Mostly what makes sense next: the generator's `in_transaction` is what these commands leave."""
    r = g.random
    sensible = [b"EXEC", b"EXEC", b"EXEC", b"DISCARD"] if g.in_transaction else [b"MULTI", b"MULTI", b"WATCH", b"UNWATCH"]
    name = r.choice(sensible if r.random() < 0.9 else [b"MULTI", b"EXEC", b"DISCARD", b"UNWATCH", b"WATCH"])
    if name in (b"MULTI", b"EXEC", b"DISCARD"):
        g.in_transaction = name == b"MULTI"
    return [name, *g.any_keys(2)] if name == b"WATCH" else [name]
