"""Replication as users configure it: gates for writes, stale data, roles, chains, announced addresses."""
import signal

import pytest

from harness.compare import (fill, linked, offset_of, replicas_of, wait_equal, wait_in_sync, wait_linked, wait_online)
from harness.peers import FakeReplica
from harness.resp import ReplyError
from harness.servers import ORACLE, PANDO
from harness.wait import stays, wait_until


@pytest.fixture
def pair(servers):
    def make(primary=None, **replica):
        first = servers.pando(**(primary or {}))
        second = servers.pando(**replica)
        second.replicate(first)
        wait_linked(second)
        wait_online(first, 1)
        return first, second
    return make


def test_a_replica_refuses_writes_and_a_writable_one_keeps_them_to_itself(servers, pair):
    primary, replica = pair()
    assert replica.do("SET", "k", "v") == b"READONLY You can't write against a read only replica."
    assert replica.do("MULTI") == b"OK"
    assert replica.do("SET", "k", "v").startswith(b"READONLY")
    assert replica.do("EXEC").startswith(b"EXECABORT")
    replica.configure(replica_read_only="no")
    below = servers.pando()
    below.replicate(replica)
    wait_linked(below)
    offset = offset_of(replica)
    assert replica.call("SET", "local", "v") == b"OK"
    assert primary.call("EXISTS", "local") == 0
    primary.call("SET", "after", "it")
    wait_in_sync(primary, replica, below)
    assert below.call("EXISTS", "local") == 0, "writes of a replica never enter the log"
    assert offset_of(replica) > offset


def test_too_few_good_replicas_stop_the_writes(pair):
    primary, replica = pair({"min-replicas-max-lag": "2"})
    assert primary.call("SET", "k", "v") == b"OK"
    primary.configure(min_replicas_to_write=1)
    assert primary.info("replication")["min_slaves_good_slaves"] == "1"
    assert primary.call("SET", "k", "v") == b"OK"
    replica.send_signal(signal.SIGSTOP)
    wait_until(lambda: primary.do("SET", "k", "v") == b"NOREPLICAS Not enough good replicas to write.")
    assert primary.call("GET", "k") == b"v"
    replica.send_signal(signal.SIGCONT)
    wait_until(lambda: primary.do("SET", "k", "w") == b"OK")


def test_stale_data_is_served_unless_told_otherwise(pair):
    primary, replica = pair()
    primary.call("SET", "k", "v")
    wait_in_sync(primary, replica)
    primary.stop()
    wait_until(lambda: not linked(replica))
    assert replica.call("GET", "k") == b"v"
    replica.configure(replica_serve_stale_data="no")
    assert replica.do("GET", "k") == b"MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'."
    assert replica.do("PING").startswith(b"MASTERDOWN")
    assert replica.call("INFO", "replication")
    assert replica.call("CONFIG", "GET", "port")


def test_addresses_and_priorities_are_announced(pair):
    primary, replica = pair(replica_announce_ip="10.1.2.3", replica_announce_port="7777", replica_priority="42")
    wait_until(lambda: replicas_of(primary)[0]["ip"] == "10.1.2.3")
    assert replicas_of(primary)[0]["port"] == "7777"
    assert replica.info("replication")["slave_priority"] == "42"
    assert [bytes(x) for x in primary.call("ROLE")[2][0][:2]] == [b"10.1.2.3", b"7777"]


def test_a_replica_that_is_not_announced_says_so(pair):
    _, replica = pair(replica_announced="no")
    assert replica.info("replication")["replica_announced"] == "0"


def test_role_tells_both_ends(pair):
    primary, replica = pair()
    role = primary.call("ROLE")
    assert role[0] == b"master" and role[2][0][1] == str(replica.port).encode()
    role = replica.call("ROLE")
    assert role[:4] == [b"slave", b"127.0.0.1", primary.port, b"connected"] and isinstance(role[4], int)


def test_role_says_how_far_the_link_is(servers):
    replica = servers.pando()
    silent = servers.proxy(servers.pando())
    silent.freeze()
    replica.replicate(silent)
    wait_until(lambda: replica.call("ROLE")[3] in (b"handshake", b"connecting", b"connect"))


def test_the_same_replicaof_twice_changes_nothing(pair):
    primary, replica = pair()
    assert replica.call("REPLICAOF", "127.0.0.1", primary.port) == b"OK Already connected to specified master"
    assert linked(replica)
    assert primary.stat("sync_full") == 1


