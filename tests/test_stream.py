"""What the primary puts into the stream: deterministic commands, byte for byte those of Redis 7.0.15.

A listener that plays a replica reads both servers' streams and compares them."""
import difflib

import pytest

from harness.peers import FakeReplica
from harness.wait import wait_until

SCRIPTS = {
    "plain": ["SET a 1", "APPEND a 2", "SETRANGE a 1 x", "GETSET a new", "SETNX n 1", "SETNX n 2", "MSET x 1 y 2",
              "MSETNX z 1 w 2", "MSETNX z 1 q 2", "INCR c", "DECR c", "INCRBY c 5", "DECRBY c 2", "DEL a missing",
              "DEL missing", "UNLINK x", "RENAME y y2", "RENAMENX y2 z", "RENAMENX y2 y3", "COPY y3 y4", "MOVE y4 1",
              "FLUSHDB", "FLUSHALL", "FLUSHALL ASYNC", "FLUSHDB SYNC"],
    "deterministic": ["SET a v EX 10000", "SET a v PX 10000000", "SET a v EXAT 33177117420", "SET a v PXAT 33177117420000",
                      "SET a v KEEPTTL", "SET a v GET", "SET a v NX", "SET a v XX GET EX 1000", "SETEX a 10000 v",
                      "PSETEX a 10000000 v", "GETEX a EX 5000", "GETEX a PERSIST", "GETEX a PERSIST", "GETEX a PXAT 33177117420000",
                      "GETEX a", "GETEX a PXAT 1", "INCRBYFLOAT f 1.5", "INCRBYFLOAT f 1e3", "EXPIRE f 1000",
                      "PEXPIRE f 2000000", "EXPIREAT f 33177117420", "PEXPIREAT f 33177117420000", "PERSIST f", "PERSIST f",
                      "EXPIRE f 100 XX", "EXPIRE f 100 NX", "EXPIRE f -1", "SET g v", "PEXPIREAT g 1", "GETDEL g",
                      "SET g v", "GETDEL g", "SET h v PXAT 1", "GET h", "SET h v", "SET h v EXAT 1"],
    "databases": ["SET a 1", "SELECT 5", "SET b 1", "SET c 1", "SELECT 0", "GET a", "SELECT 7", "GET a", "SELECT 5", "SET d 1",
                  "SWAPDB 0 5", "SELECT 0", "SET e 1", "MOVE e 3", "COPY d e DB 9"],
    "transactions": ["MULTI", "SET a 1", "SET b 2", "EXEC", "MULTI", "SET a 1", "EXEC", "MULTI", "GET a", "EXEC", "MULTI", "EXEC",
                     "MULTI", "SELECT 3", "SET a 1", "SELECT 4", "SET b 1", "EXEC", "SET c 1", "SELECT 0",
                     "MULTI", "INCR a", "INCR text", "SET text x", "INCR text", "EXEC", "MULTI", "DEL nothing", "EXEC",
                     "MULTI", "FLUSHALL", "SET z 1", "EXEC"],
    "publish": ["PUBLISH ch hello", "SELECT 3", "PUBLISH ch again", "SPUBLISH s x", "SELECT 0", "MULTI", "PUBLISH ch a",
                "SET k v", "EXEC", "MULTI", "PUBLISH ch a", "EXEC"],
    "restore": ["SET a v", "RESTORE b 0 $DUMP(a)", "RESTORE b 10000000 $DUMP(a) REPLACE",
                "RESTORE b 33177117420000 $DUMP(a) REPLACE ABSTTL", "RESTORE c 0 $DUMP(a) IDLETIME 5",
                "RESTORE b 1 $DUMP(a) REPLACE ABSTTL"],
    "nothing": ["GET a", "SET a v XX", "SETRANGE a 0 \"\"", "APPEND a \"\"", "EXPIRE a 100", "DEL a", "TOUCH a", "COPY x y",
                "MOVE x 1", "SWAPDB 0 0", "PERSIST x", "GETDEL x", "WATCH x", "UNWATCH", "PING", "SET end 1"],
    "expiry": ["SET a v PX 1", "until-gone a", "GET a", "SET b v PX 1", "until-gone b", "SET b w", "SET c 5 PX 1", "until-gone c",
               "INCR c", "SET d 5 PX 1", "until-gone d", "RENAME d x", "SET e v PX 1", "until-gone e", "DEL e"],
}
FAR = 10**9  # a deadline relative to now is masked: two servers do not run at the same millisecond


def masked(command):
    masked = []
    for i, word in enumerate(command):
        previous = command[i - 1].upper() if i else b""
        if word.isdigit() and 10**12 < int(word) < 9 * 10**12 and (previous == b"PXAT" or command[0].upper() in (
                b"PEXPIREAT", b"RESTORE")):
            word = b"<deadline>"
        masked.append(word)
    return masked


def as_lines(commands):
    return [" ".join(repr(word)[2:-1] for word in command) for command in commands]


def stream_of(servers, binary, lines):
    """All commands that a replica gets to hear for these lines, and the replies."""
    from differential.script import split_arguments
    server = servers.new(binary, repl_ping_replica_period="3600")
    replica = FakeReplica(server)
    replica.sync()
    server.call("DEBUG", "SET-ACTIVE-EXPIRE", 0)
    with server.connect() as c:
        for line in lines:
            if line.startswith("until-gone "):
                key = line.split()[1]
                wait_until(lambda: c.call("OBJECT", "ENCODING", key) != 0 and c.call("PTTL", key) == -2)
                continue
            args = [bytes(server.do("DUMP", a[6:-1])) if a.startswith(b"$DUMP(") else a for a in split_arguments(line)]
            c.do(*args)
        c.call("SELECT", 15)
        c.call("SET", "the end", "")
    commands = []
    while not commands or commands[-1][:2] != [b"SET", b"the end"]:
        commands.append(replica.read_stream())
    wait_until(lambda: server.stat("master_repl_offset") == replica.offset, "the offset to count the stream's bytes")
    replica.close()
    return [masked(c) for c in commands]


@pytest.mark.parametrize("name", SCRIPTS)
def test_the_stream_is_that_of_redis(servers, name):
    from harness.servers import ORACLE, PANDO
    theirs = stream_of(servers, ORACLE, SCRIPTS[name])
    ours = stream_of(servers, PANDO, SCRIPTS[name])
    found = "\n".join(difflib.unified_diff(as_lines(theirs), as_lines(ours), "redis", "pando", lineterm=""))
    assert not found, found


def test_the_first_command_follows_a_select(servers):
    server = servers.pando()
    for _ in range(2):
        replica = FakeReplica(server)
        replica.sync()
        server.call("SET", "k", "v")
        assert replica.commands(2) == [[b"SELECT", b"0"], [b"SET", b"k", b"v"]]
        replica.close()


def test_pings_stand_in_the_stream_and_count(servers):
    server = servers.pando(repl_ping_replica_period="1")
    replica = FakeReplica(server)
    replica.sync()
    assert [word.upper() for word in replica.read_stream()] == [b"PING"]
    wait_until(lambda: server.stat("master_repl_offset") == replica.offset)


def test_wait_asks_the_replicas(servers):
    server = servers.pando(repl_ping_replica_period="3600")
    replica = FakeReplica(server)
    replica.sync()
    with server.connect() as c:
        c.call("SET", "k", "v")
        c.send("WAIT", 1, 0)
        while replica.read_stream() != [b"REPLCONF", b"GETACK", b"*"]:
            pass
        replica.ack()
        assert c.read() == 1
