"""Several nodes in one folder: what belongs to one alone lies in dir/pando-<port>, under a lock held for life; no node ever
touches another's, or refuses to start for it."""
import fcntl
import os
from pathlib import Path

import pytest

from harness.compare import digest, fill, wait_equal, wait_linked
from harness.peers import FakeReplica
from harness.wait import wait_until

MB = 1 << 20
pytestmark = pytest.mark.pando_only


def own_folder(server):
    return server.folder / f"pando-{server.port}"


def is_locked(folder):
    with open(folder / "lock") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return False
        except BlockingIOError:
            return True


def open_files(server):
    """What the process has open below its `dir`."""
    found = set()
    for fd in Path(f"/proc/{server.pid}/fd").iterdir():
        try:
            path = os.readlink(fd)
        except FileNotFoundError:
            continue
        if path.startswith(f"{server.folder}/"):
            found.add(path.removeprefix(f"{server.folder}/").removesuffix(" (deleted)"))
    return found


def pinned(servers, primary):
    """A replica that reads nothing: the log goes to disk for it."""
    idle = FakeReplica(primary)
    servers.later(idle.close)
    idle.sync()
    fill(primary, 60, 100000)
    wait_until(lambda: int(primary.info("replication")["repl_log_disk"]) > MB, "the log to be on disk")
    return idle


def test_nodes_share_a_folder_and_no_file(servers):
    nodes = [servers.pando(rdb_key_save_delay="100000")]
    nodes += [servers.pando(folder=nodes[0].folder, rdb_key_save_delay="100000") for _ in range(2)]
    for node in nodes:
        fill(node, 20, 10)
        node.call("BGSAVE")
        assert own_folder(node).stat().st_mode & 0o777 == 0o700
        assert is_locked(own_folder(node))
        assert (own_folder(node) / "lock").read_text() == f"{node.pid}\n"

    def saving():
        return {p.name.split("-")[1] for p in nodes[0].folder.glob("temp-*.rdb")}
    assert saving() == {str(node.pid) for node in nodes}, "a file of each, with its pid"
    late = servers.pando(folder=nodes[0].folder)
    assert saving() == {str(node.pid) for node in nodes}, "what somebody writes is nobody's leftover"
    gone = nodes.pop()
    gone.kill()
    assert not is_locked(own_folder(gone))
    late.restart("kill")
    assert saving() == {str(node.pid) for node in nodes}, "what nobody writes is"
    for node in nodes:
        node.configure(rdb_key_save_delay=0)
        wait_until(lambda: node.info("persistence")["rdb_bgsave_in_progress"] == "0")
        assert node.info("persistence")["rdb_last_bgsave_status"] == "ok"


