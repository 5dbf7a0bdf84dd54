"""Deadlines of keys of any type."""
from ..words import FAR_AT, FAR_AT_MS, PAST

WEIGHT = 7
MEASURES = {name: "near 100000" for name in (b"TTL", b"PTTL", b"EXPIRETIME", b"PEXPIRETIME")}


def command(g):
    r, key = g.random, g.any_key()
    option = r.choice([[], [], [b"NX"], [b"XX"], [b"GT"], [b"LT"], [b"XX", b"GT"], [b"NX", b"XX"]])
    past = r.random() < 0.05
    return r.choice([
        lambda: [b"EXPIRE", key, r.choice([b"0", b"-1"]) if past else g.seconds(), *option],
        lambda: [b"PEXPIRE", key, b"-5" if past else g.seconds() + b"000", *option],
        lambda: [b"EXPIREAT", key, r.choice(PAST if past else FAR_AT), *option],
        lambda: [b"PEXPIREAT", key, r.choice(PAST if past else FAR_AT_MS), *option],
        lambda: [b"PERSIST", key],
        lambda: [b"TTL", key], lambda: [b"PTTL", key],
        lambda: [b"EXPIRETIME", key], lambda: [b"PEXPIRETIME", key],
    ])()
