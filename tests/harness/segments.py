"""pando's incr files (src/journal/segment.h), read with nothing taken for granted, and written by hand."""
import re
from dataclasses import dataclass, field

from .resp import pack

HEAD = re.compile(rb"#PANDO:([0-9a-f]{40}) (\d+) (\d+)\r\n")
MARK = re.compile(rb"#P:(\d+) (\d+) ([0-9a-f]{8})\r\n")
TIME = re.compile(rb"#TS:(\d+)\r\n")
LINE_MAX = 100


def _table():
    for i in range(256):
        crc = i
        for _ in range(8):
            crc = crc >> 1 ^ 0x82f63b78 if crc & 1 else crc >> 1
        yield crc


_TABLE = list(_table())


def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc = _TABLE[(crc ^ byte) & 255] ^ crc >> 8
    return crc ^ 0xffffffff


def commands_of(data):
    """The commands that these bytes are, no more and no less."""
    found, at = [], 0

    def line(kind):
        nonlocal at
        assert data[at:at + 1] == kind, f"no {kind!r} at {at}: {data[at:at + 40]!r}"
        end = data.index(b"\r\n", at)
        number, at = int(data[at + 1:end]), end + 2
        return number

    while at < len(data):
        words = []
        for _ in range(line(b"*")):
            size = line(b"$")
            words.append(data[at:at + size])
            assert data[at + size:at + size + 2] == b"\r\n"
            at += size + 2
        found.append(words)
    return found


@dataclass
class Stretch:
    offset: int
    data: bytes
    at: int  # of its mark in the file
    unix_s: int | None = None


@dataclass
class Incr:
    """A whole file: every line at its place, every CRC right."""
    heads: list = field(default_factory=list)  # (id, offset, db)
    stretches: list = field(default_factory=list)

    @property
    def first(self):
        return self.heads[0][1]

    @property
    def end(self):
        return self.first + len(self.data)

    @property
    def data(self):
        return b"".join(s.data for s in self.stretches)


def read_incr(path):
    data, at, incr = path.read_bytes(), 0, Incr()

    def take(pattern):
        nonlocal at
        match = pattern.match(data, at)
        if match:
            assert match.end() - at < LINE_MAX, match
            at = match.end()
        return match and match.groups()

    while at < len(data):
        began = at
        if head := take(HEAD):
            incr.heads.append((head[0].decode(), int(head[1]), int(head[2])))
            assert incr.heads[-1][1] == incr.end
            if len(incr.heads) == 1:
                select = pack(b"SELECT", head[2])
                assert data[at:at + len(select)] == select
                at += len(select)
            continue
        mark = take(MARK)
        assert mark and incr.heads, f"{path}: neither head nor mark at {at}: {data[at:at + 60]!r}"
        time = take(TIME)
        offset, size, crc = int(mark[0]), int(mark[1]), int(mark[2], 16)
        body = data[at:at + size]
        assert offset == incr.end and len(body) == size and crc32c(body) == crc, (path, began)
        incr.stretches.append(Stretch(offset, body, began, time and int(time[0])))
        at += size
    return incr


def stretch(offset, data, crc=None):
    """A mark and its bytes."""
    return b"#P:%d %d %08x\r\n" % (offset, len(data), crc32c(data) if crc is None else crc) + data
