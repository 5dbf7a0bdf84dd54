"""Random commands to the oracle and to pando, by the million: `make command-fuzz SEED=n COMMANDS=n`.

A run is a row of epochs. Each begins with empty databases, in RESP2 or RESP3, with thresholds chosen at
random (families may name some), and sends its commands down one connection to each server, in batches.
Between batches stand checks: of the replies; of the data, by DEBUG DIGEST, of both servers and of their
replicas, of either kind; of keyspace events and of what goes to the replicas; of the count of changes.
Another client's commands come in between, and reads at the replicas. Now and then a key expires, unseen
until somebody looks; some values change places (each server restores what the other has dumped). At an
epoch's end pando reads again what it has written into its files, or the replicas sync anew.

A difference ends the run. It is made small by leaving out commands as long as there is one, and is
printed as a script, which `make command-fuzz REPLAY=file` runs again."""
import argparse
import itertools
import random
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    __package__ = "differential"

from harness.resp import ReplyError, Status, WireError  # noqa: E402

from .compare import agree, show  # noqa: E402
from .fuzz_rig import CHECK, CONFIGURE, EXCHANGE, EXPIRE, LOADAOF, OTHER, READ, RELOAD, SYNC, Rig  # noqa: E402
from .random_commands import CONFIG, Generator, is_unstable, measure  # noqa: E402
from .script import split_arguments  # noqa: E402

BATCH = 200          # commands in one write
EPOCH = 10000        # commands from one FLUSHALL to the next
CHECK_EVERY = 1000   # commands between looks at the data
# At a Redis replica PFCOUNT changes the data.
NOT_BY_OTHERS = {b"PFCOUNT", b"MULTI", b"EXEC", b"DISCARD", b"WATCH", b"UNWATCH", b"SELECT", b"CLIENT", b"RANDOMKEY"}


@dataclass
class Epoch:
    commands: list
    protocol: int = 2
    config: dict = field(default_factory=dict)


@dataclass
class Difference:
    index: int  # of the command in its epoch
    text: str

    @property
    def kind(self):
        """What a smaller script must show as well, not to end at another difference."""
        return self.text.split(",")[0].split(" of <")[0]


class Player:
    """Plays an epoch and finds its first difference."""

    def __init__(self, rig, counts=None):
        self.rig = rig
        self.counts = counts if counts is not None else Counter()
        self.queued = None  # commands of the open MULTI

    def play(self, epoch):
        try:
            ends = self.rig.begin(epoch)
        except (OSError, EOFError, WireError) as error:
            return Difference(0, f"at the beginning: {error!r}")
        try:
            return self.steps(epoch, ends)
        finally:
            for end in ends:
                end.close()

    def steps(self, epoch, ends):
        self.queued = None
        index = 0
        while index < len(epoch.commands):
            command = epoch.commands[index]
            if command[0].startswith(b"!"):
                batch, found = [command], self.guarded(self.special, command)
            else:
                batch = list(itertools.takewhile(lambda c: not c[0].startswith(b"!"),
                                                 epoch.commands[index:index + BATCH]))
                found = self.guarded(self.batch, batch, ends)
            if found:
                return Difference(index + found.index, found.text)
            index += len(batch)
        found = self.guarded(self.special, [CHECK])
        return found and Difference(index, found.text)

    def guarded(self, step, *args):
        """A server that dies or falls silent is a difference too."""
        try:
            return step(*args)
        except (OSError, EOFError, WireError, AssertionError) as error:
            alarms = [server.alarm() for server in self.rig.servers.all if server.alarm()]
            return Difference(0, "\n".join([repr(error), *alarms]))

    def special(self, words):
        found = self.rig.step(words)
        return found and Difference(0, found)

    # Replies
    def batch(self, commands, ends):
        for end in ends:
            end.send_commands(commands)
        theirs = [ends[0].read() for _ in commands]
        for index, (command, oracle) in enumerate(zip(commands, theirs)):
            try:
                mine = ends[1].read()
            except EOFError as error:
                raise EOFError(f"{error}, waiting for the reply to {command!r}") from error
            if not self.same(command, oracle, mine):
                return Difference(index, f"{command!r}\n  oracle: {show(oracle)}\n  pando:  {show(mine)}")
        return None

    def same(self, command, oracle, mine):
        name = command[0].upper()
        self.counts[name, isinstance(oracle, ReplyError)] += 1
        if isinstance(oracle, ReplyError) and b"wrong number of arguments" in oracle:
            return agree("equal", oracle, mine)  # changes nothing, also of a transaction
        if self.queued is not None and name == b"EXEC":
            queued, self.queued = self.queued, None
            if isinstance(oracle, list) and isinstance(mine, list) and len(oracle) == len(mine) == len(queued):
                return all(agree(measure(c), a, b) for c, a, b in zip(queued, oracle, mine))
            return agree("equal", oracle, mine)
        if self.queued is not None and isinstance(oracle, Status) and oracle == b"QUEUED":
            self.queued.append(command)
            return agree("equal", oracle, mine)
        if name == b"MULTI" and oracle == b"OK":
            self.queued = []
        elif name in (b"DISCARD", b"RESET", b"EXEC"):
            self.queued = None
        return agree(measure(command), oracle, mine)


