"""Strings."""
from ..words import PAST

WEIGHT = 30
KEY = b"s"


def set_options(g):
    r = g.random
    options = []
    if r.random() < 0.3:
        options += [g.case(r.choice([b"NX", b"XX"]))]
    if r.random() < 0.3:
        options += [g.case(b"GET")]
    if r.random() < 0.3:
        options += g.deadline_option(PAST)
    if r.random() < 0.15:
        options += [b"KEEPTTL"]
    if r.random() < 0.03:
        options += [b"WRONG"]
    return options


def command(g):
    r, key, value, number = g.random, g.key(), g.value(), g.number()
    return r.choice([
        lambda: [b"SET", key, value, *set_options(g)],
        lambda: [b"SET", key, number],
        lambda: [b"GET", key],
        lambda: [b"GETSET", key, value],
        lambda: [b"GETDEL", key],
        lambda: [b"GETEX", key, *(g.deadline_option(PAST) if g.chance(0.5) else
                                  r.choice([[], [b"PERSIST"], [b"WRONG"]]))],
        lambda: [b"SETNX", key, value],
        lambda: [b"SETEX", key, r.choice([g.seconds(), g.seconds(), b"0", b"abc"]), value],
        lambda: [b"PSETEX", key, r.choice([g.seconds() + b"000", b"0", b"x"]), value],
        lambda: [b"MSET", *sum(([k, g.value()] for k in g.keys()), [])],
        lambda: [b"MSETNX", *sum(([k, g.value()] for k in g.keys(2)), [])],
        lambda: [b"MGET", *g.keys()],
        lambda: [b"APPEND", key, value],
        lambda: [b"STRLEN", key],
        lambda: [b"GETRANGE", key, number, g.number()],
        lambda: [b"SUBSTR", key, number, g.number()],
        lambda: [b"SETRANGE", key, g.integer(-2, 100), value],
        lambda: [b"INCR", key], lambda: [b"DECR", key],
        lambda: [b"INCRBY", key, number], lambda: [b"DECRBY", key, number],
        lambda: [b"INCRBYFLOAT", key, number],
        lambda: [b"LCS", key, g.key(), *r.choice([[], [b"LEN"], [b"IDX"], [b"IDX", b"WITHMATCHLEN"],
                                                  [b"IDX", b"MINMATCHLEN", b"2"]])],
    ])()
