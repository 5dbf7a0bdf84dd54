"""Listening, accepting, refusing."""
import os
import resource
import socket

import pytest

from harness.resp import Connection, ReplyError, pack
from harness.servers import free_port
from harness.wait import wait_until


def local_address():
    """An address of this machine that is not the loopback, None where there is none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
            address = probe.getsockname()[0]
            return None if address.startswith("127.") else address
        except OSError:
            return None


def have_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
        return True
    except OSError:
        return False


def answers(address):
    try:
        with Connection(address, timeout=5) as c:
            return c.do("PING")
    except ConnectionRefusedError:
        return None


def test_several_addresses(servers):
    server = servers.pando(bind="127.0.0.1 127.0.0.2")
    assert answers(("127.0.0.1", server.port)) == b"PONG"
    assert answers(("127.0.0.2", server.port)) == b"PONG"
    assert answers(("127.0.0.3", server.port)) is None


def test_an_address_that_is_not_there_stops_the_start_unless_it_may_be_missing(servers):
    server = servers.pando(bind="127.0.0.1 -192.0.2.77")
    assert answers(("127.0.0.1", server.port)) == b"PONG"
    strict = servers.pando(bind="127.0.0.1 192.0.2.77", start=False)
    strict.expect_crash = True
    strict.spawn()
    assert strict.wait_exit() != 0


@pytest.mark.skipif(not have_ipv6(), reason="no IPv6 here")
def test_ipv6(servers):
    server = servers.pando(bind="127.0.0.1 ::1")
    assert answers(("::1", server.port)) == b"PONG"
    with Connection(("::1", server.port)) as c:
        assert b"addr=[::1]:" in c.call("CLIENT", "INFO")


def test_a_star_is_every_address(servers):
    server = servers.pando(bind="* -::*", protected_mode="no")
    assert answers(("127.0.0.1", server.port)) == b"PONG"
    assert answers(("127.0.0.9", server.port)) == b"PONG"
    if have_ipv6():
        assert answers(("::1", server.port)) == b"PONG"


def test_only_a_unix_socket(servers):
    server = servers.pando(port="0", unixsocket="pando.sock")
    with server.connect() as c:
        assert c.call("PING") == b"PONG"
        fields = dict(f.split(b"=", 1) for f in c.call("CLIENT", "INFO").split())
        assert fields[b"addr"].endswith(b"pando.sock:0")
        assert b"U" in fields[b"flags"]
    server.stop()
    assert not (server.folder / "pando.sock").exists()


def test_a_socket_file_left_behind_is_replaced(servers):
    server = servers.pando(unixsocket="pando.sock")
    server.kill()
    assert (server.folder / "pando.sock").exists()
    server.start()
    with Connection(str(server.folder / "pando.sock")) as c:
        assert c.call("PING") == b"PONG"


def test_bind_and_port_change_while_running(servers):
    server = servers.pando()
    kept = server.connect()
    server.configure(bind="127.0.0.2")
    assert answers(("127.0.0.2", server.port)) == b"PONG"
    assert answers(("127.0.0.1", server.port)) is None
    assert kept.call("PING") == b"PONG"
    other = free_port()
    assert kept.call("CONFIG", "SET", "bind", "127.0.0.1", "port", other) == b"OK"
    assert answers(("127.0.0.1", other)) == b"PONG"
    taken = servers.pando()
    reply = kept.do("CONFIG", "SET", "port", taken.port)
    assert reply == b"ERR CONFIG SET failed (possibly related to argument 'port') - Unable to listen on this port. " \
                    b"Check server logs."
    assert answers(("127.0.0.1", other)) == b"PONG"
    server.port = other
    kept.close()


@pytest.mark.skipif(local_address() is None, reason="this machine has only the loopback")
def test_protected_mode_refuses_other_hosts_with_a_text_that_says_what_to_do(servers):
    server = servers.pando(bind="* -::*")
    with Connection((local_address(), server.port)) as c:
        said = c.read()
        assert isinstance(said, ReplyError) and said.startswith(b"DENIED ")
        assert b"protected mode" in said.lower() and b"protected-mode no" in said.lower()
        assert c.closed_by_peer()
    assert server.call("PING") == b"PONG"
    server.configure(protected_mode="no")
    assert answers((local_address(), server.port)) == b"PONG"
    server.configure(protected_mode="yes", requirepass="sesame")
    assert answers((local_address(), server.port)).startswith(b"NOAUTH")


def test_more_clients_than_allowed_are_told_and_closed(servers):
    server = servers.pando(maxclients="5")
    wait_until(lambda: server.stat("connected_clients") == 1)  # who asked whether it is up has gone
    kept = [server.connect() for _ in range(4)] + [server.control]
    for c in kept:
        assert c.call("PING") == b"PONG"
    with Connection(server.port) as c:
        assert c.read() == b"ERR max number of clients reached"
        assert c.closed_by_peer()
    assert server.stat("rejected_connections") == 1
    kept[0].close()
    wait_until(lambda: answers(server.port) == b"PONG")


def test_maxclients_raises_the_descriptors_or_says_the_limit(servers):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    try:
        server = servers.pando(maxclients="200")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    with open(f"/proc/{server.pid}/limits") as limits:
        raised = next(int(line.split()[3]) for line in limits if line.startswith("Max open files"))
    assert raised >= 200 + 32
    assert server.config("maxclients") == "200"


def test_descriptors_that_run_out_do_not_spin_nor_stop_the_server(servers):
    server = servers.pando(maxclients="1000")
    resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (40, 40))
    control = server.control
    crowd = []
    try:
        for _ in range(60):
            crowd.append(socket.create_connection(("127.0.0.1", server.port), 5))
        before = cpu_seconds(server.pid)
        for _ in range(50):
            assert control.call("PING") == b"PONG"
        wait_until(lambda: server.stat("uptime_in_seconds") >= 2)
        assert cpu_seconds(server.pid) - before < 1.0
    finally:
        for c in crowd:
            c.close()
    wait_until(lambda: answers(server.port) == b"PONG")


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat") as stat:
        field = stat.read().rsplit(")", 1)[1].split()
    return (int(field[11]) + int(field[12])) / os.sysconf("SC_CLK_TCK")


def test_an_idle_client_is_closed_after_the_timeout(servers):
    server = servers.pando(timeout="1")
    with Connection(server.port) as idle, Connection(server.port) as listener:
        assert idle.call("PING") == b"PONG"
        listener.call("SUBSCRIBE", "ch")
        assert idle.closed_by_peer()
        server.close_control()
        with Connection(server.port) as c:
            assert c.call("PUBLISH", "ch", "subscribers stay") == 1
        assert listener.read() == [b"message", b"ch", b"subscribers stay"]


def test_thousands_of_commands_in_one_write(servers):
    server = servers.pando()
    with server.connect() as c:
        n = 50000
        c.send_raw(b"".join(b"*2\r\n$4\r\nINCR\r\n$1\r\nn\r\n" for _ in range(n)))
        assert [c.read() for _ in range(n)] == list(range(1, n + 1))


def test_a_client_that_reads_slowly_gets_every_byte(servers):
    server = servers.pando()
    value = os.urandom(1 << 20)
    server.call("SET", "big", value)
    with server.connect() as c:
        for _ in range(30):
            c.send("GET", "big")
        # More than the socket buffers take: the rest waits in the server, which serves others meanwhile.
        wait_until(lambda: int(server.info("clients")["client_recent_max_output_buffer"]) > 10 << 20)
        assert server.call("PING") == b"PONG"
        for _ in range(30):
            assert c.read() == value


def test_a_command_that_arrives_byte_by_byte(servers):
    server = servers.pando()
    with server.connect() as c:
        for byte in b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\nva\r\nl\r\nPING\r\n":
            c.send_raw(bytes([byte]))
        assert c.read() == b"OK"
        assert c.read() == b"PONG"
        assert c.call("GET", "k") == b"va\r\nl"


@pytest.mark.parametrize("threads", ["1", "4"])
@pytest.mark.parametrize("size", [16384, 65536, 80000])
def test_a_client_that_ends_behind_much_is_answered_and_closed(servers, threads, size):
    """All of it and the end are there when the server comes to look, once."""
    server = servers.pando(io_threads=threads, io_threads_auto="no", io_threads_do_reads="yes")
    unit = pack("ECHO", "x" * 100)
    count = size // len(unit)
    with server.connect() as busy, server.connect() as c:
        busy.send("DEBUG", "SLEEP", "0.3")
        c.send_raw(unit * count + b"\n" * (size - count * len(unit)))
        c.socket.shutdown(socket.SHUT_WR)
        assert [c.read() for _ in range(count)] == [b"x" * 100] * count
        assert c.closed_by_peer()


def test_a_large_value_in_pieces(servers):
    server = servers.pando()
    value = os.urandom(40 << 20)
    with server.connect() as c:
        assert c.call("SET", "big", value) == b"OK"
        assert c.call("STRLEN", "big") == len(value)
        assert c.call("GET", "big") == value
