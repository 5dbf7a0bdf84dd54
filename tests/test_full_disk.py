"""A disk that is really full: nothing crashes, no write is lost or refused for it, an attempt that cannot go on ends with its
reason in last_sync_error, and it works again when there is room. Who gives way is said in server/replication_room.c."""
import os

import pytest

from harness.compare import fill, offset_of, replicas_of, wait_equal, wait_linked, wait_online
from harness.disk import SmallDisk
from harness.peers import FakeReplica
from harness.servers import ORACLE, PANDO
from harness.wait import stays, wait_until

MB = 1 << 20
AOF = dict(appendonly="yes", auto_aof_rewrite_percentage="0")
pytestmark = pytest.mark.pando_only


def primary_on(servers, size, **options):
    """A primary on a disk of its own. Its own bound is far beyond that disk, so that ENOSPC comes from the disk itself."""
    primary = servers.pando(start=False, repl_backlog_size="16kb", repl_log_memory_max="1mb", repl_log_disk_max="1gb", **options)
    disk = SmallDisk(primary, size)
    primary.start()
    return primary, disk


def sync_error(server):
    return server.info("replication")["last_sync_error"]


def events(server):
    return [{k.decode(): v for k, v in zip(e[::2], e[1::2])} for e in server.call("REPLICATION", "LOG")]


# --- the log ---

def test_the_reader_that_is_furthest_behind_is_dropped_and_no_write_is_lost(servers):
    primary, disk = primary_on(servers, 8 * MB)
    healthy = servers.pando().replicate(primary)
    wait_linked(healthy)
    idle = FakeReplica(primary)
    servers.later(idle.close)
    idle.sync()
    fill(primary, 300, 100000)
    wait_until(lambda: len(replicas_of(primary)) == 1, "the idle reader to be dropped")
    assert "byte ceiling" in sync_error(primary) and "bytes/s sent to this replica" in sync_error(primary)
    assert [e["event"] for e in events(primary)].count(b"replica-dropped") == 1
    assert primary.call("DBSIZE") == 300
    wait_equal(primary, healthy)
    assert primary.stat("sync_full") == 2
    wait_until(lambda: primary.info("replication")["repl_log_disk"] == "0", "the disk to be free again")
    # There is room again for who comes next, and the log goes to disk once more.
    late = FakeReplica(primary, port=2)
    servers.later(late.close)
    late.sync()
    fill(primary, 90, 100000, prefix="more")
    wait_until(lambda: primary.stat("repl_log_disk") > MB, "the log to be on disk")
    assert len(late.commands(90)) == 90
    assert primary.stat("sync_full") == 3


def test_a_disk_that_others_filled(servers):
    primary, disk = primary_on(servers, 8 * MB)
    disk.fill()
    idle = FakeReplica(primary)
    servers.later(idle.close)
    idle.sync()
    fill(primary, 100, 100000)
    wait_until(lambda: replicas_of(primary) == [], "the reader to be dropped")
    assert "byte ceiling" in sync_error(primary)
    assert primary.stat("repl_log_memory") < 4 * MB
    disk.make_room()
    late = FakeReplica(primary, port=2)
    servers.later(late.close)
    late.sync()
    fill(primary, 50, 100000, prefix="more")
    assert len(late.commands(50)) == 50


def test_without_a_bound_a_reserve_of_the_disk_is_left(servers):
    primary = servers.pando(start=False, repl_backlog_size="16kb", repl_log_memory_max="1mb")
    disk = SmallDisk(primary, 64 * MB)  # smaller than the reserve
    primary.start()
    idle = FakeReplica(primary)
    servers.later(idle.close)
    idle.sync()
    fill(primary, 100, 100000)
    wait_until(lambda: replicas_of(primary) == [], "the reader to be dropped")
    assert "byte ceiling" in sync_error(primary)
    assert primary.logged("Writing a spool file in .* failed: No space left on device")
    free = os.statvfs(disk.path)
    assert free.f_bavail * free.f_frsize > 60 * MB, "nothing was taken of it"


def test_what_is_kept_for_the_absent_leaves_the_reserve_too(servers):
    server = servers.pando(start=False, repl_backlog_size="16kb", repl_log_memory_max="1mb", repl_backlog_seconds="3600", **AOF)
    disk = SmallDisk(server, 64 * MB)
    server.start()
    fill(server, 40, 100000)
    server.call("BGREWRITEAOF")
    wait_until(lambda: server.info("persistence")["aof_rewrite_in_progress"] == "0")
    fill(server, 1, 100000)
    wait_until(lambda: server.stat("repl_backlog_disk") < MB and not list(
        disk.path.glob("pando-*/log-*.aof")), "what nobody reads to be given up before the disk is full")


