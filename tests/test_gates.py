"""Replies that wait for the append only file: in order, also those of reads, until it is synced (`always`) or written."""
import select

import pytest

from harness.faults import Fault
from harness.peers import FakeReplica
from harness.resp import Push, pack
from harness.wait import stays, wait_until

pytestmark = pytest.mark.pando_only


class Held:
    """A server whose files can be held: no call of one kind gets on between hold() and release()."""

    def __init__(self, servers, kind, **directives):
        self.server = servers.pando(start=False, appendonly="yes", save="", **directives)
        self.servers = servers
        (self.server.folder / "data").mkdir()
        self.server.directives["dir"] = str(self.server.folder / "data")
        self.server.write_config()
        self.fault = Fault(self.server.directives["dir"], self.server.folder / "trace", at="while", kind=kind)
        self.kind = kind
        servers.later(self.fault.end)
        self.server.start(env=self.fault.environment)
        wait_until(lambda: self.server.stat("aof_pending_rewrite", "persistence") == 0, "the first base")

    def client(self):
        connection = self.server.connect()
        self.servers.later(connection.close)
        return connection

    def hold(self, *command):
        """Holds the files, and returns the connection on which the command waits for them."""
        connection = self.client()
        self.fault.begin("hold", self.kind)
        connection.send(*command)
        wait_until(self.fault.met, "a call that is held")
        return connection

    def release(self):
        self.fault.end()


def nothing_comes(*connections):
    stays(lambda: select.select([c.socket for c in connections], [], [], 0)[0] == [], "silence", seconds=0.25)


def test_under_always_nobody_reads_what_is_not_synced(servers):
    held = Held(servers, "sync", appendfsync="always")
    reader, other = held.client(), held.client()
    writer = held.hold("SET", "k", "v")
    reader.send("GET", "k")
    other.send("PING")
    nothing_comes(writer, reader, other)
    held.release()
    assert [c.read() for c in (writer, reader, other)] == [b"OK", b"v", b"PONG"]


def test_under_always_messages_wait_behind_replies(servers):
    held = Held(servers, "sync", appendfsync="always")
    subscriber = held.client()
    subscriber.call("HELLO", 3)
    subscriber.send("SUBSCRIBE", "channel")
    subscriber.read()
    writer = held.hold("SET", "k", "v")
    subscriber.send("GET", "k")
    publisher = held.client()
    publisher.send("PUBLISH", "channel", "message")
    nothing_comes(writer, subscriber, publisher)
    held.release()
    assert subscriber.read() == b"v"
    message = subscriber.read()
    assert isinstance(message, Push) and message == [b"message", b"channel", b"message"]
    assert (writer.read(), publisher.read()) == (b"OK", 1)


@pytest.mark.parametrize("policy", ["everysec", "no"])
def test_else_only_who_wrote_waits_and_with_all_that_comes_after(servers, policy):
    held = Held(servers, "write", appendfsync=policy)
    reader = held.client()
    writer = held.hold("SET", "k", "v")
    writer.send("PING")
    assert reader.call("GET", "k") == b"v"
    assert select.select([writer.socket], [], [], 0)[0] == []
    held.release()
    assert (writer.read(), writer.read()) == (b"OK", b"PONG")


def test_what_waits_counts_in_the_output_limit(servers):
    held = Held(servers, "sync", appendfsync="always", client_output_buffer_limit="normal 2mb 0 0")
    greedy, modest = held.client(), held.client()
    greedy.call("SET", "big", b"x" * 300000)
    writer = held.hold("SET", "k", "v")
    greedy.send_raw(pack("GET", "big") * 10)
    modest.send_raw(pack("GET", "big") * 3)
    assert greedy.closed_by_peer()
    nothing_comes(writer, modest)
    held.release()
    assert [len(modest.read()) for _ in range(3)] == [300000] * 3


def test_under_always_a_ping_reaches_the_replicas_when_it_is_synced(servers):
    held = Held(servers, "sync", appendfsync="always", repl_ping_replica_period="1", repl_diskless_sync_delay="0")
    replica = FakeReplica(held.server)
    servers.later(replica.close)
    replica.sync()
    assert replica.read_stream() == [b"PING"]
    held.fault.begin("hold", "sync")
    wait_until(held.fault.met, "the sync of a PING")
    nothing_comes(replica)
    held.release()
    assert replica.read_stream() == [b"PING"]
