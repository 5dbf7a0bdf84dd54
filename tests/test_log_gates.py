"""No socket before the file: with the AOF on, nothing that was written is told to anybody before the file has it, unless the disk
hangs. The calls of the disk are held, or fail, as long as a test says so."""
import select

import pytest

from harness.compare import offset_of, wait_in_sync, wait_linked
from harness.faults import Fault
from harness.peers import FakeReplica
from harness.resp import ReplyError, parse_info
from harness.wait import wait_until

pytestmark = pytest.mark.pando_only


@pytest.fixture
def disk(servers):
    """disk(**directives): a server with an AOF, and the fault under its file calls, which does nothing yet."""
    def begin(**directives):
        server = servers.pando(start=False, appendonly="yes", repl_ping_replica_period=3600, **directives)
        fault = Fault(server.folder / "appendonlydir", server.folder / "trace", "pass", "while")
        servers.later(fault.end)  # before it is stopped
        server.start(env=fault.environment)
        return server, fault
    return begin


def synced_replica(servers, server):
    replica = FakeReplica(server)
    servers.later(replica.close)
    replica.sync()
    return replica


def silent(*connections):
    return not select.select([c.socket for c in connections], [], [], 0)[0]


def until_held(fault, kind):
    wait_until(lambda: any(line.startswith(f"! hold {kind}") for line in fault.lines()), f"a {kind} to be held")


@pytest.mark.parametrize("policy", ["everysec", "no"])
def test_replies_and_feeds_wait_for_the_write_and_go_ahead_of_one_that_hangs(servers, disk, policy):
    server, fault = disk(appendfsync=policy)
    replica = synced_replica(servers, server)
    with server.connect() as writer, server.connect() as reader:
        fault.begin("hold", "write")
        writer.send("SET", "k", "v")
        wait_until(lambda: reader.call("GET", "k") == b"v", "it to be executed: the engine waits for no file")
        until_held(fault, "write")
        for _ in range(3):
            assert reader.call("PING") == b"PONG"
        waits = silent(writer, replica)
        info = parse_info(reader.call("INFO", "persistence"))
        assert waits or info["aof_stalled_writes"] != "0", "neither reply nor feed leaves before the file has it"
        # It hangs for over a second.
        assert writer.read() == b"OK" and replica.commands(2)[1] == [b"SET", b"k", b"v"]
        assert server.stat("aof_stalled_writes", "persistence") == 1
        assert server.stat("aof_buffer_length", "persistence") > 0
        fault.end()
        wait_until(lambda: server.stat("aof_buffer_length", "persistence") == 0)
        fault.begin("hold", "write")
        writer.send("SET", "k", "w")
        wait_until(lambda: reader.call("GET", "k") == b"w")
        assert silent(writer, replica) or server.stat("aof_stalled_writes", "persistence") == 2, "once more it is waited for"


def test_under_always_everything_waits_for_the_sync_however_long(servers, disk):
    server, fault = disk(appendfsync="always")
    replica = synced_replica(servers, server)
    with server.connect() as writer, server.connect() as reader, server.connect() as other:
        fault.begin("hold", "sync")
        writer.send("SET", "k", "v")
        until_held(fault, "sync")
        reader.send("GET", "k")
        other.send("DEBUG", "SLEEP", "1.1")  # longer than what would count as hanging
        other.send("CONFIG", "SET", "hz", 77)
        other.send("CONFIG", "REWRITE")
        wait_until(lambda: "hz 77" in server.config_file.read_text(), "it to be executed: the engine waits for no file")
        assert silent(writer, reader, other, replica), "a read would tell what a crash takes back"
        fault.end()
        assert writer.read() == b"OK" and reader.read() == b"v" and [other.read() for _ in range(3)] == [b"OK"] * 3
        assert replica.commands(2)[1] == [b"SET", b"k", b"v"]
        assert server.stat("aof_stalled_writes", "persistence") == 0


def test_writing_commands_wait_while_too_much_is_not_written(servers, disk):
    server, fault = disk(repl_log_memory_max="1mb", latency_monitor_threshold=1)
    with server.connect() as first, server.connect() as second, server.connect() as reader:
        fault.begin("hold", "write")
        first.send("SET", "big", "x" * (2 << 20))
        wait_until(lambda: reader.call("STRLEN", "big") == 2 << 20)
        second.send("CLIENT", "SETNAME", "second")
        second.send("SET", "late", "v")
        wait_until(lambda: any("name=second " in line and " cmd=set " in line
                               for line in bytes(reader.call("CLIENT", "LIST")).decode().splitlines()))
        assert reader.call("EXISTS", "late") == 0, "it waits before it is executed"
        fault.end()
        assert first.read() == b"OK" and second.read() == b"OK" and second.read() == b"OK"
        assert reader.call("GET", "late") == b"v"
        assert [e for e in reader.call("LATENCY", "LATEST") if e[0] == b"aof-write-pending-fsync"]
    server.restart("kill")
    assert server.call("STRLEN", "big") == 2 << 20 and server.call("GET", "late") == b"v", "nothing was dropped"


@pytest.mark.parametrize("error", ["enospc", "eio"])
def test_a_write_that_fails_refuses_writes_and_drops_none(servers, disk, error):
    server, fault = disk()
    replica = servers.pando().replicate(server)
    wait_linked(replica)
    with server.connect() as writer:
        fault.begin(error, "write")
        writer.send("SET", "k", "v")
        wait_until(lambda: server.info("persistence")["aof_last_write_status"] == "err")
        refused = server.do("SET", "other", "v")
        assert isinstance(refused, ReplyError) and refused.startswith(b"MISCONF Errors writing to the AOF file")
        assert server.call("GET", "k") == b"v" and silent(writer) and replica.call("EXISTS", "k") == 0
        fault.end()
        assert writer.read() == b"OK"
    wait_in_sync(server, replica)
    assert replica.call("GET", "k") == b"v"
    server.restart("kill")
    assert server.call("GET", "k") == b"v" and server.call("EXISTS", "other") == 0


def test_what_is_written_while_the_file_is_broken_is_told(servers, disk):
    """The file will be replaced anyway: replicas hear what goes on."""
    server, fault = disk()
    replica = servers.pando().replicate(server)
    wait_linked(replica)
    server.call("DEBUG", "SET-ACTIVE-EXPIRE", 0)
    server.call("SET", "k", "v")
    server.call("SET", "ends", "v", "PX", 1)
    fault.begin("eio", "sync")
    server.do("SET", "k", "v")  # refused, where a sync has failed already
    server.wait_log("Syncing the append only file failed")
    fault.begin("eio")
    before = offset_of(server)
    server.call("DEBUG", "SET-ACTIVE-EXPIRE", 1)
    wait_until(lambda: offset_of(server) > before, "the key to be expired")
    wait_until(lambda: replica.call("DBSIZE") == 1, "the replica to hear of it")
    assert server.do("SET", "k", "w").startswith(b"MISCONF")
    fault.end()
    wait_until(lambda: server.do("SET", "k", "w") == b"OK", "a new base to mend it", timeout=60)
    server.restart("kill")
    assert server.call("GET", "k") == b"w" and server.call("EXISTS", "ends") == 0
