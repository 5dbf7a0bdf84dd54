"""Big values and running snapshots: a change in place waits for the snapshot's lease, alone and in EXEC; removing one never
waits; the snapshot holds the value as it was."""
import select

import pytest

from harness.compare import fill, wait_equal, wait_linked
from harness.peers import FakeReplica
from harness.wait import stays, wait_until

BIG = 8 << 20


@pytest.fixture
def saving(servers):
    """A server in the middle of a BGSAVE that has a big value to encode, slowed down."""
    server = servers.pando(save="", rdbcompression="yes")
    for i in range(20):
        server.call("SET", f"big:{i}", b"ab" * (BIG // 2))
    return server


CHANGES = [(("APPEND", "big:3", "tail"), BIG + 4), (("SETBIT", "big:3", 0, 1), 0),
           (("BITFIELD", "big:3", "SET", "u8", 0, 0), [ord("a")])]


@pytest.mark.pando_only
@pytest.mark.parametrize("in_transaction", [False, True], ids=["alone", "in-exec"])
@pytest.mark.parametrize("command, reply", CHANGES, ids=[command[0] for command, _ in CHANGES])
def test_a_change_in_place_during_a_snapshot_is_not_in_it(saving, command, reply, in_transaction):
    saving.call("BGSAVE")
    with saving.connect() as c:
        if in_transaction:
            c.call("MULTI")
            c.call(*command)
            assert c.call("EXEC") == [reply]
        else:
            assert c.call(*command) == reply
    assert saving.call("GET", "big:3") != b"ab" * (BIG // 2)
    wait_until(lambda: saving.info("persistence")["rdb_bgsave_in_progress"] == "0")
    assert saving.info("persistence")["rdb_last_bgsave_status"] == "ok"
    saving.kill()
    saving.start()
    assert saving.call("GET", "big:3") == b"ab" * (BIG // 2)
    assert saving.call("DBSIZE") == 20


@pytest.mark.pando_only
def test_removing_a_big_value_during_a_snapshot_leaves_it_in_the_snapshot(saving):
    saving.call("BGSAVE")
    assert saving.call("DEL", "big:5") == 1
    assert saving.call("SET", "big:6", "small") == b"OK"
    assert saving.call("RENAME", "big:7", "other") == b"OK"
    wait_until(lambda: saving.info("persistence")["rdb_bgsave_in_progress"] == "0")
    saving.kill()
    saving.start()
    assert [saving.call("STRLEN", f"big:{i}") for i in (5, 6, 7)] == [BIG] * 3


# A snapshot whose reader reads nothing, and that has no room on disk: what stands in database 1 is not encoded before the
# reader goes on, since the walk comes to it last.

BALLAST, PART = 640, 64000
SNAPSHOT_MEMORY = 15 << 20  # of its records and its RDB bytes together, where they wait for room
VALUE = b"x" * (300 * 1024)


def fill_and_stall(server, source):
    """Data at `source`, and a reader of `server` that stands still inside its snapshot."""
    fill(source, BALLAST, PART, batch=50)
    with source.connect() as c:
        c.pipeline([["SELECT", 1], *[["SET", f"big:{i}", VALUE] for i in range(10)], ["SET", "small", "as it was"],
                    ["RPUSH", "list", *[b"%010d" % i for i in range(20000)]]])
    if source is not server:
        server.replicate(source)
        wait_linked(server)
    reader = FakeReplica(server)
    assert reader.ask().startswith(b"+FULLRESYNC")

    def progress():
        everything = server.info("everything")
        return everything["current_save_keys_processed"], everything["total_net_repl_output_bytes"]

    def stands_still():
        """Its memory and the socket's buffers are full: until then what is taken for it is soon encoded."""
        assert server.stat("mem_not_counted_for_evict") > SNAPSHOT_MEMORY
        seen = progress()
        stays(lambda: progress() == seen, seconds=0.2)
        return True
    wait_until(stands_still, "the snapshot to stand still")
    return reader


def assert_as_it_was(servers, snapshot):
    """Loads the snapshot: it holds what there was at its beginning."""
    server = servers.pando(start=False, save="")
    (server.folder / "dump.rdb").write_bytes(snapshot)
    server.start()
    c = server.connect()
    servers.later(c.close)
    assert c.call("DBSIZE") == BALLAST
    c.call("SELECT", 1)
    assert c.call("DBSIZE") == 12
    assert c.pipeline([["GET", f"big:{i}"] for i in range(10)]) == [VALUE] * 10
    assert c.call("GET", "small") == b"as it was"
    assert c.call("LLEN", "list") == 20000


ROOMLESS = {"save": "", "repl_log_disk_max": "1mb", "repl_diskless_sync_delay": "0"}


@pytest.mark.pando_only
def test_only_a_change_in_place_waits_for_a_snapshot_that_does_not_get_on(servers):
    server = servers.pando(**ROOMLESS)
    reader = fill_and_stall(server, server)
    servers.later(reader.close)
    alone, inside, c = server.connect(), server.connect(), server.connect()
    for connection in (alone, inside, c):
        servers.later(connection.close)
        connection.call("SELECT", 1)
    alone.send("APPEND", "big:0", "tail")
    inside.pipeline([["MULTI"], ["LPUSH", "list", "head"]])
    inside.send("EXEC")
    wait_until(lambda: server.stat("blocked_clients") == 2, "both to wait")
    # Removing waits for nobody, nor does what is small or not there yet.
    assert c.call("DEL", "big:1") == 1
    assert c.call("SET", "big:2", "short") == b"OK"
    assert c.call("UNLINK", "big:3") == 1
    assert c.call("RENAME", "big:4", "big:5") == b"OK"
    assert c.call("PEXPIRE", "big:6", 1) == 1
    wait_until(lambda: c.call("EXISTS", "big:6") == 0, "it to expire")
    assert c.call("MOVE", "big:7", 2) == 1
    assert c.call("APPEND", "small", ", and more") == len("as it was, and more")
    assert c.call("APPEND", "new", "x") == 1
    assert c.call("GET", "big:8") == VALUE
    assert select.select([alone.socket, inside.socket], [], [], 0)[0] == []
    snapshot = reader.snapshot()
    assert alone.read() == len(VALUE) + 4
    assert inside.read() == [20001]
    assert server.stat("snapshot_values_copied") == 0
    assert_as_it_was(servers, snapshot)


@pytest.mark.pando_only
def test_a_flush_waits_for_no_snapshot(servers):
    server = servers.pando(**ROOMLESS)
    reader = fill_and_stall(server, server)
    servers.later(reader.close)
    assert server.call("FLUSHALL") == b"OK"
    assert server.call("DBSIZE") == 0
    assert_as_it_was(servers, reader.snapshot())


@pytest.mark.pando_only
def test_a_primarys_stream_does_not_wait_for_a_snapshot_of_its_replica(servers):
    primary, replica = servers.pando(save=""), servers.pando(**ROOMLESS)
    reader = fill_and_stall(replica, primary)
    servers.later(reader.close)
    with primary.connect() as c:
        c.pipeline([["SELECT", 1], ["APPEND", "big:0", "tail"], ["LPUSH", "list", "head"]])
    wait_equal(primary, replica)
    assert replica.stat("snapshot_values_copied") == 2
    assert_as_it_was(servers, reader.snapshot())
