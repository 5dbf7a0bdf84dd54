"""A full sync finishes the first time: under writes, over a slow link, with default settings, whether the
replica is pando or Redis 7.0.15. Sizes here are small; bench/full_sync.py does the same with 1 GB."""
import os
import threading

import pytest

from harness.compare import fill, wait_equal, wait_in_sync, wait_linked
from harness.resp import pack
from harness.servers import ORACLE, PANDO, is_oracle
from harness.wait import stays, wait_until

MB = 1 << 20


class Writer:
    """Overwrites random keys at a rate, on a connection of its own, until stopped."""

    def __init__(self, server, keys, size, bytes_per_second):
        self.server, self.keys, self.size = server, keys, size
        self.pause = size * 20 / bytes_per_second
        self.stopping = threading.Event()
        self.written = 0
        self.failed = None
        self.thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *unused):
        self.stopping.set()
        self.thread.join()
        assert self.failed is None, self.failed

    def _run(self):
        import random
        source = random.Random(1)
        try:
            with self.server.connect() as c:
                while not self.stopping.wait(self.pause):
                    c.send_raw(b"".join(pack("SET", f"key:{source.randrange(self.keys)}", source.randbytes(self.size))
                                        for _ in range(20)))
                    for _ in range(20):
                        assert c.read() == b"OK"
                    self.written += 20 * self.size
        except Exception as error:
            self.failed = error


@pytest.mark.skipif(is_oracle(PANDO), reason="Redis 7.0.15 loops here: that is what pando cures")
@pytest.mark.parametrize("replica", [pytest.param(PANDO, id="pando"), pytest.param(ORACLE, id="redis")])
def test_under_writes_over_a_slow_link_it_finishes_the_first_time(servers, replica):
    """100 MB over 10 MB/s while 5 MB/s are overwritten; what a replica may pin in memory is less than
    what is written meanwhile, so that the rest must wait on disk."""
    primary = servers.pando(client_output_buffer_limit="replica 16mb 8mb 5", repl_backlog_size="1mb")
    fill(primary, 10000, 10 * 1024)
    follower = servers.new(replica)
    link = servers.proxy(primary, rate=10 * MB)
    before = primary.resident_bytes()
    peak = before
    with Writer(primary, 10000, 10 * 1024, 5 * MB) as writer:
        follower.replicate(link)

        def online():
            nonlocal peak
            peak = max(peak, primary.resident_bytes())
            return follower.info("replication").get("master_link_status") == "up"
        wait_until(online, "the replica to be linked", 90, interval=0.1)
    wait_in_sync(primary, follower, timeout=60)
    assert writer.written > 16 * MB, "more was written than may wait in memory"
    assert primary.stat("sync_full") == 1
    assert primary.stat("sync_partial_err") <= 1
    assert link.connections == 1, "the link was never dropped"
    assert peak - before < 0.15 * before + 64 * MB
    wait_equal(primary, follower)


@pytest.mark.skipif(is_oracle(PANDO), reason="Redis 7.0.15 empties its data first")
def test_a_replica_serves_its_old_data_during_the_whole_sync(servers):
    primary, replica = servers.pando(), servers.pando()
    fill(primary, 2000, 10 * 1024)
    fill(replica, 100, 100, prefix="old")
    link = servers.proxy(primary, rate=8 * MB)
    replica.replicate(link)
    wait_until(lambda: replica.info("replication")["master_sync_in_progress"] == "1")
    seen = 0
    while replica.info("replication")["master_link_status"] == "down":
        size = replica.call("DBSIZE")
        if size == 100:
            seen += 1
            fields = replica.info("replication")
            assert fields["replica_ready"] == "0" or fields["master_link_status"] == "up"
        else:
            assert size == 2000, "never a mixture of old and new"
    assert seen > 10, "the old data was served while the new came"
    wait_equal(primary, replica)
    assert replica.info("replication")["replica_ready"] == "1"
    assert replica.call("EXISTS", "old:1") == 0


@pytest.mark.skipif(is_oracle(PANDO), reason="Redis 7.0.15 empties its data first")
def test_a_sync_that_breaks_off_leaves_the_old_data(servers):
    primary, replica = servers.pando(), servers.pando()
    fill(primary, 2000, 10 * 1024)
    fill(replica, 100, 100, prefix="old")
    link = servers.proxy(primary)
    link.cut_after(10 * MB)
    replica.replicate(link)
    wait_until(lambda: link.bytes_down >= 10 * MB)
    wait_until(lambda: replica.info("replication")["last_sync_error"])
    assert replica.call("DBSIZE") == 100
    assert replica.call("EXISTS", "old:1") == 1
    link.resume()
    wait_linked(replica)
    wait_equal(primary, replica)


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


def test_replicas_that_come_together_share_a_snapshot(servers):
    primary = servers.pando(repl_diskless_sync_delay="2")
    fill(primary, 1000, 1000)
    replicas = [servers.pando() for _ in range(3)]
    for replica in replicas:
        replica.replicate(primary)
    wait_linked(*replicas)
    wait_equal(primary, *replicas)
    assert primary.stat("sync_full") == 3


@pytest.mark.skipif(is_oracle(PANDO), reason="Redis 7.0.15 makes the late one wait")
def test_a_late_replica_does_not_wait_for_a_slow_one(servers):
    primary = servers.pando()
    fill(primary, 2000, 10 * 1024)
    slow, quick = servers.pando(), servers.pando()
    link = servers.proxy(primary, rate=1 * MB)
    slow.replicate(link)
    wait_until(lambda: link.bytes_down > 500 * 1024)
    quick.replicate(primary)
    wait_linked(quick)
    assert slow.info("replication")["master_sync_in_progress"] == "1"
    link.rate = None
    wait_linked(slow, timeout=60)
    wait_equal(primary, slow, quick)
    assert primary.stat("sync_full") == 2


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
