"""--recover-to: the data set as of a moment, from the append only file, without touching what was written."""
import shutil
import time

import pytest

from harness.compare import digest, offset_of, wait_linked
from harness.wait import wait_until

AOF = {"appendonly": "yes", "aof_timestamp_enabled": "yes"}


def folder_of(server):
    return server.folder / "appendonlydir"


def next_second(server):
    """The server's clock has moved on by a second; the one before is returned."""
    then = int(server.call("TIME")[0])
    wait_until(lambda: int(server.call("TIME")[0]) > then)
    return then


def accident(servers):
    """A server that was flushed by mistake and written to afterwards: what it had, and when."""
    server = servers.pando(**AOF)
    server.call("SET", "before", "the base")
    server.call("BGREWRITEAOF")
    wait_until(lambda: server.stat("aof_rewrite_in_progress", "persistence") == 0)
    with server.connect() as c:
        c.pipeline([("SELECT", 3), ("MULTI",), ("SET", "a", 1), ("SADD", "s", *range(200)), ("EXEC",),
                    ("HSET", "h", "f", "v")])
    had, offset, moment = digest(server), offset_of(server), next_second(server)
    server.call("FLUSHALL")
    server.call("SET", "after", 1)
    server.kill()
    return server, had, moment, offset


def copy_of(servers, server, **directives):
    copy = servers.pando(start=False, **{**AOF, **directives})
    shutil.copytree(folder_of(server), folder_of(copy))
    return copy


def recover(server, moment):
    server.arguments = ["--recover-to", str(moment)]
    server.start()
    server.arguments = []
    return server


def refuses(server, moment):
    server.arguments = ["--recover-to", str(moment)]
    before = {p.name: p.read_bytes() for p in folder_of(server).iterdir()} if folder_of(server).exists() else {}
    server.expect_crash = True
    server.spawn()
    assert server.wait_exit() == 1
    after = {p.name: p.read_bytes() for p in folder_of(server).iterdir()} if folder_of(server).exists() else {}
    assert before == after
    return server.log()


def texts(moment):
    at = time.gmtime(moment)
    return [str(moment), time.strftime("%Y-%m-%dT%H:%M:%SZ", at),
            time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(moment))]


def test_a_wrong_flushall_is_taken_back(servers):
    server, had, moment, offset = accident(servers)
    for text in [*texts(moment), f"offset:{offset}"]:
        copy = recover(copy_of(servers, server), text)
        assert digest(copy) == had, text
        assert "The first that was left out: FLUSHALL" in copy.log()
        copy.call("SET", "goes on", 1)
        went_on = digest(copy)
        copy.kill()
        copy.start()
        assert digest(copy) == went_on
        copy.stop()


def test_a_moment_behind_the_end_leaves_nothing_out(servers):
    server, _, _, offset = accident(servers)
    for text in ("2100-01-01T00:00:00Z", f"offset:{offset + 10 ** 9}"):
        copy = recover(copy_of(servers, server), text)
        assert copy.call("KEYS", "*") == [b"after"]
        assert "Nothing was left out" in copy.log()


def test_a_torn_end_does_not_matter(servers):
    server, had, moment, _ = accident(servers)
    newest = sorted(folder_of(server).glob("*.incr.aof"), key=lambda p: int(p.name.split(".")[2]))[-1]
    newest.write_bytes(newest.read_bytes()[:-7])
    assert digest(recover(copy_of(servers, server), moment)) == had
    assert recover(copy_of(servers, server), "2100-01-01T00:00:00Z").call("KEYS", "*") == []


def test_a_transaction_is_taken_whole_or_not_at_all(servers):
    server, _, _, offset = accident(servers)
    sizes = set()
    for until in range(offset - 1500, offset + 1, 150):
        copy = recover(copy_of(servers, server), f"offset:{until}")
        with copy.connect() as c:
            sizes.add(tuple(c.pipeline([("SELECT", 3), ("EXISTS", "a"), ("SCARD", "s")])[1:]))
        copy.stop()
    assert sizes == {(0, 0), (1, 200)}


def test_the_files_from_before_are_kept(servers):
    server, _, moment, _ = accident(servers)
    copy = copy_of(servers, server)
    before = {p.name: p.read_bytes() for p in folder_of(copy).iterdir() if p.name != "appendonly.aof.manifest"}
    manifest = (folder_of(copy) / "appendonly.aof.manifest").read_bytes()
    recover(copy, moment)
    copy.kill()
    for name, content in before.items():
        assert (folder_of(copy) / name).read_bytes() == content
    kept = list(folder_of(copy).glob("appendonly.aof.manifest.before-*"))
    assert [path.read_bytes() for path in kept] == [manifest]
    kept[0].replace(folder_of(copy) / "appendonly.aof.manifest")
    copy.start()
    assert copy.call("KEYS", "*") == [b"after"]


def test_what_is_recovered_has_a_history_of_its_own(servers):
    server, _, moment, _ = accident(servers)
    replica = servers.pando(replicaof=f"127.0.0.1 {server.port}")
    server.start()
    wait_linked(replica)
    old = server.info("replication")["master_replid"]
    server.kill()
    recover(server, moment)
    wait_linked(replica)
    assert server.info("replication")["master_replid"] != old
    wait_until(lambda: digest(replica) == digest(server))
    assert server.stat("sync_full", "stats") == 1


@pytest.mark.parametrize("moment, why", [("1000000000", "which is later"), ("offset:0", "which is later")])
def test_before_the_base_there_is_nothing(servers, moment, why):
    server, *_ = accident(servers)
    assert why in refuses(copy_of(servers, server), moment)


def test_files_without_times_or_offsets_say_so(servers):
    ours = servers.pando(appendonly="yes")
    ours.call("SET", "k", 1)
    ours.kill()
    assert "tell no times" in refuses(copy_of(servers, ours), "2100-01-01T00:00:00Z")
    theirs = servers.oracle(**AOF)
    theirs.call("SET", "k", 1)
    theirs.kill()
    assert "tell no offsets" in refuses(copy_of(servers, theirs), "offset:1000")


def test_files_of_redis_are_recovered_too(servers):
    server = servers.oracle(**AOF)
    server.call("SET", "k", 1)
    had, moment = digest(server), next_second(server)
    server.call("FLUSHALL")
    server.kill()
    assert digest(recover(copy_of(servers, server), moment)) == had


def test_what_cannot_be_recovered_is_refused(servers):
    server, _, moment, _ = accident(servers)
    for text in ("yesterday", "", "-1", "offset:", "offset:x", "2026-11-28", "2026-11-28T06:52:51+01:00"):
        assert "--recover-to takes" in refuses(copy_of(servers, server), text), text
    assert "needs appendonly yes" in refuses(copy_of(servers, server, appendonly="no"), moment)
    assert "no replica" in refuses(copy_of(servers, server, replicaof="127.0.0.1 1"), moment)
    assert "no append only file" in refuses(servers.pando(start=False, **AOF), moment)
