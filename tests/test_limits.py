"""Limits that keep one client from hurting the others: buffers in and out, before and after AUTH."""
import socket

import pytest

from harness.resp import Connection, ReplyError
from harness.wait import wait_until

MB = 1 << 20


def client_line(server, connection_id):
    for line in server.call("CLIENT", "LIST").decode().splitlines():
        fields = dict(part.split("=", 1) for part in line.split(" "))
        if fields["id"] == str(connection_id):
            return fields
    return None


def test_a_client_over_its_output_limit_is_closed(servers):
    server = servers.pando(client_output_buffer_limit="normal 1mb 0 0")
    server.call("SET", "big", b"x" * (300 * 1024))
    with server.connect() as c:
        c.send_raw(b"*2\r\n$3\r\nGET\r\n$3\r\nbig\r\n" * 200)
        assert c.closed_by_peer()
    assert server.call("PING") == b"PONG"


def test_a_soft_limit_closes_only_after_its_seconds(servers):
    server = servers.pando(client_output_buffer_limit="normal 0 100kb 1")
    server.call("SET", "big", b"x" * (1024 * 1024))
    with server.connect() as c:
        c.call("PING")
        c.send_raw(b"*2\r\n$3\r\nGET\r\n$3\r\nbig\r\n" * 20)
        wait_until(lambda: server.stat("connected_clients") == 1, "the slow reader to be closed")
        assert c.closed_by_peer()


def test_a_subscriber_over_its_limit_is_closed_and_the_publisher_is_not(servers):
    server = servers.pando(client_output_buffer_limit="pubsub 1mb 0 0")
    with server.connect() as slow:
        slow.call("SUBSCRIBE", "ch")
        wait_until(lambda: server.call("PUBLISH", "ch", b"x" * 100000) == 0)
        assert slow.closed_by_peer()
    assert server.call("PING") == b"PONG"


def test_a_query_larger_than_the_limit_closes_the_client(servers):
    server = servers.pando(client_query_buffer_limit="1mb")
    with server.connect() as c:
        try:
            c.send_raw(b"*2\r\n$4\r\nECHO\r\n$5000000\r\n" + b"x" * 5000000)
        except ConnectionError:
            pass
        assert c.closed_by_peer()
    assert server.call("PING") == b"PONG"


def test_a_bulk_larger_than_the_limit_is_refused(servers):
    server = servers.pando(proto_max_bulk_len="1mb")
    with server.connect() as c:
        c.send_raw(b"*2\r\n$4\r\nECHO\r\n$1048577\r\n")
        assert c.read() == b"ERR Protocol error: invalid bulk length"
        assert c.closed_by_peer()
    assert server.do("SETRANGE", "k", 1048577, "x") == \
        b"ERR string exceeds maximum allowed size (proto-max-bulk-len)"
    server.call("SET", "k", b"x" * 1048576)
    assert server.do("APPEND", "k", "x") == b"ERR string exceeds maximum allowed size (proto-max-bulk-len)"


def test_an_endless_inline_line_is_refused(servers):
    server = servers.pando()
    with server.connect() as c:
        try:
            c.send_raw(b"x" * 200000)
        except ConnectionError:
            pass
        assert c.read() == b"ERR Protocol error: too big inline request"
        assert c.closed_by_peer()


@pytest.mark.parametrize("start", [b"*1" + b"0" * 70000, b"*1\r\n$" + b"1" * 70000])
def test_an_endless_count_is_refused(servers, start):
    server = servers.pando()
    with server.connect() as c:
        try:
            c.send_raw(start)
        except ConnectionError:
            pass
        assert isinstance(c.read(), ReplyError)
        assert c.closed_by_peer()


@pytest.mark.pando_only
def test_before_authentication_a_client_holds_little_memory(servers):
    server = servers.pando(requirepass="sesame")
    start = server.resident_bytes()
    crowd = []
    for _ in range(1000):
        c = Connection(server.port)
        crowd.append(c)
        try:
            # As much as a stranger can make the server keep: a command that never ends.
            c.send_raw(b"*10\r\n" + b"$16384\r\n" + b"x" * 16384 + b"\r\n" * 1)
        except ConnectionError:
            pass
    assert server.call("PING") == b"PONG"
    assert server.resident_bytes() - start < 70 * MB
    for c in crowd:
        c.close()


@pytest.mark.pando_only
def test_before_authentication_unread_replies_are_bounded(servers):
    server = servers.pando(requirepass="sesame")
    with Connection(server.port) as c:
        c.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        c.socket.settimeout(10)
        # A stranger who asks and never reads: closed, or simply not read from any more.
        try:
            for _ in range(200):
                c.send_raw(b"GET k\r\n" * 1000)
        except OSError:
            pass
        assert server.info("clients")
        lines = server.call("CLIENT", "LIST").decode().splitlines()
        held = [int(dict(p.split("=", 1) for p in line.split(" "))["omem"]) for line in lines]
        assert max(held) <= 128 * 1024


def test_maxmemory_refuses_writes_and_serves_reads(servers):
    server = servers.pando()
    server.call("SET", "k", "v")
    server.configure(maxmemory=1000)
    for command in (("SET", "a", "b"), ("APPEND", "k", "x"), ("INCR", "n"), ("MSET", "a", "1"), ("SETRANGE", "k", 0, "x")):
        assert server.do(*command) == b"OOM command not allowed when used memory > 'maxmemory'."
    assert server.call("GET", "k") == b"v"
    assert server.call("DEL", "k") == 1
    assert server.do("MULTI") == b"OK"
    assert server.do("SET", "a", "b").startswith(b"OOM")
    assert server.do("EXEC").startswith(b"EXECABORT")
    server.configure(maxmemory=0)
    assert server.call("SET", "a", "b") == b"OK"


@pytest.mark.soak
def test_ten_thousand_strangers_cost_less_than_700_mb(servers):
    import resource
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 20000), hard))
    server = servers.pando(requirepass="sesame", maxclients="10100")
    start = server.resident_bytes()
    crowd = []
    try:
        for _ in range(10000):
            c = socket.create_connection(("127.0.0.1", server.port), 30)
            crowd.append(c)
            try:
                c.sendall(b"*10\r\n$16384\r\n" + b"x" * 16384)
            except ConnectionError:
                pass
        assert server.call("PING") == b"PONG"
        assert server.resident_bytes() - start < 700 * MB
    finally:
        for c in crowd:
            c.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
