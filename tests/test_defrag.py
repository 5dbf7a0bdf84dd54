"""Memory that was freed comes back to the system: without a command, without activedefrag, whatever the data was made of; the
data is the same afterwards. With activedefrag yes its directives say when it begins."""
import random

import pytest

from harness.compare import digest, fill, wait_equal, wait_linked
from harness.resp import pack
from harness.wait import stays, wait_until

MB = 1 << 20
pytestmark = pytest.mark.pando_only


@pytest.fixture
def server(servers):
    server = servers.pando()
    if not server.info("memory")["mem_allocator"].startswith("jemalloc"):
        pytest.skip("the sanitizers' allocator says nothing about its pages; src/store/defrag_test.c moves everything there")
    return server


def send(server, commands, batch=1000):
    with server.connect() as connection:
        for start in range(0, len(commands), batch):
            part = commands[start:start + batch]
            connection.send_raw(b"".join(part))
            for _ in part:
                connection.read()


VALUE = b"v" * 90
PER_KEY = 2000


def name(i):
    return b"element:%d:" % i + VALUE


FILL = {
    "hash": lambda key, i: pack("HSET", key, f"field:{i}", VALUE),
    "set": lambda key, i: pack("SADD", key, name(i)),
    "zset": lambda key, i: pack("ZADD", key, i * 7919 % 100003, name(i)),
    "list": lambda key, i: pack("RPUSH", key, VALUE),
    "stream": lambda key, i: pack("XADD", key, "*", "field", VALUE),
}
THIN = {
    "hash": lambda key, i: pack("HDEL", key, f"field:{i}"),
    "set": lambda key, i: pack("SREM", key, name(i)),
    "zset": lambda key, i: pack("ZREM", key, name(i)),
}


def wait_small(server, limit, timeout=60.0):
    """No command is sent meanwhile."""
    wait_until(lambda: server.resident_bytes() < limit, f"RSS below {limit // MB} MB", timeout, interval=0.2)


def test_after_most_strings_were_deleted_at_random(server):
    start = server.resident_bytes()
    count = 700000
    server.call("DEBUG", "POPULATE", count, "key", "230")
    full = server.resident_bytes() - start
    assert full > 180 * MB
    draw = random.Random(1)
    send(server, [pack("DEL", f"key:{i}") for i in range(count) if draw.random() < 0.9])
    expected = digest(server)
    server.close_control()
    wait_small(server, start + full * 0.3)
    assert digest(server) == expected
    stats = server.info("stats")
    assert int(stats["active_defrag_hits"]) > 10000 and int(stats["active_defrag_key_hits"]) > 10000
    assert int(stats["total_active_defrag_time"]) > 0 and int(stats["current_active_defrag_time"]) >= 0
    server.call("CONFIG", "RESETSTAT")
    assert server.stat("active_defrag_hits") == 0


@pytest.mark.parametrize("kind", list(FILL))
def test_after_values_became_thin(server, kind):
    """Most elements go, or, of lists and streams, whole keys that were filled beside each other."""
    start = server.resident_bytes()
    count, draw = 400000, random.Random(1)
    server.configure(list_max_listpack_size=10, stream_node_max_entries=10)  # larger nodes have pages of their own
    if kind in THIN:
        send(server, [FILL[kind](f"key:{i // PER_KEY}", i) for i in range(count)])
        full = server.resident_bytes() - start
        send(server, [THIN[kind](f"key:{i // PER_KEY}", i) for i in range(count) if draw.random() < 0.9])
    else:
        keys = count // 100  # values of many sizes lie among each other
        send(server, [FILL[kind](f"key:{i * 7919 % keys}", i) for i in range(count)])
        full = server.resident_bytes() - start
        send(server, [pack("DEL", f"key:{i}") for i in range(keys) if draw.random() < 0.9])
    assert full > 35 * MB
    expected = digest(server)
    server.close_control()
    wait_small(server, start + max(full * 0.4, 18 * MB))
    assert digest(server) == expected
    assert server.stat("active_defrag_hits") > 1000


def test_beside_snapshots_replicas_and_writes(server, servers):
    count, draw = 300000, random.Random(1)
    server.configure(latency_monitor_threshold=100)
    server.call("DEBUG", "POPULATE", count, "key", "200")
    replica = servers.pando()
    send(server, [pack("DEL", f"key:{i}") for i in range(count) if draw.random() < 0.9])
    replica.replicate(server)
    for round_ in range(100):
        server.call("BGSAVE") if round_ % 10 == 0 and server.info("persistence")["rdb_bgsave_in_progress"] == "0" else None
        fill(server, 200, 150, prefix=f"new{round_ % 7}", seed=round_)
        if server.stat("active_defrag_hits") > 20000:
            break
    wait_until(lambda: server.stat("active_defrag_hits") > 20000, "the walk")
    wait_linked(replica)
    wait_equal(server, replica)
    wait_until(lambda: server.info("persistence")["rdb_bgsave_in_progress"] == "0")


def thinned(server, share):
    """A keyspace of which this share was deleted at random."""
    count, draw = 400000, random.Random(1)
    server.call("DEBUG", "POPULATE", count, "key", "100")
    send(server, [pack("DEL", f"key:{i}") for i in range(count) if draw.random() < share])


def test_activedefrag_begins_where_its_directives_say(server):
    thinned(server, 0.3)
    stays(lambda: server.stat("active_defrag_hits") == 0, "no walk while classes are more than half full", seconds=2.5)
    server.configure("active-defrag-ignore-bytes", "1gb")
    server.configure(activedefrag="yes")
    stays(lambda: server.stat("active_defrag_hits") == 0, "nor for less than active-defrag-ignore-bytes", seconds=2.5)
    server.configure("active-defrag-ignore-bytes", "1mb", "active-defrag-threshold-lower", "500", "active-defrag-threshold-upper", "900")
    stays(lambda: server.stat("active_defrag_hits") == 0, "nor below active-defrag-threshold-lower", seconds=2.5)
    server.configure("active-defrag-threshold-lower", "10", "active-defrag-threshold-upper", "100", "active-defrag-cycle-min", "20",
                     "active-defrag-cycle-max", "60")
    running = wait_until(lambda: server.stat("active_defrag_running"), "a walk")
    assert 20 <= running <= 60
    wait_until(lambda: server.stat("active_defrag_hits") > 50000, "it to move much")
    wait_until(lambda: server.stat("active_defrag_running") == 0, "it to end")
    memory = server.info("memory")
    assert int(memory["allocator_active"]) < int(memory["allocator_allocated"]) * 1.15


def test_without_jemallocs_thread_pages_come_back_too(servers):
    server = servers.pando(jemalloc_bg_thread="no")
    if not server.info("memory")["mem_allocator"].startswith("jemalloc"):
        pytest.skip("not with the sanitizers' allocator")
    start = server.resident_bytes()
    thinned(server, 0.9)
    server.close_control()
    wait_small(server, start + 25 * MB)


def test_expired_keys_give_their_memory_back(server):
    start = server.resident_bytes()
    count, draw = 300000, random.Random(1)
    commands = [pack("SET", f"key:{i}", b"x" * 200, *(("PX", 1500) if draw.random() < 0.9 else ())) for i in range(count)]
    send(server, commands)
    wait_until(lambda: server.call("DBSIZE") < count // 5)
    server.close_control()
    wait_small(server, start + 35 * MB)
    assert server.stat("active_defrag_hits") > 1000