def test_a_folder_that_another_holds_is_left_alone(servers):
    server = servers.pando(start=False, repl_backlog_size="16kb", repl_log_memory_max="1mb", repl_log_disk_max="1gb")
    own_folder(server).mkdir()
    with open(own_folder(server) / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        server.start()
        idle = pinned(servers, server)
        assert server.logged("belongs to another process")
        assert {Path(name).parts[0] for name in open_files(server) if name.startswith("pando-") and "/" in name} == {
            f"pando-{server.port}-{server.pid}"}
        assert [p.name for p in own_folder(server).iterdir()] == ["lock"]
        assert (own_folder(server) / "lock").read_text() == ""
        assert len(idle.commands(60)) == 60


def test_a_new_dir_gets_append_only_files_of_its_own(servers, tmp_path):
    server = servers.pando(appendonly="yes", repl_log_memory_max="1mb", repl_backlog_size="16kb")
    fill(server, 30, 100000)
    server.configure(dir=tmp_path)
    server.call("SET", "after", "it")
    wait_until(lambda: server.stat("aof_pending_rewrite", "persistence") == 0, "the new base to stand")
    server.call("BGREWRITEAOF")
    wait_until(lambda: server.stat("aof_rewrites", "persistence") == 2)
    server.call("SET", "last", "of all")
    before = digest(server)
    server.directives["dir"] = str(tmp_path)
    server.write_config()
    server.restart("kill")
    assert digest(server) == before
    other = servers.pando(folder=server.folder, port=server.port + 1, appendonly="yes")
    assert other.call("DBSIZE") == 30, "the old ones are left, with what was in them, and are nobody's"


def test_a_new_dir_must_not_be_anothers(servers):
    first, second = servers.pando(appendonly="yes"), servers.pando(appendonly="yes")
    first.call("SET", "k", "of the first")
    second.call("SET", "k", "of the second")
    reply = second.do("CONFIG", "SET", "dir", str(first.folder))
    assert reply.startswith(b"ERR CONFIG SET failed (possibly related to argument 'dir')"), reply
    assert second.logged("give each node a dir of its own .directive dir.")
    assert second.config("dir") == str(second.folder)
    second.call("SET", "more", "of the second")
    second.call("BGREWRITEAOF")
    wait_until(lambda: second.stat("aof_rewrites", "persistence") == 1)
    before = digest(first), digest(second)
    first.restart("kill")
    second.restart("kill")
    assert (digest(first), digest(second)) == before
    second.configure(appendonly="no")
    second.configure(dir=first.folder)
    assert second.do("CONFIG", "SET", "appendonly", "yes").startswith(b"ERR")
    assert second.do("BGREWRITEAOF").startswith(b"ERR")
    first.restart("kill")
    assert digest(first) == before[0]


@pytest.mark.parametrize("tls_port, name", [("0", "pando-????????????????"), ("7777", "pando-7777")])
def test_without_a_port_the_folder_has_another_name(servers, tls_port, name):
    nodes = [servers.pando(start=False)]
    nodes.append(servers.pando(folder=nodes[0].folder, start=False))
    found = []
    for i, node in enumerate(nodes):
        node.directives.update({"port": "0", "unixsocket": f"{i}.sock", "tls-port": tls_port})
        node.write_config()
        node.start()
        found.append({p.name for p in node.folder.glob(name)} - set().union(*found))
        assert node.call("PING") == b"PONG"
    if tls_port != "0":
        assert found[0] == {"pando-7777"}
        return
    assert [len(names) for names in found] == [1, 1], "one for each socket"
    before = set(nodes[0].folder.glob("pando-*/"))
    nodes[0].restart("kill")
    assert set(nodes[0].folder.glob("pando-*/")) == before, "and the same after a restart"


def test_a_file_that_a_rewrite_retires_moves_in_as_long_as_the_backlog_wants_it(servers):
    primary = servers.pando(appendonly="yes", repl_backlog_seconds="3600")
    fill(primary, 20, 100000)
    incr = primary.folder / "appendonlydir/appendonly.aof.1.incr.aof"
    was = incr.stat().st_ino
    primary.call("BGREWRITEAOF")
    kept = wait_until(lambda: list(own_folder(primary).glob("log-*.aof")), "the file to be kept")
    assert [p.name for p in kept] == ["log-%020d.aof" % 0]
    assert kept[0].stat().st_ino == was and not incr.exists()
    primary.configure(repl_backlog_seconds=0, repl_backlog_size=16384)
    fill(primary, 1, 100000)
    wait_until(lambda: not kept[0].exists(), "nobody to want it any more")


def test_two_nodes_with_one_append_only_folder(servers):
    """The second one says what to do; a third without AOF does not mind."""
    first = servers.pando(appendonly="yes")
    first.call("SET", "k", "v")
    second = servers.pando(folder=first.folder, start=False, appendonly="yes")
    second.expect_crash = True
    second.spawn()
    assert second.wait_exit() != 0
    assert second.logged("give each node a dir of its own .directive dir.")
    third = servers.pando(folder=first.folder)
    assert third.do("CONFIG", "SET", "appendonly", "yes").startswith(b"ERR")
    third.replicate(first)
    wait_linked(third)
    wait_equal(first, third)