@pytest.mark.pando_only
def test_no_one_then_back_is_a_partial_resync(pair):
    primary, replica = pair()
    primary.call("SET", "k", "v")
    wait_in_sync(primary, replica)
    before = primary.stat("sync_full")
    replica.replicate(None)
    assert replica.info("replication")["role"] == "master"
    replica.replicate(primary)
    wait_linked(replica)
    assert primary.stat("sync_full") == before
    primary.call("SET", "k", "w")
    wait_equal(primary, replica)


def test_a_replica_that_wrote_for_itself_meanwhile_starts_over(pair):
    primary, replica = pair()
    primary.call("SET", "k", "v")
    wait_in_sync(primary, replica)
    replica.replicate(None)
    for i in range(20):
        replica.call("SET", f"diverged:{i}", "x")
    replica.replicate(primary)
    wait_linked(replica)
    wait_equal(primary, replica)
    assert primary.stat("sync_full") == 2
    assert replica.call("EXISTS", "diverged:1") == 0


def test_the_backlog_ends_after_its_time_and_with_it_the_history(servers):
    primary = servers.pando(repl_backlog_ttl="1")
    replica = FakeReplica(primary)
    replica.sync()
    before = primary.info("replication")
    assert before["repl_backlog_active"] == "1"
    replica.close()
    wait_until(lambda: primary.info("replication")["repl_backlog_active"] == "0", timeout=40)
    after = primary.info("replication")
    assert after["master_replid"] != before["master_replid"]
    assert after["master_replid2"] == "0" * 40 and after["second_repl_offset"] == "-1"
    primary.call("SET", "counted", "by nobody")
    assert primary.info("replication")["master_repl_offset"] == after["master_repl_offset"]
    late = FakeReplica(primary, port=2)
    assert late.ask(after["master_replid"], int(after["master_repl_offset"]) + 1).startswith(b"+FULLRESYNC")
    assert late.replid != after["master_replid"], "what was not counted has no name"
    assert primary.info("replication")["master_replid2"] == "0" * 40
    late.close()


@pytest.mark.pando_only
def test_a_history_from_a_dump_is_kept_for_its_time(servers):
    primary = servers.pando(repl_ping_replica_period="3600")
    replica = FakeReplica(primary)
    replica.sync()
    primary.call("SET", "before", "the save")
    assert replica.commands(2)[-1][0] == b"SET"
    primary.call("SAVE")
    replica.close()
    primary.restart("kill")
    before = primary.info("replication")
    assert before["repl_backlog_active"] == "1" and before["master_replid2"] == replica.replid
    primary.call("SET", "after", "the start")
    assert int(primary.info("replication")["master_repl_offset"]) > int(before["master_repl_offset"])
    again = FakeReplica(primary)
    assert again.ask(replica.replid, replica.offset + 1).startswith(b"+CONTINUE")
    again.offset = replica.offset
    assert again.commands(2)[-1] == [b"SET", b"after", b"the start"]
    again.close()
    primary.directives["repl-backlog-ttl"] = "1"
    primary.write_config()
    primary.restart("kill")  # and now nobody comes
    wait_until(lambda: primary.info("replication")["repl_backlog_active"] == "0")
    after = primary.info("replication")
    assert replica.replid not in (after["master_replid"], after["master_replid2"])


@pytest.mark.pando_only
def test_a_log_that_has_files_outlives_the_backlogs_time(servers):
    primary = servers.pando(appendonly="yes", repl_backlog_ttl="1")
    primary.call("SET", "k", "v")
    before = primary.info("replication")
    wait_until(lambda: primary.stat("uptime_in_seconds", "server") >= 3, "the time to be over")
    after = primary.info("replication")
    assert after["master_replid"] == before["master_replid"] and after["repl_backlog_active"] == "1"
    assert primary.call("REPLICATION", "LOG") == []


def test_the_backlogs_size_changes_at_run_time(pair):
    primary, replica = pair()
    fill(primary, 500, 1000)
    primary.configure(repl_backlog_size=16384)
    fill(primary, 500, 1000)
    fields = primary.info("replication")
    assert fields["repl_backlog_size"] == "16384"
    assert int(fields["repl_backlog_first_byte_offset"]) + int(fields["repl_backlog_histlen"]) == int(
        fields["master_repl_offset"]) + 1
    wait_equal(primary, replica)


def test_wait_waits_for_as_many_as_asked(servers):
    primary = servers.pando()
    replicas = [servers.pando() for _ in range(2)]
    for replica in replicas:
        replica.replicate(primary)
    wait_linked(*replicas)
    wait_online(primary, 2)
    with primary.connect() as c:
        c.call("SET", "k", "v")
        assert c.call("WAIT", 2, 20000) == 2
        replicas[0].send_signal(signal.SIGSTOP)
        c.call("SET", "k", "w")
        assert c.call("WAIT", 1, 20000) == 1
        assert c.call("WAIT", 2, 100) == 1
        replicas[0].send_signal(signal.SIGCONT)
        assert c.call("WAIT", 2, 20000) == 2
    assert isinstance(replicas[1].do("WAIT", 1, 1), ReplyError)


