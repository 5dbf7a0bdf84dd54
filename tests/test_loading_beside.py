"""A replica that receives a snapshot while it has data: where there is room for both, and where there is not; what the swap
does to those who watch, and to old functions."""
import pytest

from harness.compare import fill, linked, wait_equal, wait_linked
from harness.peers import RUN_ID, FakePrimary, length, rdb
from harness.resp import NULL_ARRAY, NULL_BULK
from harness.wait import wait_until

MB = 1 << 20
pytestmark = pytest.mark.pando_only


def replies_until_linked(replica, *command):
    """What the replica answers all the while, each different reply once, in order; and whether INFO said that it loads."""
    seen, told = [], False
    with replica.connect() as c:
        while not linked(replica):
            reply = c.do(*command)
            if not seen or seen[-1] != reply:
                seen.append(reply)
            told = told or replica.stat("loading", "persistence") == 1
    return seen, told


@pytest.mark.parametrize("load", ["disabled", "on-empty-db", "swapdb"])
def test_without_room_the_new_is_stored_and_verified_before_the_old_goes(servers, load):
    primary, replica = servers.pando(), servers.pando(repl_load_memory_max="1kb", key_load_delay="100", repl_diskless_load=load)
    fill(primary, 3000, 100)
    replica.call("SET", "mine", "is kept")
    link = servers.proxy(primary, rate=MB // 2)
    replica.replicate(link)
    seen, told = replies_until_linked(replica, "GET", "mine")
    assert seen[0] == b"is kept"
    assert seen[1].startswith(b"LOADING"), seen
    assert told
    assert replica.logged("The snapshot needs .* bytes and 1024 are available")
    assert replica.logged("The snapshot is whole: the old data goes now")
    wait_equal(primary, replica)


@pytest.mark.parametrize("load", ["disabled", "on-empty-db", "swapdb"])
def test_with_room_the_old_is_served_until_the_new_is_there(servers, load):
    primary, replica = servers.pando(), servers.pando(key_load_delay="100", repl_diskless_load=load)
    fill(primary, 3000, 100)
    replica.call("SET", "mine", "is kept")
    replica.replicate(primary)
    seen, told = replies_until_linked(replica, "GET", "mine")
    assert seen in ([b"is kept"], [b"is kept", NULL_BULK])
    assert not told
    wait_equal(primary, replica)


def of_a_large_sender(checksum):
    """A snapshot that says to have taken a lot of memory."""
    number = b"999999999"
    return rdb([], body=b"\xfa\x08used-mem" + length(len(number)) + number + b"\xfe\x00\x00\x05their\x04data", checksum=checksum)


@pytest.mark.parametrize("in_pieces", [False, True], ids=["at-once", "in-pieces"])
def test_without_room_a_snapshot_that_is_not_whole_costs_nothing(servers, in_pieces):
    def script(peer):
        snapshot = of_a_large_sender(checksum=12345)
        if in_pieces:
            peer.send(b"+FULLRESYNC %s 0\r\n$%d\r\n" % (RUN_ID, len(snapshot)) + snapshot[:1])
            wait_until(lambda: replica.stat("master_sync_read_bytes") == 1, "the first byte to be read")
            peer.send(snapshot[1:])
        else:
            peer.full_sync(snapshot)
        peer.until_closed()
    liar = FakePrimary(script)
    servers.later(liar.close)
    replica = servers.pando(repl_load_memory_max="1kb", appendonly="yes")
    replica.call("SET", "mine", "is kept")
    replid = replica.info("replication")["master_replid"]
    replica.replicate(liar)
    wait_until(lambda: liar.attempts >= 2, "a second attempt")
    assert replica.call("GET", "mine") == b"is kept"
    assert replica.logged("The snapshot needs 999999999 bytes and 1024 are available")
    assert "checksum is wrong" in replica.info("replication")["last_sync_error"]
    assert replica.info("replication")["master_replid"] == replid != RUN_ID.decode()
    replica.replicate(None)
    replica.call("SET", "more", "goes on")
    replica.restart("kill")
    assert replica.call("MGET", "mine", "more") == [b"is kept", b"goes on"]


def test_stale_data_is_not_served_during_a_sync_either_where_that_is_forbidden(servers):
    primary, replica = servers.pando(), servers.pando(replica_serve_stale_data="no", key_load_delay="100")
    fill(primary, 3000, 100)
    replica.call("SET", "mine", "is kept")
    link = servers.proxy(primary, rate=MB)
    replica.replicate(link)
    wait_until(lambda: replica.info("replication")["master_sync_in_progress"] == "1")
    with replica.connect() as c:
        asked = 0
        while True:
            reply = c.do("GET", "mine")
            if reply == NULL_BULK:
                break
            assert reply.startswith(b"MASTERDOWN"), reply
            asked += 1
    assert asked > 0
    wait_linked(replica)


def test_the_swap_fails_watches_and_replaces_functions(servers):
    primary, replica = servers.pando(), servers.pando()
    primary.call("SET", "k", "theirs")
    replica.call("FUNCTION", "LOAD", "#!lua name=ours\nredis.register_function('f', function() return 1 end)")
    with replica.connect() as c, replica.connect() as other:
        for connection, key in ((c, "k"), (other, "never there")):
            connection.call("WATCH", key)
        replica.replicate(primary)
        wait_linked(replica)
        for connection in (c, other):
            connection.call("MULTI")
            connection.call("GET", "k")
        assert c.call("EXEC") == NULL_ARRAY
        assert other.call("EXEC") == [b"theirs"]
    assert replica.call("FUNCTION", "LIST") == []
