"""maxmemory: which keys go, what is told of it, what is not counted, and how long it may take."""
import pytest

from harness.compare import fill, wait_equal, wait_linked, wait_online
from harness.peers import FakeReplica
from harness.resp import pack
from harness.wait import stays, wait_until

MB = 1 << 20
OOM = b"OOM command not allowed when used memory > 'maxmemory'."
POLICIES = ["allkeys-lru", "allkeys-lfu", "allkeys-random", "volatile-lru", "volatile-lfu", "volatile-random", "volatile-ttl"]


def used(server):
    return int(server.info("memory")["used_memory"])


def counted(server):
    memory = server.info("memory")
    return int(memory["used_memory"]) - int(memory["mem_not_counted_for_evict"])


def is_within(server, limit):
    """Whether what counts is within the limit, apart from the few bytes that the question itself has
    allocated: eviction ends at the last byte above the limit, before the question is asked."""
    return counted(server) <= limit + 16 * 1024


def pipeline(server, commands, batch=1000):
    """Replies of many commands; errors are replies."""
    replies = []
    with server.connect() as connection:
        for start in range(0, len(commands), batch):
            part = commands[start:start + batch]
            connection.send_raw(b"".join(pack(*c) for c in part))
            replies += [connection.read() for _ in part]
    return replies


def keys_left(server, prefix, count):
    found = pipeline(server, [("EXISTS", f"{prefix}{i}") for i in range(count)])
    return [i for i, there in enumerate(found) if there]


@pytest.mark.parametrize("policy", POLICIES)
def test_memory_stays_within_its_limit_and_writes_go_on(servers, policy):
    limit = 8 * MB
    server = servers.pando(maxmemory=limit, maxmemory_policy=policy)
    commands = [("SET", f"k{i}", b"x" * 1000, "EX", str(1000 + i)) for i in range(20000)]
    assert set(pipeline(server, commands)) == {b"OK"}
    wait_until(lambda: is_within(server, limit), "memory to be within the limit")
    assert server.stat("evicted_keys") > 10000
    assert server.call("DBSIZE") == 20000 - server.stat("evicted_keys")
    assert server.call("DBSIZE") > 4000


def test_noeviction_refuses_what_would_grow_and_serves_the_rest(servers):
    server = servers.pando()
    fill(server, 1000, 1000)
    server.configure(maxmemory=used(server) - 100000)
    assert server.do("SET", "a", "b") == OOM
    assert server.do("GET", "key:1") is not None
    assert server.do("DEL", "key:1") == 1
    assert server.stat("evicted_keys") == 0
    figures = server.info("stats")
    assert int(figures["current_eviction_exceeded_time"]) >= 0
    wait_until(lambda: server.stat("current_eviction_exceeded_time") > 0)
    server.configure(maxmemory=0)
    wait_until(lambda: server.stat("current_eviction_exceeded_time") == 0)
    assert server.stat("total_eviction_exceeded_time") > 0


@pytest.mark.parametrize("policy", ["volatile-lru", "volatile-lfu", "volatile-random", "volatile-ttl"])
def test_without_a_key_that_may_go_writes_are_refused(servers, policy):
    server = servers.pando(maxmemory_policy=policy)
    fill(server, 1000, 1000)
    server.call("SET", "volatile", "x", "EX", "1000")
    server.configure(maxmemory=used(server) - 500000)
    assert server.do("SET", "a", "b") == OOM
    assert server.call("EXISTS", "volatile") == 0
    assert server.call("DBSIZE") == 1000
    assert server.stat("evicted_keys") == 1


