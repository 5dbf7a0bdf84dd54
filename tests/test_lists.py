"""Lists in files, in snapshots and on replicas: every shape goes to Redis 7.0.15 and comes back, DUMP is the
same byte for byte, and the older forms of the format are read."""
import random
import struct

import pytest

from harness.compare import assert_same_keyspace, digest, wait_in_sync, wait_linked
from harness.wait import wait_until

VARIANTS = [{}, {"list_compress_depth": 1, "list_max_listpack_size": -1}, {"list_max_listpack_size": 3},
            {"list_compress_depth": 2, "rdbcompression": "no"}]
KEYS = 80


def element(dice):
    kind = dice.randrange(6)
    if kind == 0:
        return b"%d" % dice.choice([0, 127, 128, -4096, 4096, -2**15, 2**23, -2**31, 2**63 - 1, 2**63])
    if kind == 1:
        return dice.choice([b"abc", b"long and longer "]) * dice.choice([1, 5, 30, 300])
    if kind == 2:
        return dice.randbytes(dice.choice([0, 1, 63, 64, 300]))
    return b"element:%d" % dice.randrange(1000)


def fill(server, keys=KEYS, seed=3):
    """Lists of one element and of thousands, built at both ends and changed in their midst; some with
    elements that are plain nodes, and with elements longer than any node."""
    dice = random.Random(seed)
    with server.connect() as client:
        for number in range(keys):
            name, plain = f"list:{number}", number % 10 == 7
            if plain:
                client.call("DEBUG", "QUICKLIST-PACKED-THRESHOLD", "200b")
            for _ in range(dice.randint(1, 4)):
                count = dice.choice([1, 2, 5, 50, 600])
                client.call(dice.choice(["LPUSH", "RPUSH"]), name, *(element(dice) for _ in range(count)))
            if number % 8 == 3:
                client.call("RPUSH", name, dice.randbytes(70000), b"y" * 100000, b"behind it")
            for _ in range(6):
                length = client.call("LLEN", name)
                pivot = client.call("LINDEX", name, dice.randrange(length))
                client.call("LINSERT", name, dice.choice(["BEFORE", "AFTER"]), pivot, element(dice))
                client.call("LSET", name, dice.randrange(length), element(dice))
            client.call("LREM", name, dice.choice([-1, 0, 1]), b"element:7")
            client.call("LTRIM", name, dice.randrange(2), -1)
            if plain:
                client.call("DEBUG", "QUICKLIST-PACKED-THRESHOLD", "0")


@pytest.mark.parametrize("options", VARIANTS, ids=lambda o: " ".join(map(str, o.values())) or "default")
@pytest.mark.parametrize("saver, loader", [("pando", "oracle"), ("oracle", "pando"), ("pando", "pando")])
def test_a_file_of_one_server_is_loaded_by_the_other(servers, saver, loader, options):
    first = getattr(servers, saver)(**options)
    fill(first)
    first.call("SAVE")
    second = getattr(servers, loader)(start=False, **options).start_on_file_of(first)
    assert digest(second) == digest(first)
    if options.get("rdbcompression") != "no":  # which nodes are packed in memory is each server's own
        for number in range(KEYS):
            assert second.call("DUMP", f"list:{number}") == first.call("DUMP", f"list:{number}")


@pytest.mark.parametrize("options", VARIANTS[:3], ids=lambda o: " ".join(map(str, o.values())) or "default")
def test_lists_built_alike_are_dumped_alike(servers, options):
    pando, redis = servers.pando(**options), servers.oracle(**options)
    for server in (pando, redis):
        fill(server)
    for number in range(KEYS):
        key = f"list:{number}"
        dump = pando.call("DUMP", key)
        assert dump == redis.call("DUMP", key), key
        for server in (pando, redis):
            assert server.call("RESTORE", "copy", 0, dump, "REPLACE") == b"OK"
            assert server.call("DUMP", "copy") == dump, key


def string(data):
    size = len(data)
    return (bytes([size]) if size < 64 else struct.pack(">H", 0x4000 | size)) + data


def ziplist(*items):
    body, before, tail = b"", 0, 10
    for item in items:
        tail = 10 + len(body)
        entry = bytes([before]) + (bytes([0xfe, item & 255]) if isinstance(item, int) else bytes([len(item)]) + item)
        body, before = body + entry, len(entry)
    return struct.pack("<IIH", 11 + len(body), tail, len(items)) + body + b"\xff"


def listpack(*items):
    body = b"".join(bytes([0x80 | len(item)]) + item + bytes([len(item) + 1]) for item in items)
    return struct.pack("<IH", 7 + len(body), len(items)) + body + b"\xff"


FORMS = {
    "linked list": b"\x01\x04" + string(b"a") + string(b"12") + b"\xc0\x05" + string(b""),
    "empty linked list": b"\x01\x00",
    "ziplist": b"\x0a" + string(ziplist(b"a", 12, b"z", b"12")),
    "empty ziplist": b"\x0a" + string(ziplist()),
    "ziplists": b"\x0e\x02" + string(ziplist(b"x", -7)) + string(ziplist(b"a", b"b", b"c")),
    "ziplists, one empty": b"\x0e\x02" + string(ziplist()) + string(ziplist(b"a")),
    "empty ziplists": b"\x0e\x01" + string(ziplist()),
    "no ziplists": b"\x0e\x00",
    "listpacks": b"\x12\x02\x02" + string(listpack(b"a", b"b", b"c")) + b"\x02" + string(listpack(b"d")),
    "a string that is a number": b"\x12\x01\x02" + string(listpack(b"12")),
    "plain": b"\x12\x03\x01" + string(b"plain") + b"\x02" + string(listpack(b"d")) + b"\x01\xc0\x7b",
    "empty plain": b"\x12\x01\x01" + string(b""),
    "listpacks, one empty": b"\x12\x02\x02" + string(listpack()) + b"\x02" + string(listpack(b"a")),
    "empty listpack": b"\x12\x01\x02" + string(listpack()),
    "no nodes": b"\x12\x00",
    "unknown container": b"\x12\x01\x03" + string(listpack(b"a")),
}


