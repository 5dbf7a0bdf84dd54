"""A raw RESP connection: bytes out, structured data in, with every type of the wire kept apart.

It is independent of any client library, so that what a test compares is what the server sent.

    wire                      Python
    +text                     Status(b"text")
    -text                     ReplyError(b"text")            a value, unless call() raises it
    :5   (5   #t   ,1.5       5, BigNumber(5), True, Double(b"1.5")
    $3   =7 txt:abc           b"abc", Verbatim(b"txt", b"abc")
    $-1  *-1  _               NULL_BULK, NULL_ARRAY, NULL
    *2   ~2   %1   >2  |1     list, SetReply, MapReply (pairs), Push, Attributed(pairs, reply)
"""
import socket

DEFAULT_TIMEOUT = 30.0


class Status(bytes):
    def __repr__(self):
        return "+" + repr(bytes(self))[1:]


class ReplyError(bytes):
    def __repr__(self):
        return "-" + repr(bytes(self))[1:]

    @property
    def text(self):
        return self.decode("latin1")


class BigNumber(int):
    def __repr__(self):
        return f"BigNumber({int(self)})"


class Double(bytes):
    """Kept as the text on the wire, since the text is what must match."""

    def __repr__(self):
        return "," + repr(bytes(self))[1:]

    def __float__(self):
        return float(bytes(self))


class Verbatim(tuple):
    def __new__(cls, kind, text):
        return tuple.__new__(cls, (kind, text))

    def __repr__(self):
        return f"Verbatim({self[0]!r}, {self[1]!r})"


class SetReply(list):
    def __repr__(self):
        return "Set" + list.__repr__(self)


class MapReply(list):
    """Pairs in the order of the wire: the order is part of the reply."""

    def __repr__(self):
        return "Map" + list.__repr__(self)

    def get(self, key, default=None):
        for name, value in self:
            if name == key:
                return value
        return default


class Push(list):
    def __repr__(self):
        return "Push" + list.__repr__(self)


class Attributed(tuple):
    def __new__(cls, pairs, reply):
        return tuple.__new__(cls, (pairs, reply))


class _Null:
    def __init__(self, name):
        self.name = name

    def __repr__(self):
        return self.name

    def __bool__(self):
        return False


NULL = _Null("NULL")
NULL_BULK = _Null("NULL_BULK")
NULL_ARRAY = _Null("NULL_ARRAY")


class WireError(Exception):
    """The server sent something that is no RESP."""


class CommandFailed(Exception):
    """call() got an error reply; .reply is the ReplyError."""

    def __init__(self, reply, args=()):
        Exception.__init__(self, f"{reply.text} <- {args!r}"[:400])
        self.reply = reply


def to_bytes(value):
    if isinstance(value, bytes):
        return bytes(value)
    if isinstance(value, bytearray):
        return bytes(value)
    if isinstance(value, float):
        return repr(value).encode()
    return str(value).encode()


def pack(*args):
    parts = [b"*%d\r\n" % len(args)]
    for arg in args:
        arg = to_bytes(arg)
        parts.append(b"$%d\r\n%s\r\n" % (len(arg), arg))
    return b"".join(parts)


