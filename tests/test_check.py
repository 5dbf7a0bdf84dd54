"""pando-check-rdb and pando-check-aof say what scripts around Redis' tools expect, for files of every kind of health; both tools
are given the same files."""
import os
import re
import shutil
import subprocess
import zlib
from pathlib import Path

import pytest

from harness.servers import PANDO

BUILD = Path(PANDO).parent
PROGRAMS = {"rdb": ("/usr/bin/redis-check-rdb", BUILD / "pando-check-rdb"),
            "aof": ("/usr/bin/redis-check-aof", BUILD / "pando-check-aof")}


@pytest.fixture(scope="module", autouse=True)
def programs():
    for _, ours in PROGRAMS.values():
        if not ours.exists():
            pytest.skip(f"{ours} was not built beside the server")


def run(program, *arguments, answer="", folder=None):
    done = subprocess.run([program, *arguments], input=answer, capture_output=True, text=True, errors="replace", cwd=folder,
                          timeout=60)
    return done.returncode, done.stdout


def both(kind, folder, *arguments, answer=""):
    """Runs both, each on a copy of the folder. ((code, output), (code, output), their folder, our folder)"""
    results = []
    for name, program in zip(("theirs", "ours"), PROGRAMS[kind]):
        copy = folder.parent / f"{folder.name}-{name}"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(folder, copy)
        results.append((*run(program, *arguments, answer=answer, folder=copy), copy))
    return results


def lines_of(text, *patterns):
    """The lines that scripts look at: not the reasons, which are in other words."""
    return [line for line in text.splitlines() if any(re.search(p, line) for p in patterns)]


RDB_LINES = (r"\[info\]", r"AUX FIELD (redis|ctime|aof)", r"Selecting DB", r"Checksum OK", r"looks OK", r"ERROR DETECTED",
             r"Reading (key|type)", r"While doing", r"Checking RDB file")
AOF_LINES = (r"^AOF analyzed", r"valid", r"^Start", r"^All AOF", r"[Tt]runcate", r"empty", r"This will shrink", r"format error",
             r"Unexpected (MULTI|EXEC)", r"Reached EOF", r"Expected prefix", r"Expected \\r", r"Expected to read")


@pytest.fixture
def rdb(oracle, tmp_path):
    server = oracle()
    with server.connect() as c:
        c.pipeline([("MSET", "a", 1, "b", "x" * 100), ("RPUSH", "l", 1, 2, 3), ("SET", "e", 1, "EX", 1000), ("SELECT", 5),
                    ("HSET", "h", "f", "v"), ("ZADD", "z", 1, "m"), ("XADD", "x", "1-1", "f", "v")])
        c.call("SAVE")
    folder = tmp_path / "rdb"
    folder.mkdir()
    shutil.copy(server.folder / "dump.rdb", folder / "dump.rdb")
    return folder


def test_a_sound_rdb(rdb):
    theirs, ours = both("rdb", rdb, "dump.rdb")
    assert ours[0] == theirs[0] == 0
    assert lines_of(ours[1], *RDB_LINES) == lines_of(theirs[1], *RDB_LINES)


def test_a_broken_rdb_is_located(rdb):
    whole = (rdb / "dump.rdb").read_bytes()
    broken = {"crc": whole[:-1] + bytes([whole[-1] ^ 1]), "magic": b"XEDIS" + whole[5:], "version": b"REDIS0099" + whole[9:]}
    broken.update({f"cut {at}": whole[:at] for at in range(20, len(whole) - 9, 11)})
    for what, data in broken.items():
        (rdb / "dump.rdb").write_bytes(data)
        theirs, ours = both("rdb", rdb, "dump.rdb")
        assert (ours[0], theirs[0]) == (1, 1), what
        assert "--- RDB ERROR DETECTED ---" in ours[1] and re.search(r"\[offset \d+\]", ours[1])
        counted = r"\[info\]", r"Selecting DB"
        assert lines_of(ours[1], *counted) == lines_of(theirs[1], *counted), what


COMMANDS = {
    "multi": "*2 $6 SELECT $1 0 *1 $5 MULTI *3 $3 SET $1 a $1 1",
    "garbage": "*2 $6 SELECT $1 0 SET-a-1 *1 $4 PING",
    "exec": "*1 $4 EXEC",
    "multi in multi": "*1 $5 MULTI *1 $5 MULTI",
    "prefix": "*1 xx",
    "timestamps": "#TS:100 *1 $4 PING #TS:200 *1 $4 PING",
    "sound": "*2 $6 SELECT $1 0 *1 $5 MULTI *3 $3 SET $1 a $1 1 *1 $4 EXEC",
}


