"""The other end of a replication link, played by the test: a primary or a replica that says what it
is told to say, true or not."""
import socket
import struct
import threading

from .compare import replicas_of
from .resp import Connection, pack
from .servers import free_port
from .wait import PATIENCE, wait_until

RUN_ID = b"a" * 40
RECEIVE_BYTES = 1 << 18


# An RDB file by hand
def length(n):
    if n < 64:
        return bytes([n])
    if n < 16384:
        return bytes([0x40 | n >> 8, n & 255])
    return b"\x80" + struct.pack(">I", n)


def crc64(data):
    """Jones, reflected, initial value 0: the checksum of RDB files."""
    crc = 0
    for byte in data:
        crc = _TABLE[(crc ^ byte) & 255] ^ crc >> 8
    return crc


def _table():
    polynomial = int(f"{0xad93d23594c935a9:064b}"[::-1], 2)
    for i in range(256):
        crc = i
        for _ in range(8):
            crc = crc >> 1 ^ polynomial if crc & 1 else crc >> 1
        yield crc


_TABLE = list(_table())


def rdb(pairs, version=10, body=b"", checksum=None):
    """The bytes of an RDB file with these strings in db 0; `body` goes in before the end."""
    data = b"REDIS%04d" % version
    data += b"\xfa\x09redis-ver\x067.0.15"
    if pairs:
        data += b"\xfe\x00\xfb" + length(len(pairs)) + b"\x00"
        for key, value in pairs:
            data += b"\x00" + length(len(key)) + key + length(len(value)) + value
    data += body + b"\xff"
    return data + struct.pack("<Q", crc64(data) if checksum is None else checksum)


class FakePrimary:
    """Listens like a primary. `script(peer)` runs for each replica after the handshake, with
    peer.send(bytes), peer.psync (the request) and peer.heard (commands that came later)."""

    def __init__(self, script, handshake=True):
        self.script, self.handshake = script, handshake
        self.port = free_port()
        self.attempts = 0
        self.errors = []
        self.listener = socket.create_server(("127.0.0.1", self.port))
        self.peers = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                link, _ = self.listener.accept()
            except OSError:
                return
            self.attempts += 1
            peer = _Peer(link)
            self.peers.append(peer)
            threading.Thread(target=self._one, args=(peer,), daemon=True).start()

    def _one(self, peer):
        try:
            if self.handshake:
                peer.greet()
            self.script(peer)
        except (OSError, EOFError):
            pass
        except Exception as error:  # shown by the test
            self.errors.append(error)

    def close(self):
        self.listener.close()
        for peer in self.peers:
            peer.close()


class _Peer:
    def __init__(self, link):
        self.link = link
        self.file = link.makefile("rb")
        self.psync = None

    def send(self, data):
        self.link.sendall(data)

    def read_command(self):
        """One command as a list; a bare newline is skipped."""
        line = self.file.readline()
        while line == b"\n":
            line = self.file.readline()
        if not line:
            raise EOFError
        if not line.startswith(b"*"):
            return line.split()
        args = []
        for _ in range(int(line[1:])):
            size = int(self.file.readline()[1:])
            args.append(self.file.read(size))
            self.file.read(2)
        return args

    def greet(self):
        """Answers PING, AUTH and REPLCONF until the replica asks for data."""
        while True:
            command = self.read_command()
            word = command[0].upper()
            if word == b"PING":
                self.send(b"+PONG\r\n")
            elif word in (b"PSYNC", b"SYNC"):
                self.psync = command
                return
            else:
                self.send(b"+OK\r\n")

    def full_sync(self, snapshot, offset=0, eof=False, announced=None):
        self.send(b"+FULLRESYNC %s %d\r\n" % (RUN_ID, offset))
        if eof:
            mark = b"m" * 40
            self.send(b"$EOF:" + mark + b"\r\n" + snapshot + mark)
        else:
            self.send(b"$%d\r\n" % (len(snapshot) if announced is None else announced) + snapshot)

    def wait_ack(self, offset):
        """Reads what the replica sends until it acknowledges this offset."""
        while True:
            command = self.read_command()
            if command[:2] == [b"REPLCONF", b"ACK"] and int(command[2]) >= offset:
                return

    def until_closed(self):
        while self.file.read(1):
            pass

    def close(self):
        try:
            self.link.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.link.close()


class FakeReplica(Connection):
    """Connects like a replica and reads what a primary sends."""

    def __init__(self, server, port=1, capa=("eof", "psync2"), handshake=True):
        Connection.__init__(self, server.port, timeout=30 * PATIENCE)
        # The kernel lets a receive buffer grow by tens of MB: what is not read is to wait at the primary.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BYTES)
        self.server = server
        self.listening_port = port
        if handshake:
            assert self.call("PING") == b"PONG"
            assert self.call("REPLCONF", "listening-port", port) == b"OK"
            assert self.call("REPLCONF", *(x for c in capa for x in ("capa", c))) == b"OK"

    def ask(self, replid="?", offset=-1):
        """Sends PSYNC and returns the line of the answer; keeps `replid` and `offset` of a full sync."""
        self.send("PSYNC", replid, offset)
        line = self.next_line()
        if line.startswith(b"+FULLRESYNC"):
            _, replid, offset = line.split()
            self.replid, self.offset = replid.decode(), int(offset)
        return line

    def next_line(self):
        line = self.read_line()
        while not line:
            line = self.read_line()
        return line

    def snapshot(self):
        """The bytes of the snapshot, in either form."""
        line = self.next_line()
        assert line.startswith(b"$"), line
        if line.startswith(b"$EOF:"):
            mark, data = line[5:], bytearray()
            while not data.endswith(mark):
                data += self.file.read1(1 << 16) or self._ended()
            self.diskless = True
            return bytes(data[:-40])
        self.diskless = False
        return self.read_bytes(int(line[1:]))

    def _ended(self):
        raise EOFError("link closed inside the snapshot")

    def sync(self, **ask):
        """A full sync up to the point where the stream flows; returns the snapshot. Redis 7.0.15 overlooks
        an ACK that comes before its child has ended, so it is repeated until the replica counts as online."""
        answer = self.ask(**ask)
        assert answer.startswith(b"+FULLRESYNC "), answer
        data = self.snapshot()
        me = self.socket.getsockname()[1]

        def online():
            self.ack()
            mine = [r["state"] for r in replicas_of(self.server) if r["port"] == str(self.listening_port)]
            return mine and all(state == "online" for state in mine)
        wait_until(online, f"the fake replica on port {me} to be online", interval=0.05)
        self.ack()
        return data

    def ack(self, offset=None):
        self.send("REPLCONF", "ACK", self.offset if offset is None else offset)

    def read_stream(self):
        """The next command of the stream; counts its bytes into `offset`."""
        reply = self.read()
        self.offset += len(pack(*reply))
        return reply

    def commands(self, count, skip=(b"PING", b"REPLCONF")):
        found = []
        while len(found) < count:
            command = self.read_stream()
            if command[0].upper() not in skip:
                found.append(command)
        return found
