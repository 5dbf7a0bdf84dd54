"""Bits of strings: over the keys of the strings, which know nothing of bits, and some of their own."""

WEIGHT = 20
KEY = b"b"


def bit_offset(g):
    r = g.random
    return r.choice([b"4294967296", b"-1", b"x", b"9223372036854775807"]) if r.random() < 0.03 \
        else b"%d" % (r.randint(0, 7000) if r.random() < 0.1 else r.randint(0, 200))


def edge(g):
    return g.integer(-30, 30) if g.chance(0.7) else g.integer(-300, 300)


def field_type(g):
    r = g.random
    if r.random() < 0.03:
        return r.choice([b"u64", b"i65", b"u0", b"i0", b"x8", b"8", b"u", b"U8", b"u08"])
    return r.choice([b"u%d" % r.randint(1, 63), b"i%d" % r.randint(1, 64), b"u8", b"i8", b"u1", b"i64"])


def field_offset(g):
    return (b"#%d" % g.random.randint(0, 20)) if g.chance(0.3) else bit_offset(g)


def operations(g, reads_only=False):
    r, words = g.random, []
    for _ in range(r.randint(1, 4)):
        kind = r.random()
        if kind < 0.3 or (reads_only and kind < 0.95):
            words += [b"GET", field_type(g), field_offset(g)]
        elif kind < 0.4:
            words += [b"OVERFLOW", r.choice([b"WRAP", b"SAT", b"FAIL", b"sat", b"NO"] if r.random() < 0.1
                                            else [b"WRAP", b"SAT", b"FAIL"])]
        else:
            value = g.number() if r.random() < 0.5 else b"%d" % r.randint(-2**r.randint(1, 63), 2**r.randint(1, 63) - 1)
            words += [r.choice([b"SET", b"INCRBY"]), field_type(g), field_offset(g), value]
    if b"FAIL" in words:
        # A failing write lets Redis grow a string without telling its replicas; see docs/COMPATIBILITY.md.
        # Growing it by something that succeeds is told by both.
        words = [b"SET", b"u8", b"7100", b"1", *words]
    return words


def command(g):
    r, key = g.random, g.key()
    if r.random() < 0.1:
        key = b"s%d" % r.randint(0, 5)
    return r.choice([
        lambda: [b"SETBIT", key, bit_offset(g), g.random.choice([b"0", b"1", b"1", b"1"])],
        lambda: [b"SETBIT", key, bit_offset(g), g.random.choice([b"0", b"1", b"2", b"x"])],
        lambda: [b"SETBIT", key, bit_offset(g), b"1"],
        lambda: [b"GETBIT", key, bit_offset(g)],
        lambda: [b"BITCOUNT", key],
        lambda: [b"BITCOUNT", key, edge(g), edge(g), *r.choice([[], [b"BYTE"], [b"BIT"], [b"bit"]])],
        lambda: [b"BITPOS", key, g.integer(0, 1), *r.choice([[], [edge(g)], [edge(g), edge(g)],
                                                            [edge(g), edge(g), b"BIT"], [edge(g), edge(g), b"BYTE"]])],
        lambda: [b"BITOP", g.case(r.choice([b"AND", b"OR", b"XOR"])), key, *g.keys()],
        lambda: [b"BITOP", b"NOT", key, g.key()],
        lambda: [b"BITFIELD", key, *operations(g)],
        lambda: [b"BITFIELD", key, *operations(g)],
        lambda: [b"BITFIELD_RO", key, *operations(g, reads_only=True)],
        lambda: [b"SET", key, g.random.choice([b"\xff" * r.randint(0, 40), b"\x00" * r.randint(0, 40), g.value()])],
    ])()