def fill_by_age(server, count, prefix="k"):
    """Half of the keys are two seconds older than the others: the resolution of the access clock is a second."""
    old = [("SET", f"{prefix}{i}", b"x" * 100) for i in range(count // 2)]
    assert set(pipeline(server, old)) == {b"OK"}
    wait_until(lambda: server.call("OBJECT", "IDLETIME", f"{prefix}0") >= 2, "a difference of age")
    new = [("SET", f"{prefix}{i}", b"x" * 100) for i in range(count // 2, count)]
    assert set(pipeline(server, new)) == {b"OK"}


def test_allkeys_lru_takes_the_old_half(servers):
    count = 40000
    server = servers.pando(maxmemory_policy="allkeys-lru")
    fill_by_age(server, count)
    # Read again, so that they are not old any more.
    pipeline(server, [("GET", f"k{i}") for i in range(0, count // 2, 10)])
    before = used(server)
    server.configure(maxmemory=before - 2 * MB)
    wait_until(lambda: is_within(server, before - 2 * MB))
    left = set(keys_left(server, "k", count))
    gone = [i for i in range(count) if i not in left]
    assert len(gone) > 5000
    new = [i for i in gone if i >= count // 2 or i % 10 == 0]
    assert len(new) <= len(gone) * 0.02, (len(new), len(gone))


def test_allkeys_lfu_takes_what_is_seldom_read(servers):
    count = 40000
    server = servers.pando(maxmemory_policy="allkeys-lfu", lfu_log_factor="0")
    assert set(pipeline(server, [("SET", f"k{i}", b"x" * 100) for i in range(count)])) == {b"OK"}
    for _ in range(10):
        pipeline(server, [("GET", f"k{i}") for i in range(0, count, 2)])
    assert server.call("OBJECT", "FREQ", "k0") > server.call("OBJECT", "FREQ", "k1")
    before = used(server)
    server.configure(maxmemory=before - 2 * MB)
    wait_until(lambda: is_within(server, before - 2 * MB))
    left = set(keys_left(server, "k", count))
    gone = [i for i in range(count) if i not in left]
    assert len(gone) > 5000
    assert len([i for i in gone if i % 2 == 0]) <= len(gone) * 0.02


def test_volatile_ttl_takes_the_nearest(servers):
    count = 20000
    server = servers.pando(maxmemory_policy="volatile-ttl")
    commands = [("SET", f"k{i}", b"x" * 100, "EX", str(100 + i)) for i in range(count)]
    assert set(pipeline(server, commands)) == {b"OK"}
    before = used(server)
    server.configure(maxmemory=before - MB)
    wait_until(lambda: is_within(server, before - MB))
    left = set(keys_left(server, "k", count))
    gone = [i for i in range(count) if i not in left]
    assert len(gone) > 3000
    beyond = [i for i in gone if i >= len(gone) * 1.5]
    assert len(beyond) <= len(gone) * 0.05, (len(beyond), len(gone))


@pytest.mark.parametrize("lazy, word", [("no", b"DEL"), ("yes", b"UNLINK")])
def test_what_is_told_of_it(servers, lazy, word):
    server = servers.pando(maxmemory_policy="allkeys-random", notify_keyspace_events="Ee", lazyfree_lazy_eviction=lazy)
    fill(server, 10, 1000)
    replica = FakeReplica(server)
    servers.later(replica.close)
    replica.sync()
    with server.connect() as subscriber:
        subscriber.call("PSUBSCRIBE", "*")
        dirty = server.info("persistence")["rdb_changes_since_last_save"]
        server.configure(maxmemory=1)
        wait_until(lambda: server.call("DBSIZE") == 0)
        stated = replica.commands(11)
        assert stated[0][0] == b"SELECT"
        assert {c[0] for c in stated[1:]} == {word}
        events = [subscriber.read() for _ in range(10)]
        assert [e[2:] for e in events] == [[b"__keyevent@0__:evicted", c[1]] for c in stated[1:]]
        assert server.info("persistence")["rdb_changes_since_last_save"] == dirty
    assert server.stat("evicted_keys") == 10


def test_watched_keys_notice(servers):
    server = servers.pando(maxmemory_policy="allkeys-random")
    server.call("SET", "k", "v")
    with server.connect() as c:
        c.call("WATCH", "k")
        server.configure(maxmemory=1)
        wait_until(lambda: server.call("DBSIZE") == 0)
        server.configure(maxmemory=0)
        assert c.call("MULTI") == b"OK"
        c.call("GET", "k")
        assert not c.call("EXEC")


def test_a_transaction_is_not_torn(servers):
    """Room is made before EXEC, and what it does in the middle passes the limit unhindered."""
    server = servers.pando(maxmemory_policy="allkeys-lru")
    fill(server, 4000, 1000)
    wait_until(lambda: server.call("OBJECT", "IDLETIME", "key:1") >= 2, "a difference of age")
    server.configure(maxmemory=used(server) + 100000)
    with server.connect() as c:
        c.call("MULTI")
        for i in range(10):
            c.call("SET", f"big{i}", b"x" * 100000)
        assert c.call("EXEC") == [b"OK"] * 10
        assert c.call("EXISTS", *[f"big{i}" for i in range(10)]) == 10
    wait_until(lambda: server.stat("evicted_keys") > 500)
    # The oldest went, not what was just written.
    assert server.call("EXISTS", *[f"big{i}" for i in range(10)]) == 10


def test_in_a_transaction_that_grows_nothing_is_queued_when_nothing_may_go(servers):
    server = servers.pando()
    server.call("SET", "k", "v")
    server.configure(maxmemory=1000)
    with server.connect() as c:
        assert c.call("MULTI") == b"OK"
        assert c.do("SET", "a", "b") == OOM
        assert c.do("EXEC").startswith(b"EXECABORT")


def test_replication_and_snapshots_are_not_counted(servers):
    """A full sync and a replica that reads nothing, with data at 99% of maxmemory: not one key goes."""
    primary = servers.pando(maxmemory_policy="allkeys-lru", repl_log_memory_max="64mb", repl_backlog_size="1mb")
    fill(primary, 50000, 1000)
    limit = used(primary) * 100 // 99
    primary.configure(maxmemory=limit)
    idle = FakeReplica(primary)
    servers.later(idle.close)
    idle.sync()
    replica = servers.pando()
    link = servers.proxy(primary, rate=20 * MB)
    replica.replicate(link)
    for round_ in range(10):
        fill(primary, 2000, 1000, seed=round_, batch=50)  # as large as before
    wait_online(primary, 2)
    primary.call("BGSAVE")
    wait_until(lambda: primary.info("persistence")["rdb_bgsave_in_progress"] == "0")
    wait_linked(replica)
    assert int(primary.info("memory")["mem_not_counted_for_evict"]) > 2 * MB
    assert used(primary) > limit
    assert primary.stat("evicted_keys") == 0
    primary.configure(maxmemory=0)  # the harness reads large replies, which count as they do in Redis
    wait_equal(primary, replica)


def test_a_flush_makes_room_at_once(servers):
    """What is on its way out is no data, also while a snapshot still walks it."""
    server = servers.pando(maxmemory_policy="allkeys-lru", rdb_key_save_delay="10000")
    fill(server, 20000, 1000)
    server.configure(maxmemory=used(server) + MB)
    server.call("BGSAVE")
    server.call("FLUSHALL")
    fill(server, 5000, 1000, prefix="new")
    assert server.stat("evicted_keys") == 0
    assert server.call("DBSIZE") == 5000
    server.configure(rdb_key_save_delay=0)


def test_big_values_that_a_snapshot_still_holds_count_as_gone(servers):
    server = servers.pando(maxmemory_policy="allkeys-random", rdb_key_save_delay="1000000")
    fill(server, 100, 500000, batch=10)
    limit = used(server) - 10 * MB
    server.call("BGSAVE")
    server.configure(maxmemory=limit)
    wait_until(lambda: is_within(server, limit))
    assert 15 <= server.stat("evicted_keys") <= 45
    server.configure(rdb_key_save_delay=0)


def test_work_is_bounded_and_goes_on_between_commands(servers):
    server = servers.pando(maxmemory_policy="allkeys-lru", maxmemory_eviction_tenacity="0", latency_monitor_threshold="1")
    server.call("DEBUG", "POPULATE", "200000", "key", "100")
    limit = used(server) // 2
    server.call("CONFIG", "RESETSTAT")
    server.configure(maxmemory=limit)
    with server.connect() as c:
        while not is_within(server, limit):
            assert c.call("SET", "k", "v") == b"OK"  # not refused while there is something to evict
    assert server.stat("evicted_keys") > 50000
    assert int(server.info("stats")["engine_longest_turn_us"]) < 1000000
    wait_until(lambda: server.stat("current_eviction_exceeded_time") == 0)
    assert server.stat("total_eviction_exceeded_time") > 0


def test_tenacity_of_a_hundred_waits_until_it_is_done(servers):
    server = servers.pando(maxmemory_policy="allkeys-random", maxmemory_eviction_tenacity="100")
    server.call("DEBUG", "POPULATE", "100000", "key", "100")
    limit = used(server) // 2
    server.configure(maxmemory=limit)
    server.call("SET", "k", "v")
    assert counted(server) <= limit + 100000


def test_latency_events_are_those_of_redis(servers):
    server = servers.pando(maxmemory_policy="allkeys-random", maxmemory_eviction_tenacity="100", latency_monitor_threshold="1")
    server.call("DEBUG", "POPULATE", "200000", "key", "100")
    server.configure(maxmemory=1)
    server.do("SET", "k", "v")
    assert b"eviction-cycle" in [row[0] for row in server.call("LATENCY", "LATEST")]


def test_a_replica_leaves_it_to_its_primary(servers):
    primary, replica = servers.pando(), servers.pando(maxmemory="1mb", maxmemory_policy="allkeys-lru")
    fill(primary, 2000, 1000)
    replica.replicate(primary)
    wait_linked(replica)
    wait_equal(primary, replica)
    stays(lambda: replica.stat("evicted_keys") == 0)
    # Evicting by itself is its own affair: the log of neither says so.
    offset = replica.info("replication")["slave_repl_offset"]
    replica.configure(replica_ignore_maxmemory="no")
    wait_until(lambda: replica.stat("evicted_keys") > 500)
    assert int(replica.info("replication")["slave_repl_offset"]) - int(offset) < 10000
    assert primary.call("DBSIZE") == 2000


def test_what_the_primary_evicts_its_replica_loses(servers):
    primary = servers.pando(maxmemory_policy="allkeys-lru")
    replica = servers.pando().replicate(primary)
    stock = servers.oracle().replicate(primary)
    wait_linked(replica, stock)
    primary.configure(maxmemory=used(primary) + MB)
    fill(primary, 5000, 1000)
    assert primary.stat("evicted_keys") > 1000
    wait_equal(primary, replica, stock)


def test_while_writes_are_paused_nothing_is_evicted(servers):
    server = servers.pando(maxmemory_policy="allkeys-lru")
    fill(server, 1000, 1000)
    server.call("CLIENT", "PAUSE", "100000", "WRITE")
    server.configure(maxmemory=1)
    stays(lambda: server.call("DBSIZE") == 1000)
    server.call("CLIENT", "UNPAUSE")
    wait_until(lambda: server.call("DBSIZE") == 0)


def test_all_databases_give_their_share(servers):
    server = servers.pando(maxmemory_policy="allkeys-random")
    fill(server, 1000, 1000, db=0)
    fill(server, 3000, 1000, db=9)
    limit = used(server) - 2 * MB
    server.configure(maxmemory=limit)
    wait_until(lambda: is_within(server, limit))
    left = {k: int(v.split(",")[0][5:]) for k, v in server.info("keyspace").items()}
    assert 300 < left["db0"] < 700 and 1200 < left["db9"] < 1900
