"""Random commands that mostly make sense, over few keys, so that they meet. The same seed gives the
same commands, so a failure is replayed by its number.

Each type has a file in families/, found by itself; what one may hold stands in families/__init__.py.
Most keys that a family asks for are of its own few, so that most commands find their own type; some
are anybody's, so that the wrong type is met too."""
import importlib
import pkgutil
import random

from . import families
from .words import FAR_AT, FAR_AT_MS, NUMBERS, ODD_KEYS, VALUES

FAMILIES = {name: importlib.import_module(f"{families.__name__}.{name}")
            for _, name, _ in sorted(pkgutil.iter_modules(families.__path__), key=lambda module: module.name)}

def gather(attribute):
    """The union of a dictionary that families may have."""
    return {name: value for family in FAMILIES.values() for name, value in getattr(family, attribute, {}).items()}


MEASURES, UNSTABLE, CONFIG = gather("MEASURES"), gather("UNSTABLE"), gather("CONFIG")


class Generator:
    """next() gives one command after the other. `known`: names (upper case) to choose from, None: all;
    `only`: names of families; `config`: the directives that the servers were told."""

    def __init__(self, seed, known=None, only=None, config=None):
        self.random = random.Random(seed)
        self.known = known
        self.config = config or {}
        self.in_transaction = False
        self.waiting = []
        self.families = [family for name, family in FAMILIES.items() if not only or name in only]
        self.weights = [family.WEIGHT for family in self.families]
        self.own = {family: [b"%s%d" % (getattr(family, "KEY", b"k"), i) for i in range(6)]
                    for family in self.families}
        self.everybody = sorted(set(sum(self.own.values(), ODD_KEYS)))
        self.family = self.families[0]

    # What families make their commands of
    def key(self):
        """A key that most likely holds the family's own type."""
        r = self.random
        return r.choice(self.own[self.family] if r.random() < 0.93 else self.everybody)

    def any_key(self):
        return self.random.choice(self.everybody)

    def keys(self, most=4):
        return [self.key() for _ in range(self.random.randint(1, most))]

    def any_keys(self, most=4):
        return [self.any_key() for _ in range(self.random.randint(1, most))]

    def chance(self, probability):
        return self.random.random() < probability

    def number(self):
        r = self.random
        return r.choice(NUMBERS) if r.random() < 0.2 else b"%d" % r.randint(-1000, 1000)

    def integer(self, low, high):
        """Seldom something that is none, or far out."""
        r = self.random
        return r.choice(NUMBERS) if r.random() < 0.03 else b"%d" % r.randint(low, high)

    def value(self):
        r = self.random
        if r.random() < 0.3:
            return self.number()
        if r.random() < 0.2:
            return r.randbytes(r.randint(0, 60))
        return r.choice(VALUES)

    def seconds(self):
        """Far away, so that no key expires between the two servers' turns, and never twice the same,
        so that GT and LT do not hang on a millisecond."""
        return b"%d" % self.random.randint(10**4, 10**8)

    def case(self, word):
        return word.lower() if self.random.random() < 0.2 else word

    def options(self, *words, probability=0.3):
        """Some of the words, each with this probability."""
        return [self.case(word) for word in words if self.random.random() < probability]

    def deadline_option(self, past=()):
        r = self.random
        word = r.choice([b"EX", b"PX", b"EXAT", b"PXAT"])
        at = {b"EX": [self.seconds()], b"PX": [self.seconds() + b"000"], b"EXAT": FAR_AT, b"PXAT": FAR_AT_MS}[word]
        if r.random() < 0.15:
            at = [b"abc", b"9223372036854775807", *(past if word.endswith(b"AT") else [b"0", b"-1"])]
        return [self.case(word), r.choice(at)]

    # Putting them together
    def next(self):
        while not self.waiting:
            command = self.nonsense() if self.random.random() < 0.02 else self.sensible()
            name = command[0].upper()
            if self.known is None or name in self.known:
                self.waiting.append(command)
                if is_unstable(command) and len(command) > 1:
                    self.waiting.append([b"DEL", command[1]])
        return self.waiting.pop(0)

    def sensible(self):
        while True:
            self.family = self.random.choices(self.families, self.weights)[0]
            command = self.family.command(self)
            if command:
                return command

    def nonsense(self):
        """A command of a right name with the wrong number of arguments, or no command at all."""
        r = self.random
        command = self.sensible()
        if self.known is None and r.random() < 0.3:
            return [r.choice([b"NOSUCH", b"", b"GETT", b"x" * 200]), *command[1:]]
        return command[:r.randint(1, len(command))] + ([b"extra"] if r.random() < 0.5 else [])


def is_unstable(command):
    """Whether what it leaves under its first key is each server's own choice."""
    rule = UNSTABLE.get(command[0].upper(), False)
    return rule(command) if callable(rule) else rule


def measure(command):
    """How the reply to a random command is compared: a word of compare.py."""
    rule = MEASURES.get(command[0].upper(), "equal")
    return rule(command) if callable(rule) else rule
