"""The append only file: what is acknowledged is there after kill -9, Redis reads what pando writes and the
other way round, and a node that was killed resumes where it stood instead of beginning anew."""
import random
import signal
import threading

import pytest

from harness.compare import (EMPTY_DIGEST, assert_same_keyspace, digest, fill, offset_of, wait_in_sync,
                             wait_linked, wait_online)
from harness.resp import ReplyError
from harness.servers import ORACLE, PANDO
from harness.wait import wait_until

AOF = {"appendonly": "yes"}


def files(server):
    folder = server.folder / "appendonlydir"
    return sorted(p.name for p in folder.iterdir()) if folder.exists() else []


def manifest(server):
    return (server.folder / "appendonlydir" / "appendonly.aof.manifest").read_text().splitlines()


def newest_incr(server):
    name = [line.split()[1] for line in manifest(server) if line.endswith("type i")][-1]
    return server.folder / "appendonlydir" / name


def refuses_to_start(server):
    server.expect_crash = True
    server.spawn()
    server.wait_exit()


def rewrite(server):
    before = int(server.stat("aof_rewrites", "persistence"))
    assert server.call("BGREWRITEAOF")
    wait_until(lambda: int(server.stat("aof_rewrites", "persistence")) > before and
               server.stat("aof_rewrite_in_progress", "persistence") == 0)


def write_some(connection, seed, count=300):
    source = random.Random(seed)
    commands = []
    for i in range(count):
        if i % 50 == 0:
            commands.append(("SELECT", source.choice((0, 0, 5, 15))))
        key = f"k{source.randrange(200)}"
        commands += source.choice([
            [("SET", key, source.randbytes(source.choice((0, 5, 300))))],
            [("SET", key, i, "EX", 5000)],
            [("INCR", "n" + key)],
            [("APPEND", key, "tail")],
            [("DEL", key)],
            [("EXPIRE", key, 7000)],
            [("RENAME", key, key + "r")],
            [("MULTI",), ("SET", key, "in multi"), ("INCR", "m" + key), ("DEL", key + "r"), ("EXEC",)],
        ])
    return connection.pipeline(commands)


class Writer:
    """Writes all the while, in a thread of its own; transactions and databases mixed."""

    def __init__(self, server):
        self.server, self.ended, self.rounds = server, False, 0
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self):
        try:
            with self.server.connect() as c:
                while not self.ended:
                    write_some(c, self.rounds, 60)
                    self.rounds += 1
        except (OSError, EOFError):
            pass

    def __enter__(self):
        self.thread.start()
        wait_until(lambda: self.rounds > 3)
        return self

    def __exit__(self, *unused):
        self.ended = True
        self.thread.join(30)


# ---- one node ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", ["always", "everysec", "no"])
def test_everything_acknowledged_survives_kill(servers, policy):
    server = servers.pando(**AOF, appendfsync=policy)
    with server.connect() as c:
        write_some(c, 1)
    before = digest(server)
    server.restart("kill")
    assert digest(server) == before
    with server.connect() as c:
        write_some(c, 2)
    before = digest(server)
    server.restart()
    assert digest(server) == before
    assert len([line for line in manifest(server) if "type i" in line]) == 1, "the same file goes on"


def test_a_rewrite_replaces_the_files(servers):
    server = servers.pando(**AOF)
    with server.connect() as c:
        write_some(c, 1)
        rewrite(server)
        wait_until(lambda: files(server) == ["appendonly.aof.2.base.rdb", "appendonly.aof.2.incr.aof",
                                             "appendonly.aof.manifest"])
        write_some(c, 2)
    before = digest(server)
    server.restart("kill")
    assert digest(server) == before


def test_writes_during_a_rewrite_are_kept(servers):
    server = servers.pando(**AOF)
    fill(server, 20000, size=100)
    server.configure(rdb_key_save_delay=20)
    assert server.call("BGREWRITEAOF")
    with server.connect() as c:
        write_some(c, 3)
        assert server.stat("aof_rewrite_in_progress", "persistence") == 1
        before = digest(server)
    server.restart("kill")
    assert digest(server) == before, "killed while the rewrite was on its way"
    rewrite(server)
    server.restart("kill")
    assert digest(server) == before


