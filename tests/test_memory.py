"""MEMORY: figures of a key and of the server."""
from harness.resp import NULL_BULK


def test_usage_counts_what_a_key_occupies(pando):
    server = pando()
    server.call("SET", "small", "1")
    server.call("SET", "big", "x" * 100000)
    assert server.call("MEMORY", "USAGE", "small") < 64
    assert 100000 <= server.call("MEMORY", "USAGE", "big", "SAMPLES", "0") < 140000
    assert server.call("MEMORY", "USAGE", "nokey") is NULL_BULK
    idle = server.call("OBJECT", "IDLETIME", "big")
    server.call("MEMORY", "USAGE", "big")
    assert server.call("OBJECT", "IDLETIME", "big") >= idle


def test_usage_refuses_as_redis_does(pando, oracle):
    servers = [pando(), oracle()]
    for server in servers:
        server.call("SET", "k", "v")
    for rest in ["k", "SAMPLES"], ["k", "SAMPLES", "x"], ["k", "SAMPLES", "-1"], ["none", "SAMPLES", "-1"], ["k", "X", "1"]:
        mine, other = [server.do("MEMORY", "USAGE", *rest) for server in servers]
        assert mine == other, rest


def names(reply):
    return [(name, [n for n, _ in value] if isinstance(value, list) else type(value)) for name, value in reply]


def test_stats_have_the_fields_of_redis(pando, oracle):
    shapes = []
    for server in pando(), oracle():
        with server.connect(3) as connection:
            connection.call("SET", "k", "v")
            connection.call("SELECT", "5")
            connection.call("SET", "k", "v", "EX", "1000")
            shapes.append(names(connection.call("MEMORY", "STATS")))
    assert shapes[0] == shapes[1]


def test_stats_are_true(pando):
    server = pando()
    server.call("DEBUG", "POPULATE", "20000", "k", "100")
    reply = server.call("MEMORY", "STATS")
    stats = dict(zip(reply[::2], reply[1::2]))
    assert stats[b"keys.count"] == 20000
    assert 100 < stats[b"keys.bytes-per-key"] < 250
    assert 20000 * 100 < stats[b"dataset.bytes"] < stats[b"total.allocated"] <= stats[b"peak.allocated"]
    assert stats[b"overhead.total"] + stats[b"dataset.bytes"] == stats[b"total.allocated"]


def test_doctor_has_an_opinion(pando):
    server = pando()
    assert b"too little" in server.call("MEMORY", "DOCTOR")
    server.call("DEBUG", "POPULATE", "100000", "k", "100")
    assert b"No problem" in server.call("MEMORY", "DOCTOR")
    server.call("FLUSHALL")
    server.call("DEBUG", "POPULATE", "50000", "k", "100")
    assert b"Peak memory" in server.call("MEMORY", "DOCTOR")