def test_the_output_limit_of_replicas_says_what_they_pin_in_memory(servers):
    primary = servers.pando(repl_log_memory_max="64mb", repl_log_disk_max="1gb", client_output_buffer_limit="replica 2mb 1mb 1")
    idle = FakeReplica(primary)
    servers.later(idle.close)
    idle.sync()
    fill(primary, 200, 100000)
    wait_until(lambda: primary.stat("repl_log_memory") < 3 * MB, "memory to be within the limit")
    assert primary.stat("repl_log_disk") > 10 * MB
    stays(lambda: len(replicas_of(primary)) == 1, "the replica", seconds=1.5)
    assert len(idle.commands(200)) == 200


# --- a snapshot ---

def test_a_snapshot_goes_on_at_the_pace_of_its_reader(servers):
    primary, disk = primary_on(servers, 8 * MB)
    fill(primary, 400, 100000)
    disk.fill()
    replica = servers.pando()
    link = servers.proxy(primary, rate=16 * MB)
    replica.replicate(link)
    wait_until(lambda: primary.logged("Writing a spool file in .* failed"), "the disk to be full")
    wait_linked(replica)
    wait_equal(primary, replica)
    assert primary.stat("sync_full") == 1
    assert sync_error(primary) == ""
    assert primary.call("SET", "after", "x") == b"OK"


def test_of_two_readers_the_slowest_gives_way(servers):
    primary, disk = primary_on(servers, 8 * MB)
    fill(primary, 400, 100000)
    disk.fill()
    primary.configure(repl_diskless_sync_delay=1)  # both begin with the same snapshot
    fast, slow = servers.pando(), servers.pando()
    crawl = servers.proxy(primary, rate=2 * MB)
    slow.replicate(crawl)
    fast.replicate(primary)
    wait_linked(fast)
    failed = [e for e in events(primary) if e["event"] == b"full-sync-failed"]
    assert failed and all(b":%d" % slow.port in e["peer"] for e in failed)
    assert b"no room for the snapshot" in failed[-1]["reason"]
    wait_equal(primary, fast)
    disk.make_room()
    crawl.rate = None
    wait_linked(slow)
    wait_equal(primary, slow)


def test_a_snapshot_that_has_to_be_whole_first_ends_with_its_reason(servers):
    primary, disk = primary_on(servers, 64 * MB, repl_diskless_sync="no")
    fill(primary, 300, 100000)
    disk.fill()
    replica = servers.pando().replicate(primary)
    wait_until(lambda: "no room for a snapshot" in sync_error(primary), "the attempt to end")
    assert replica.info("replication")["master_link_status"] == "down"
    assert primary.call("SET", "during", "x") == b"OK"
    disk.make_room()
    wait_linked(replica)
    wait_equal(primary, replica)
    assert sync_error(primary) == ""


def test_changes_that_find_no_room_beside_a_snapshot_end_it_and_are_not_lost(servers):
    primary, disk = primary_on(servers, 64 * MB, rdb_key_save_delay="20000")
    fill(primary, 2000, 30000)
    disk.fill()
    replica = servers.pando().replicate(primary)
    wait_until(lambda: replicas_of(primary) and replicas_of(primary)[0]["state"] == "send_bulk")
    fill(primary, 2000, 31000, seed=2)  # the door copies what was there before
    wait_until(lambda: "too many keys changed" in sync_error(primary) or "byte ceiling" in sync_error(primary),
               "the attempt to end")
    assert primary.call("DBSIZE") == 2000
    assert primary.call("STRLEN", "key:1999") == 31000
    primary.configure(rdb_key_save_delay=0)
    disk.make_room()
    wait_linked(replica)
    wait_equal(primary, replica)


def test_a_replica_without_room_for_the_snapshot_keeps_what_it_has(servers):
    primary = servers.pando()
    fill(primary, 600, 100000)
    replica = servers.pando(start=False, repl_diskless_load="disabled", repl_log_memory_max="1mb")
    disk = SmallDisk(replica, 16 * MB)
    replica.start()
    replica.call("SET", "mine", "stays")
    disk.fill()
    replica.replicate(primary)
    wait_until(lambda: "space" in sync_error(replica), "the reason at the replica")
    assert replica.call("GET", "mine") == b"stays"
    primary.call("FLUSHALL")
    fill(primary, 20, 100000)
    disk.make_room()
    wait_linked(replica)
    wait_equal(primary, replica)
    assert sync_error(replica) == ""


