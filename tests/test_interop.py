"""pando and Redis 7.0.15 at the two ends of a link, in each combination and mixed in a chain: full
sync, stream, partial resync after a cut link, promotion; after each the keyspaces are equal."""
import random
import signal

import pytest

from harness.compare import (assert_same_keyspace, fill, linked, offset_of, replicas_of, wait_equal, wait_in_sync,
                             wait_linked, wait_online)
from harness.servers import ORACLE, PANDO
from harness.wait import wait_until

PAIRS = [pytest.param(PANDO, ORACLE, id="pando-primary-redis-replica"),
         pytest.param(ORACLE, PANDO, id="redis-primary-pando-replica"),
         pytest.param(PANDO, PANDO, id="pando-primary-pando-replica")]


def write_of_all_kinds(primary, seed):
    """Every way in which this server changes data, some of it with deadlines, in several databases."""
    source = random.Random(seed)
    with primary.connect() as c:
        for db in (0, 3, 15):
            c.call("SELECT", db)
            for i in range(200):
                key = f"k{source.randrange(100)}"
                source.choice([
                    lambda: c.do("SET", key, source.randbytes(source.choice((0, 5, 44, 45, 300, 5000)))),
                    lambda: c.do("SET", key, source.randrange(-10**12, 10**12), "EX", 1000 + i),
                    lambda: c.do("SETEX", key, 5000, i),
                    lambda: c.do("PSETEX", key, 5000000, i),
                    lambda: c.do("APPEND", key, "tail" * source.randrange(5)),
                    lambda: c.do("SETRANGE", key, source.randrange(50), "patch"),
                    lambda: c.do("INCRBY", key, source.randrange(1000)),
                    lambda: c.do("INCRBYFLOAT", key, "0.1"),
                    lambda: c.do("GETSET", key, i),
                    lambda: c.do("GETEX", key, "EX", 900),
                    lambda: c.do("GETEX", key, "PERSIST"),
                    lambda: c.do("GETDEL", key),
                    lambda: c.do("MSET", key, "1", key + "x", "2"),
                    lambda: c.do("MSETNX", key + "y", "1", key + "z", "2"),
                    lambda: c.do("SETNX", key, "n"),
                    lambda: c.do("DEL", key, key + "x"),
                    lambda: c.do("UNLINK", key),
                    lambda: c.do("EXPIRE", key, 3000),
                    lambda: c.do("PEXPIREAT", key, 4102444800000, "GT"),
                    lambda: c.do("EXPIREAT", key, 1),
                    lambda: c.do("PERSIST", key),
                    lambda: c.do("RENAME", key, key + "r"),
                    lambda: c.do("COPY", key, key + "c", "DB", 7, "REPLACE"),
                    lambda: c.do("MOVE", key, 9),
                    lambda: c.pipeline([("MULTI",), ("SET", key, "in multi"), ("INCR", key + "n"),
                                        ("DEL", key + "z"), ("EXEC",)]),
                ])()
            dump = c.do("DUMP", "k1")
            if isinstance(dump, bytes) and not dump.startswith(b"ERR"):
                c.do("RESTORE", "restored", 0, dump, "REPLACE")
                c.do("RESTORE", "restored with ttl", 1000000, dump, "REPLACE")
        c.call("SWAPDB", 3, 9)
        c.call("PUBLISH", "channel", "message")


@pytest.mark.parametrize("first, second", PAIRS)
@pytest.mark.parametrize("diskless", ["yes", "no"])
def test_full_sync_then_stream(servers, first, second, diskless):
    primary = servers.new(first, repl_diskless_sync=diskless)
    replica = servers.new(second)
    write_of_all_kinds(primary, 1)
    replica.call("SET", "own data", "is replaced")
    replica.replicate(primary)
    wait_linked(replica)
    wait_equal(primary, replica)
    write_of_all_kinds(primary, 2)
    wait_equal(primary, replica)
    assert primary.stat("sync_full") == 1
    assert replicas_of(primary)[0]["state"] == "online"
    assert replica.info("replication")["master_replid"] == primary.info("replication")["master_replid"]
    primary.call("FLUSHALL")
    wait_equal(primary, replica)
    assert replica.call("DBSIZE") == 0


@pytest.mark.parametrize("first, second", PAIRS)
@pytest.mark.parametrize("load", ["disabled", "on-empty-db", "swapdb"])
def test_each_way_of_loading(servers, first, second, load):
    primary = servers.new(first)
    replica = servers.new(second, repl_diskless_load=load)
    write_of_all_kinds(primary, 3)
    replica.replicate(primary)
    wait_linked(replica)
    write_of_all_kinds(primary, 4)
    wait_equal(primary, replica)


@pytest.mark.parametrize("first, second", PAIRS)
def test_a_cut_link_resumes_where_it_was(servers, first, second):
    primary, replica = servers.new(first), servers.new(second)
    link = servers.proxy(primary)
    write_of_all_kinds(primary, 5)
    replica.replicate(link)
    wait_linked(replica)
    for round in range(3):
        wait_in_sync(primary, replica)
        link.cut()
        wait_until(lambda: not linked(replica))
        write_of_all_kinds(primary, 10 + round)
        link.resume()
        wait_linked(replica)
        wait_equal(primary, replica)
        assert primary.stat("sync_partial_ok") == round + 1
    assert primary.stat("sync_full") == 1


