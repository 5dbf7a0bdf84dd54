"""RDB files and DUMP payloads: what pando writes Redis 7.0.15 reads, and the other way round; what is
damaged is refused, and the old file stays until the new one is whole."""
import fcntl
import random
import shutil
import struct
import subprocess

import pytest

from harness.resp import ReplyError
from harness.wait import wait_until

CHECKER = shutil.which("redis-check-rdb")
LIBRARY = "#!lua name=m\nredis.register_function('f', function() return 1 end)"

VARIANTS = [{}, {"rdbchecksum": "no"}, {"rdbcompression": "no"},
            {"maxmemory_policy": "allkeys-lru"}, {"maxmemory_policy": "allkeys-lfu"}]


def value(dice):
    """Strings of every form that the format has, and around the borders of each."""
    kind = dice.randrange(8)
    if kind == 0:
        return str(dice.choice([0, 127, 128, -128, -129, 32767, -32769, 2**31 - 1, 2**31, -2**31 - 1, 2**63 - 1]))
    if kind == 1:
        return str(dice.randrange(-2**40, 2**40))
    if kind == 2:
        return dice.choice(["", "-0", "+1", "007", " 1", "1e3"])
    if kind == 3:
        return dice.randbytes(dice.choice([1, 20, 21, 63, 64, 16383, 16384, 65536, 65537, 200000]))
    if kind == 4:
        return "a" * dice.choice([19, 20, 21, 24, 25, 100, 20000, 70000])
    if kind == 5:
        return b"".join(dice.choice([b"one", b"two", b"three", b"\0"]) for _ in range(dice.randrange(3000)))
    if kind == 6:
        return dice.randbytes(50) * dice.randrange(100)
    return dice.randbytes(dice.randrange(400))