@pytest.mark.parametrize("fill_factor", [-2, 2])
def test_forms_of_other_versions_are_restored_as_redis_does(servers, fill_factor):
    both = [servers.pando(), servers.oracle()]
    for server in both:
        server.configure(list_max_listpack_size=fill_factor)
        server.call("DEBUG", "SET-SKIP-CHECKSUM-VALIDATION", 1)
    for name, body in FORMS.items():
        payload = body + struct.pack("<H", 10) + bytes(8)
        ours, theirs = ([repr(server.do("RESTORE", "k", 0, payload, "REPLACE")), server.do("DUMP", "k"),
                         server.do("LRANGE", "k", 0, -1), server.do("DEL", "k")] for server in both)
        assert ours == theirs, name


@pytest.mark.pando_only
def test_what_is_not_sound_is_refused(servers):
    server = servers.pando()
    server.call("DEBUG", "SET-SKIP-CHECKSUM-VALIDATION", 1)
    whole = listpack(b"a", b"bc")
    for position in range(len(whole)):
        for bit in (1, 128):
            damaged = bytearray(whole)
            damaged[position] ^= bit
            reply = server.do("RESTORE", "k", 0, b"\x12\x01\x02" + string(bytes(damaged)) + b"\x0a\x00" + bytes(8), "REPLACE")
            if reply == b"OK":
                assert len(server.call("LRANGE", "k", 0, -1)) == server.call("LLEN", "k") == 2


@pytest.mark.parametrize("options", VARIANTS[:3], ids=lambda o: " ".join(map(str, o.values())) or "default")
@pytest.mark.parametrize("giver, taker", [("pando", "oracle"), ("oracle", "pando"), ("pando", "pando")])
def test_a_replica_gets_lists_and_their_changes(servers, giver, taker, options):
    primary = getattr(servers, giver)(**options)
    replica = getattr(servers, taker)(name="replica", **options)
    fill(primary)
    replica.replicate(primary)
    wait_linked(replica)
    dice = random.Random(11)
    with primary.connect() as client:
        for _ in range(1500):
            name, other = (f"list:{dice.randrange(KEYS)}" for _ in range(2))
            client.do(*dice.choice([
                ["LPUSH", name, element(dice), element(dice)], ["RPUSH", name, element(dice)],
                ["LPOP", name, dice.randrange(1, 30)], ["RPOP", name],
                ["LMOVE", name, other, dice.choice(["LEFT", "RIGHT"]), dice.choice(["LEFT", "RIGHT"])],
                ["LMPOP", 2, name, other, "LEFT", "COUNT", 3], ["LSET", name, dice.randrange(-9, 9), element(dice)],
                ["LINSERT", name, "AFTER", b"element:%d" % dice.randrange(1000), element(dice)],
                ["LREM", name, dice.choice([-2, 0, 2]), b"element:%d" % dice.randrange(1000)],
                ["LTRIM", name, 1, -2]]))
    wait_in_sync(primary, replica)
    assert_same_keyspace(primary, replica)


CHANGES = {
    "RPUSH": [["RPUSH", "big", "tail"]], "LPUSH": [["LPUSH", "big", "head"]], "LPOP": [["LPOP", "big", 1000]],
    "LSET": [["LSET", "big", 1000, "other"]], "LTRIM": [["LTRIM", "big", 50000, -2]], "LREM": [["LREM", "big", 0, "e:77"]],
    "LINSERT": [["LINSERT", "big", "AFTER", "e:99999", "new"]], "LMOVE": [["LMOVE", "big", "big", "LEFT", "RIGHT"]],
    "to another": [["LMOVE", "small:1", "big", "LEFT", "RIGHT"]], "LMPOP": [["LMPOP", 2, "none", "big", "RIGHT", "COUNT", 5]],
    "EXEC": [["MULTI"], ["RPUSH", "big", "a"], ["LPOP", "big"], ["EXEC"]], "DEL": [["DEL", "big"]],
    "all": [["LTRIM", "big", 1, 0]], "COPY": [["COPY", "big", "small:1", "REPLACE"], ["LPOP", "small:1"]],
    "script of many": [["LSET", "big", 5, "x"], ["RPOP", "big", 10], ["RENAME", "big", "other"], ["LPUSH", "big", "new"]],
}


@pytest.mark.pando_only
@pytest.mark.parametrize("depth", [0, 1])
@pytest.mark.parametrize("changes", CHANGES.values(), ids=CHANGES)
def test_a_snapshot_holds_a_big_list_as_it_was(servers, changes, depth):
    server = servers.pando(rdb_key_save_delay=10000, list_compress_depth=depth)
    with server.connect() as client:
        for first in range(0, 100000, 10000):
            client.call("RPUSH", "big", *(b"e:%d" % i for i in range(first, first + 10000)))
        client.pipeline([("RPUSH", f"small:{i}", i) for i in range(300)])
        before = digest(server)
        client.call("BGSAVE")
        for change in changes[:1]:
            client.send(*change)  # waits for the snapshot's lease, if it holds one already
        server.configure(rdb_key_save_delay=0)
        client.read()
        for change in changes[1:]:
            client.call(*change)
        assert digest(server) != before
    wait_until(lambda: server.stat("rdb_bgsave_in_progress") == 0, "the snapshot to be saved")
    server.kill()
    server.start()
    assert digest(server) == before
