"""MIGRATE between pando and Redis 7.0.15 in each combination, and to targets that misbehave. What is
expected is what Redis does; where pando is stricter the test says so."""
import socket
import threading

import pytest

from harness.compare import digest, wait_equal, wait_linked
from harness.resp import NULL_BULK, ReplyError
from harness.servers import ORACLE, PANDO, free_port
from harness.wait import wait_until

PAIRS = [pytest.param(PANDO, ORACLE, id="pando-to-redis"), pytest.param(ORACLE, PANDO, id="redis-to-pando"),
         pytest.param(PANDO, PANDO, id="pando-to-pando")]
OK, DROP, SILENCE = b"+OK\r\n", None, b""
ALL_TYPES = [("SET", "string", "x" * 1000), ("SET", "number", 12), ("SETBIT", "bits", 1000, 1),
             ("PFADD", "hll", *range(50)), ("RPUSH", "list", *range(300)), ("SADD", "set", *"abc"),
             ("SADD", "intset", *range(20)), ("HSET", "hash", *(f"f{i}" for i in range(40))),
             ("ZADD", "zset", *(x for i in range(200) for x in (i / 3, f"m{i}"))), ("SET", "big", "y" * 300000),
             ("XADD", "stream", "1-1", "field", "value")]


class Target:
    """Answers each command with the next of `answers`, and OK when there are no more; DROP closes."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.port = free_port()
        self.commands, self.links = [], []
        self.listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                link, _ = self.listener.accept()
            except OSError:
                return
            self.links.append(link)
            threading.Thread(target=self.serve, args=(link,), daemon=True).start()

    def serve(self, link):
        stream = link.makefile("rb")
        try:
            while True:
                count = int(stream.readline()[1:])
                command = []
                for _ in range(count):
                    size = int(stream.readline()[1:])
                    command.append(stream.read(size))
                    stream.read(2)
                self.commands.append(command)
                answer = self.answers.pop(0) if self.answers else OK
                if answer is DROP:
                    self.cut(link)
                    return
                link.sendall(answer)
        except (OSError, ValueError):
            pass

    @staticmethod
    def cut(link):
        link.shutdown(socket.SHUT_RDWR)
        link.close()

    @property
    def names(self):
        return [command[0].decode() for command in self.commands]

    def close(self):
        self.listener.close()
        for link in self.links:
            link.close()


@pytest.fixture
def target(servers):
    def made(*answers):
        one = Target(*answers)
        servers.later(one.close)
        return one
    return made


@pytest.fixture(params=[PANDO, ORACLE], ids=["pando", "redis"])
def source(servers, request):
    """A server with x and y; Redis as well, so that what is expected here is what Redis does."""
    server = servers.new(request.param)
    server.call("MSET", "x", 1, "y", 2)
    return server


def migrate(server, target, *args, key="", db=0, timeout=5000):
    return server.do("MIGRATE", "127.0.0.1", target.port, key, db, timeout, *args)


# ---- moving ----

@pytest.mark.parametrize("binary, other", PAIRS)
def test_values_of_all_types_arrive_as_they_were(servers, binary, other):
    source, target = servers.new(binary), servers.new(other)
    for command in ALL_TYPES:
        assert not isinstance(source.do(*command), ReplyError), command
    names = [command[1] for command in ALL_TYPES]
    source.call("EXPIRE", "list", 1000)
    before = digest(source)
    assert migrate(source, target, "COPY", "KEYS", *names) == b"OK"
    assert digest(source) == digest(target) == before
    assert 990 <= target.call("TTL", "list") <= 1000
    assert migrate(source, target, "REPLACE", "KEYS", *names) == b"OK"
    assert source.call("DBSIZE") == 0 and digest(target) == before


@pytest.mark.parametrize("binary, other", PAIRS)
def test_replicas_of_both_ends_follow(servers, binary, other):
    source, target = servers.new(binary), servers.new(other)
    replicas = [servers.new(PANDO, name="replica").replicate(end) for end in (source, target)]
    wait_linked(*replicas)
    source.call("MSET", "a", 1, "b", 2, "c", 3)
    assert migrate(source, target, "KEYS", "a", "b", db=5) == b"OK"
    wait_equal(source, replicas[0])
    wait_equal(target, replicas[1])
    assert [server.call("DBSIZE") for server in (source, replicas[0])] == [1, 1]


def test_a_key_that_the_target_has_stays(source, servers):
    target = servers.oracle(name="target")
    target.call("SET", "x", "other")
    assert migrate(source, target, key="x") == \
        b"ERR Target instance replied with error: BUSYKEY Target key name already exists."
    assert migrate(source, target, "KEYS", "x", "nothing", "y").startswith(b"ERR Target instance")
    assert source.call("MGET", "x", "y") == [b"1", NULL_BULK]
    assert target.call("MGET", "x", "y") == [b"other", b"2"]
    assert migrate(source, target, "REPLACE", key="x") == b"OK"
    assert target.call("GET", "x") == b"1"


def test_what_stands_in_the_stream_and_what_is_told(source, target):
    source.configure(notify_keyspace_events="KEA")
    with source.connect() as events:
        events.call("PSUBSCRIBE", "__keyevent*")
        before = source.stat("rdb_changes_since_last_save")
        assert migrate(source, target(), "KEYS", "x", "nothing", "y") == b"OK"
        assert source.stat("rdb_changes_since_last_save") == before + 2
        assert [events.read()[3] for _ in range(2)] == [b"x", b"y"]


def test_a_password_is_shown_to_nobody(source, target):
    source.call("CONFIG", "SET", "slowlog-log-slower-than", 0)
    there = target()
    assert migrate(source, there, "AUTH", "secret", "COPY", key="x") == b"OK"
    assert migrate(source, there, "COPY", "AUTH2", "user", "secret", key="x") == b"OK"
    assert there.commands[0] == [b"AUTH", b"secret"]
    assert [b"AUTH", b"user", b"secret"] in there.commands
    assert b"secret" not in repr(source.call("SLOWLOG", "GET", 20)).encode()


def test_in_a_transaction(source, target):
    there = target()
    replies = source.control.pipeline([("MULTI",), ("MIGRATE", "127.0.0.1", there.port, "x", 0, 1000), ("GET", "x"),
                                       ("EXEC",)])
    assert replies[-1] == [b"OK", NULL_BULK]


# ---- the connection ----

def test_the_connection_is_kept_and_selects_only_where_it_must(source, target):
    there = target()
    for db in (0, 0, 5, 5, 0):
        assert migrate(source, there, "COPY", key="x", db=db) == b"OK"
    assert there.names == ["SELECT", "RESTORE", "RESTORE", "SELECT", "RESTORE", "RESTORE", "SELECT", "RESTORE"]
    assert len(there.links) == 1
    assert source.stat("migrate_cached_sockets") == 1


def test_a_kept_connection_that_the_target_has_closed(source, target):
    there = target()
    assert migrate(source, there, "COPY", key="x") == b"OK"
    Target.cut(there.links[0])
    assert migrate(source, there, key="x") == b"OK"
    assert len(there.links) == 2 and source.call("EXISTS", "x") == 0
    assert source.stat("migrate_cached_sockets") == 1


@pytest.mark.parametrize("answers", [(DROP,), (OK, DROP)], ids=["at the SELECT", "at the first key"])
def test_one_more_attempt_where_no_key_was_answered(source, target, answers):
    there = target(*answers)
    assert migrate(source, there, "KEYS", "x", "y") == b"OK"
    assert len(there.links) == 2 and source.call("DBSIZE") == 0


def test_no_second_attempt_once_a_key_has_arrived(source, target):
    there = target(OK, OK, DROP)
    assert migrate(source, there, "KEYS", "x", "y") == b"IOERR error or timeout reading to target instance"
    assert source.call("MGET", "x", "y") == [NULL_BULK, b"2"]
    assert len(there.links) == 1 and source.stat("migrate_cached_sockets") == 0


def test_a_silent_target_is_given_its_time_only(source, target):
    there = target(SILENCE, SILENCE, SILENCE, SILENCE)
    assert migrate(source, there, key="x", timeout=50) == b"IOERR error or timeout reading to target instance"
    assert source.call("GET", "x") == b"1" and len(there.links) == 1
    assert source.stat("migrate_cached_sockets") == 0


def test_nobody_listens(source):
    port = free_port()
    assert source.do("MIGRATE", "127.0.0.1", port, "x", 0, 1000) == \
        b"IOERR error or timeout writing to target instance"
    assert source.do("MIGRATE", "127.0.0.1", "port", "x", 0, 1000) == \
        b"IOERR error or timeout writing to target instance"
    assert source.do("MIGRATE", "no host", port, "x", 0, 1000) == b"IOERR error or timeout connecting to the client"


def test_to_itself_ends_by_its_timeout(source):
    assert migrate(source, source, key="x", timeout=50) == b"IOERR error or timeout reading to target instance"
    assert source.call("GET", "x") == b"1"


@pytest.mark.parametrize("refused", ["AUTH", "SELECT"])
def test_nothing_is_deleted_where_the_target_would_not_know_where_to_put_it(source, target, refused):
    there = target(*([b"-WRONGPASS no\r\n", OK] if refused == "AUTH" else [OK, b"-ERR DB index is out of range\r\n"]))
    error = migrate(source, there, "AUTH", "p", "KEYS", "x", "y", db=7)
    assert error.startswith(b"ERR Target instance replied with error: ")
    assert source.call("MGET", "x", "y") == [b"1", b"2"]
    assert migrate(source, there, key="x", db=7) == b"OK"
    assert there.names.count("SELECT") == (2 if refused == "SELECT" else there.names.count("SELECT"))


@pytest.mark.parametrize("answer", [b"bla\r\n", b"$2\r\nOK\r\n", b"x" * 5000], ids=["words", "a bulk string", "endless"])
def test_nothing_is_deleted_for_an_answer_that_is_none(servers, target, answer):
    """Redis takes whatever does not begin with '-' for a yes."""
    source = servers.pando()
    source.call("SET", "x", 1)
    there = target(OK, answer)
    assert migrate(source, there, key="x") == b"IOERR error or timeout reading to target instance"
    assert source.call("GET", "x") == b"1"


def test_a_target_that_says_more_than_it_was_asked_is_not_believed(servers, target):
    source = servers.pando()
    source.call("MSET", "x", 1, "y", 2)
    there = target(OK, OK + OK)  # the second is not for the next key
    assert migrate(source, there, key="x") == b"OK"
    there.answers = [OK, b"-ERR no\r\n"]
    assert migrate(source, there, key="y") == b"ERR Target instance replied with error: ERR no"
    assert source.call("GET", "y") == b"2" and len(there.links) == 2


def test_idle_connections_are_closed(servers, target):
    source = servers.pando()
    source.call("SET", "x", 1)
    assert migrate(source, target(), "COPY", key="x") == b"OK"
    wait_until(lambda: source.stat("migrate_cached_sockets") == 0, "the idle connection to be closed", 30)


# ---- arguments ----

BAD = [(("h", 1, "k", "x", "y"), b"ERR value is not an integer or out of range"),
       (("h", 1, "k", 0, "y"), b"ERR value is not an integer or out of range"),
       (("h", 1, "k", "x", 100), b"ERR value is not an integer or out of range"),
       (("h", 1, "k", "x", 100, "FOO"), b"ERR syntax error"),
       (("h", 1, "k", 0, 100, "KEYS", "k"),
        b"ERR When using MIGRATE KEYS option, the key argument must be set to the empty string"),
       (("h", 1, "", 0, 100, "KEYS"), b"NOKEY"),
       (("h", 1, "", 0, 100, "KEYS", ""), b"NOKEY"),
       (("h", 1, "", 0, 100), b"NOKEY"),
       (("h", 1, "k", 0, 100, "AUTH"), b"ERR syntax error"),
       (("h", 1, "k", 0, 100, "AUTH2", "a"), b"ERR syntax error"),
       (("h", 1, "k", 0, 100, "AUTH", "KEYS", "k"), b"ERR syntax error"),
       (("h", 1, "k", 0, 100, "AUTH2", "a", "b", "AUTH", "p"), b"NOKEY"),
       (("h", 1, "k", 0, -5, "copy", "COPY", "replace", "REPLACE"), b"NOKEY")]


@pytest.mark.parametrize("args, reply", BAD)
def test_arguments(source, args, reply):
    assert source.do("MIGRATE", *args) == reply


def test_keys_of_the_command(source):
    def keys(*args):
        return source.do("COMMAND", "GETKEYS", "MIGRATE", "h", 1, *args)
    assert keys("k", 0, 10) == [b"k"]
    assert keys("", 0, 10, "COPY", "KEYS", "a", "b") == [b"a", b"b"]
    assert keys("", 0, 10, "AUTH2", "a", "KEYS", "KEYS", "b") == [b"b"]
    assert keys("", 0, 10, "COPY") == [b""]
    assert keys("k", 0, 10, "KEYS", "a") == b"ERR Invalid arguments specified for command"
