"""Streams in files, in snapshots and on replicas: with their groups they go to Redis 7.0.15 and come back, old forms too;
what is damaged is refused and named."""
import random

import pytest

from differential.random_commands import Generator
from harness.compare import assert_same_keyspace, digest, wait_in_sync, wait_linked
from harness.resp import ReplyError
from harness.stream_dump import without_moments
from harness.wait import wait_until

KEYS = [f"x{i}" for i in range(6)]


def fill(*servers, seed=1, commands=3000):
    """The same random stream commands for all."""
    generator = Generator(seed, only=["stream"])
    batch = [generator.next() for _ in range(commands)]
    for server in servers:
        server.call("FLUSHALL")
        server.configure(stream_node_max_entries=5)
        with server.connect() as client:
            client.pipeline(batch)
            client.call("XADD", "big", "1-1", "field", b"x" * 300000)
            client.pipeline([("XADD", "many", f"{i}-1", "number", i) for i in range(1, 3000)])
            client.call("XGROUP", "CREATE", "many", "group", 0)
            client.call("XREADGROUP", "GROUP", "group", "consumer", "COUNT", 2000, "STREAMS", "many", ">")


def in_full(server):
    return {key: server.do("XINFO", "STREAM", key, "FULL", "COUNT", 0) for key in [*KEYS, "big", "many"]}


@pytest.mark.parametrize("saver, loader", [("pando", "oracle"), ("oracle", "pando"), ("pando", "pando")])
@pytest.mark.parametrize("compression", ["yes", "no"])
def test_a_file_of_one_server_is_loaded_by_the_other(servers, saver, loader, compression):
    first = getattr(servers, saver)(rdbcompression=compression)
    fill(first)
    first.call("SAVE")
    second = getattr(servers, loader)(start=False).start_on_file_of(first)
    assert digest(second) == digest(first)
    assert in_full(second) == in_full(first)


def test_streams_made_the_same_way_dump_the_same_bytes_and_are_restored_by_the_other(servers):
    pando, redis = servers.pando(), servers.oracle()
    fill(pando, redis, seed=2)
    for key in [*KEYS, "big", "many"]:
        ours, theirs = pando.call("DUMP", key), redis.call("DUMP", key)
        if not isinstance(ours, bytes):
            assert repr(ours) == repr(theirs)
            continue
        assert without_moments(ours) == without_moments(theirs), key
        for server, dump in ((pando, theirs), (redis, ours)):
            assert server.call("RESTORE", "copy", 0, dump, "REPLACE") == b"OK"
            assert server.call("DUMP", "copy") == dump


# XADD s 1-1 a 1; 1-2 a 2; 2-0 b x; XDEL s 1-1; a group with an entry pending at one of two consumers. As Redis 6 dumps it,
# but for version and checksum.
OLD_FORM = bytes.fromhex(
    "0f011000000000000000010000000000000001373700000016000201010101018161020001030100010001010104010201000101010201040100"
    "010101dfff0201018162028178020601ff0202000101670102010000000000000001000000000000000260fbf01fa20100000102016360fbf01f"
    "a20100000100000000000000010000000000000002016460fbf01fa20100000009000000000000000000")


def test_the_form_before_7_is_read_as_redis_reads_it(servers):
    pando, redis = servers.pando(), servers.oracle()
    for server in (pando, redis):
        server.call("DEBUG", "SET-SKIP-CHECKSUM-VALIDATION", 1)
        assert server.call("RESTORE", "s", 0, OLD_FORM) == b"OK"
    assert pando.call("XINFO", "STREAM", "s", "FULL") == redis.call("XINFO", "STREAM", "s", "FULL")
    assert pando.call("DUMP", "s") == redis.call("DUMP", "s")


def damaged(body):
    """Bodies that lie, and what the log must say."""
    def patched(at, byte):
        return body[:at] + bytes([byte]) + body[at + 1:]
    yield patched(25, 9), "Stream listpack integrity check failed"
    yield patched(36, 7), "Stream listpack integrity check failed"
    yield patched(74, 9), "Stream length inconsistent"
    yield patched(104, 3), "Consumer entry not found in group global PEL"
    yield patched(116, ord("d")), "Duplicate stream consumer detected"


def sample(server):
    """The body of a dump whose bytes are where damaged() expects them."""
    for command in ("XADD s 1-1 a 1", "XADD s 1-2 a 2", "XADD s 2-0 b x", "XDEL s 1-1", "XGROUP CREATE s g 0",
                    "XREADGROUP GROUP g c COUNT 1 STREAMS s >", "XGROUP CREATECONSUMER s g d"):
        server.call(*command.split())
    server.configure(rdbcompression="no")
    body = server.call("DUMP", "s")[1:-10]
    assert len(body) == 153
    return body