def settled(commands):
    """With a DEL behind each command that leaves what each server has chosen."""
    whole = []
    for command, behind in zip(commands, commands[1:] + [None]):
        whole.append(command)
        if is_unstable(command) and len(command) > 1 and behind != [b"DEL", command[1]]:
            whole.append([b"DEL", command[1]])
    return whole


# Making a difference small
class Shrinker:
    def __init__(self, rig, epoch, budget_s):
        self.rig, self.epoch = rig, epoch
        self.ends_at = time.monotonic() + budget_s

    def differs(self, commands):
        found = Player(self.rig).play(Epoch(commands, self.epoch.protocol, self.epoch.config))
        if not all(server.running for server in self.rig.servers.all):
            self.rig.restart()
        return found

    def shrink(self):
        """Leaves out ever smaller pieces, from the end on; returns (commands, difference), or None where
        the difference does not come again."""
        found = self.differs(self.epoch.commands)
        if found is None:
            return None
        commands = self.epoch.commands[:found.index + 1]
        size = max(1, len(commands) // 2)
        while time.monotonic() < self.ends_at:
            end, shorter = len(commands), False
            while end > 0 and time.monotonic() < self.ends_at:
                start = max(0, end - size)
                fewer = settled(commands[:start] + commands[end:])
                again = self.differs(fewer) if len(fewer) < len(commands) else None
                if again is not None and again.kind == found.kind:
                    commands, found, shorter = fewer[:again.index + 1], again, True
                end = min(start, len(commands))
            if size == 1 and not shorter:
                break
            size = max(1, size // 2)
        return commands, found


# Scripts
def quote(argument):
    if argument and all(33 <= byte < 127 and byte not in b"\"'\\#" for byte in argument):
        return argument.decode()
    return '"' + "".join(chr(b) if 32 <= b < 127 and b not in b"\"\\" else f"\\x{b:02x}" for b in argument) + '"'


def write_script(epoch):
    lines = [f"protocol {epoch.protocol}", *(f"config {name} {value}" for name, value in sorted(epoch.config.items()))]
    return "\n".join([*lines, "", *(" ".join(map(quote, command)) for command in epoch.commands)]) + "\n"


def read_script(text):
    head, _, body = text.partition("\n\n")
    epoch = Epoch([split_arguments(line) for line in body.splitlines() if line.strip()])
    for line in head.splitlines():
        word, *rest = line.split(None, 2)
        if word == "protocol":
            epoch.protocol = int(rest[0])
        elif word == "config":
            epoch.config[rest[0]] = rest[1]
    return epoch


# Runs
def others(generator, count):
    """Commands of another client, none that would leave it in a state of its own."""
    commands = [generator.next() for _ in range(count)]
    return [[OTHER, *command] for command in settled([c for c in commands if c[0].upper() not in NOT_BY_OTHERS])]


def changes_of_config(source, config):
    """A threshold changes; not those of lists, which a list of Redis keeps from its birth, nor that of
    HyperLogLogs, whose bytes follow from it when a log is replayed."""
    name = source.choice(sorted(name for name in config if not name.startswith(("list-", "hll-"))))
    return [[CONFIGURE, name.encode(), source.choice(CONFIG[name]).encode()]]


def reads(generator, readers, count):
    found = []
    for _ in range(50 * count):
        command = generator.next()
        if command[0].upper() in readers and not is_unstable(command):
            found.append(command)
            if len(found) == count:
                break
    return found


def make_epoch(rig, seed, number, count, only=None, known=None):
    source = random.Random(f"{seed}:{number}")
    epoch = Epoch([], source.choice([2, 3]), rig.settings(source))
    known = known or rig.known()
    readers = rig.readers_of(known) - NOT_BY_OTHERS
    generator = Generator(source.random(), known, only, epoch.config)
    while len(epoch.commands) < count:
        for _ in range(4):
            epoch.commands += settled([generator.next() for _ in range(CHECK_EVERY // 4)])
            epoch.commands.append([EXPIRE, generator.any_key()])
            epoch.commands += others(generator, 3)
        epoch.commands += changes_of_config(source, epoch.config)
        epoch.commands += [[READ, *command] for command in reads(generator, readers, 10)]
        epoch.commands += [[CHECK], *([EXCHANGE, generator.any_key()] for _ in range(3))]
    epoch.commands.append([source.choice([RELOAD, LOADAOF, SYNC])])
    return epoch


def report(rig, seed, number, epoch, found, budget_s):
    print(f"\nseed {seed}, epoch {number}, command {found.index}: {found.text}\n", flush=True)
    if not all(server.running for server in rig.servers.all):
        rig.restart()
    small = Shrinker(rig, epoch, budget_s).shrink()
    if small is None:
        print("It does not come again when the epoch is repeated.")
        return
    commands, again = small
    print(f"---- {len(commands)} commands do it: {again.text}\n")
    print(write_script(Epoch(commands, epoch.protocol, epoch.config)), flush=True)


def show_counts(counts):
    names = sorted({name for name, _ in counts})
    print("\ncommand: sent, of these errors")
    for name in names:
        if len(name) < 30 and counts[name, True] + counts[name, False] > 5:
            total = counts[name, True] + counts[name, False]
            print(f"  {name.decode('latin1'):20} {total:8} {100 * counts[name, True] // total:3}%")


def run(seed, commands, only=None, budget_s=60, epoch_size=EPOCH, quiet=False, first=0):
    """Returns whether all was equal."""
    rig, counts, done, started = Rig(), Counter(), 0, time.monotonic()
    try:
        known = rig.known()
        for number in itertools.count(first):
            if done >= commands:
                break
            epoch = make_epoch(rig, seed, number, min(epoch_size, commands - done), only, known)
            found = Player(rig, counts).play(epoch)
            if found:
                report(rig, seed, number, epoch, found, budget_s)
                return False
            done += len(epoch.commands)
            if not quiet and number % 10 == 9:
                print(f"{done} commands, {done / (time.monotonic() - started):.0f}/s", flush=True)
        if not quiet:
            show_counts(counts)
        complaints, rig = rig.stop(), None
        print(*complaints or [f"seed {seed}: {done} commands, no difference"], sep="\n")
        return not complaints
    finally:
        if rig:
            rig.stop()


def replay(path):
    rig = Rig()
    try:
        found = Player(rig).play(read_script(Path(path).read_text("utf-8")))
        print(f"command {found.index}: {found.text}" if found else "no difference")
        return found is None
    finally:
        rig.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", default="1", help="a word")
    parser.add_argument("--commands", type=int, default=100000)
    parser.add_argument("--only", default="", help="families, with commas between")
    parser.add_argument("--replay", help="a script that a run has printed")
    parser.add_argument("--shrink-seconds", type=int, default=60)
    parser.add_argument("--first-epoch", type=int, default=0)
    options = parser.parse_args()
    if options.replay:
        return not replay(options.replay)
    only = set(filter(None, options.only.split(",")))
    return not run(options.seed, options.commands, only, options.shrink_seconds, first=options.first_epoch)


if __name__ == "__main__":
    sys.exit(main())
