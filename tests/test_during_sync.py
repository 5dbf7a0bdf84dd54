"""What is seen and what still works while a full sync is on its way; changes of mind in the middle of one."""
import os

import pytest

from harness.compare import fill, wait_equal, wait_linked
from harness.servers import PANDO, is_oracle
from harness.wait import stays, wait_until

MB = 1 << 20


@pytest.mark.skipif(is_oracle(PANDO), reason="Redis 7.0.15 answers as if empty")
def test_a_replica_that_never_had_data_answers_an_error_and_never_nothing(servers):
    primary = servers.pando()
    fill(primary, 2000, 10 * 1024)
    link = servers.proxy(primary, rate=8 * MB)
    replica = servers.pando(replicaof=f"127.0.0.1 {link.port}")
    errors = 0
    with replica.connect() as c:
        while True:
            reply = c.do("GET", "key:1")
            if isinstance(reply, bytes) and len(reply) == 10 * 1024:
                break
            assert reply and reply.startswith((b"LOADING", b"MASTERDOWN")), reply
            errors += 1
    assert errors > 0
    wait_linked(replica)
    wait_equal(primary, replica)


@pytest.mark.pando_only
def test_a_sync_is_seen_at_both_ends_while_it_runs(servers):
    primary, replica = servers.pando(), servers.pando()
    fill(primary, 2000, 10 * 1024)
    link = servers.proxy(primary, rate=6 * MB)
    replica.replicate(link)
    wait_until(lambda: int(replica.info("replication").get("master_sync_read_bytes", 0)) > 1 * MB)
    at_replica = replica.info("replication")
    assert at_replica["master_sync_in_progress"] == "1"
    line = next(v for k, v in primary.info("replication").items() if k.startswith("slave0"))
    assert "state=send_bulk" in line
    wait_linked(replica)
    reasons = [dict(zip(e[::2], e[1::2])) for e in replica.call("REPLICATION", "LOG")]
    done = [e for e in reasons if e[b"event"] == b"full-sync-done"]
    assert len(done) == 1 and done[0][b"bytes"] > 19 * MB and done[0][b"duration-ms"] > 0


@pytest.mark.pando_only
@pytest.mark.parametrize("load", ["disabled", "swapdb"])
def test_the_progress_of_loading_is_seen(servers, load):
    primary, replica = servers.pando(), servers.pando(key_load_delay="500", repl_diskless_load=load)
    fill(primary, 4000, 100)
    replica.replicate(primary)

    def is_in_the_middle():
        found = replica.info("replication")
        return found.get("master_sync_stage") == "loading" and 0 < int(found["master_sync_stage_percent"]) < 100 and \
            int(found["master_sync_bytes_per_second"]) > 0 and int(found["master_sync_eta_ms"]) > 0
    wait_until(is_in_the_middle)
    wait_linked(replica)


def test_clients_of_the_primary_are_served_during_a_sync(servers):
    primary, replica = servers.pando(rdb_key_save_delay="200"), servers.pando()
    fill(primary, 5000, 100)
    replica.replicate(primary)
    wait_until(lambda: primary.stat("connected_slaves") == 1)
    answered = 0
    while replica.info("replication")["master_link_status"] == "down":
        assert primary.call("SET", f"during:{answered}", "x") == b"OK"
        answered += 1
    assert answered > 20
    wait_equal(primary, replica)


def test_another_primary_in_the_middle_of_a_sync(servers):
    first, second, replica = servers.pando(), servers.pando(), servers.pando()
    fill(first, 2000, 10 * 1024)
    fill(second, 50, 100, prefix="second")
    link = servers.proxy(first, rate=2 * MB)
    replica.replicate(link)
    wait_until(lambda: link.bytes_down > MB)
    replica.replicate(second)
    wait_linked(replica)
    wait_equal(second, replica)
    assert replica.call("DBSIZE") == 50


def test_no_one_in_the_middle_of_a_sync_keeps_what_was_there(servers):
    primary, replica = servers.pando(), servers.pando()
    fill(primary, 2000, 10 * 1024)
    replica.call("SET", "mine", "stays")
    link = servers.proxy(primary, rate=2 * MB)
    replica.replicate(link)
    wait_until(lambda: link.bytes_down > MB)
    replica.replicate(None)
    assert replica.info("replication")["role"] == "master"
    assert replica.call("GET", "mine") == b"stays"
    wait_until(lambda: primary.stat("connected_slaves") == 0)
    assert replica.call("SET", "more", "x") == b"OK"


def test_the_snapshot_stops_when_nobody_waits_for_it(servers):
    primary = servers.pando(rdb_key_save_delay="1000")
    fill(primary, 20000, 100)
    replica = servers.pando()
    replica.replicate(primary)
    wait_until(lambda: primary.stat("connected_slaves") == 1)
    replica.kill()
    wait_until(lambda: primary.stat("connected_slaves") == 0)
    assert primary.call("SET", "k", "v") == b"OK"
    stays(lambda: primary.stat("connected_slaves") == 0, seconds=0.3)


@pytest.mark.skipif(is_oracle(PANDO), reason="repl-diskless-load of Redis 7.0.15")
@pytest.mark.parametrize("diskless, load", [("yes", "disabled"), ("yes", "swapdb"), ("no", "disabled"), ("no", "swapdb")])
def test_nothing_is_left_in_the_folders(servers, diskless, load):
    primary = servers.pando(repl_diskless_sync=diskless)
    fill(primary, 1000, 10000)
    replica = servers.pando(repl_diskless_load=load)
    replica.replicate(primary)
    wait_linked(replica)
    wait_equal(primary, replica)

    def leftovers():
        return [p for s in (primary, replica) for p in s.folder.rglob("temp*")]
    wait_until(lambda: not leftovers(), "temporary files to be gone")
    assert not [p for p in primary.folder.rglob("*") if p.is_file() and os.path.getsize(p) > 64 << 20]
