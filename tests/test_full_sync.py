"""A full sync under write load, over a link slower than the writes: it finishes the first time, at default settings, also
when the replica is a stock Redis 7.0.15; the primary's memory stays bounded; a replica answers from its old data meanwhile."""
import threading

import pytest

from harness.compare import assert_same_keyspace, fill, linked, wait_equal
from harness.resp import NULL_BULK
from harness.servers import ORACLE, PANDO, is_oracle
from harness.wait import wait_until

MB = 1 << 20
KEYS, VALUE = 1600, 64000  # 100 MB that do not compress


class Writer(threading.Thread):
    """Overwrites random keys, `rate` bytes a second, until stopped."""

    def __init__(self, server, rate):
        threading.Thread.__init__(self, daemon=True)
        self.server, self.rate = server, rate
        self.stopped, self.written = threading.Event(), 0
        self.failure = None

    def run(self):
        import random
        import time
        source, began = random.Random(5), time.monotonic()
        try:
            with self.server.connect() as connection:
                while not self.stopped.is_set():
                    ahead = self.written / self.rate - (time.monotonic() - began)
                    if ahead > 0 and self.stopped.wait(ahead):
                        return
                    connection.call("SET", f"key:{source.randrange(KEYS)}", source.randbytes(VALUE))
                    self.written += VALUE
        except Exception as error:  # shown by the test, which would otherwise wait for nothing
            self.failure = error

    def stop(self):
        self.stopped.set()
        self.join()
        assert self.failure is None, self.failure


@pytest.mark.pando_only
@pytest.mark.parametrize("binary", [PANDO, ORACLE], ids=["pando-replica", "redis-replica"])
def test_it_finishes_the_first_time_though_writes_are_faster_than_the_link(servers, binary):
    primary = servers.pando(save="", repl_diskless_sync_delay="0")
    replica = servers.new(binary, save="")
    link = servers.proxy(primary, rate=12 * MB)
    fill(primary, KEYS, VALUE, batch=50)
    before = primary.resident_bytes()
    writer = Writer(primary, 16 * MB)
    writer.start()
    replica.replicate(link)
    peak = 0

    def link_is_up():
        nonlocal peak
        peak = max(peak, primary.resident_bytes())
        return linked(replica)
    wait_until(link_is_up, "the link to be up", timeout=120, interval=0.05)
    writer.stop()
    wait_equal(primary, replica, timeout=120)
    assert_same_keyspace(primary, replica)
    stats = primary.info("stats")
    assert stats["sync_full"] == "1"
    assert stats["total_error_replies"] == "0"
    assert peak <= before * 1.15 + 64 * MB, (before, peak)
    assert writer.written > 0


@pytest.mark.pando_only
def test_a_replica_answers_from_its_old_data_until_the_new_is_whole(servers):
    primary = servers.pando(save="", repl_diskless_sync_delay="0")
    replica = servers.pando(save="")
    link = servers.proxy(primary, rate=4 * MB)
    fill(primary, 200, VALUE, batch=50)
    replica.call("SET", "old", "still here")
    replica.replicate(link)
    wait_until(lambda: replica.info("replication")["master_sync_in_progress"] == "1")
    seen = 0
    while replica.info("replication")["master_link_status"] != "up":
        value = replica.call("GET", "old")
        if value == NULL_BULK:
            break  # swapped between the two calls
        assert value == b"still here"
        assert replica.info("replication")["replica_ready"] == "0"
        seen += 1
    assert seen > 0
    wait_until(lambda: replica.info("replication")["replica_ready"] == "1")
    assert replica.call("GET", "old") == NULL_BULK
    assert_same_keyspace(primary, replica)


@pytest.mark.pando_only
def test_a_broken_sync_leaves_the_old_data_and_its_reason(servers):
    primary = servers.pando(save="", repl_diskless_sync_delay="0")
    replica = servers.pando(save="")
    link = servers.proxy(primary, rate=4 * MB)
    fill(primary, 200, VALUE, batch=50)
    replica.call("SET", "old", "still here")
    link.cut_after(3 * MB)
    replica.replicate(link)
    wait_until(lambda: replica.info("replication")["last_sync_error"], "the reason")
    assert replica.call("GET", "old") == b"still here"
    assert replica.call("DBSIZE") == 1


@pytest.mark.pando_only
def test_replicas_that_come_together_share_one_snapshot_and_a_late_one_does_not_wait(servers):
    primary = servers.pando(save="", repl_diskless_sync_delay="1")
    replicas = [servers.pando(save="") for _ in range(3)]
    fill(primary, 400, VALUE, batch=50)
    slow = servers.proxy(primary, rate=4 * MB)
    replicas[0].replicate(slow)
    replicas[1].replicate(primary)
    wait_until(lambda: linked(replicas[1]), "the fast one to be up", timeout=60)
    assert not linked(replicas[0])
    replicas[2].replicate(primary)
    wait_until(lambda: linked(replicas[2]), "the late one to be up", timeout=60)
    assert not linked(replicas[0])  # nobody waited for the slow one
    wait_until(lambda: linked(replicas[0]), "the slow one to be up", timeout=60)
    wait_equal(primary, *replicas)
    assert_same_keyspace(primary, *replicas)


def test_the_writer_of_these_tests_reports_its_failure(servers):
    primary = servers.oracle(maxmemory="1mb") if is_oracle(PANDO) else servers.pando(maxmemory="1mb")
    writer = Writer(primary, 100 * MB)
    writer.start()
    wait_until(lambda: writer.failure is not None, "an OOM error")
    with pytest.raises(AssertionError):
        writer.stop()
