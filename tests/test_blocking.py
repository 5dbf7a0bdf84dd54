"""Clients that wait for keys, where it is not enough to compare with Redis 7.0.15 command by command (that is
tests/differential: test_blocking.py and the scripts blocking_*): replicas, swaps, running snapshots, many clients."""
import select

import pytest

from harness.compare import wait_equal, wait_in_sync, wait_linked
from harness.wait import wait_until


def wait_blocked(server, count):
    wait_until(lambda: server.stat("blocked_clients") == count, f"{count} clients of {server} to be blocked")


def blocked(server, *commands, protocol=2):
    """A connection for each command, which waits; in order."""
    before, connections = server.stat("blocked_clients"), []
    for command in commands:
        connections.append(server.connect(protocol))
        connections[-1].send(*command)
        wait_blocked(server, before + len(connections))
    return connections


# Replicas

@pytest.mark.parametrize("primary_kind", ["pando", "oracle"])
def test_a_replica_serves_readers_of_streams(servers, primary_kind):
    primary, replica = getattr(servers, primary_kind)(), servers.pando(name="replica")
    replica.replicate(primary)
    wait_linked(replica)
    alone, late = blocked(replica, ("XREAD", "BLOCK", 0, "STREAMS", "s", "$"),
                          ("XREAD", "BLOCK", 0, "STREAMS", "s", "1-5"))
    primary.call("XADD", "s", "1-1", "f", "v")
    assert alone.read() == [[b"s", [[b"1-1", [b"f", b"v"]]]]]
    with primary.connect() as c:
        assert c.pipeline([["MULTI"], ["XADD", "s", "1-6", "f", "v"], ["XADD", "s", "1-7", "f", "v"], ["EXEC"]])[-1]
    assert late.read() == [[b"s", [[b"1-6", [b"f", b"v"]], [b"1-7", [b"f", b"v"]]]]]
    wait_blocked(replica, 0)


def test_a_read_only_replica_lets_nobody_wait_who_would_write(servers):
    primary, replica = servers.pando(), servers.pando(name="replica")
    replica.replicate(primary)
    wait_linked(replica)
    for command in (("BLPOP", "k", 0), ("BZPOPMIN", "k", 0),
                    ("XREADGROUP", "GROUP", "g", "c", "BLOCK", 0, "STREAMS", "s", ">")):
        assert replica.do(*command).startswith(b"READONLY")


def test_another_primary_ends_waits_and_a_promotion_does_not(servers):
    one, other, replica = servers.pando(), servers.pando(name="other"), servers.pando(name="replica")
    replica.replicate(one)
    wait_linked(replica)
    reader, = blocked(replica, ("XREAD", "BLOCK", 0, "STREAMS", "s", "$"))
    replica.replicate(other)
    assert reader.read().startswith(b"UNBLOCKED ") and reader.closed_by_peer()
    wait_linked(replica)
    reader, = blocked(replica, ("XREAD", "BLOCK", 0, "STREAMS", "s", "$"))
    replica.replicate(None)
    replica.call("XADD", "s", "1-1", "f", "v")
    assert reader.read() == [[b"s", [[b"1-1", [b"f", b"v"]]]]]


@pytest.mark.pando_only
def test_what_a_full_sync_brings_is_served(servers):
    primary, replica = servers.pando(), servers.pando(name="replica")
    replica.replicate(primary)
    wait_linked(replica)
    reader, = blocked(replica, ("XREAD", "BLOCK", 0, "STREAMS", "s", "0"))
    other = servers.pando(name="other")
    other.call("XADD", "s", "1-1", "f", "v")
    other.call("SAVE")
    primary.kill()
    (other.folder / "dump.rdb").rename(primary.folder / "dump.rdb")
    primary.start()
    assert reader.read() == [[b"s", [[b"1-1", [b"f", b"v"]]]]]
    assert replica.info("replication")["role"] == "slave"


