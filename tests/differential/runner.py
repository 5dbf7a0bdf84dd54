"""Runs one case against the oracle and pando and collects where their replies part."""
from harness.compare import assert_same_keyspace, differences, keyspace, wait_in_sync
from harness.resp import Connection, WireError
from harness.wait import TimedOut, wait_until

from .compare import agree, mask, show, sort_deep

LARGE = b"x" * 100000


class Closed:
    def __repr__(self):
        return "connection closed"


CLOSED = Closed()


class Seat:
    """One server and the connections of the running case."""

    def __init__(self, server, replica):
        self.server = server
        self.replica = replica
        self.connections = {}
        self.protocol = 2
        self.directives = self.config()

    def config(self):
        reply = self.server.call("CONFIG", "GET", "*")
        return dict(zip(reply[::2], reply[1::2]))

    def restore_config(self):
        """Sets back what a case has changed by CONFIG SET."""
        for name, value in self.config().items():
            if self.directives.get(name) != value and name not in (b"replicaof", b"slaveof"):
                self.server.do("CONFIG", "SET", name, self.directives.get(name, b""))

    def begin(self, protocol):
        self.end()
        self.protocol = protocol
        self.server.close_control()  # a case may have killed it
        control = self.server.control
        # A case may leave debris of any kind; the next begins as after a start.
        for command in (("DISCARD",), ("CLIENT", "UNPAUSE"), ("FLUSHALL",), ("CONFIG", "RESETSTAT"), ("SELECT", 0)):
            control.do(*command)
        if self.server.info("replication")["role"] != "master":
            self.server.replicate(None)
        self.restore_config()

    def end(self):
        for connection in self.connections.values():
            connection.close()
        self.connections = {}

    def connection(self, name):
        if name not in self.connections:
            connection = Connection(self.server.target, timeout=10)
            if self.protocol == 3:
                connection.do("HELLO", 3)  # refused before AUTH: then the connection stays in RESP2
            self.connections[name] = connection
        return self.connections[name]

    def expand(self, argument):
        if argument.startswith(b"$DUMP(") and argument.endswith(b")"):
            reply = self.server.do("DUMP", argument[6:-1])
            return bytes(reply) if isinstance(reply, bytes) else b""
        return argument.replace(b"$large", LARGE)

    def run(self, line):
        """The replies that this line brings, each a value; CLOSED where the connection ended."""
        connection = self.connection(line.connection)
        try:
            if line.verb == "closed":
                return [CLOSED] if connection.closed_by_peer(5) else ["still open"]
            if line.verb == "read":
                return [connection.read() for _ in range(line.count)]
            if line.verb == "blocked":
                wait_until(lambda: self.server.info("clients")["blocked_clients"] == line.expect, line.text, 10)
                return []
            if line.verb == "raw":
                connection.send_raw(self.expand(line.args[0]))
                return [connection.read() for _ in range(line.count)]
            args = [self.expand(argument) for argument in line.args]
            if line.everywhere:
                self.replica.do(*args)
            if line.verb == "send":
                connection.send(*args)
                return []
            if line.verb == "until":
                wait_until(lambda: repr(connection.do(*args)) == line.expect, line.text, 10)
                return []
            return [connection.do(*args) for _ in range(line.count)]
        except (EOFError, ConnectionError):
            return [CLOSED]
        except TimeoutError:
            return ["no reply within 10 s"]
        except TimedOut as error:
            return [str(error)]
        except WireError as error:
            return [f"no RESP: {error}"]


def run_case(case, protocol, oracle, ours, parts=None):
    """{line text: message} for every line whose replies differ. `oracle` and `ours` are Seats."""
    parts = {} if parts is None else parts
    oracle.begin(protocol)
    ours.begin(protocol)
    for line in case.lines:
        if line.protocol not in (0, protocol):
            continue
        theirs, mine = oracle.run(line), ours.run(line)
        if line.verb == "read" and line.mode == "sorted":
            theirs, mine = sort_deep(theirs), sort_deep(mine)
        equal = len(theirs) == len(mine) and all(
            (a is b) if CLOSED in (a, b) or isinstance(a, str) or isinstance(b, str) else agree(line.mode, a, b)
            for a, b in zip(theirs, mine))
        if any(isinstance(reply, str) for reply in theirs):
            raise AssertionError(f"line {line.number}: {line.text}: the oracle: {theirs}")
        if not equal:
            parts[line.text] = mask(f"line {line.number}, RESP{protocol}: {line.text}\n"
                                    f"    oracle: {show(theirs)}\n    pando:  {show(mine)}")
    for seat in (oracle, ours):
        seat.end()
        seat.restore_config()
    return parts


def compare_keyspaces(oracle, ours, slack_ms=5000):
    """The two servers hold the same keys with the same values; deadlines may be some seconds apart,
    since the cases run one after the other."""
    a, b = keyspace(oracle), keyspace(ours)
    blurred = {name: (round_to(a[name][0], b.get(name, (None,))[0], slack_ms), a[name][1]) for name in a}
    return differences(blurred, b)


def round_to(theirs, mine, slack):
    if mine is not None and theirs > 0 and mine > 0 and abs(theirs - mine) <= slack:
        return mine
    return theirs


def check_replica(primary, replica):
    """After every case: an attached replica's keyspace equals its primary's."""
    wait_in_sync(primary, replica, timeout=10)
    try:
        assert_same_keyspace(primary, replica)
    except AssertionError:
        # An active expiry may have come between the two looks: only a lasting difference counts.
        wait_in_sync(primary, replica, timeout=10)
        assert_same_keyspace(primary, replica)