@pytest.mark.parametrize("name", COMMANDS)
def test_single_files(tmp_path, name):
    folder = tmp_path / "aof"
    folder.mkdir()
    text = COMMANDS[name].replace(" ", "\r\n") + "\r\n"
    for cut in (0, 1, 3, 8):
        (folder / "a.aof").write_bytes(text.encode()[:len(text) - cut])
        for arguments, answer in (((), ""), (("--fix",), "y\n"), (("--fix",), "n\n")):
            theirs, ours = both("aof", folder, *arguments, "a.aof", answer=answer)
            assert ours[0] == theirs[0], (name, cut, arguments, theirs[1], ours[1])
            assert lines_of(ours[1], *AOF_LINES) == lines_of(theirs[1], *AOF_LINES)
            assert (ours[2] / "a.aof").read_bytes() == (theirs[2] / "a.aof").read_bytes()


def test_times(tmp_path):
    folder = tmp_path / "aof"
    folder.mkdir()
    (folder / "a.aof").write_text(COMMANDS["timestamps"].replace(" ", "\r\n") + "\r\n", newline="")
    for until in ("150", "50", "300", "abc", "-1"):
        theirs, ours = both("aof", folder, "--truncate-to-timestamp", until, "a.aof")
        assert ours[0] == theirs[0] and ours[1] == theirs[1], until
        assert (ours[2] / "a.aof").read_bytes() == (theirs[2] / "a.aof").read_bytes()


def test_wrong_usage_and_missing_files(tmp_path):
    folder = tmp_path / "aof"
    folder.mkdir()
    (folder / "empty.aof").write_bytes(b"")
    for kind, arguments in (("aof", ()), ("aof", ("a", "b", "c", "d")), ("aof", ("missing.aof",)), ("aof", ("empty.aof",)),
                            ("rdb", ()), ("rdb", ("missing.rdb",))):
        theirs, ours = both(kind, folder, *arguments)
        assert ours[0] == theirs[0], arguments


def make_aof(server, how):
    with server.connect() as c:
        c.pipeline([("MSET", "a", 1, "b", "x" * 100), ("RPUSH", "l", 1, 2, 3)])
        if how == "rewritten":
            before = server.stat("aof_rewrites", "persistence") if not server.is_oracle else 0
            c.call("BGREWRITEAOF")
            from harness.wait import wait_until
            wait_until(lambda: server.info("persistence")["aof_rewrite_in_progress"] == "0" and
                       int(server.info("persistence").get("aof_rewrites", 1)) > int(before))
        c.pipeline([("SET", "c", 1), ("MULTI",), ("SET", "d", 1), ("INCR", "n"), ("EXEC",)])
    server.stop()
    return server.folder / "appendonlydir"


@pytest.mark.parametrize("who", ["oracle", "pando"])
@pytest.mark.parametrize("how", ["first", "rewritten"])
def test_a_manifest_with_its_files(servers, tmp_path, who, how):
    folder = make_aof(getattr(servers, who)(appendonly="yes", appendfsync="always"), how)
    theirs, ours = both("aof", folder, "appendonly.aof.manifest")
    assert ours[0] == theirs[0] == 0
    assert lines_of(ours[1], *AOF_LINES, *RDB_LINES) == lines_of(theirs[1], *AOF_LINES, *RDB_LINES)
    incr = sorted(folder.glob("*.incr.aof"))[-1]
    incr.write_bytes(incr.read_bytes()[:-7])
    for arguments, answer in (((), ""), (("--fix",), "y\n")):
        theirs, ours = both("aof", folder, *arguments, "appendonly.aof.manifest", answer=answer)
        assert ours[0] == theirs[0]
        assert lines_of(ours[1], *AOF_LINES) == lines_of(theirs[1], *AOF_LINES)
        assert (ours[2] / incr.name).read_bytes() == (theirs[2] / incr.name).read_bytes()


def test_a_flipped_bit_in_our_own_log_is_found_though_the_commands_are_whole(servers):
    folder = make_aof(servers.pando(appendonly="yes"), "first")
    incr = next(folder.glob("*.incr.aof"))
    data = incr.read_bytes()
    at = data.index(b"x" * 100) + 50
    incr.write_bytes(data[:at] + b"y" + data[at + 1:])
    code, text = run(PROGRAMS["aof"][1], folder / "appendonly.aof.manifest")
    assert code == 1 and "does not have the checksum of its mark" in text and "offset" in text