class Connection:
    """One connection to a server. `target` is a port on the loopback, a (host, port) pair or the
    path of a Unix socket."""

    def __init__(self, target, protocol=2, timeout=DEFAULT_TIMEOUT):
        self.target = target
        if isinstance(target, str):
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(timeout)
            self.socket.connect(target)
        else:
            if isinstance(target, int):
                target = ("127.0.0.1", target)
            self.socket = socket.create_connection(target, timeout)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.socket.makefile("rb", 1 << 16)
        self.protocol = 2
        if protocol == 3:
            self.hello(3)

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.close()

    def hello(self, protocol, *args):
        reply = self.call("HELLO", protocol, *args)
        self.protocol = protocol
        return reply

    # Sending
    def send_raw(self, data):
        self.socket.sendall(data)

    def send(self, *args):
        self.socket.sendall(pack(*args))

    def send_commands(self, commands):
        self.socket.sendall(b"".join(pack(*command) for command in commands))

    # Reading
    def read_line(self):
        line = self.file.readline()
        if not line.endswith(b"\n"):
            raise EOFError(f"connection closed by {self.target}" + (f" after {line!r}" if line else ""))
        return line[:-2] if line.endswith(b"\r\n") else line[:-1]

    def read_bytes(self, count):
        data = self.file.read(count)
        if len(data) != count:
            raise EOFError(f"connection closed by {self.target} inside {count} bytes")
        return data

    def read(self):
        line = self.read_line()
        if not line:
            raise WireError("an empty line where a reply was due")
        kind, rest = line[:1], line[1:]
        if kind == b"+":
            return Status(rest)
        if kind == b"-":
            return ReplyError(rest)
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return NULL_BULK if rest == b"-1" else self._blob(rest)
        if kind == b"*":
            return NULL_ARRAY if rest == b"-1" else [self.read() for _ in range(int(rest))]
        if kind == b"_":
            return NULL
        if kind == b"#":
            return {b"t": True, b"f": False}[rest]
        if kind == b",":
            return Double(rest)
        if kind == b"(":
            return BigNumber(rest)
        if kind == b"=":
            blob = self._blob(rest)
            return Verbatim(blob[:3], blob[4:])
        if kind == b"!":
            return ReplyError(self._blob(rest))
        if kind == b"~":
            return SetReply(self.read() for _ in range(int(rest)))
        if kind == b">":
            return Push(self.read() for _ in range(int(rest)))
        if kind == b"%":
            return MapReply((self.read(), self.read()) for _ in range(int(rest)))
        if kind == b"|":
            pairs = MapReply((self.read(), self.read()) for _ in range(int(rest)))
            return Attributed(pairs, self.read())
        raise WireError(f"no RESP: {line[:200]!r}")

    def _blob(self, length):
        data = self.read_bytes(int(length) + 2)
        if data[-2:] != b"\r\n":
            raise WireError(f"a bulk string without its end: {data[-20:]!r}")
        return data[:-2]

    # Both
    def do(self, *args):
        """Sends one command and returns its reply; an error is a value."""
        self.send(*args)
        return self.read()

    def call(self, *args):
        """Like do(), but an error reply raises CommandFailed."""
        reply = self.do(*args)
        if isinstance(reply, ReplyError):
            raise CommandFailed(reply, args)
        return reply

    def pipeline(self, commands):
        """Sends all commands at once, returns all replies; errors are values."""
        commands = list(commands)
        self.send_commands(commands)
        return [self.read() for _ in commands]

    def closed_by_peer(self, timeout=10.0):
        """Reads up to the end of the stream; True when the server closed the connection."""
        self.socket.settimeout(timeout)
        try:
            while self.file.read1(1 << 16):
                pass
            return True
        except ConnectionError:
            return True
        except TimeoutError:
            return False

    def nothing_arrives(self, seconds=0.2):
        """True when no byte is there to read. Only proves the absence of what had come by then."""
        self.socket.settimeout(seconds)
        try:
            return not self.file.peek(1)
        except TimeoutError:
            return True
        finally:
            # A timeout marks the buffered reader as unusable: give the connection a fresh one.
            self.file = self.socket.makefile("rb", 1 << 16)
            self.socket.settimeout(DEFAULT_TIMEOUT)

    def close(self):
        try:
            self.file.close()
        finally:
            self.socket.close()

    def info(self, section="default"):
        reply = self.call("INFO", section)
        return parse_info(reply[1] if isinstance(reply, Verbatim) else reply)


def parse_info(text):
    fields = {}
    for line in text.decode("latin1").splitlines():
        if line and not line.startswith("#"):
            name, _, value = line.partition(":")
            fields[name] = value
    return fields
