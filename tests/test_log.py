"""The log: it takes whole units, nothing leaves before the file has it, and its files say where in it they stand."""
import pytest

from harness.compare import assert_same_keyspace, digest, offset_of, wait_in_sync, wait_linked
from harness.wait import wait_until

AOF = {"appendonly": "yes"}


def at_rest(server):
    """Nothing of the background is under way or due."""
    info = server.info("persistence")
    return all(info.get(name, "0") == "0" for name in ("aof_rewrite_in_progress", "aof_rewrite_scheduled", "aof_pending_rewrite",
                                                       "rdb_bgsave_in_progress"))


# ---- units -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("appendonly, inside", [
    ("yes", [("BGREWRITEAOF",)]),
    ("no", [("CONFIG", "SET", "appendonly", "yes")]),
    ("yes", [("CONFIG", "SET", "appendonly", "no"), ("INCR", "n"), ("CONFIG", "SET", "appendonly", "yes")]),
], ids=["rewrite", "on", "off-and-on"])
def test_a_base_ordered_inside_a_transaction_begins_behind_it(servers, appendonly, inside):
    server = servers.pando(appendonly=appendonly)
    with server.connect() as c:
        replies = c.pipeline([("MULTI",), ("INCR", "n"), *inside, ("INCR", "n"), ("EXEC",)])[-1]
    wait_until(lambda: at_rest(server))
    server.directives["appendonly"] = "yes"
    server.write_config()
    server.restart("kill")
    assert server.call("GET", "n") == b"%d" % replies[-1], "neither half of it is executed twice"


def test_a_save_ordered_inside_a_transaction_begins_behind_it(servers):
    server = servers.pando()
    with server.connect() as c:
        replies = c.pipeline([("MULTI",), ("INCR", "n"), ("BGSAVE",), ("INCR", "n"), ("EXEC",)])[-1]
    assert replies[1] == b"Background saving scheduled"
    wait_until(lambda: server.stat("rdb_saves", "persistence") == 1 and at_rest(server))
    server.restart("kill")
    assert server.call("GET", "n") == b"2"


def test_what_a_transaction_wrote_before_replicaof_is_history_of_its_own(servers):
    """Promoted, it could still ask under the shared id: only as long as it wrote nothing."""
    primary, other = servers.pando(repl_ping_replica_period=3600), servers.pando()
    other.replicate(primary)
    wait_linked(other)
    with primary.connect() as c:
        c.pipeline([("SELECT", 1), ("SET", "x", "")])
    wait_in_sync(primary, other)
    other.replicate(None)
    assert primary.call("SET", "k", "theirs") == b"OK"
    with other.connect() as c:
        c.pipeline([("MULTI",), ("SET", "k", "its own"[:6]), ("REPLICAOF", "127.0.0.1", primary.port), ("EXEC",)])
    wait_linked(other)
    wait_in_sync(primary, other)
    assert_same_keyspace(primary, other)
    assert primary.stat("sync_full") == 2
