"""Several clients at once that wait for keys, take and give, at random: the same steps to Redis 7.0.15 and to
pando. After each step the same clients have been answered the same, the same ones wait, and keyspace events,
the stream to replicas and the count of changes agree; at the end two replicas of pando, one of either kind,
hold what it holds. A failure shows the steps up to the first difference; a seed gives the same steps again."""
import os
import random
import select

import pytest

from harness.compare import assert_same_keyspace, wait_in_sync, wait_linked
from harness.wait import wait_until

from .compare import agree, show
from .runner import compare_keyspaces
from .taps import Taps

SEEDS = range(int(os.environ.get("PANDO_TEST_SEEDS", "6")))
STEPS = 120
CLIENTS = "abcdef"
MOST_WAITING = 4


class Side:
    """One server with its clients."""

    def __init__(self, server, protocol):
        self.server = server
        self.clients = {name: server.connect(protocol, timeout=20) for name in CLIENTS}
        self.ids = {name: client.call("CLIENT", "ID") for name, client in self.clients.items()}
        self.waiting = set()

    def is_blocked(self, name):
        line = self.server.call("CLIENT", "LIST", "ID", self.ids[name])
        return b" flags=b " in line or b" flags=xb " in line

    def step(self, name, commands):
        """[(client, reply)] of all who were answered; `commands` go down one connection, at once."""
        client, answers = self.clients[name], []
        client.send_commands([[self.ids[word.who] if isinstance(word, Id) else word for word in command]
                              for command in commands])
        if len(commands) == 1:
            wait_until(lambda: readable(client) or self.is_blocked(name), "an answer, or that there is none", 10)
            if not readable(client):
                self.waiting.add(name)
        if name not in self.waiting:
            answers += [(name, client.read()) for _ in commands]  # in a transaction nobody waits
        self.server.call("PING")  # what was answered in the same turn has arrived now
        for other in sorted(self.waiting):
            if readable(self.clients[other]):
                answers.append((other, self.clients[other].read()))
                self.waiting.discard(other)
        return answers

    def close(self):
        for client in self.clients.values():
            client.close()


class Id:
    """Stands for the id of a client, which differs from server to server."""

    def __init__(self, who):
        self.who = who

    def __repr__(self):
        return f"id of {self.who}"


def readable(connection):
    return bool(select.select([connection.socket], [], [], 0)[0])


class Steps:
    """Random steps: families of commands that wait, give and disturb."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.swaps = True
        self.ids = 0
        self.families = (LISTS, SORTED_SETS, STREAMS)

    def choose(self, *options):
        return self.random.choice(options)

    def new_id(self):
        """Of a stream's entry: rising, and the same on both servers."""
        self.ids += 1
        return b"%d-1" % self.ids

    def key(self):
        return b"k%d" % self.random.randrange(4)

    def keys(self):
        return [self.key() for _ in range(self.random.randint(1, 3))]

    def numbered_keys(self):
        keys = self.keys()
        return [b"%d" % len(keys), *keys]

    def values(self):
        return [b"%d" % self.random.randrange(100) for _ in range(self.random.randint(1, 3))]

    def number(self):
        return b"%d" % self.random.randint(1, 4)

    def one(self, may_wait):
        kind = self.random.random()
        family = self.random.choice(self.families)
        if kind < 0.35 and may_wait:
            return family["waits"](self)
        if kind < 0.8:
            return family["gives"](self)
        return self.disturbance()

    def disturbance(self):
        if self.random.random() < 0.1 and self.swaps:  # Redis finds what a SWAPDB made ready in no order
            return [b"SWAPDB", b"0", b"1"]
        return self.choose(
            [b"DEL", *self.keys()], [b"UNLINK", self.key()], [b"SET", self.key(), b"x"],
            [b"RENAME", self.key(), self.key()], [b"COPY", self.key(), self.key()],
            [b"COPY", self.key(), self.key(), b"REPLACE"], [b"MOVE", self.key(), b"1"],
            [b"FLUSHDB"], [b"PEXPIREAT", self.key(), b"1"], [b"PERSIST", self.key()])

    def next(self, waiting):
        """(client, [command ...])"""
        self.swaps = not waiting
        idle = [name for name in CLIENTS if name not in waiting]
        name = self.random.choice(idle)
        if waiting and self.random.random() < 0.08:
            who = self.random.choice(sorted(waiting))
            return name, [[b"CLIENT", b"UNBLOCK", Id(who), self.choose(b"TIMEOUT", b"ERROR")]]
        if self.random.random() < 0.25:
            inside = [self.one(True) for _ in range(self.random.randint(1, 5))]
            return name, [[b"MULTI"], *inside, [b"EXEC"]]
        return name, [self.one(len(waiting) < MOST_WAITING)]


def end(steps):
    return steps.choose(b"LEFT", b"RIGHT")