def test_a_save_without_room_leaves_the_old_file(servers):
    server = servers.pando(start=False)
    disk = SmallDisk(server, 8 * MB)
    server.start()
    server.call("SET", "k", "v")
    server.call("SAVE")
    before = (disk.path / "dump.rdb").read_bytes()
    fill(server, 200, 100000)
    server.call("BGSAVE")
    wait_until(lambda: server.info("persistence")["rdb_last_bgsave_status"] == "err", "the save to fail")
    assert (disk.path / "dump.rdb").read_bytes() == before
    assert [p.name for p in disk.path.iterdir() if p.name.startswith("temp")] == []
    server.call("FLUSHALL")
    server.call("BGSAVE")
    wait_until(lambda: server.info("persistence")["rdb_last_bgsave_status"] == "ok", "the next save to work")


# --- writers that wait ---

class Crowd:
    """Connections that each send one command and wait for the reply."""

    def __init__(self, servers, server, count):
        self.all = [server.connect() for _ in range(count)]
        for connection in self.all:
            servers.later(connection.close)

    def send(self, *args):
        for i, connection in enumerate(self.all):
            connection.send(args[0], f"{args[1]}{i}", *args[2:])

    def read(self):
        return [connection.read() for connection in self.all]


@pytest.mark.parametrize("binary", [PANDO, ORACLE], ids=["pando-replica", "redis-replica"])
def test_slow_writers_wait_and_no_replica_is_dropped(servers, binary):
    primary = servers.pando(repl_slow_writers="yes", repl_backlog_size="16kb", repl_log_memory_max="1mb", repl_log_disk_max="2mb",
                            latency_monitor_threshold="1")
    replica = servers.new(binary)
    link = servers.proxy(primary, rate=10 * MB)
    replica.replicate(link)
    wait_online(primary, 1)
    with primary.connect() as reader:
        writers = Crowd(servers, primary, 8)
        seen = 0
        for round_ in range(50):
            writers.send("SET", f"round{round_}:", b"x" * 100000)
            assert reader.call("GET", "nokey") is not None  # readers do not wait
            seen = max(seen, int(primary.info("replication")["repl_writers_slowed"]))
            assert writers.read() == [b"OK"] * 8
    figures = primary.info("replication")
    assert seen == 1
    assert int(figures["repl_slowed_commands"]) > 10 and int(figures["repl_slowed_ms"]) > 100
    assert b"slow-writers" in [row[0] for row in primary.call("LATENCY", "LATEST")]
    assert primary.stat("sync_full") == 1
    wait_equal(primary, replica)
    wait_until(lambda: primary.info("replication")["repl_writers_slowed"] == "0")
    primary.call("CONFIG", "RESETSTAT")
    assert primary.info("replication")["repl_slowed_commands"] == "0"


def full_log(servers, **options):
    """A primary whose log is full and whose writers wait, with a reader that reads nothing."""
    primary = servers.pando(repl_slow_writers="yes", repl_backlog_size="16kb", repl_log_memory_max="1mb", repl_log_disk_max="1mb",
                            **options)
    idle = FakeReplica(primary)
    servers.later(idle.close)
    idle.sync()
    writers = Crowd(servers, primary, 100)
    writers.send("SET", "a", b"x" * 200000)

    def slowed():
        return primary.info("replication")["repl_writers_slowed"] == "1"
    # Until the socket's buffers are full too it comes and goes.
    wait_until(lambda: stays(slowed) is None, "writers to wait")
    left = Crowd(servers, primary, 3)
    left.send("SET", "b", "x")
    wait_until(lambda: primary.stat("blocked_clients") >= 3, "the last writers to wait")
    return primary, idle, left


def test_writers_do_not_wait_for_a_replica_that_is_gone(servers):
    primary, idle, writers = full_log(servers, repl_timeout="2")
    # First this: where the kernel finds some more room in its buffers the writers go on before.
    wait_until(lambda: replicas_of(primary) == [], "the replica to be dropped")
    assert writers.read() == [b"OK"] * 3
    assert "repl-timeout" in sync_error(primary)


def test_writers_do_not_wait_for_a_replica_that_acknowledges_and_reads_nothing(servers):
    primary, idle, writers = full_log(servers, repl_timeout="2")
    end = wait_until(lambda: idle.ack() or not replicas_of(primary), "the replica to be dropped", interval=0.2)
    assert end and writers.read() == [b"OK"] * 3
    assert "took nothing of the stream" in sync_error(primary)


def test_writers_do_not_wait_for_a_replica_that_closed(servers):
    primary, idle, writers = full_log(servers)
    idle.close()
    assert writers.read() == [b"OK"] * 3


def test_writers_wait_no_more_when_that_is_switched_off(servers):
    primary, idle, writers = full_log(servers)
    primary.configure(repl_slow_writers="no")
    assert writers.read() == [b"OK"] * 3
    wait_until(lambda: replicas_of(primary) == [], "the reader to be dropped")
    assert "byte ceiling" in sync_error(primary)


