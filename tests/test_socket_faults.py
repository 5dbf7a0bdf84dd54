"""Each call on a TCP socket fails once, is short, or is the last: no acknowledged write is lost, no half transaction is seen, the
servers of a chain find each other again and end equal, and none crashes, hangs or spins.

A scripted life of three servers is lived over and over, each time with the n-th call of each of them meeting the fault, until
none meets it any more (PANDO_SOAK=1). ./test takes each fault once, at some call, three to a life. The harness
asks and orders by Unix sockets, whose calls are not numbered.
"""
import errno
import itertools
import os
import random
import socket
import struct
import subprocess
import sys
import threading

import pytest

from harness.faults import KILLS, SOCKETS, Fault
from harness.peers import FakePrimary, rdb
from harness.resp import Connection, ReplyError
from harness.rest import wait_rest
from harness.servers import Servers
from harness.units import DATABASES, data_in, data_of, unit, units_in
from harness.wait import PATIENCE, TimedOut, wait_until

pytestmark = [pytest.mark.pando_only, pytest.mark.timeout(7200)]
LOST = (ConnectionError, EOFError)  # not a timeout: who does not answer hangs
BALLAST = random.Random(1).randbytes(640000)  # makes a snapshot and a reply of many reads
TRIES = 5  # of a client whose connection was lost: there is one fault

HARMLESS = ("pass", "eintr", "eagain", "one", "short")  # no connection is lost by them
FAULTS = [(kind, action) for kind, actions in {
    "socket": ("emfile", "enobufs"),
    "connect": ("refused", "eintr"),
    "result": ("refused",),
    "accept": ("emfile", "enomem", "aborted", "eintr", "eagain"),
    "watch": ("enomem", "enospc"),
    "receive": ("reset", "enomem", "eintr", "eagain", "one", "short", "cut"),
    "send": ("reset", "pipe", "enobufs", "eintr", "eagain", "one", "short", "cut"),
    "feed": ("reset", "pipe", "enobufs", "eintr", "eagain", "one", "short", "cut"),
    "": KILLS,
}.items() for action in actions]


class Node:
    """A server that may be killed by its fault, and then goes on without one."""

    def __init__(self, servers, name, fault, primary=None):
        replicaof = f"127.0.0.1 {primary.server.port}" if primary else None
        self.server = servers.pando(start=False, name=name, appendonly="yes", appendfsync="always", replicaof=replicaof)
        self.server.directives["unixsocket"] = str(self.server.folder / "control")
        self.server.write_config()
        self.server.expect_crash = True  # the alarms are looked at here
        self.fault = Fault(SOCKETS, self.server.folder / "trace", *fault)
        self.control = None

    def __str__(self):
        return f"{self.server.name}: {self.fault}"

    def start(self):
        self.server.start(wait=False, env=self.fault.environment)
        self.wait_ready()

    def wait_ready(self):
        wait_until(lambda: self.ask("PING") == b"PONG", f"{self} to be ready")

    def revive(self):
        """After its end by a fault it is started without."""
        status = self.server.process.poll()
        if status is None:
            return
        self.forget_control()
        met = self.fault.met()
        assert met, f"{self}: it ended by itself with {status}\n{self.server.log()[-3000:]}"
        # Without a socket to listen on it does not start, and says so.
        refused = status == 1 and met.split()[1] == "socket" and "Ready to accept" not in self.server.log()
        assert refused or self.was_killed(), f"{self}: it ended with {status}"
        self.server.start(wait=False, env={})
        self.wait_ready()

    def was_killed(self):
        return self.fault.met() and self.fault.action in KILLS and self.server.process.poll() == -9

    def pid(self):
        self.revive()
        return self.server.pid

    # By the Unix socket
    def ask(self, *command):
        self.revive()
        try:
            if self.control is None:
                self.control = Connection(self.server.directives["unixsocket"], timeout=20 * PATIENCE)
            reply = self.control.do(*command)
        except (OSError, EOFError):
            self.forget_control()
            raise
        return reply

    def forget_control(self):
        if self.control:
            self.control.close()
            self.control = None

    def wait_answer(self, *command):
        """The reply to a command that may be given twice: the server may be killed under it."""
        return wait_until(lambda: [self.ask(*command)], f"{self} to answer {command}")[0]

    def info(self, field):
        for line in bytes(self.ask("INFO", "everything")).decode().splitlines():
            if line.startswith(field + ":"):
                return line.partition(":")[2]
        return None

    def data(self):
        return wait_until(lambda: self.ask("PING") == b"PONG" and data_in(self.control), f"the data of {self}")

    def halves(self):
        """The databases in which a transaction is seen in part."""
        self.ask("MULTI")
        for db in DATABASES:
            self.ask("SELECT", db)
            self.ask("MGET", "a", "b")
        replies = self.ask("EXEC")
        if isinstance(replies, ReplyError):  # a replica that has no data yet
            assert replies.startswith(b"EXECABORT"), replies
            return []
        values = replies[1::2]
        return [db for db, (a, b) in zip(DATABASES, values) if a != b]

    # By TCP
    def over_tcp(self, talk):
        """talk(client) over a new connection until it says that it was answered."""
        for _ in range(TRIES):
            try:
                with Connection(self.server.port, timeout=20 * PATIENCE) as client:
                    if talk(client):
                        return
            except LOST:
                pass
            self.explain_loss()
            self.wait_answer("PING")
        raise AssertionError(f"{self}: no connection works for long")

    def explain_loss(self):
        assert self.fault.met() and self.fault.action not in HARMLESS, f"{self}: a connection was lost without a reason"

    def read_ballast(self):
        def talk(client):
            replies = client.pipeline([("PING",), ("SELECT", 1), ("GET", "ballast"), ("PING",)])
            assert shed(replies[0]) or replies == [b"PONG", b"OK", BALLAST, b"PONG"], f"{self}: a wrong reply"
            return not shed(replies[0])
        self.over_tcp(talk)

    def stop(self):
        self.forget_control()
        status = self.server.stop()
        assert status == 0 or self.was_killed(), f"{self}: it stopped with {status}"
        assert not self.server.alarm(), f"{self}: {self.server.alarm()}"


