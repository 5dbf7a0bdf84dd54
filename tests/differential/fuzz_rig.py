"""The servers that random commands are played to, and what is done with them besides: looking whether they hold the
same, letting values change places, files, expiry."""
from harness.compare import differences, digest, keyspace, wait_in_sync, wait_linked
from harness.resp import Connection
from harness.servers import Servers
from harness.wait import wait_until

from .compare import agree, show
from .random_commands import CONFIG, measure
from .taps import Taps

# Steps of an epoch that are no commands.
CHECK = b"!check"        # do all servers hold the same
EXCHANGE = b"!exchange"  # each server restores what the other has made of a value
EXPIRE = b"!expire"      # a key passes its deadline; nothing but a look at it removes it
RELOAD = b"!reload"      # pando reads again what it has written into an RDB file
LOADAOF = b"!loadaof"    # the same from its append only files
SYNC = b"!sync"          # the replicas get all data anew
CONFIGURE = b"!config"   # a directive changes
OTHER = b"!other"        # a command of another client, at both servers
READ = b"!read"          # a command to the replicas, which must answer alike
EXPIRE_MS = 10           # less, and it might be over before it began: the key would be deleted at once
DATABASES = range(3)     # those that random commands use


class Rig:
    """The servers: an oracle with a replica that is pando; pando with a replica of either kind."""

    def __init__(self):
        self.start()

    def start(self):
        self.servers = Servers()
        self.oracle, self.pando = self.servers.oracle(), self.servers.pando(appendonly="yes", appendfsync="no")
        self.replicas = [self.servers.pando(name="replica"), self.servers.oracle(name="redis-replica")]
        self.follower = self.servers.pando(name="follower")
        self.link_all()
        for server in self.primaries:  # so that a key that has expired is there until somebody looks
            server.call("DEBUG", "SET-ACTIVE-EXPIRE", 0)
        self.taps = Taps(self.oracle, self.pando)

    def stop(self):
        self.taps.close()
        complaints = self.servers.finish()
        self.servers.remove()
        return complaints

    def restart(self):
        for server in self.servers.all:
            server.expect_crash = True
        self.stop()
        self.start()

    @property
    def primaries(self):
        return self.oracle, self.pando

    @property
    def all_replicas(self):
        return *self.replicas, self.follower

    def primary_of(self, replica):
        return self.oracle if replica is self.follower else self.pando

    def link_all(self):
        for replica in self.all_replicas:
            replica.replicate(self.primary_of(replica))
        wait_linked(*self.all_replicas)

    def known(self):
        """Names of the commands that pando has."""
        return {bytes(name).upper() for name in self.pando.call("COMMAND", "LIST")}

    def readers_of(self, known):
        """Names of those that only read."""
        names = sorted(known)
        return {name for name, info in zip(names, self.pando.call("COMMAND", "INFO", *names)) if b"readonly" in info[2]}

    def settings(self, source):
        """A choice of thresholds, of the directives that pando has."""
        chosen = {name: source.choice(values) for name, values in sorted(CONFIG.items())}
        return {name: value for name, value in chosen.items() if self.pando.call("CONFIG", "GET", name)}

    def begin(self, epoch):
        for server in self.servers.all:
            for name, value in epoch.config.items():
                server.call("CONFIG", "SET", name, value)
        for server in self.primaries:
            server.call("FLUSHALL")
            server.call("SELECT", 0)
        self.taps.begin()
        self.others, self.readers = self.connect(self.primaries, epoch), self.connect(reversed(self.replicas), epoch)
        return self.connect(self.primaries, epoch)

    def connect(self, servers, epoch):
        made = [Connection(server.target, timeout=20) for server in servers]
        self.servers.closers += [one.close for one in made]
        for one in made:
            one.do("HELLO", epoch.protocol)
        return made

    # Steps
    def step(self, words):
        """None, or a text that tells the difference."""
        return {CHECK: self.check, EXCHANGE: self.exchange, EXPIRE: self.expire, RELOAD: self.reload,
                LOADAOF: self.load_aof, SYNC: self.sync, CONFIGURE: self.configure, OTHER: self.other, READ: self.read}[words[0]](*words[1:])

    def check(self):
        found = self.taps.compare()
        if found:
            return found
        for replica in self.all_replicas:
            wait_in_sync(self.primary_of(replica), replica, timeout=20)
        for one, other in [(self.oracle, self.pando), *((self.primary_of(r), r) for r in self.all_replicas)]:
            if digest(one) != digest(other):
                return f"the data of {one} and {other} differ:\n" + \
                    "\n".join(differences(values_of(one), values_of(other)))
        return None

    def exchange(self, key):
        dumps = [server.call("DUMP", key) for server in self.primaries]
        if not all(isinstance(dump, bytes) for dump in dumps):
            return None
        replies = [server.do("RESTORE", key, 0, dump, "REPLACE")
                   for server, dump in zip(self.primaries, reversed(dumps))]
        self.taps.forget_values = True
        if replies != [b"OK", b"OK"]:
            return f"RESTORE {key!r} of the other's value: {replies!r} {dumps!r}"
        return self.check()

    def expire(self, key):
        replies = [server.do("PEXPIRE", key, EXPIRE_MS) for server in self.primaries]
        if replies[0] != replies[1]:
            return f"PEXPIRE {key!r}: {replies!r}"
        passed = max(map(now_ms, self.primaries)) + EXPIRE_MS
        wait_until(lambda: min(map(now_ms, self.primaries)) > passed, "the deadline to pass", interval=0.001)
        return None

    def configure(self, name, value):
        for server in self.servers.all:
            server.call("CONFIG", "SET", name, value)

    def other(self, *command):
        return self.compare(command, self.others)

    def read(self, *command):
        wait_in_sync(self.pando, *self.replicas, timeout=20)
        return self.compare(command, self.readers)

    @staticmethod
    def compare(command, ends):
        theirs, mine = (end.do(*command) for end in ends)
        if agree(measure(list(command)), theirs, mine):
            return None
        return f"{command!r}\n  redis: {show(theirs)}\n  pando: {show(mine)}"

    def sync(self):
        for replica in self.all_replicas:
            replica.replicate(None)
        self.link_all()
        return self.check()

    def reload(self):
        return self.after("RELOAD")

    def load_aof(self):
        if self.pando.config("appendonly") != "yes":
            return None
        return self.after("LOADAOF")

    def after(self, what):
        """What has expired is not read again: it goes before."""
        for server in self.primaries:
            for db in DATABASES:
                server.call("SELECT", db)
                for key in server.call("KEYS", "*"):
                    server.call("EXISTS", key)
            server.call("SELECT", 0)
        found = self.check()
        if found:
            return found
        before = digest(self.pando)
        self.pando.call("DEBUG", what)
        self.taps.begin()  # what is read again is told again
        if digest(self.pando) != before:
            return f"DEBUG {what} changes pando's data"
        return self.check()


def now_ms(server):
    seconds, us = server.call("TIME")
    return int(seconds) * 1000 + int(us) // 1000


def values_of(server):
    """Without deadlines, which are milliseconds apart."""
    return {name: (deadline > 0, value) for name, (deadline, value) in keyspace(server).items()}