def test_switched_on_and_off_at_run_time(servers):
    server = servers.pando()
    with server.connect() as c:
        write_some(c, 1)
        server.configure(appendonly="yes")
        write_some(c, 2)
        wait_until(lambda: server.stat("aof_pending_rewrite", "persistence") == 0)
        write_some(c, 3)
    before = digest(server)
    server.directives["appendonly"] = "yes"
    server.write_config()
    server.restart("kill")
    assert digest(server) == before
    server.configure(appendonly="no")
    assert server.info("persistence")["aof_enabled"] == "0"
    assert server.call("SET", "not in", "the files") == b"OK"
    server.configure(appendonly="yes")
    wait_until(lambda: server.stat("aof_pending_rewrite", "persistence") == 0)
    before = digest(server)
    server.restart("kill")
    assert digest(server) == before


def test_a_dump_becomes_the_base(servers):
    server = servers.pando()
    with server.connect() as c:
        write_some(c, 1)
    server.call("SAVE")
    before = digest(server)
    server.directives["appendonly"] = "yes"
    server.write_config()
    server.restart("kill")
    assert digest(server) == before
    server.restart("kill")
    assert digest(server) == before


def test_a_second_node_in_one_folder_is_refused(servers):
    first = servers.pando(**AOF)
    second = servers.pando(folder=first.folder, start=False, **AOF)
    refuses_to_start(second)
    assert "dir of its own" in second.log()


# ---- ends that a crash, or somebody else, left ------------------------------------------------------


def test_a_torn_tail_is_cut_and_no_half_transaction_is_seen(servers):
    server = servers.pando(**AOF)
    with server.connect() as c:
        c.call("SET", "whole", "1")
        c.pipeline([("MULTI",), ("SET", "a", "1"), ("SET", "b", "1"), ("EXEC",)])
    server.kill()
    path = newest_incr(server)
    whole = path.read_bytes()
    for cut in range(1, 80, 7):
        path.write_bytes(whole[:-cut])
        server.start()
        assert server.call("GET", "whole") == b"1"
        assert server.call("EXISTS", "a", "b") == 0, "of a transaction all or nothing"
        server.call("SET", "after", cut)
        server.restart("kill")
        assert server.call("GET", "after") == b"%d" % cut
        server.kill()


def test_of_a_torn_tail_with_zeros_nothing_is_executed(servers):
    server = servers.pando(**AOF)
    server.call("SET", "whole", "1")
    server.call("SET", "torn", "hello")
    server.kill()
    path = newest_incr(server)
    whole = path.read_bytes()
    for cut in (1, 3, 7, 9, 20, 33, 50):
        for zeros in (cut - 1, cut, cut + 300):  # a short stretch, one with a wrong CRC, a longer file
            path.write_bytes(whole[:-cut] + bytes(zeros))
            server.start()
            assert server.call("GET", "whole") == b"1"
            assert server.call("EXISTS", "torn") == 0, f"cut by {cut}, {zeros} zeros"
            server.call("SET", "after", cut)
            server.restart("kill")
            assert server.call("GET", "after") == b"%d" % cut
            server.kill()