def shed(reply):
    return isinstance(reply, ReplyError) and reply.startswith(b"ERR max number of clients reached")


class Chain:
    """A primary, its replica and the replica's replica; and what the primary promised."""

    def __init__(self, servers, faults):
        self.servers = servers
        self.nodes = []
        for name, fault in zip(("primary", "middle", "leaf"), faults):
            self.nodes.append(Node(servers, name, fault, self.nodes[-1] if self.nodes else None))
        self.primary, self.middle, self.leaf = self.nodes
        self.acknowledged = self.sent = 0
        self.client = None

    def __str__(self):
        return "; ".join(map(str, self.nodes))

    # Writing
    def write(self, count, pieces=False):
        """Units in one pipeline, or each command when the one before is answered. After a lost connection the data tell what
        was done, and the rest is written again."""
        goal = self.acknowledged + count
        for _ in range(TRIES):
            self.sent = goal
            try:
                if self.client is None:
                    self.client = Connection(self.primary.server.port, timeout=20 * PATIENCE)
                self.attempt(goal, pieces)
                return
            except LOST:
                self.lose_client()
        raise AssertionError(f"{self}: no connection works for long")

    def attempt(self, goal, pieces):
        units = [[("SELECT", db), *commands] for db, commands in map(unit, range(self.acknowledged + 1, goal + 1))]
        if not pieces:
            self.client.send_commands(command for commands in units for command in commands)
        for commands in units:
            for command in commands:
                if pieces:
                    self.client.send(*command)
                reply = self.client.read()
                if shed(reply):
                    raise EOFError
                assert not isinstance(reply, ReplyError), (reply, str(self))
            self.acknowledged += 1

    def lose_client(self):
        self.primary.explain_loss()
        if self.client:
            self.client.close()
            self.client = None
        self.acknowledged = units_in(self.primary.data(), self.acknowledged, self.sent, self)

    def load(self):
        command = [("SELECT", 1), ("SET", "ballast", BALLAST)]
        self.primary.over_tcp(lambda client: client.pipeline(command) == [b"OK", b"OK"])

    # Following
    def wait_equal(self):
        halves = []

        def equal():
            halves.extend((node.server.name, node.halves()) for node in self.nodes if node.halves())
            return halves or (self.middle.info("master_link_status") == self.leaf.info("master_link_status") == "up"
                              and len({bytes(node.ask("DEBUG", "DIGEST")) for node in self.nodes}) == 1)
        wait_until(equal, f"the chain to be equal: {self}", 40)
        assert not halves, f"{self}: half a transaction is seen: {halves}"

    def cut(self):
        self.middle.wait_answer("CLIENT", "KILL", "TYPE", "master")
        self.middle.wait_answer("CLIENT", "KILL", "TYPE", "replica")

    def live(self):
        """One life: a full sync each, a stream, a cut link, a partial resync each."""
        self.primary.start()
        self.load()
        self.write(3)
        self.middle.start()
        self.leaf.start()
        self.write(4)
        self.wait_equal()
        self.write(4, pieces=True)
        for node in self.nodes:
            node.read_ballast()
        self.wait_equal()
        self.cut()
        self.write(4)
        self.wait_equal()
        self.write(2)
        self.wait_equal()
        for node in self.nodes:
            wait_rest(node.pid, node)
        self.wait_equal()
        assert self.primary.data() == data_of(self.acknowledged), str(self)
        self.check_syncs()

    def check_syncs(self):
        """Where no connection was lost, each replica needed one full sync, and one partial resync after the cut: bytes that are
        lost or doubled would break the stream, and a full sync would heal what that did."""
        for node, others in (self.primary, self.nodes[:2]), (self.middle, self.nodes):
            if all(other.fault.action in HARMLESS for other in others):
                assert (node.info("sync_full"), node.info("sync_partial_ok")) == ("1", "1"), str(self)

    def end(self):
        if self.client:
            self.client.close()
        for node in reversed(self.nodes):
            node.stop()
            node.server.remove()
            self.servers.all.remove(node.server)