def test_writers_wait_no_more_when_there_is_more_room(servers):
    primary, idle, writers = full_log(servers)
    primary.configure(repl_log_disk_max="1gb")
    assert writers.read() == [b"OK"] * 3
    assert len(replicas_of(primary)) == 1
    assert idle.commands(103)


def test_slow_writers_let_a_slow_full_sync_finish(servers):
    primary = servers.pando(repl_slow_writers="yes", repl_backlog_size="16kb", repl_log_memory_max="1mb", repl_log_disk_max="4mb")
    fill(primary, 300, 100000)
    replica = servers.pando()
    link = servers.proxy(primary, rate=12 * MB)
    replica.replicate(link)
    wait_until(lambda: replicas_of(primary) and replicas_of(primary)[0]["state"] == "send_bulk")
    fill(primary, 300, 100000, seed=2, batch=20)
    assert int(primary.info("replication")["repl_slowed_ms"]) > 0
    wait_linked(replica)
    wait_equal(primary, replica)
    assert primary.stat("sync_full") == 1
    assert offset_of(replica) > 30_000_000


# --- the append only file, and what is kept for replicas that are away ---


def aof_on(servers, size, **options):
    server = servers.pando(start=False, repl_backlog_size="16kb", repl_log_memory_max="1mb", repl_log_disk_max="1gb", **AOF, **options)
    disk = SmallDisk(server, size)
    server.start()
    return server, disk


def test_an_append_only_file_without_room_refuses_writes_and_loses_none(servers):
    """What was executed and cannot be written yet is not answered; further writes are refused."""
    server, disk = aof_on(servers, 8 * MB)
    replica = servers.pando().replicate(server)
    wait_linked(replica)
    fill(server, 30, 100000)
    disk.fill()
    waiting = Crowd(servers, server, 5)
    waiting.send("SET", "waits", b"x" * 100000)

    def refused():
        with server.connect() as c:
            c.send("SET", "probe", "x")
            return c.read().startswith(b"MISCONF Errors writing to the AOF file: No space left on device")
    wait_until(lambda: server.info("persistence")["aof_last_write_status"] == "err", "the write to fail")
    assert refused()
    assert server.call("GET", "key:1") is not None
    assert len(replicas_of(server)) == 1
    disk.make_room()
    replies = waiting.read()
    assert b"OK" in replies and all(r == b"OK" or r.startswith(b"MISCONF") for r in replies)
    wait_until(lambda: server.do("SET", "after", "x") == b"OK", "writes to be taken again")
    wait_equal(server, replica)
    assert server.call("DBSIZE") == 30 + replies.count(b"OK") + 1
    assert server.stat("sync_full") == 1


def test_a_rewrite_without_room_leaves_the_files(servers):
    server, disk = aof_on(servers, 16 * MB)
    fill(server, 100, 100000)
    server.call("BGREWRITEAOF")
    wait_until(lambda: server.info("persistence")["aof_last_bgrewrite_status"] == "err", "the rewrite to fail")
    folder = disk.path / "appendonlydir"
    names = sorted(p.name for p in folder.iterdir())
    assert not [n for n in names if n.startswith("temp")] and not list(disk.path.glob("temp*"))
    assert server.call("SET", "k", "v") == b"OK"
    server.call("DEL", *[f"key:{i}" for i in range(90)])
    server.call("BGREWRITEAOF")
    wait_until(lambda: server.info("persistence")["aof_last_bgrewrite_status"] == "ok", "the next rewrite to work")


def test_what_is_kept_for_the_absent_goes_before_a_replica_or_a_write(servers):
    primary, disk = primary_on(servers, 16 * MB, repl_backlog_seconds="3600")
    replica = servers.pando().replicate(primary)
    wait_linked(replica)
    for round_ in range(4):
        fill(primary, 100, 100000, seed=round_)
        wait_equal(primary, replica)
    figures = primary.info("replication")
    assert int(figures["repl_log_disk"]) > MB
    assert primary.stat("sync_full") == 1 and replicas_of(primary)[0]["state"] == "online"
    assert sync_error(primary) == ""


def test_retired_files_make_room_before_a_write_is_refused(servers):
    server, disk = aof_on(servers, 24 * MB, repl_backlog_seconds="3600")
    for round_ in range(6):  # each leaves a retired file of 10 MB for replicas that are away
        fill(server, 100, 100000, seed=round_)
        server.call("DEL", *[f"key:{i}" for i in range(95)])
        server.call("BGREWRITEAOF")
        wait_until(lambda: server.info("persistence")["aof_rewrite_in_progress"] == "0")
        assert server.info("persistence")["aof_last_bgrewrite_status"] == "ok"
    assert server.info("persistence")["aof_last_write_status"] == "ok"
