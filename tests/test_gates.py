"""Replies that wait for the append only file: in order, also those of reads, until it is synced (`always`) or written."""
import select
import socket

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


def test_under_always_a_message_alone_waits_for_no_sync(servers):
    held = Held(servers, "sync", appendfsync="always", repl_diskless_sync_delay="0")
    replica = FakeReplica(held.server)
    servers.later(replica.close)
    replica.sync()
    publisher, other, subscriber = held.client(), held.client(), held.client()
    subscriber.call("SUBSCRIBE", "channel")
    publisher.call("SET", "k", "v")
    held.fault.begin("hold", "sync")
    for _ in range(3):
        assert publisher.call("PUBLISH", "channel", "message") == 1
        assert subscriber.read() == [b"message", b"channel", b"message"]
    assert [c[0] for c in replica.commands(5, skip=(b"PING",))] == [b"SELECT", b"SET"] + [b"PUBLISH"] * 3
    # Behind data it waits as they do.
    writer = held.hold("SET", "k", "w")
    publisher.send("PUBLISH", "channel", "message")
    other.send("GET", "k")
    nothing_comes(writer, publisher, other, subscriber, replica)
    held.release()
    assert (writer.read(), publisher.read(), other.read()) == (b"OK", 1, b"w")
    assert [c[0] for c in replica.commands(2)] == [b"SET", b"PUBLISH"]
    held.server.kill()
    held.server.start()
    assert held.server.call("GET", "k") == b"w"


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
    modest.send_raw(pack("GET", "big") * 3)
    for _ in range(20):  # one by one, so that none is too much by itself
        if select.select([greedy.socket], [], [], 0.05)[0]:
            break
        greedy.send("GET", "big")
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
    wait_until(lambda: held.server.stat("aof_buffer_length", "persistence") == 0, "its sync to end")
    held.fault.begin("hold", "sync")
    wait_until(held.fault.met, "the sync of a PING")
    nothing_comes(replica)
    held.release()
    assert replica.read_stream() == [b"PING"]


@pytest.mark.parametrize("before", ["everysec", "no"])
def test_what_was_written_before_always_was_asked_for_is_synced(servers, before):
    server = servers.pando(appendonly="yes", appendfsync=before, save="")
    wait_until(lambda: server.stat("aof_pending_rewrite", "persistence") == 0, "the first base")
    with server.connect() as c:
        c.call("SET", "k", "v")
        assert c.call("CONFIG", "SET", "appendfsync", "always") == b"OK"
        assert c.call("GET", "k") == b"v"


def test_no_appendfsync_on_rewrite_holds_nobody_while_one_runs(servers):
    held = Held(servers, "sync", appendfsync="always", no_appendfsync_on_rewrite="yes", rdb_key_save_delay="100000")
    server = held.server
    with server.connect() as c:
        c.pipeline([["SET", f"k:{i}", "v"] for i in range(200)])
        c.call("BGREWRITEAOF")
        syncs = held.fault.calls()
        for i in range(20):
            assert c.call("SET", f"k:{i}", "w") == b"OK"
        assert server.stat("aof_rewrite_in_progress", "persistence") == 1
        assert held.fault.calls() - syncs < 20
        c.call("CONFIG", "SET", "rdb-key-save-delay", "0")
        wait_until(lambda: server.stat("aof_rewrite_in_progress", "persistence") == 0, "the rewrite to end")
        syncs = held.fault.calls()
        assert c.call("SET", "k", "v") == b"OK"
        assert held.fault.calls() > syncs


def test_who_closes_one_direction_gets_the_replies_that_wait(servers):
    held = Held(servers, "sync", appendfsync="always")
    writer, leaver, blocked = held.hold("SET", "k", "v"), held.client(), held.client()
    leaver.send_raw(pack("SET", "k", "w") + pack("QUIT"))
    blocked.send_raw(pack("SET", "k", "x") + pack("BLPOP", "nothing", "0"))
    for c in (writer, leaver, blocked):
        c.socket.shutdown(socket.SHUT_WR)
    nothing_comes(writer, leaver, blocked)
    held.release()
    assert [writer.read(), leaver.read(), leaver.read(), blocked.read()] == [b"OK"] * 4
    assert writer.closed_by_peer() and leaver.closed_by_peer() and blocked.closed_by_peer()


def test_who_has_gone_does_not_wait_for_ever(servers):
    held = Held(servers, "sync", appendfsync="always")
    writer = held.hold("SET", "k", "v")
    writer.socket.shutdown(socket.SHUT_WR)
    assert writer.closed_by_peer()
    held.release()
