"""Random commands that mostly make sense, over few keys, so that they meet. The same seed gives the
same commands, so a failure is replayed by its number."""
import random

KEYS = [b"k%d" % i for i in range(8)] + [b"", b"sp ace", b"\x00\xff"]
NUMBERS = [b"0", b"1", b"-1", b"5", b"10", b"100", b"-7", b"9223372036854775807", b"-9223372036854775808",
           b"9223372036854775808", b"1.5", b"-0.25", b"1e3", b"abc", b"", b" 1", b"nan"]
VALUES = [b"", b"a", b"hello world", b"12345", b"-9", b"3.14", b"\x00\x01\xff", b"x" * 44, b"y" * 45, b"z" * 1000]
FAR_AT = [b"33177117420", b"4102444800"]
FAR_AT_MS = [b"33177117420000", b"4102444800123"]
PAST = [b"0", b"-1", b"1"]


class Generator:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.tables = [
            (30, self.string), (20, self.generic), (12, self.expire), (6, self.transaction), (4, self.connection),
            (2, self.nonsense),
        ]

    def key(self):
        return self.random.choice(KEYS)

    def keys(self, most=4):
        return [self.key() for _ in range(self.random.randint(1, most))]

    def number(self):
        r = self.random
        return r.choice(NUMBERS) if r.random() < 0.4 else b"%d" % r.randint(-1000, 1000)

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

    def deadline_option(self, past=()):
        r = self.random
        word = r.choice([b"EX", b"PX", b"EXAT", b"PXAT"])
        at = {b"EX": [self.seconds()], b"PX": [self.seconds() + b"000"], b"EXAT": FAR_AT, b"PXAT": FAR_AT_MS}[word]
        value = r.choice(at) if r.random() < 0.85 else r.choice([*past, b"abc", b"9223372036854775807"])
        return [self.case(word), value]

    def set_options(self):
        r = self.random
        options = []
        if r.random() < 0.3:
            options += [self.case(r.choice([b"NX", b"XX"]))]
        if r.random() < 0.3:
            options += [self.case(b"GET")]
        if r.random() < 0.3:
            options += self.deadline_option()
        if r.random() < 0.15:
            options += [b"KEEPTTL"]
        if r.random() < 0.03:
            options += [b"WRONG"]
        return options

    def string(self):
        r, key, value, number = self.random, self.key(), self.value(), self.number()
        return r.choice([
            lambda: [b"SET", key, value, *self.set_options()],
            lambda: [b"SET", key, number],
            lambda: [b"GET", key],
            lambda: [b"GETSET", key, value],
            lambda: [b"GETDEL", key],
            lambda: [b"GETEX", key, *(self.deadline_option(PAST) if r.random() < 0.5 else
                                      r.choice([[], [b"PERSIST"], [b"WRONG"]]))],
            lambda: [b"SETNX", key, value],
            lambda: [b"SETEX", key, r.choice([self.seconds(), self.seconds(), b"0", b"abc"]), value],
            lambda: [b"PSETEX", key, r.choice([self.seconds() + b"000", b"0", b"x"]), value],
            lambda: [b"MSET", *sum(([k, self.value()] for k in self.keys()), [])],
            lambda: [b"MSETNX", *sum(([k, self.value()] for k in self.keys(2)), [])],
            lambda: [b"MGET", *self.keys()],
            lambda: [b"APPEND", key, value],
            lambda: [b"STRLEN", key],
            lambda: [b"GETRANGE", key, number, self.number()],
            lambda: [b"SUBSTR", key, number, self.number()],
            lambda: [b"SETRANGE", key, b"%d" % r.randint(-2, 100), value],
            lambda: [b"INCR", key], lambda: [b"DECR", key],
            lambda: [b"INCRBY", key, number], lambda: [b"DECRBY", key, number],
            lambda: [b"INCRBYFLOAT", key, number],
            lambda: [b"LCS", key, self.key(), *r.choice([[], [b"LEN"], [b"IDX"], [b"IDX", b"WITHMATCHLEN"],
                                                         [b"IDX", b"MINMATCHLEN", b"2"]])],
        ])()

    def generic(self):
        r, key = self.random, self.key()
        return r.choice([
            lambda: [b"DEL", *self.keys()], lambda: [b"UNLINK", *self.keys()],
            lambda: [b"EXISTS", *self.keys()], lambda: [b"TOUCH", *self.keys()],
            lambda: [b"TYPE", key],
            lambda: [b"RENAME", key, self.key()], lambda: [b"RENAMENX", key, self.key()],
            lambda: [b"COPY", key, self.key(), *r.choice([[], [b"REPLACE"], [b"DB", b"1"], [b"DB", b"2", b"REPLACE"],
                                                          [b"DB", b"77"]])],
            lambda: [b"MOVE", key, r.choice([b"0", b"1", b"2", b"16"])],
            lambda: [b"SELECT", r.choice([b"0", b"0", b"1", b"2", b"16"])],
            lambda: [b"DBSIZE"],
            lambda: [b"SWAPDB", b"0", r.choice([b"1", b"2"])],
            lambda: [b"DUMP", key],
            lambda: [b"KEYS", r.choice([b"*", b"k*", b"k[0-3]", b"?1", b"nothing"])],
            lambda: [b"FLUSHDB"] if r.random() < 0.1 else [b"DBSIZE"],
        ])()

    def expire(self):
        r, key = self.random, self.key()
        option = r.choice([[], [], [b"NX"], [b"XX"], [b"GT"], [b"LT"], [b"XX", b"GT"], [b"NX", b"XX"]])
        past = r.random() < 0.05
        return r.choice([
            lambda: [b"EXPIRE", key, r.choice(PAST) if past else self.seconds(), *option],
            lambda: [b"PEXPIRE", key, b"-5" if past else self.seconds() + b"000", *option],
            lambda: [b"EXPIREAT", key, r.choice(PAST if past else FAR_AT), *option],
            lambda: [b"PEXPIREAT", key, r.choice(PAST if past else FAR_AT_MS), *option],
            lambda: [b"PERSIST", key],
            lambda: [b"TTL", key], lambda: [b"PTTL", key],
            lambda: [b"EXPIRETIME", key], lambda: [b"PEXPIRETIME", key],
        ])()

    def transaction(self):
        return [self.random.choice([b"MULTI", b"EXEC", b"EXEC", b"DISCARD", b"UNWATCH"])] \
            if self.random.random() < 0.7 else [b"WATCH", *self.keys(2)]

    def connection(self):
        return self.random.choice([[b"PING"], [b"ECHO", self.value()], [b"PING", self.value()],
                                   [b"CLIENT", b"GETNAME"], [b"CLIENT", b"SETNAME", b"n"]])

    def nonsense(self):
        """A command of a right name with the wrong number of arguments, or no command at all."""
        r = self.random
        command = self.next(plain=True)
        if r.random() < 0.3:
            return [r.choice([b"NOSUCH", b"", b"GETT", b"x" * 200]), *command[1:]]
        return command[:r.randint(1, len(command))] + ([b"extra"] if r.random() < 0.5 else [])

    def next(self, plain=False):
        tables = self.tables[:-1] if plain else self.tables
        weight, make = zip(*tables)
        return self.random.choices(make, weight)[0]()


TIME_BOUND = {b"TTL", b"PTTL", b"EXPIRETIME", b"PEXPIRETIME", b"EXEC"}


def measure(command):
    """How the reply to a random command is compared."""
    if command[0].upper() in TIME_BOUND:
        return "near 100000"
    return "sorted" if command[0].upper() == b"KEYS" else "equal"
