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


@pytest.mark.pando_only
@pytest.mark.parametrize("in_transaction", [False, True], ids=["alone", "in-exec"])
def test_a_change_in_place_during_a_snapshot_is_not_in_it(saving, in_transaction):
    saving.call("BGSAVE")
    with saving.connect() as c:
        if in_transaction:
            c.call("MULTI")
            c.call("APPEND", "big:3", "tail")
            assert c.call("EXEC") == [BIG + 4]
        else:
            assert c.call("APPEND", "big:3", "tail") == BIG + 4
    wait_until(lambda: saving.info("persistence")["rdb_bgsave_in_progress"] == "0")
    assert saving.info("persistence")["rdb_last_bgsave_status"] == "ok"
    saving.kill()
    saving.start()
    assert saving.call("STRLEN", "big:3") == BIG
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
