"""What two servers say beside their replies, for comparison: keyspace events, the stream that goes to
replicas, and the count of changes."""
import itertools

from harness.compare import wait_online
from harness.peers import FakeReplica
from harness.resp import Connection

from .compare import show

MARK = b"random-commands-mark"


class Tap:
    """One server, listened to."""

    def __init__(self, server):
        self.server = server
        server.configure(notify_keyspace_events="KEAmn")
        self.events = Connection(server.target, timeout=20)
        self.events.call("PSUBSCRIBE", "__keyevent@*__:*")
        self.stream = FakeReplica(server)
        self.stream.sync()
        self.db = b"?"
        self.dirty = 0
        self.marks = 0

    def take(self):
        """(events, commands of the stream, changes) since the last time."""
        self.marks += 1
        mark = b"%s-%d" % (MARK, self.marks)
        self.server.call("PUBLISH", "__keyevent@0__:mark", mark)
        events, stream = [], []
        while True:
            channel, key = self.events.read()[2:4]
            if key == mark:
                break
            events.append((channel[len(b"__keyevent@"):].replace(b"__", b""), key))
        while True:
            command = self.stream.read_stream()
            if command[-1] == mark:
                break
            name = command[0].upper()
            if name == b"SELECT":  # where it stands is each server's own: a snapshot begins with one
                self.db = command[1]
            elif name not in (b"PING", b"REPLCONF"):
                stream.append([b"db" + self.db, *command])
        self.stream.ack()
        dirty = self.server.stat("rdb_changes_since_last_save", "persistence")
        changes, self.dirty = dirty - self.dirty, dirty
        return events, stream, changes

    def close(self):
        self.events.close()
        self.stream.close()


class Taps:
    def __init__(self, oracle, pando):
        self.oracle, self.pando = Tap(oracle), Tap(pando)
        self.forget_values = False

    def begin(self):
        self.oracle.take()
        self.pando.take()
        self.forget_values = False

    def compare(self):
        """A text where they differ, else None."""
        theirs, mine = self.oracle.take(), self.pando.take()
        forget_values, self.forget_values = self.forget_values, False
        return (part("keyspace events", misses_sorted(theirs[0]), misses_sorted(mine[0]), lambda a, b: a == b)
                or part("streams to replicas", theirs[1], mine[1], lambda a, b: same_effect(a, b, forget_values))
                or ("" if theirs[2] == mine[2] else
                    f"the counts of changes differ: oracle {theirs[2]}, pando {mine[2]}") or None)

    def close(self):
        self.oracle.close()
        self.pando.close()


def part(what, theirs, mine, same):
    for place, (a, b) in enumerate(zip(theirs + [None], mine + [None])):
        if (a is None) != (b is None) or (a is not None and not same(a, b)):
            def around(row):
                return "\n".join(f"    {show(entry)}" for entry in row[max(0, place - 3):place + 3])
            return f"{what} differ; oracle:\n{around(theirs)}\n  pando:\n{around(mine)}"
        if a is None:
            return None
    return None


def misses_sorted(events):
    """Keys that are missed one after the other, by what a set leads to, come in the set's own order."""
    runs = itertools.groupby(events, key=lambda event: event[0].endswith(b":keymiss"))
    return [event for missed, run in runs for event in (sorted(run) if missed else run)]


def is_number(text):
    return text.isdigit() and len(text) < 20


def same_effect(oracle, pando, forget_values):
    """Two commands, the database in front. Times may be some seconds apart; what chance has chosen may be
    anything."""
    if len(oracle) != len(pando):
        return False
    if forget_values and oracle[1] == pando[1] == b"RESTORE":
        return True
    if oracle[1] == pando[1] == b"SREM" and len(oracle) == 4:  # as SPOP's effect is stated
        return oracle[0] == pando[0] and oracle[2] == pando[2]
    return all(a == b or (is_number(a) and is_number(b) and 10**12 < int(a) and abs(int(a) - int(b)) < 100000)
               for a, b in zip(oracle, pando))