@pytest.mark.parametrize("binary", [PANDO, ORACLE], ids=["pando", "redis"])
def test_what_was_answered_reaches_the_replica_though_the_primary_is_killed(servers, binary):
    primary = servers.pando()
    replica = servers.new(binary).replicate(primary)
    wait_linked(replica)
    wait_online(primary, 1)
    writers = [primary.connect() for _ in range(8)]
    for n in range(400):  # the stream flows: it is pushed now and then, and the end comes in between
        for i, c in enumerate(writers):
            c.send("SET", f"writer:{i}", n)
        for c in writers:
            assert c.read() == b"OK"
    primary.kill()
    wait_until(lambda: not linked(replica))
    assert [replica.call("GET", f"writer:{i}") for i in range(8)] == [b"399"] * 8


# FAILOVER
def test_failover_without_a_target_takes_the_one_that_is_abreast(servers):
    primary = servers.pando()
    replicas = [servers.pando() for _ in range(2)]
    for replica in replicas:
        replica.replicate(primary)
    wait_linked(*replicas)
    wait_online(primary, 2)
    primary.call("SET", "k", "v")
    wait_in_sync(primary, *replicas)
    assert primary.call("FAILOVER") == b"OK"
    wait_until(lambda: primary.info("replication")["role"] == "slave")
    heir = wait_until(lambda: next((r for r in replicas if r.info("replication")["role"] == "master"), None))
    wait_linked(primary)
    assert heir.call("SET", "k", "w") == b"OK"
    wait_equal(heir, primary)
    assert heir.stat("sync_full") == 0


def test_failover_is_aborted_by_command_and_by_timeout(pair):
    primary, replica = pair()
    replica.send_signal(signal.SIGSTOP)
    primary.call("SET", "k", "v")
    assert primary.call("FAILOVER") == b"OK"
    wait_until(lambda: primary.info("replication")["master_failover_state"] == "waiting-for-sync")
    assert primary.do("FAILOVER") == b"ERR FAILOVER already in progress."
    with primary.connect() as writer:
        writer.send("SET", "held", "back")
        wait_until(lambda: primary.stat("blocked_clients") == 1)
        assert primary.call("FAILOVER", "ABORT") == b"OK"
        assert writer.read() == b"OK"
    assert primary.info("replication")["master_failover_state"] == "no-failover"
    primary.call("SET", "k", "w")
    assert primary.call("FAILOVER", "TIMEOUT", 100) == b"OK"
    wait_until(lambda: primary.info("replication")["master_failover_state"] == "no-failover")
    assert primary.info("replication")["role"] == "master"
    replica.send_signal(signal.SIGCONT)
    wait_equal(primary, replica)


def test_a_forced_failover_does_not_wait_for_the_last_bytes(pair):
    primary, replica = pair()
    replica.send_signal(signal.SIGSTOP)
    primary.call("SET", "k", "v")
    assert primary.call("FAILOVER", "TO", "127.0.0.1", replica.port, "FORCE", "TIMEOUT", 100) == b"OK"
    wait_until(lambda: primary.info("replication")["master_failover_state"] == "failover-in-progress")
    primary.wait_log("time out exceeded, failing over.")
    replica.send_signal(signal.SIGCONT)
    wait_until(lambda: primary.info("replication")["role"] == "slave"
               and replica.info("replication")["role"] == "master", timeout=40)
    wait_linked(primary)
    wait_equal(replica, primary)


def test_failover_to_a_stranger_is_refused(pair):
    primary, replica = pair()
    assert primary.do("FAILOVER", "TO", "127.0.0.1", 1) == b"ERR FAILOVER target HOST and PORT is not a replica."
    assert primary.do("FAILOVER", "TO", "127.0.0.1", replica.port, "FORCE") == \
        b"ERR FAILOVER with force option requires both a timeout and target HOST and IP."
    assert replica.do("FAILOVER") == b"ERR FAILOVER is not valid when server is a replica."


# Chains
def test_a_chain_carries_the_same_bytes_and_survives_a_cut_in_the_middle(servers):
    nodes = [servers.pando() for _ in range(4)]
    links = []
    for upper, lower in zip(nodes, nodes[1:]):
        link = servers.proxy(upper)
        links.append(link)
        lower.replicate(link)
        wait_linked(lower)
    fill(nodes[0], 200, 100)
    wait_equal(*nodes)
    links[1].cut()
    wait_until(lambda: not linked(nodes[2]))
    fill(nodes[0], 200, 100, prefix="more")
    links[1].resume()
    wait_linked(*nodes[1:])
    wait_equal(*nodes)
    assert [node.stat("sync_full") for node in nodes] == [1, 1, 1, 0]


