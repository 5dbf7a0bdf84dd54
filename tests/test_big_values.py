"""Big values and running snapshots: a change in place waits for the snapshot's lease, alone and in EXEC; removing one never
waits; the snapshot holds the value as it was."""
import pytest

from harness.wait import wait_until

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