@pytest.mark.parametrize("first, second", PAIRS)
def test_a_link_cut_inside_the_stream_resumes(servers, first, second):
    """The cut falls at any byte of the stream, also inside a command or a transaction."""
    primary, replica = servers.new(first), servers.new(second)
    link = servers.proxy(primary)
    replica.replicate(link)
    wait_linked(replica)
    for round in range(8):
        wait_in_sync(primary, replica)
        link.cut_after(random.Random(round).randrange(1, 20000))
        write_of_all_kinds(primary, 50 + round)
        fill(primary, 100, 100, prefix=f"more{round}")
        link.resume()
        wait_linked(replica)
        wait_equal(primary, replica)
    assert primary.stat("sync_full") == 1


@pytest.mark.parametrize("first, second", PAIRS)
def test_too_far_behind_means_one_full_sync(servers, first, second):
    primary = servers.new(first, repl_backlog_size="16kb")
    replica = servers.new(second)
    link = servers.proxy(primary)
    replica.replicate(link)
    wait_linked(replica)
    link.cut()
    wait_until(lambda: not linked(replica))
    fill(primary, 1000, 1000)
    link.resume()
    wait_linked(replica)
    wait_equal(primary, replica)
    # pando may still hold the stretch on disk; what counts is that the replica has it all.
    assert primary.stat("sync_full") + primary.stat("sync_partial_ok") == 2


def chain_of(servers, binaries, **options):
    nodes = [servers.new(binary, **options) for binary in binaries]
    links = []
    for upper, lower in zip(nodes, nodes[1:]):
        link = servers.proxy(upper)
        links.append(link)
        lower.replicate(link)
        wait_linked(lower)
    return nodes, links


MIXED = [pytest.param([ORACLE, PANDO, ORACLE, PANDO], id="redis-pando-redis-pando"),
         pytest.param([PANDO, ORACLE, PANDO, ORACLE], id="pando-redis-pando-redis")]


@pytest.mark.parametrize("binaries", MIXED)
def test_a_mixed_chain_carries_one_history(servers, binaries):
    nodes, links = chain_of(servers, binaries)
    for round in range(2):
        write_of_all_kinds(nodes[0], 20 + round)
        wait_equal(*nodes)
    ids = {node.info("replication")["master_replid"] for node in nodes}
    assert len(ids) == 1
    assert len({offset_of(node) for node in nodes}) == 1 or wait_until(lambda: len(set(map(offset_of, nodes))) == 1)


@pytest.mark.parametrize("binaries", MIXED)
@pytest.mark.parametrize("cut", [0, 1, 2])
def test_a_cut_anywhere_in_a_chain_heals_by_partial_resync(servers, binaries, cut):
    nodes, links = chain_of(servers, binaries)
    write_of_all_kinds(nodes[0], 30)
    wait_equal(*nodes)
    full = [node.stat("sync_full") for node in nodes]
    links[cut].cut()
    wait_until(lambda: not linked(nodes[cut + 1]))
    write_of_all_kinds(nodes[0], 31)
    links[cut].resume()
    wait_linked(*nodes[1:])
    wait_equal(*nodes)
    assert [node.stat("sync_full") for node in nodes] == full
    assert nodes[cut].stat("sync_partial_ok") >= 1


@pytest.mark.parametrize("binaries", MIXED)
def test_a_node_of_the_chain_takes_over(servers, binaries):
    """The head dies, the second becomes the primary under a new id, and those below it resume."""
    nodes, links = chain_of(servers, binaries)
    write_of_all_kinds(nodes[0], 40)
    wait_equal(*nodes)
    full = [node.stat("sync_full") for node in nodes]
    old_id = nodes[0].info("replication")["master_replid"]
    nodes[0].kill()
    nodes[1].replicate(None)
    fields = nodes[1].info("replication")
    assert fields["master_replid2"] == old_id and fields["master_replid"] != old_id
    assert int(fields["second_repl_offset"]) == int(fields["master_repl_offset"]) + 1
    write_of_all_kinds(nodes[1], 41)
    wait_linked(*nodes[2:])
    wait_equal(*nodes[1:])
    assert [node.stat("sync_full") for node in nodes[1:]] == full[1:]


@pytest.mark.parametrize("first, second", PAIRS)
def test_the_roles_change_places_without_a_full_sync(servers, first, second):
    one, other = servers.new(first), servers.new(second)
    write_of_all_kinds(one, 60)
    other.replicate(one)
    wait_linked(other)
    wait_equal(one, other)
    other.replicate(None)
    write_of_all_kinds(other, 61)
    one.replicate(other)
    wait_linked(one)
    wait_equal(other, one)
    assert other.stat("sync_full") == 0
    assert other.stat("sync_partial_ok") == 1