LISTS = {
    "waits": lambda s: s.choose(
        [b"BLPOP", *s.keys(), b"0"], [b"BRPOP", *s.keys(), b"0"], [b"BLMOVE", s.key(), s.key(), end(s), end(s), b"0"],
        [b"BRPOPLPUSH", s.key(), s.key(), b"0"], [b"BLMPOP", b"0", *s.numbered_keys(), end(s)],
        [b"BLMPOP", b"0", *s.numbered_keys(), end(s), b"COUNT", s.number()]),
    "gives": lambda s: s.choose(
        [b"RPUSH", s.key(), *s.values()], [b"LPUSH", s.key(), *s.values()], [b"RPUSH", s.key(), *s.values()],
        [b"LMOVE", s.key(), s.key(), end(s), end(s)], [b"RPOPLPUSH", s.key(), s.key()], [b"LPOP", s.key()],
        [b"RPUSHX", s.key(), b"x"]),
}


def scored(steps):
    return sum([[b"%d" % steps.random.randrange(9), value] for value in steps.values()], [])


def side(steps):
    return steps.choose(b"MIN", b"MAX")


SORTED_SETS = {
    "waits": lambda s: s.choose(
        [b"BZPOPMIN", *s.keys(), b"0"], [b"BZPOPMAX", *s.keys(), b"0"], [b"BZMPOP", b"0", *s.numbered_keys(), side(s)],
        [b"BZMPOP", b"0", *s.numbered_keys(), side(s), b"COUNT", s.number()]),
    "gives": lambda s: s.choose(
        [b"ZADD", s.key(), *scored(s)], [b"ZADD", s.key(), *scored(s)], [b"ZINCRBY", s.key(), b"1", b"m"],
        [b"ZPOPMIN", s.key()]),
}


def streams(steps, ids):
    keys = steps.keys()
    return [b"STREAMS", *keys, *[steps.choose(*ids) for _ in keys]]


STREAMS = {
    "waits": lambda s: s.choose(
        [b"XREAD", b"BLOCK", b"0", *streams(s, [b"$"])], [b"XREAD", b"COUNT", b"1", b"BLOCK", b"0", *streams(s, [b"$"])],
        [b"XREADGROUP", b"GROUP", b"g", s.choose(b"x", b"y"), b"BLOCK", b"0", *streams(s, [b">"])],
        [b"XREADGROUP", b"GROUP", s.choose(b"g", b"h"), b"x", b"COUNT", b"1", b"BLOCK", b"0", b"NOACK",
         *streams(s, [b">"])]),
    "gives": lambda s: s.choose(
        [b"XADD", s.key(), s.new_id(), b"f", b"v"], [b"XADD", s.key(), s.new_id(), b"f", b"v"],
        [b"XGROUP", b"CREATE", s.key(), s.choose(b"g", b"h"), b"$", b"MKSTREAM"], [b"XGROUP", b"DESTROY", s.key(), b"g"],
        [b"XGROUP", b"CREATE", s.key(), b"g", b"0"], [b"XTRIM", s.key(), b"MAXLEN", b"1"],
        [b"XADD", s.key(), b"MAXLEN", b"0", s.new_id(), b"f", b"v"], [b"XDEL", s.key(), b"%d-1" % s.ids],
        [b"XGROUP", b"SETID", s.key(), b"g", s.choose(b"0", b"$")]),
}


@pytest.fixture(scope="module")
def rig(request):
    from harness.servers import Servers
    servers = Servers()
    oracle, pando = servers.oracle(), servers.pando()
    replicas = [servers.pando(name="replica"), servers.oracle(name="redis-replica")]
    for replica in replicas:
        replica.replicate(pando)
    wait_linked(*replicas)
    taps = Taps(oracle, pando)
    yield oracle, pando, replicas, taps
    taps.close()
    complaints = servers.finish()
    servers.remove()
    assert not complaints, "\n".join(complaints)


def told(steps):
    return "\n".join(f"{name}: " + " / ".join(" ".join(w.decode() if isinstance(w, bytes) else repr(w) for w in command)
                                              for command in commands) for name, commands in steps)


@pytest.mark.parametrize("seed", SEEDS)
def test_random_steps_of_several_clients(rig, seed):
    oracle, pando, replicas, taps = rig
    for server in (oracle, pando):
        server.call("FLUSHALL")
    taps.begin()
    steps, protocol = Steps(seed), 2 + seed % 2
    sides, done = [Side(oracle, protocol), Side(pando, protocol)], []
    try:
        for _ in range(STEPS):
            done.append(steps.next(sides[1].waiting))
            theirs, mine = (side.step(*done[-1]) for side in sides)
            same = len(theirs) == len(mine) and all(a[0] == b[0] and agree("equal", a[1], b[1])
                                                    for a, b in zip(theirs, mine))
            assert same, f"answers differ:\n  oracle: {show(theirs)}\n  pando:  {show(mine)}\nafter\n{told(done)}"
            assert sides[0].waiting == sides[1].waiting, f"{sides[0].waiting}, {sides[1].waiting} wait after\n{told(done)}"
            found = taps.compare()
            assert not found, f"{found}\nafter\n{told(done)}"
    finally:
        for end_of in sides:
            end_of.close()
    assert not compare_keyspaces(oracle, pando)
    for replica in replicas:
        wait_in_sync(pando, replica)
        assert_same_keyspace(pando, replica)