def test_a_replica_without_a_link_accepts_nobody(pair):
    primary, replica = pair()
    primary.stop()
    wait_until(lambda: not linked(replica))
    below = FakeReplica(replica)
    assert below.ask().startswith(b"-NOMASTERLINK")


def test_every_database_reaches_the_replica(pair):
    primary, replica = pair()
    with primary.connect() as c:
        for db in range(16):
            c.call("SELECT", db)
            c.call("SET", f"k{db}", db)
    wait_equal(primary, replica)
    assert len(replica.info("keyspace")) == 16


def test_published_messages_reach_subscribers_of_a_replica(pair):
    primary, replica = pair()
    with replica.connect() as c:
        c.call("SUBSCRIBE", "news")
        primary.call("PUBLISH", "news", "hello")
        assert c.read() == [b"message", b"news", b"hello"]


def test_scripts_of_the_primarys_life_end_with_equal_keyspaces(pair):
    """Expiry, flushes and swaps, seen from the replica."""
    primary, replica = pair()
    primary.call("SET", "short", "x", "PX", 30)
    fill(primary, 100, 50)
    wait_until(lambda: primary.call("EXISTS", "short") == 0)
    primary.call("SWAPDB", 0, 5)
    primary.call("FLUSHDB")
    fill(primary, 10, 50, prefix="new")
    wait_equal(primary, replica)
    primary.call("FLUSHALL", "ASYNC")
    wait_equal(primary, replica)


@pytest.mark.pando_only
def test_lag_is_told_in_bytes_and_milliseconds(pair):
    primary, replica = pair()
    primary.call("SET", "k", "v")
    wait_until(lambda: replicas_of(primary)[0]["lag_bytes"] == "0")
    replica.send_signal(signal.SIGSTOP)
    fill(primary, 100, 1000)
    wait_until(lambda: int(replicas_of(primary)[0]["lag_bytes"]) > 90000)
    wait_until(lambda: int(replicas_of(primary)[0]["lag_ms"]) > 100)
    replica.send_signal(signal.SIGCONT)
    wait_until(lambda: replicas_of(primary)[0]["lag_bytes"] == "0")

    def a_new_write_is_acknowledged_soon():
        primary.call("SET", "k", "v")
        return int(replicas_of(primary)[0]["lag_ms"]) < 100
    wait_until(a_new_write_is_acknowledged_soon)


@pytest.mark.pando_only
def test_the_log_of_events_tells_the_story(pair):
    primary, replica = pair()
    replica.replicate(None)
    story = [dict(zip(e[::2], e[1::2])) for e in reversed(replica.call("REPLICATION", "LOG"))]
    assert [e[b"event"] for e in story if e[b"event"] != b"link-down"] == [
        b"role-replica", b"full-sync-start", b"full-sync-done", b"link-up", b"role-primary"]
    now = primary.call("TIME")
    for event in story:
        assert abs(event[b"time"] - int(now[0]) * 1000) < 60000, event
    assert len(replica.call("REPLICATION", "LOG", 2)) == 2


def test_an_emptied_primary_does_not_wipe_a_replica_that_refuses(servers, pair):
    primary, replica = pair(replica_refuse_emptied_primary="yes")
    with primary.connect() as c:
        c.pipeline([("SET", f"k{i}", i) for i in range(1000)])
    wait_in_sync(primary, replica)
    primary.restart("kill")
    assert primary.call("DBSIZE") == 0
    wait_until(lambda: replica.info("replication").get("master_sync_refused") == "1")
    assert replica.call("GET", "k7") == b"7" and replica.call("DBSIZE") == 1000
    assert not linked(replica)
    assert "refused" in str(replica.call("REPLICATION", "LOG"))
    full = primary.stat("sync_full")
    stays(lambda: primary.stat("sync_full") == full, seconds=2)
    replica.replicate(None)
    replica.configure(replica_refuse_emptied_primary="no")
    replica.replicate(primary)
    wait_linked(replica)
    assert replica.call("DBSIZE") == 0


def test_an_emptied_primary_is_followed_unless_told_otherwise(servers, pair):
    primary, replica = pair()
    primary.call("SET", "k", "v")
    wait_in_sync(primary, replica)
    primary.restart("kill")
    wait_until(lambda: replica.call("DBSIZE") == 0)