@pytest.mark.parametrize("first, second", PAIRS)
def test_failover_hands_over_to_a_replica_of_the_other_kind(servers, first, second):
    one, other = servers.new(first), servers.new(second)
    write_of_all_kinds(one, 70)
    other.replicate(one)
    wait_linked(other)
    wait_online(one, 1)
    wait_in_sync(one, other)
    assert one.call("FAILOVER", "TO", "127.0.0.1", other.port, "TIMEOUT", 10000) == b"OK"
    wait_until(lambda: one.info("replication")["role"] == "slave"
               and other.info("replication")["role"] == "master", "the roles to have changed")
    wait_linked(one)
    write_of_all_kinds(other, 71)
    wait_equal(other, one)
    assert other.stat("sync_full") == 0
    assert one.info("replication")["master_failover_state"] == "no-failover"


@pytest.mark.parametrize("first, second", PAIRS)
def test_a_replica_stopped_cleanly_resumes_from_its_file(servers, first, second):
    primary = servers.new(first)
    replica = servers.new(second, save="3600 1")
    write_of_all_kinds(primary, 80)
    replica.directives["replicaof"] = f"127.0.0.1 {primary.port}"
    replica.write_config()
    replica.restart()
    wait_linked(replica)
    write_of_all_kinds(primary, 81)
    wait_in_sync(primary, replica)
    full = primary.stat("sync_full")
    assert replica.stop(signal.SIGTERM) == 0
    write_of_all_kinds(primary, 82)
    replica.start(wait=False)
    wait_until(lambda: replica.process.poll() is None and linked(replica), "the replica to be linked again")
    wait_equal(primary, replica)
    assert primary.stat("sync_full") == full
    assert primary.stat("sync_partial_ok") >= 1


@pytest.mark.parametrize("first, second", PAIRS)
def test_a_stopped_replica_goes_on_in_the_database_in_which_the_stream_was(servers, first, second):
    """Its file says which: the stream does not select it again."""
    primary = servers.new(first)
    replica = servers.new(second, save="3600 1", replicaof=f"127.0.0.1 {primary.port}")
    wait_linked(replica)
    with primary.connect() as c:
        c.call("SELECT", 3)
        c.call("SET", "before", "x")
        wait_in_sync(primary, replica)
        full = primary.stat("sync_full")
        assert replica.stop(signal.SIGTERM) == 0
        c.call("SET", "meanwhile", "x")
        replica.start(wait=False)
        wait_until(lambda: replica.process.poll() is None and linked(replica), "the replica to be linked again")
        wait_equal(primary, replica)
        assert primary.stat("sync_full") == full
    assert replica.info("keyspace")["db3"].startswith("keys=2,")


@pytest.mark.parametrize("first, second", PAIRS)
def test_each_reads_the_others_file(servers, first, second):
    writer = servers.new(first)
    write_of_all_kinds(writer, 90)
    writer.call("SAVE")
    reader = servers.new(second, start=False).start_on_file_of(writer)
    assert_same_keyspace(writer, reader)


@pytest.mark.parametrize("first, second", PAIRS)
def test_a_password_between_them(servers, first, second):
    primary = servers.new(first, requirepass="sesame")
    replica = servers.new(second)
    replica.replicate(primary)
    wait_until(lambda: replica.info("replication")["master_link_status"] == "down")
    with primary.connect() as c:
        c.call("AUTH", "sesame")
        c.call("SET", "behind", "a password")
    replica.configure(masterauth="sesame")
    wait_linked(replica)
    wait_until(lambda: replica.call("GET", "behind") == b"a password")


@pytest.mark.parametrize("first, second", PAIRS)
def test_wait_counts_the_other_kind(servers, first, second):
    primary, replica = servers.new(first), servers.new(second)
    replica.replicate(primary)
    wait_linked(replica)
    wait_online(primary, 1)
    with primary.connect() as c:
        for i in range(20):
            c.call("SET", "k", i)
            assert c.call("WAIT", 1, 10000) == 1
        assert replica.call("GET", "k") == b"19"


@pytest.mark.parametrize("first, second", PAIRS)
def test_expiry_is_the_primarys_and_hidden_at_the_replica(servers, first, second):
    primary, replica = servers.new(first), servers.new(second)
    replica.replicate(primary)
    wait_linked(replica)
    primary.call("DEBUG", "SET-ACTIVE-EXPIRE", 0)
    primary.call("SET", "short", "life", "PX", 1)
    primary.call("SET", "marker", "after")
    wait_in_sync(primary, replica)
    # Logically gone at the replica, which keeps it until the primary says so.
    wait_until(lambda: not replica.do("GET", "short"))
    assert replica.call("EXISTS", "short") == 0
    assert replica.call("TTL", "short") == -2
    assert replica.call("DBSIZE") == 2
    primary.call("DEBUG", "SET-ACTIVE-EXPIRE", 1)
    wait_until(lambda: primary.call("DBSIZE") == 1)
    wait_equal(primary, replica)
    assert replica.call("DBSIZE") == 1