def test_damage_in_the_middle_stops_the_start(servers):
    server = servers.pando(**AOF)
    with server.connect() as c:
        for i in range(50):
            c.call("SET", f"k{i}", "x" * 50)
    server.kill()
    path = newest_incr(server)
    broken = bytearray(path.read_bytes())
    broken[len(broken) // 2 + 60] ^= 0x40
    path.write_bytes(bytes(broken))
    refuses_to_start(server)
    assert "Bad file format" in server.log()


def test_aof_load_truncated_no_refuses_a_torn_tail(servers):
    server = servers.pando(**AOF, aof_load_truncated="no")
    server.call("SET", "k", "v")
    server.kill()
    path = newest_incr(server)
    path.write_bytes(path.read_bytes()[:-3])
    refuses_to_start(server)
    assert "Unexpected end of file reading the append only file" in server.log()


# ---- Redis and pando read each other's files --------------------------------------------------------


def test_redis_goes_on_with_our_files_and_we_with_its(servers):
    server = servers.pando(**AOF)
    with server.connect() as c:
        write_some(c, 1)
        rewrite(server)
        write_some(c, 2)
    before = digest(server)
    server.stop()
    other = servers.oracle(folder=server.folder, **AOF)
    assert digest(other) == before
    with other.connect() as c:
        write_some(c, 3)
    before = digest(other)
    other.stop()
    server.start()
    assert digest(server) == before
    with server.connect() as c:
        write_some(c, 4)
    before = digest(server)
    server.stop()
    other.start()
    assert digest(other) == before
    rewrite(other)
    with other.connect() as c:
        write_some(c, 5)
    before = digest(other)
    other.stop()
    server.start()
    assert digest(server) == before
    server.restart("kill")
    assert digest(server) == before


def test_files_of_redis_without_preamble_and_with_timestamps(servers):
    other = servers.oracle(**AOF, aof_use_rdb_preamble="no", aof_timestamp_enabled="yes")
    with other.connect() as c:
        write_some(c, 1)
        rewrite(other)
        write_some(c, 2)
    before = digest(other)
    other.stop()
    server = servers.pando(folder=other.folder, **AOF)
    assert digest(server) == before


# ---- resuming ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("binary", [PANDO, ORACLE], ids=["pando-primary", "redis-primary"])
def test_a_killed_replica_resumes_by_partial_resync(servers, binary):
    primary = servers.new(binary, repl_backlog_size="200mb")
    fill(primary, 10)
    replica = servers.pando(**AOF)
    replica.replicate(primary)
    wait_linked(replica)
    wait_until(lambda: replica.stat("aof_pending_rewrite", "persistence") == 0)
    replica.directives.update({"replicaof": f"127.0.0.1 {primary.port}"})
    replica.write_config()
    full = primary.stat("sync_full")
    with Writer(primary) as writer:
        for turn in range(4):
            if turn == 2:
                replica.call("BGREWRITEAOF")
            seen = writer.rounds
            wait_until(lambda: writer.rounds > seen + 2)
            replica.restart("kill")
            wait_linked(replica)
    wait_in_sync(primary, replica)
    assert primary.stat("sync_full") == full
    assert_same_keyspace(primary, replica)


@pytest.mark.parametrize("kept", ["aof", "rdb"])
def test_a_log_without_a_byte_is_resumed_too(servers, kept):
    primary = servers.oracle(repl_ping_replica_period=3600)
    fill(primary, 10)
    replica = servers.pando(**AOF if kept == "aof" else {})
    replica.replicate(primary)
    wait_linked(replica)
    if kept == "aof":
        wait_until(lambda: replica.stat("aof_pending_rewrite", "persistence") == 0)
    else:
        assert replica.call("SAVE") == b"OK"
    assert offset_of(replica) == 0
    replica.directives.update({"replicaof": f"127.0.0.1 {primary.port}"})
    replica.write_config()
    replica.restart("kill")
    wait_linked(replica)
    assert primary.stat("sync_full") == 1
    assert primary.call("SET", "after", "it") == b"OK"
    wait_in_sync(primary, replica)
    assert_same_keyspace(primary, replica)


@pytest.mark.parametrize("binary", [PANDO, ORACLE], ids=["pando-replica", "redis-replica"])
def test_replicas_of_a_killed_primary_resume_by_partial_resync(servers, binary):
    primary = servers.pando(**AOF, appendfsync="always")
    replica = servers.new(binary)
    replica.replicate(primary)
    wait_linked(replica)
    for turn in range(4):
        with Writer(primary):
            if turn == 2:
                primary.call("BGREWRITEAOF")
            primary.kill()
        primary.start()
        wait_linked(replica)
        assert primary.stat("sync_full") == 0
    with primary.connect() as c:
        write_some(c, 9)
    wait_in_sync(primary, replica)
    assert_same_keyspace(primary, replica)


def test_an_old_primary_comes_back_as_a_replica_by_partial_resync(servers):
    old = servers.pando(**AOF)
    new = servers.pando(**AOF)
    new.replicate(old)
    wait_linked(new)
    with old.connect() as c:
        write_some(c, 1)
    wait_in_sync(old, new)
    old.kill()
    new.replicate(None)
    with new.connect() as c:
        write_some(c, 2)
    old.directives["replicaof"] = f"127.0.0.1 {new.port}"
    old.write_config()
    old.start()
    wait_linked(old)
    wait_in_sync(new, old)
    assert new.stat("sync_full") == 0
    assert_same_keyspace(new, old)


@pytest.mark.parametrize("killed", ["promoted", "follower"])
def test_a_new_id_outlives_a_kill(servers, killed):
    """Of the node that made it at its promotion, and of the one that was told it by +CONTINUE."""
    old = servers.pando()
    promoted, follower = servers.pando(**AOF), servers.pando(**AOF)
    for node in (promoted, follower):
        node.replicate(old)
        wait_linked(node)
        wait_until(lambda: node.stat("aof_pending_rewrite", "persistence") == 0)
    old.call("SET", "before", "it")
    wait_in_sync(old, promoted, follower)
    promoted.replicate(None)
    follower.replicate(promoted)
    wait_linked(follower)
    with promoted.connect() as c:
        write_some(c, 1)
    wait_in_sync(promoted, follower)
    follower.directives["replicaof"] = f"127.0.0.1 {promoted.port}"
    follower.write_config()
    {"promoted": promoted, "follower": follower}[killed].restart("kill")
    wait_linked(follower)
    with promoted.connect() as c:
        write_some(c, 2)
    wait_in_sync(promoted, follower)
    assert promoted.stat("sync_full") == 0
    assert_same_keyspace(promoted, follower)


def test_files_whose_end_nobody_certifies_are_data_without_history(servers):
    other = servers.oracle(**AOF)
    replica = servers.pando()
    replica.replicate(other)
    wait_linked(replica)
    with other.connect() as c:
        write_some(c, 1)
    wait_in_sync(other, replica)
    before = digest(other)
    replid = other.info("replication")["master_replid"]
    other.stop()
    server = servers.pando(folder=other.folder, port=other.port, **AOF)
    assert digest(server) == before
    info = server.info("replication")
    assert info["master_replid"] != replid
    assert info["master_replid2"] == "0" * 40 and info["second_repl_offset"] == "-1"
    wait_linked(replica)
    wait_in_sync(server, replica)
    assert server.stat("sync_full") == 1
    assert_same_keyspace(server, replica)


def test_a_full_sync_makes_a_new_base(servers):
    primary = servers.pando()
    with primary.connect() as c:
        write_some(c, 1)
    replica = servers.pando(**AOF)
    with replica.connect() as c:
        write_some(c, 2)
    replica.replicate(primary)
    wait_linked(replica)
    wait_until(lambda: replica.stat("aof_pending_rewrite", "persistence") == 0)
    with primary.connect() as c:
        write_some(c, 3)
    wait_in_sync(primary, replica)
    wait_until(lambda: replica.stat("aof_buffer_length", "persistence") == 0)
    before = digest(primary)
    replica.restart("kill")  # without replicaof: it is a primary of its own now
    assert digest(replica) == before


def test_offsets_are_told_also_without_a_replica(servers):
    server = servers.pando(**AOF)
    server.call("SET", "k", "v")
    info = server.info("replication")
    assert int(info["master_repl_offset"]) > 0
    offset, replid = info["master_repl_offset"], info["master_replid"]
    replica = servers.pando()
    replica.replicate(server)
    wait_linked(replica)
    assert server.info("replication")["master_replid"] == replid
    server.restart("kill")
    info = server.info("replication")
    assert info["master_replid2"] == replid and info["master_replid"] != replid
    assert int(info["second_repl_offset"]) > int(offset)


# ---- the backlog on disk -----------------------------------------------------------------------------


@pytest.mark.parametrize("directives", [AOF, {"repl-backlog-seconds": "3600"}], ids=["aof", "without-aof"])
def test_a_replica_that_was_away_for_long_resumes_from_disk(servers, directives):
    primary = servers.pando(**directives, repl_log_memory_max="2mb", repl_backlog_size="16kb")
    replica = servers.pando()
    replica.replicate(primary)
    wait_linked(replica)
    offset = offset_of(replica)
    replica.send_signal(signal.SIGSTOP)
    primary.call("CLIENT", "KILL", "TYPE", "replica")
    with primary.connect() as c:
        for i in range(300):
            c.pipeline([("SET", f"k{j}", random.Random(i * 7 + j).randbytes(4000)) for j in range(50)])
            if i == 150 and directives is AOF:
                rewrite(primary)
    info = primary.info("replication")
    assert int(info["repl_backlog_disk"]) > 50 << 20
    assert int(info["repl_log_memory"]) < 8 << 20
    if directives is AOF:
        assert int(info["repl_log_disk"]) < 8 << 20, "the files of the log serve: nothing is written twice"
    replica.send_signal(signal.SIGCONT)
    wait_linked(replica)
    wait_in_sync(primary, replica)
    assert primary.stat("sync_full") == 1 and primary.stat("sync_partial_ok") >= 1
    assert offset_of(replica) > offset
    assert_same_keyspace(primary, replica)
    if directives is AOF:
        full = primary.stat("sync_full")
        replica.send_signal(signal.SIGSTOP)
        with primary.connect() as c:
            write_some(c, 5, 2000)
        primary.restart("kill")
        replica.send_signal(signal.SIGCONT)
        wait_linked(replica)
        assert full == 1 and primary.stat("sync_full") == 0, "nor does a restart lose it"
    primary.configure(repl_backlog_seconds=0)
    wait_until(lambda: int(primary.info("replication")["repl_backlog_disk"]) < 5 << 20)


# ---- diverged tails ----------------------------------------------------------------------------------


@pytest.mark.parametrize("appendonly", ["yes", "no"])
@pytest.mark.parametrize("binary", [PANDO, ORACLE], ids=["pando", "redis"])
def test_what_a_full_sync_discards_is_saved(servers, binary, appendonly):
    old = servers.pando(appendonly=appendonly)
    new = servers.new(binary)
    new.replicate(old)
    wait_linked(new)
    old.call("SET", "shared", "1")
    wait_in_sync(old, new)
    new.replicate(None)
    fork = offset_of(new)
    for i in range(100):
        old.call("SET", f"diverged-{i}", "x" * i)
    new.call("SET", "other", "history")
    diverged = offset_of(old) - fork
    old.replicate(new)
    wait_linked(old)
    wait_in_sync(new, old)
    assert_same_keyspace(new, old)
    info = old.info("replication")
    assert info["repl_diverged_tails"] == "1"
    folder = old.folder / f"pando-{old.port}"
    wait_until(lambda: [p for p in folder.glob("diverged-*.aof") if p.stat().st_size > diverged])
    saved = next(folder.glob("diverged-*.aof")).read_bytes()
    assert all(b"diverged-%d\r\n" % i in saved for i in range(100))
    if binary == PANDO:
        assert int(info["repl_diverged_bytes"]) <= diverged + 100
        assert b"shared" not in saved, "only what the new primary does not have"


def test_nothing_is_saved_where_nothing_is_lost(servers):
    primary = servers.pando(repl_backlog_size="16kb")
    replica = servers.pando()
    replica.replicate(primary)
    wait_linked(replica)
    replica.send_signal(signal.SIGSTOP)
    primary.call("CLIENT", "KILL", "TYPE", "replica")
    with primary.connect() as c:
        for i in range(100):
            c.call("SET", f"k{i}", "x" * 10000)
    replica.send_signal(signal.SIGCONT)
    wait_until(lambda: primary.stat("sync_full") == 2)
    wait_linked(replica)
    assert replica.info("replication")["repl_diverged_tails"] == "0", "it was only behind"


# ---- commands ----------------------------------------------------------------------------------------


def test_bgrewriteaof_without_aof_makes_a_base(servers):
    server = servers.pando()
    with server.connect() as c:
        write_some(c, 1)
    rewrite(server)
    wait_until(lambda: files(server) == ["appendonly.aof.1.base.rdb", "appendonly.aof.manifest"])
    rewrite(server)
    wait_until(lambda: files(server) == ["appendonly.aof.2.base.rdb", "appendonly.aof.manifest"])
    before = digest(server)
    other = servers.oracle(folder=server.folder, **AOF)
    assert digest(other) == before
    other.stop()
    server.configure(appendonly="yes")
    wait_until(lambda: server.stat("aof_pending_rewrite", "persistence") == 0)
    with server.connect() as c:
        write_some(c, 2)
    before = digest(server)
    server.directives["appendonly"] = "yes"
    server.write_config()
    server.restart("kill")
    assert digest(server) == before


def test_bgrewriteaof_waits_for_a_save(servers):
    server = servers.pando(**AOF)
    fill(server, 10000)
    server.configure(rdb_key_save_delay=50)
    assert server.call("BGSAVE")
    assert server.call("BGREWRITEAOF") == b"Background append only file rewriting scheduled"
    assert server.stat("aof_rewrite_scheduled", "persistence") == 1
    server.configure(rdb_key_save_delay=0)
    wait_until(lambda: server.stat("aof_rewrites", "persistence") == 1)


def test_debug_loadaof_reads_the_files_again(servers):
    server = servers.pando(**AOF)
    with server.connect() as c:
        write_some(c, 1)
        rewrite(server)
        write_some(c, 2)
    before, offset = digest(server), offset_of(server)
    assert server.call("DEBUG", "LOADAOF") == b"OK"
    assert digest(server) == before and offset_of(server) == offset
    server.restart("kill")
    assert digest(server) == before


def write_every_type(connection):
    connection.pipeline(
        [("SET", "s", "v"), ("SET", "gone soon", "v", "EX", 5000), ("RPUSH", "l", *range(500)), ("RPUSH", "few", "a", ""),
         ("SADD", "ints", *range(100)), ("SADD", "words", *(f"w{i}" for i in range(1000))),
         ("ZADD", "z", 1.5, "a", "-inf", "b", 3, "c"), ("ZADD", "big z", *(x for i in range(500) for x in (i / 3, f"m{i}"))),
         ("HSET", "h", "f", "v", "g", 5), ("HSET", "big h", *(x for i in range(1000) for x in (f"f{i}", "v" * i))),
         ("SELECT", 7), ("XADD", "x", "1-1", "a", "1", "b", "2"), ("XADD", "x", "2-1", "a", "3"), ("XADD", "x", "3-1", "c", ""),
         ("XDEL", "x", "2-1"), ("XGROUP", "CREATE", "x", "g", "0"), ("XREADGROUP", "GROUP", "g", "me", "STREAMS", "x", ">"),
         ("XGROUP", "CREATECONSUMER", "x", "g", "idle"), ("XADD", "empty", "5-5", "a", "1"), ("XTRIM", "empty", "MAXLEN", 0),
         ("XGROUP", "CREATE", "empty", "g", "$"), ("EXPIRE", "x", 5000), ("PFADD", "hll", *range(100)), ("SETBIT", "bits", 100, 1),
         ("SET", "long", "x" * 100000), ("RPUSH", "long elements", *("y" * 20000 for _ in range(20)))])


@pytest.mark.parametrize("preamble", ["yes", "no"])
def test_every_type_passes_through_a_rewrite_both_ways(servers, preamble):
    server = servers.pando(**AOF, aof_use_rdb_preamble=preamble)
    with server.connect() as c:
        write_every_type(c)
        rewrite(server)
        write_some(c, 1)
    before = digest(server)
    server.restart("kill")
    assert digest(server) == before
    server.stop()
    other = servers.oracle(folder=server.folder, **AOF)
    assert digest(other) == before
    assert other.call("SELECT", 7) and other.call("XINFO", "STREAM", "x", "FULL")
    rewrite(other)
    other.stop()
    server.start()
    assert digest(server) == before


@pytest.mark.parametrize("how", ["SIGTERM", "SHUTDOWN"])
def test_a_shutdown_waits_for_the_first_base(servers, how):
    """What was there before the AOF was switched on would be gone else: a restart loads the AOF alone."""
    server = servers.pando(rdb_key_save_delay="2000")
    with server.connect() as c:
        c.pipeline([("SET", f"k{i}", i) for i in range(500)])
    had = digest(server)
    server.call("CONFIG", "SET", "appendonly", "yes")
    assert server.stat("aof_rewrite_in_progress", "persistence") == 1
    if how == "SIGTERM":
        assert server.stop() == 0
    else:
        with server.connect() as c:
            c.send("SHUTDOWN")
            assert server.wait_exit() == 0
    server.directives["appendonly"] = "yes"
    server.write_config()
    server.start()
    assert digest(server) == had


def test_a_replica_that_is_stopped_right_after_its_full_sync_resumes(servers):
    primary = servers.pando()
    with primary.connect() as c:
        c.pipeline([("SET", f"k{i}", i) for i in range(500)])
    replica = servers.pando(replicaof=f"127.0.0.1 {primary.port}", rdb_key_save_delay="2000", **AOF)
    wait_linked(replica)
    assert replica.stop() == 0
    primary.call("SET", "meanwhile", 1)
    replica.start()
    wait_in_sync(primary, replica)
    assert_same_keyspace(primary, replica)
    assert primary.stat("sync_full", "stats") == 1


def test_nosave_does_not_wait_for_the_first_base(servers):
    server = servers.pando(rdb_key_save_delay="100000")
    with server.connect() as c:
        c.pipeline([("SET", f"k{i}", i) for i in range(500)])
        server.call("CONFIG", "SET", "appendonly", "yes")
        c.send("SHUTDOWN", "NOSAVE")
        assert server.wait_exit() == 0
