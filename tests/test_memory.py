"""MEMORY: figures of a key and of the server."""
import pytest

from harness.compare import fill
from harness.resp import NULL_BULK, pack, parse_info
from harness.wait import wait_until


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
    wait_until(lambda: b"Peak memory" in server.call("MEMORY", "DOCTOR"), "what was flushed to be freed")


MAKE = {
    "string": lambda k, i: ("SET", k, b"x" * 3000),
    "hash": lambda k, i: ("HSET", k, f"field:{i}", "value" * 10),
    "set": lambda k, i: ("SADD", k, f"member:{i}:" + "x" * 40),
    "intset": lambda k, i: ("SADD", k, i * 3),
    "zset": lambda k, i: ("ZADD", k, i, f"member:{i}:" + "x" * 40),
    "list": lambda k, i: ("RPUSH", k, f"element:{i}:" + "x" * 40),
    "stream": lambda k, i: ("XADD", k, f"{i + 1}-0", "field", "value" * 10),
}


@pytest.mark.parametrize("kind", list(MAKE))
@pytest.mark.parametrize("keys, elements", [(200, 100), (1, 20000)])
def test_usage_is_what_values_took(servers, kind, keys, elements):
    server = servers.pando(set_max_intset_entries=100000)
    count = keys * elements
    before = int(server.info("memory")["used_memory"])
    with server.connect() as connection:
        for start in range(0, count, 500):
            part = range(start, min(start + 500, count))
            connection.send_raw(b"".join(pack(*MAKE[kind](f"k{i % keys}", i // keys)) for i in part))
            for _ in part:
                connection.read()
    took = int(server.info("memory")["used_memory"]) - before
    usage = sum(server.call("MEMORY", "USAGE", f"k{k}") for k in range(keys))
    slack = 20000 + keys * 12  # what the commands themselves keep, and the keyspace's table
    assert usage <= took <= usage + slack, (took, usage)
    stats = server.call("MEMORY", "STATS")
    data = dict(zip(stats[::2], stats[1::2]))[b"dataset.bytes"]
    assert usage <= data <= usage + slack, (data, usage)


def test_usage_counts_groups_and_pending_entries(pando):
    server = pando()
    for i in range(1000):
        server.call("XADD", "s", "*", "f", "v")
    plain = server.call("MEMORY", "USAGE", "s")
    server.call("XGROUP", "CREATE", "s", "g", "0")
    server.call("XREADGROUP", "GROUP", "g", "c", "COUNT", 1000, "STREAMS", "s", ">")
    assert server.call("MEMORY", "USAGE", "s") > plain + 1000 * 50


def test_what_snapshots_hold_is_no_data(pando):
    """Nor what is on its way out."""
    server = pando()
    fill(server, 3000, 10000)
    before = server.info("memory")

    def copies_are_seen():
        """In one turn of the engine, so that the snapshot hardly gets to writing what it copies."""
        server.configure(rdb_key_save_delay=100000)
        server.call("BGSAVE")
        with server.connect() as client:
            client.call("MULTI")
            for i in range(1500):
                client.call("SETRANGE", f"key:{i}", 0, "x")
            client.call("INFO", "memory")
            during = parse_info(client.call("EXEC")[-1])
        server.configure(rdb_key_save_delay=0)
        wait_until(lambda: server.info("persistence")["rdb_bgsave_in_progress"] == "0")
        return int(during["used_memory"]) > int(before["used_memory"]) + 3_000_000 and during

    during = wait_until(copies_are_seen)
    assert abs(int(during["used_memory_dataset"]) - int(before["used_memory_dataset"])) < 1_000_000