def one_life(servers, faults):
    """Returns which calls met a fault, and which each server made."""
    chain = Chain(servers, faults)
    chain.live()
    met = [node.fault.met() for node in chain.nodes if node.fault.met()]
    lines = [node.fault.lines() for node in chain.nodes]
    chain.end()
    return met, lines


NO_FAULT = ("pass", 0, "")


def test_the_life_without_a_fault(servers):
    """The script makes all kinds of calls."""
    lines = one_life(servers, [NO_FAULT] * 3)[1]
    assert {line for of_node in lines for line in of_node} == {"socket new", "connect linked", "result linked", "accept listening", "watch listening", "watch served",
                     "watch linked", "receive served", "receive linked", "send served", "send linked", "feed served"}


@pytest.mark.soak
@pytest.mark.parametrize("kind,action", FAULTS)
def test_every_socket_call(servers, kind, action):
    at = 1
    while one_life(servers, [(action, at, kind)] * 3)[0]:
        at += 1
    assert at > 1


@pytest.fixture(scope="module")
def calls():
    """How many calls of a kind each server makes in a life without a fault."""
    servers = Servers()
    lines = one_life(servers, [NO_FAULT] * 3)[1]
    return lambda node, kind: len([line for line in lines[node] if line.startswith(kind)])


def drawn_lives():
    """Each fault once: three to a life, those that lose no connection by themselves."""
    draw = random.Random(os.environ.get("PANDO_SEED", "1"))
    for harmless in (True, False):
        faults = [(kind, action) for kind, action in FAULTS if (action in HARMLESS) == harmless]
        draw.shuffle(faults)
        for i in range(0, len(faults), 3):
            yield faults[i:i + 3]


@pytest.mark.parametrize("drawn", drawn_lives(), ids=lambda drawn: ",".join("-".join(fault) for fault in drawn))
def test_some_socket_calls(servers, calls, drawn):
    """Each of three faults for a server that makes such calls."""
    padded = drawn + [("", "pass")] * (3 - len(drawn))
    fits = max(itertools.permutations(padded), key=lambda order: sum(calls(node, kind) > 0 for node, (kind, _) in enumerate(order)))
    draw = random.Random(str(drawn))
    faults = [(action, draw.randint(1, max(1, calls(node, kind))), kind) for node, (kind, action) in enumerate(fits)]
    assert one_life(servers, faults)[0]


def test_a_link_that_dies_while_a_snapshot_is_loaded_does_not_spin(servers):
    """The replica tells its primary that it is alive, in vain: nothing of that is kept to be written, since a dead socket is
    always ready to be written."""
    def script(peer):
        peer.full_sync(rdb([(b"key %d" % i, b"x") for i in range(2000)]))
        dies.wait()
        peer.link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # its end is a reset
        peer.file.close()
        peer.link.close()

    dies = threading.Event()
    primary = FakePrimary(script)
    servers.later(primary.close)
    replica = servers.pando(start=False, replicaof=f"127.0.0.1 {primary.port}", key_load_delay=50000)
    fault = Fault(SOCKETS, replica.folder / "trace", kind="send")
    replica.start(env=fault.environment)

    def sends():
        return fault.lines().count("send linked")
    wait_until(lambda: replica.stat("async_loading") == 1, "the snapshot to be loaded")
    before = sends()
    dies.set()
    wait_until(lambda: sends() > before, "the replica to tell that it is alive")
    wait_rest(lambda: replica.pid, replica)
    assert replica.stat("async_loading") == 1
    replica.replicate(None)


@pytest.mark.parametrize("action", ["emfile", "enomem"])
def test_a_connection_that_cannot_be_accepted_is_told_why(servers, action):
    server = servers.pando(start=False)
    fault = Fault(SOCKETS, server.folder / "trace", action, 1, "accept")
    server.start(env=fault.environment)
    assert fault.met() == f"{action} accept listening"
    assert server.stat("rejected_connections") == 1
    assert server.logged(os.strerror(getattr(errno, action.upper())))


def test_a_loop_that_spins_is_found():
    program = "print(flush=True)\nwhile True: pass"
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as spinning:
        try:
            spinning.stdout.readline()  # starting reads files, and sleeps for them
            with pytest.raises(TimedOut):
                wait_rest(lambda: spinning.pid, "a loop without end", timeout=0.5)
        finally:
            spinning.kill()