def fill(server, seed=1, keys=1500):
    dice = random.Random(seed)
    with server.connect() as client:
        for db in (0, 3, 15):
            client.do("SELECT", db)
            commands = []
            for number in range(keys // 3):
                name = f"key:{number}" + "x" * dice.choice([0, 0, 30, 300])
                commands.append(["SET", name, value(dice)] + dice.choice([[], [], ["PX", 10**9], ["PX", 10**13]]))
            commands += [["SET", "", "empty name"], ["SET", "n" * 70000, "long name"]]
            for reply in client.pipeline(commands):
                assert reply == b"OK", reply


def digest(server):
    return server.call("DEBUG", "DIGEST")


def move_file(giver, taker):
    shutil.copy(giver.folder / "dump.rdb", taker.folder / "dump.rdb")


def passes_check(path):
    done = subprocess.run([CHECKER, str(path)], capture_output=True, text=True)
    return done.returncode == 0 and "RDB looks OK" in done.stdout


@pytest.mark.parametrize("options", VARIANTS, ids=lambda o: " ".join(map(str, o.values())) or "default")
def test_redis_loads_what_pando_saves(servers, options):
    pando = servers.pando(**options)
    fill(pando)
    before = digest(pando)
    pando.call("SAVE")
    assert passes_check(pando.folder / "dump.rdb")
    redis = servers.oracle(start=False, **options)
    move_file(pando, redis)
    redis.start()
    assert digest(redis) == before


@pytest.mark.parametrize("options", VARIANTS, ids=lambda o: " ".join(map(str, o.values())) or "default")
def test_pando_loads_what_redis_saves(servers, options):
    redis = servers.oracle(**options)
    fill(redis)
    before = digest(redis)
    redis.call("SAVE")
    pando = servers.pando(start=False, **options)
    move_file(redis, pando)
    pando.start()
    assert digest(pando) == before
    assert pando.stat("rdb_last_load_keys_loaded") == 1506


def test_bgsave_holds_the_moment_at_which_it_began(servers):
    pando = servers.pando(rdb_key_save_delay=10000)
    fill(pando)
    before = digest(pando)
    pando.call("BGSAVE")
    assert pando.stat("rdb_bgsave_in_progress") == 1
    with pando.connect() as client:
        for number in range(500):
            client.do("SET", f"key:{number}", "changed since")
            client.do("DEL", f"key:{number}x")
        client.do("SELECT", 3)
        client.do("FLUSHDB")
    assert pando.stat("rdb_bgsave_in_progress") == 1, "else nothing is proved"
    pando.configure(rdb_key_save_delay=0)
    wait_until(lambda: pando.stat("rdb_bgsave_in_progress") == 0, "the snapshot to be saved")
    assert pando.info("persistence")["rdb_last_bgsave_status"] == "ok"
    redis = servers.oracle(start=False)
    move_file(pando, redis)
    redis.start()
    assert digest(redis) == before


def test_libraries_are_kept(servers):
    redis = servers.oracle()
    redis.call("FUNCTION", "LOAD", LIBRARY)
    redis.call("SAVE")
    pando = servers.pando(start=False)
    move_file(redis, pando)
    pando.start()
    pando.call("SAVE")
    redis.stop()
    move_file(pando, redis)
    redis.start()
    assert redis.call("FCALL", "f", 0) == 1


def test_a_primary_drops_what_expired_meanwhile(servers):
    pando = servers.pando()
    pando.call("SET", "short", "x", "PX", 1)
    pando.call("SET", "long", "x", "PX", 10**9)
    redis = servers.oracle()
    redis.call("DEBUG", "SET-ACTIVE-EXPIRE", 0)
    redis.call("SET", "short", "x", "PX", 1)
    redis.call("SET", "long", "x", "EX", 10**6)
    redis.call("SAVE")
    pando.stop()
    move_file(redis, pando)
    pando.start()
    assert pando.call("KEYS", "*") == [b"long"]
    assert pando.stat("rdb_last_load_keys_expired") == 1
    assert pando.stat("rdb_last_load_keys_loaded") == 1


def test_dump_gives_the_same_bytes_and_restore_takes_them(servers):
    pando, redis = servers.pando(), servers.oracle()
    dice = random.Random(7)
    for number in range(400):
        text = value(dice)
        assert pando.call("SET", "k", text) == redis.call("SET", "k", text)
        ours, theirs = pando.call("DUMP", "k"), redis.call("DUMP", "k")
        assert ours == theirs, text
        assert pando.call("RESTORE", "copy", 0, theirs, "REPLACE") == b"OK"
        assert redis.call("RESTORE", "copy", 0, ours, "REPLACE") == b"OK"
        assert pando.call("GET", "copy") == redis.call("GET", "copy")
        assert pando.call("OBJECT", "ENCODING", "copy") == redis.call("OBJECT", "ENCODING", "copy")


def damaged_files(data):
    """Name, bytes, and what the log must say."""
    wrong = bytearray(data)
    wrong[-1] ^= 1
    yield "wrong checksum", bytes(wrong), "RDB CRC error"
    flipped = bytearray(data)
    flipped[len(data) // 2] ^= 4
    yield "flipped bit", bytes(flipped), "Internal error in RDB|CRC error"
    yield "torn", data[:-30], "Unexpected end|bytes where only"
    yield "empty", b"", "Unexpected end"
    yield "no RDB", b"X" + data[1:], "Wrong signature"
    yield "future", data[:5] + b"0011" + data[9:], "RDB format version"
    body = data[:-9]
    yield "duplicate", body + b"\xfe\x00\x00\x01k\x01v\x00\x01k\x01v\xff" + bytes(8), "duplicated key 'k'"
    yield "lying length", body + b"\x00\x01k\x81\x00\x00\x00\x7f\x00\x00\x00\x00x\xff" + bytes(8), "claims to have"
    yield "unknown opcode", body + b"\xf0\xff" + bytes(8), "240"
    yield "module", body + b"\xf7\x81\x25\x44\xa5\x10\xa8\x44\x40\x01\xff" + bytes(8), "no matching module"


@pytest.mark.pando_only
def test_a_damaged_file_stops_the_start_and_says_why(servers):
    pando = servers.pando()
    fill(pando, keys=30)
    pando.call("SAVE")
    pando.stop()
    path = pando.folder / "dump.rdb"
    whole = path.read_bytes()
    for name, data, words in damaged_files(whole):
        path.write_bytes(data)
        pando.log_file.write_bytes(b"")
        pando.spawn()
        assert pando.wait_exit() == 1, name
        assert pando.logged(words), f"{name}: {pando.log()}"
        assert path.read_bytes() == data, f"{name}: the file is evidence, it stays"
    path.write_bytes(whole)
    pando.start()


@pytest.mark.pando_only
def test_a_save_that_cannot_be_written_leaves_the_old_file(servers):
    pando = servers.pando()
    pando.call("SET", "k", "old")
    pando.call("SAVE")
    whole = (pando.folder / "dump.rdb").read_bytes()
    pando.call("SET", "k", "new")
    (pando.folder / "dump.rdb").rename(pando.folder / "kept.rdb")
    (pando.folder / "dump.rdb").mkdir()
    (pando.folder / "dump.rdb" / "in the way").write_text("")
    assert isinstance(pando.do("SAVE"), ReplyError)
    pando.call("BGSAVE")
    wait_until(lambda: pando.stat("rdb_bgsave_in_progress") == 0, "the attempt to end")
    assert pando.info("persistence")["rdb_last_bgsave_status"] == "err"
    assert (pando.folder / "kept.rdb").read_bytes() == whole
    assert not list(pando.folder.glob("temp-*.rdb"))


def test_old_formats_are_read(servers):
    pando = servers.pando(start=False)
    seconds = struct.pack("<I", 2000000000)
    (pando.folder / "dump.rdb").write_bytes(b"REDIS0003\xfe\x01\xfd" + seconds + b"\x00\x01k\x01v\xff")
    pando.start()
    with pando.connect() as client:
        client.do("SELECT", 1)
        assert client.do("GET", "k") == b"v"
        assert client.do("EXPIRETIME", "k") == 2000000000


def test_what_a_dead_process_was_writing_is_removed_at_start(servers):
    """Its names are pando's own; what somebody else writes, or holds a lock on, stays."""
    server = servers.pando(start=False, appendonly="yes")
    folders = [server.folder, server.folder / "appendonlydir"]
    folders[1].mkdir()
    for folder in folders:
        for name in ("temp-4194304-0.rdb", "temp-4194304.rdb", "temp-4194304-1.rdb"):
            (folder / name).write_bytes(b"REDIS")
    with open(folders[0] / "temp-4194304-1.rdb") as written:
        fcntl.flock(written, fcntl.LOCK_EX)
        server.start()
        left = [sorted(p.name for p in folder.glob("temp-*")) for folder in folders]
    assert left == [["temp-4194304-1.rdb", "temp-4194304.rdb"], ["temp-4194304.rdb"]]