def serve_all_kinds(server):
    """Some wait in every way there is, and are served."""
    waiting = blocked(server, ("BLPOP", "a", "b", 0), ("BRPOP", "b", 0), ("BLMOVE", "b", "c", "LEFT", "RIGHT", 0),
                      ("BRPOPLPUSH", "c", "d", 0), ("BLMPOP", 0, 2, "b", "d", "LEFT", "COUNT", 3),
                      ("BZPOPMAX", "z", 0), ("BZMPOP", 0, 1, "z", "MIN", "COUNT", 2))
    server.call("XGROUP", "CREATE", "s", "g", "$", "MKSTREAM")
    waiting += blocked(server, ("XREADGROUP", "GROUP", "g", "c1", "BLOCK", 0, "STREAMS", "s", ">"),
                       ("XREADGROUP", "GROUP", "g", "c2", "BLOCK", 0, "NOACK", "STREAMS", "s", ">"))
    with server.connect() as c:
        c.pipeline([["MULTI"], ["RPUSH", "b", *range(9)], ["ZADD", "z", 1, "x", 2, "y", 3, "z", 4, "w"], ["EXEC"],
                    ["XADD", "s", "*", "f", "v"], ["MULTI"], *[["XADD", "s", "*", "f", "v"]] * 3, ["EXEC"]])
    for client in waiting:
        assert isinstance(client.read(), (list, bytes))
        client.close()
    wait_blocked(server, 0)


@pytest.mark.parametrize("replica_kind", ["pando", "oracle"])
def test_replicas_hold_what_is_left(servers, replica_kind):
    primary, replica = servers.pando(), getattr(servers, replica_kind)(name="replica")
    replica.replicate(primary)
    wait_linked(replica)
    serve_all_kinds(primary)
    wait_equal(primary, replica)


def test_the_append_only_file_holds_what_is_left(servers):
    server = servers.pando(appendonly="yes")
    serve_all_kinds(server)
    before = server.call("DEBUG", "DIGEST")
    server.restart()
    assert server.call("DEBUG", "DIGEST") == before
    assert server.call("LRANGE", "b", 0, -1)


def test_a_writable_replica_serves_its_own_clients_and_keeps_that_to_itself(servers):
    primary, replica = servers.pando(), servers.pando(name="replica", replica_read_only="no")
    replica.replicate(primary)
    wait_linked(replica)
    waiter, = blocked(replica, ("BLPOP", "k", 0))
    primary.call("RPUSH", "k", 1, 2)
    assert waiter.read() == [b"k", b"1"]
    wait_in_sync(primary, replica)
    assert primary.call("LRANGE", "k", 0, -1) == [b"1", b"2"]
    assert replica.call("LRANGE", "k", 0, -1) == [b"2"]


# Beside what Redis does

@pytest.mark.pando_only
def test_a_result_in_the_place_of_another_type_serves(servers):
    """Redis 7.0.15 overlooks it, and the client goes on waiting for a key that is there."""
    server = servers.pando()
    server.call("ZADD", "z", 1, "a")
    server.call("RPUSH", "l", 2, 1)
    sorted_set, listed = blocked(server, ("BZPOPMIN", "k", 0), ("BLPOP", "m", 0))
    server.call("SET", "k", "x")
    server.call("ZUNIONSTORE", "k", 1, "z")
    assert sorted_set.read() == [b"k", b"a", b"1"]
    server.call("SET", "m", "x")
    server.call("SORT", "l", "STORE", "m")
    assert listed.read() == [b"m", b"1"]


def test_a_value_that_expired_in_the_transaction_that_made_it_serves_nobody(servers):
    server = servers.pando()
    waiter, = blocked(server, ("BLPOP", "k", 0))
    with server.connect() as c:
        c.pipeline([["MULTI"], ["RPUSH", "k", 1], ["PEXPIRE", "k", 1], ["DEBUG", "SLEEP", "0.05"], ["EXEC"]])
    server.call("RPUSH", "k", 2)
    assert waiter.read() == [b"k", b"2"]


def test_the_slow_log_and_statistics_have_a_call_when_it_ends_and_once(servers):
    server = servers.pando(slowlog_log_slower_than=0)
    waiter, = blocked(server, ("BLPOP", "k", 0))
    server.call("SLOWLOG", "RESET")
    server.call("RPUSH", "k", 1)
    assert waiter.read() == [b"k", b"1"]
    slow = [entry[3][0] for entry in server.call("SLOWLOG", "GET", -1)]
    assert slow == [b"BLPOP", b"RPUSH", b"SLOWLOG"]
    assert server.info("commandstats")["cmdstat_blpop"].startswith("calls=1,")


