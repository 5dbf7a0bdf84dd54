"""Hashes in files, in snapshots and on replicas: every form goes to Redis 7.0.15 and comes back, and what older
versions wrote is read as Redis reads it."""
import random
import struct

import pytest

from harness.compare import assert_same_keyspace, digest, wait_equal, wait_in_sync, wait_linked
from harness.resp import ReplyError
from harness.servers import ORACLE, PANDO
from harness.wait import wait_until

KEYS = 150


def pairs(dice):
    """Fields and values of a hash of some form: few or many, integers of all widths, short and long texts."""
    kind = dice.randrange(5)
    count = dice.choice([1, 2, 5, 30, 511, 512, 513, 2000])
    if kind == 0:
        long = b"x" * dice.choice([64, 65, 300, 70000])
        return [b"f", long, long, b"v", b"", b""][:2 * dice.randint(1, 3)]
    if kind == 1:
        return sum(([b"%d" % i, b"%d" % dice.randint(-2**dice.randint(1, 63), 2**63 - 1)] for i in range(count)), [])
    return sum(([b"field:%d" % i, dice.randbytes(dice.randint(0, 64))] for i in range(count)), [])


def fill(server, seed=3):
    dice = random.Random(seed)
    with server.connect() as client:
        for number in range(KEYS):
            words = pairs(dice)
            client.call("HSET", f"hash:{number}", *words)
            client.call("HDEL", f"hash:{number}", b"no field", *words[2:2 * dice.randint(1, len(words) // 2):2])
            client.do("HINCRBYFLOAT", f"hash:{number}", words[0], dice.choice(["0.5", "-3", "1e3"]))


def encodings(server):
    return [server.call("OBJECT", "ENCODING", f"hash:{number}") for number in range(KEYS)]


@pytest.mark.parametrize("saver, loader", [("pando", "oracle"), ("oracle", "pando"), ("pando", "pando")])
@pytest.mark.parametrize("options", [{}, {"hash_max_listpack_entries": "4"}], ids=["default", "few entries"])
def test_a_file_of_one_server_is_loaded_by_the_other(servers, saver, loader, options):
    first = getattr(servers, saver)()
    fill(first)
    first.call("SAVE")
    second = getattr(servers, loader)(start=False, **options).start_on_file_of(first)
    assert digest(second) == digest(first)
    expected = servers.oracle(start=False, **options).start_on_file_of(first)
    assert encodings(second) == encodings(expected)


def test_each_server_restores_what_the_other_dumps(servers):
    pando, redis = servers.pando(), servers.oracle()
    for server in (pando, redis):
        fill(server)
    small = 0
    for number in range(KEYS):
        key = f"hash:{number}"
        ours, theirs = [server.call("DUMP", key) for server in (pando, redis)]
        if pando.call("OBJECT", "ENCODING", key) == b"listpack":
            assert ours == theirs, "small ones to the byte"
            small += 1
        for server, dump in ((redis, ours), (pando, theirs)):
            assert server.call("RESTORE", "copy", 0, dump, "REPLACE") == b"OK"
        assert pando.call("OBJECT", "ENCODING", "copy") == redis.call("OBJECT", "ENCODING", "copy")
        assert pando.call("DEBUG", "DIGEST-VALUE", key, "copy") == redis.call("DEBUG", "DIGEST-VALUE", key, "copy")
    assert 30 < small < KEYS - 30


# ---- old forms, byte by byte ------------------------------------------------------------------------


def string(text):
    """As in an RDB file: a length of 6, 14 or 32 bits, and the bytes."""
    if len(text) < 64:
        return bytes([len(text)]) + text
    return (struct.pack(">H", 0x4000 | len(text)) if len(text) < 16384 else b"\x80" + struct.pack(">I", len(text))) + text


def ziplist(items):
    body, before, tail = b"", 0, 10
    for item in items:
        whole = (bytes([before]) if before < 254 else b"\xfe" + struct.pack("<I", before)) + item
        tail, before = 10 + len(body), len(whole)
        body += whole
    return struct.pack("<IIH", len(body) + 11, tail, min(len(items), 0xffff)) + body + b"\xff"


def zipmap(words):
    body, is_field = b"", True
    for word in words:
        body += bytes([len(word)]) if len(word) < 254 else b"\xfe" + struct.pack("<I", len(word))
        body += word if is_field else b"\x03" + word + b"..."  # three bytes of room
        is_field = not is_field
    return bytes([min(len(words) // 2, 254)]) + body + b"\xff"


def old(dice, kind):
    """Type id and body of a hash as an older version wrote it."""
    count = dice.choice([1, 3, 100, 300, 600])
    if kind == 4:
        words = [word for i in range(count) for word in (b"f%d" % i, dice.randbytes(dice.randint(0, 80)))]
        return kind, bytes([0x40 | count >> 8, count & 255]) + b"".join(map(string, words))
    if kind == 9:
        words = [word for i in range(count) for word in (b"f%d" % i, dice.randbytes(dice.choice([0, 5, 65, 253, 254])))]
        return kind, string(zipmap(words))
    short = [b"\xf1", b"\xfd", b"\xfe\x80", b"\xc0\xff\x7f", b"\xf0\x00\x00\x80", b"\xd0\x00\x00\x00\x80",
             b"\xe0" + b"\x11" * 8, b"\x0212", b"\x00"]
    long = [b"\x41\x2c" + b"y" * 300, b"\x80\x00\x00\x40\x00" + b"z" * 16384]
    items = []
    for i in range(count):
        items += [b"\x05f%04d" % i, dice.choice(long if i == 2 else short)]
    return kind, string(ziplist(items))


def old_file(path):
    dice = random.Random(11)
    data = b"REDIS0009\xfe\x00"
    for number in range(KEYS):
        kind, body = old(dice, dice.choice([4, 9, 13]))
        data += bytes([kind]) + string(b"hash:%d" % number) + body
    path.write_bytes(data + b"\xff" + bytes(8))


@pytest.mark.parametrize("options", [{}, {"hash_max_listpack_entries": "4"}, {"hash_max_listpack_value": "1000"}],
                         ids=["default", "few entries", "long values"])
def test_what_older_versions_wrote_is_read_as_redis_reads_it(servers, tmp_path, options):
    old_file(tmp_path / "old.rdb")
    pando, redis = [new(start=False, **options).start_on_file(tmp_path / "old.rdb")
                    for new in (servers.pando, servers.oracle)]
    assert pando.call("DBSIZE") == KEYS
    assert digest(pando) == digest(redis)
    assert encodings(pando) == encodings(redis)


WRONG = [(4, b"\x02\x01a\x01b\x01a\x01c"), (4, b"\x00"), (4, b"\x02\x01a\x01b"), (16, b"\x07\x07\x00\x00\x00\x00\x00\xff"),
         (16, b"\x0a\x0a\x00\x00\x00\x01\x00\x81a\x02\xff"), (9, b"\x02\x00\xff"), (9, string(zipmap([b"a", b"1"] * 2))),
         (13, string(ziplist([b"\x01a", b"\xf1"] * 2))), (13, string(ziplist([b"\x01a", b"\xf1", b"\x01b"]))),
         (13, string(ziplist([]))), (13, string(ziplist([b"\x011", b"\xf1", b"\xf2", b"\xf1"]))),
         (16, b"\x10\x10\x00\x00\x00\x04\x00\x817\x02\x05\x01\x07\x01\x0c\x01\xff")]


@pytest.mark.parametrize("kind, body", WRONG)
def test_what_no_version_wrote_is_refused_as_redis_refuses_it(servers, kind, body):
    for server in (servers.pando(), servers.oracle(sanitize_dump_payload="yes")):
        server.call("DEBUG", "SET-SKIP-CHECKSUM-VALIDATION", 1)
        reply = server.do("RESTORE", "k", 0, bytes([kind]) + body + b"\x0a\x00" + bytes(8))
        assert isinstance(reply, ReplyError) and reply == b"ERR Bad data format"
        assert server.call("DBSIZE") == 0


# ---- snapshots and replicas --------------------------------------------------------------------------


def fill_big(client, fields=100000):
    for first in range(0, fields, 10000):
        client.call("HSET", "big", *(word for i in range(first, first + 10000) for word in (b"f:%d" % i, b"v%d" % i)))


@pytest.mark.pando_only
@pytest.mark.parametrize("in_transaction", [False, True], ids=["alone", "in-exec"])
def test_a_snapshot_holds_a_big_hash_as_it_was(servers, in_transaction):
    server = servers.pando(rdb_key_save_delay=10000)
    with server.connect() as client:
        fill_big(client)
        client.pipeline([("HSET", f"small:{i}", "a", i) for i in range(300)])
        before = digest(server)
        client.call("BGSAVE")
        change = ["HSET", "big", "f:5", "changed", "new", "1"]  # waits for the snapshot's lease, if it holds one already
        if in_transaction:
            client.pipeline([("MULTI",), change])
            client.send("EXEC")
        else:
            client.send(*change)
        server.configure(rdb_key_save_delay=0)
        assert client.read() == ([1] if in_transaction else 1)
        assert client.call("HMGET", "big", "f:5", "f:6") == [b"changed", b"v6"]
        client.call("HDEL", "big", *(b"f:%d" % i for i in range(50000)))
        assert client.call("HLEN", "big") == 50001
        client.call("DEL", "big")
    wait_until(lambda: server.stat("rdb_bgsave_in_progress") == 0, "the snapshot to be saved")
    server.kill()
    server.start()
    assert digest(server) == before


@pytest.mark.pando_only
def test_a_big_hash_is_freed_in_the_background(servers):
    server = servers.pando()
    with server.connect() as client:
        fill_big(client)
        assert client.call("MEMORY", "USAGE", "big") > 100000 * 16
        client.call("COPY", "big", "other")
        assert client.call("UNLINK", "big") == 1
        client.call("SET", "other", "overwritten")
        assert client.call("EXISTS", "big") == 0
    wait_until(lambda: server.stat("lazyfree_pending_objects") == 0, "the reclaimer to be done")
    assert server.stat("lazyfreed_objects") >= 1


def write(server, seed):
    dice = random.Random(seed)
    with server.connect() as client:
        for _ in range(1500):
            key = f"hash:{dice.randrange(KEYS)}"
            field = b"field:%d" % dice.randrange(2000)
            client.do(*dice.choice([
                ["HSET", key, field, dice.randbytes(dice.choice([3, 64, 65])), "other", dice.randrange(10**6)],
                ["HMSET", key, field, "1"], ["HSETNX", key, field, "only when new"],
                ["HDEL", key, field, b"field:1", b"field:2"], ["HINCRBY", key, "counter", dice.randrange(-99, 99)],
                ["HINCRBYFLOAT", key, "sum", "0.1"], ["COPY", key, f"hash:{dice.randrange(KEYS)}", "REPLACE"],
                ["RENAME", key, f"hash:{dice.randrange(KEYS)}"], ["PEXPIRE", key, 10**7], ["UNLINK", key]]))


@pytest.mark.parametrize("first, second", [pytest.param(PANDO, ORACLE, id="pando-redis"),
                                           pytest.param(ORACLE, PANDO, id="redis-pando"),
                                           pytest.param(PANDO, PANDO, id="pando-pando")])
def test_a_replica_gets_them_whole_and_follows(servers, first, second):
    primary, replica = servers.new(first), servers.new(second)
    fill(primary)
    replica.replicate(primary)
    write(primary, 1)
    wait_linked(replica)
    wait_equal(primary, replica)
    write(primary, 2)
    wait_in_sync(primary, replica)
    assert_same_keyspace(primary, replica)