@pytest.mark.pando_only
def test_restore_refuses_what_is_damaged_and_the_log_says_why(servers):
    pando, redis = servers.pando(), servers.oracle(sanitize_dump_payload="yes")
    for server in (pando, redis):
        server.call("DEBUG", "SET-SKIP-CHECKSUM-VALIDATION", 1)
    for lie, words in damaged(sample(pando)):
        payload = b"\x13" + lie + b"\x0a\x00" + bytes(8)
        reply = pando.do("RESTORE", "t", 0, payload)
        assert isinstance(reply, ReplyError) and reply.text == "ERR Bad data format", words
        assert pando.logged(words), words
        theirs = redis.do("RESTORE", "t", 0, payload, "REPLACE")  # it does not look at everything
        assert theirs == reply or theirs == b"OK"
    assert pando.call("EXISTS", "t") == 0
    assert pando.call("XLEN", "s") == 2


@pytest.mark.pando_only
def test_a_damaged_file_stops_the_start_and_says_why(servers):
    pando = servers.pando()
    body = sample(pando)
    pando.stop()
    path = pando.folder / "dump.rdb"

    def write(body):
        path.write_bytes(b"REDIS0010\xfe\x00\x13\x01s" + body + b"\xff" + bytes(8))

    for lie, words in damaged(body):
        write(lie)
        pando.log_file.write_bytes(b"")
        pando.spawn()
        assert pando.wait_exit() == 1, words
        assert pando.logged(words), pando.log()
    write(body)
    pando.start()


@pytest.mark.pando_only
def test_a_snapshot_holds_a_big_stream_as_it_was(servers):
    server = servers.pando(rdb_key_save_delay=10000)
    with server.connect() as client:
        client.pipeline([("XADD", "many", f"{i}-1", "number", i, "text", "x" * 20) for i in range(1, 20000)])
        client.call("XGROUP", "CREATE", "many", "group", 0)
        client.call("XREADGROUP", "GROUP", "group", "c", "COUNT", 10000, "STREAMS", "many", ">")
        client.pipeline([("XADD", f"small:{i}", "1-1", "a", "b") for i in range(300)])
        before = digest(server), server.call("XINFO", "STREAM", "many", "FULL", "COUNT", 0)
        client.call("BGSAVE")
        # These wait for the snapshot's lease, if it holds one already.
        client.send_commands([("XTRIM", "many", "MAXLEN", 10), ("XGROUP", "DELCONSUMER", "many", "group", "c"),
                              ("XREADGROUP", "GROUP", "group", "d", "STREAMS", "many", ">"), ("XADD", "many", "*", "a", "b")])
        server.configure(rdb_key_save_delay=0)
        assert [client.read() for _ in range(2)] == [19989, 10000]
        assert len(client.read()[0][1]) == 10
        client.read()
        client.call("DEL", "many")
    wait_until(lambda: server.stat("rdb_bgsave_in_progress") == 0, "the snapshot to be saved")
    server.kill()
    server.start()
    assert (digest(server), server.call("XINFO", "STREAM", "many", "FULL", "COUNT", 0)) == before


def pending(server):
    """What of the groups a replica must hold too: how far they are, and what is pending where. How often something was
    delivered is not told to replicas when a consumer reads again what it had."""
    held = {}
    for key, reply in in_full(server).items():
        if isinstance(reply, ReplyError):
            continue
        fields = dict(zip(reply[::2], reply[1::2]))
        groups = [dict(zip(group[::2], group[1::2])) for group in fields[b"groups"]]
        held[key] = [(g[b"name"], g[b"last-delivered-id"], [row[:2] for row in g[b"pending"]]) for g in groups]
        held[key, "ids"] = [fields[name] for name in (b"last-generated-id", b"max-deleted-entry-id", b"entries-added")]
    return held


@pytest.mark.parametrize("primary, replica", [("pando", "pando"), ("pando", "oracle"), ("oracle", "pando")])
def test_replicas_hold_the_entries_and_what_is_pending(servers, primary, replica):
    first, second = getattr(servers, primary)(), getattr(servers, replica)(name="replica")
    fill(first, seed=4, commands=500)
    second.replicate(first)
    wait_linked(second)
    dice = random.Random(6)
    for _ in range(3):
        fill(first, seed=dice.randrange(1000), commands=2000)
        wait_in_sync(first, second)
        assert_same_keyspace(first, second)
        assert pending(first) == pending(second)