# Many

@pytest.mark.parametrize("key", [lambda i: "k", lambda i: f"k:{i}"], ids=["at-one-key", "at-many"])
def test_many_clients(servers, key):
    server = servers.pando()
    clients = [server.connect() for _ in range(500)]
    for i, client in enumerate(clients):
        client.send("BLPOP", key(i), (0, 1000)[i % 2])
    wait_blocked(server, 500)
    assert server.stat("clients_in_timeout_table") == 250
    with server.connect() as c:
        c.pipeline([["RPUSH", key(i), i] for i in range(400)])
    wait_blocked(server, 100)
    ready, _, _ = select.select([client.socket for client in clients], [], [], 0)
    answers = [client.read() for client in clients if client.socket in ready]
    assert sorted(int(element) for _, element in answers) == list(range(400))
    for client in clients:
        client.close()
    wait_blocked(server, 0)
    assert server.stat("clients_in_timeout_table") == 0
    assert server.call("DBSIZE") == 0


# Values that a running snapshot leases

@pytest.fixture
def saving(servers):
    """A server that has begun to save, and takes its time for each key: most likely the big containers' turn has
    not come yet, so that a change is what makes the snapshot lease them."""
    server = servers.pando(save="", rdb_key_save_delay="30000")
    with server.connect() as c:
        c.pipeline([*[["SET", f"ballast:{i}", "x"] for i in range(30)], ["RPUSH", "list", *[b"%010d" % i for i in range(20000)]],
                    ["ZADD", "sorted", *sum(([i, b"%010d" % i] for i in range(20000)), [])],
                    *[["XADD", "stream", f"{i + 1}-0", "f", b"x" * 100] for i in range(2000)],
                    ["XGROUP", "CREATE", "stream", "g", "0"], ["RPUSH", "small", "a", "b"]])
    server.call("BGSAVE")
    return server


def saved(server):
    """What the snapshot holds: the digests of its values, by key."""
    wait_until(lambda: server.info("persistence")["rdb_bgsave_in_progress"] == "0", "the save to end", 60)
    assert server.info("persistence")["rdb_last_bgsave_status"] == "ok"
    assert server.stat("snapshot_values_copied") == 0
    server.kill()
    server.start()
    return {key: server.call("DEBUG", "DIGEST-VALUE", key)[0] for key in ("list", "sorted", "stream", "small")}


@pytest.mark.pando_only
def test_whoever_changes_a_leased_value_waits_whatever_key_it_is(saving):
    before = {key: saving.call("DEBUG", "DIGEST-VALUE", key)[0] for key in ("list", "sorted", "stream", "small")}
    commands = [("LMOVE", "small", "list", "LEFT", "RIGHT"), ("BLMPOP", 0, 2, "none", "list", "LEFT"),
                ("BZPOPMIN", "none", "sorted", 0), ("XREADGROUP", "GROUP", "g", "c", "STREAMS", "stream", ">")]
    connections = [saving.connect() for _ in commands]
    for connection, command in zip(connections, commands):
        connection.send(*command)
    with saving.connect() as c:
        assert c.pipeline([["SELECT", 1], ["MULTI"], ["SELECT", 0], ["ZINCRBY", "sorted", 5, "new"], ["EXEC"]])[-1]
    for connection in connections:
        assert isinstance(connection.read(), (list, bytes))
    assert saved(saving) == before


@pytest.mark.pando_only
def test_whoever_waits_for_a_key_is_served_when_the_lease_has_ended(saving):
    before = {key: saving.call("DEBUG", "DIGEST-VALUE", key)[0] for key in ("list", "sorted", "stream", "small")}
    waiting = blocked(saving, ("BLPOP", "k", 0), ("BLMOVE", "k", "m", "RIGHT", "LEFT", 0), ("BZPOPMAX", "z", 0),
                      ("BLMOVE", "n", "k", "LEFT", "LEFT", 0))
    with saving.connect() as c:
        c.pipeline([["RENAME", "list", "k"], ["RENAME", "sorted", "z"], ["RPUSH", "n", "new"]])
    assert [client.read() for client in waiting] == [[b"k", b"%010d" % 0], b"%010d" % 19999,
                                                     [b"z", b"%010d" % 19999, b"19999"], b"new"]
    assert saved(saving) == before
