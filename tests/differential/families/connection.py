"""What a connection knows of itself."""

WEIGHT = 2


def command(g):
    return g.random.choice([[b"PING"], [b"ECHO", g.value()], [b"PING", g.value()],
                            [b"CLIENT", b"GETNAME"], [b"CLIENT", b"SETNAME", b"n"]])
