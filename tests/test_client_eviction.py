"""maxmemory-clients: clients whose buffers take the most are closed, the others do not notice."""
import pytest

from harness.resp import pack
from harness.wait import stays, wait_until

MB = 1 << 20
pytestmark = pytest.mark.pando_only


def hoard(server, size):
    """A client that makes the server keep so many bytes of a command that never ends."""
    client = server.connect()
    try:
        client.call("PING")
        client.send_raw(b"*2\r\n$4\r\nECHO\r\n$100000000\r\n" + b"x" * size)
    except (OSError, EOFError):
        pass  # Closed before all of it was sent, as may happen to whoever is the one to go.
    return client


def alive(client):
    try:
        client.socket.settimeout(0.05)
        return client.socket.recv(1) != b""
    except TimeoutError:
        return True
    except OSError:
        return False


def test_whoever_uses_most_goes_first(servers):
    server = servers.pando(maxmemory_clients="8mb")
    small = [hoard(server, 300000) for _ in range(6)]
    big = hoard(server, 7 * MB)
    wait_until(lambda: not alive(big), "the big one to be closed")
    assert all(alive(c) for c in small)
    assert server.stat("evicted_clients") == 1
    assert server.logged("Evicting client: id=")
    with server.connect() as c:
        assert c.call("PING") == b"PONG"


def test_of_many_alike_no_more_go_than_it_takes(servers):
    server = servers.pando(maxmemory_clients="10mb")
    clients = [hoard(server, MB) for _ in range(20)]
    wait_until(lambda: server.stat("mem_clients_normal") < 10 * MB)
    left = sum(alive(c) for c in clients)
    assert 3 <= left <= 9
    stays(lambda: sum(alive(c) for c in clients) == left)


def test_unread_replies_count(servers):
    server = servers.pando(maxmemory_clients="4mb", client_output_buffer_limit="normal 0 0 0")
    server.call("SET", "big", b"x" * MB)
    with server.connect() as reader:
        reader.send_raw(pack("GET", "big") * 30)
        wait_until(lambda: server.stat("evicted_clients") == 1, "the client that does not read to be closed")
    assert server.call("PING") == b"PONG"


def test_subscribers_count_and_replicas_do_not(servers):
    server = servers.pando(maxmemory_clients="4mb", client_output_buffer_limit="pubsub 0 0 0")
    replica = servers.pando().replicate(server)
    wait_until(lambda: server.stat("connected_slaves") == 1)
    with server.connect() as subscriber:
        subscriber.call("SUBSCRIBE", "ch")
        wait_until(lambda: server.call("PUBLISH", "ch", b"x" * 100000) == 0, "the subscriber to be closed")
    assert server.stat("evicted_clients") == 1
    assert server.stat("connected_slaves") == 1
    assert replica.info("replication")["master_link_status"] in ("up", "down")


def test_no_evict_spares_a_client(servers):
    server = servers.pando(maxmemory_clients="8mb")  # More than a buffer of 3 MB that has doubled takes alone.
    spared = server.connect()
    spared.call("CLIENT", "NO-EVICT", "on")
    spared.send_raw(b"*2\r\n$4\r\nECHO\r\n$100000000\r\n" + b"x" * (3 * MB))
    other = hoard(server, 7 * MB)
    wait_until(lambda: not alive(other), "the other one to be closed")
    assert server.stat("evicted_clients") == 1
    assert alive(spared)


def test_it_can_be_set_while_clients_are_there_and_as_a_part_of_maxmemory(servers):
    server = servers.pando(maxmemory="100mb")
    clients = [hoard(server, MB) for _ in range(8)]
    wait_until(lambda: server.stat("mem_clients_normal") > 8 * MB)
    assert server.do("DEBUG", "CLIENT-EVICTION") == b"ERR maxmemory-clients is disabled."
    server.configure(maxmemory_clients="20%")
    stays(lambda: all(alive(c) for c in clients))
    assert b"bucket    1048576 -    2097151: tot-mem:" in server.call("DEBUG", "CLIENT-EVICTION")
    server.configure(maxmemory_clients="4%")
    wait_until(lambda: sum(alive(c) for c in clients) <= 3)
    server.configure(maxmemory_clients="0")
    more = [hoard(server, MB) for _ in range(8)]
    stays(lambda: all(alive(c) for c in more))


def test_the_smallest_limit_leaves_room_to_set_it_right(servers):
    server = servers.pando(maxmemory_clients="1")
    with server.connect() as c:
        assert c.call("CONFIG", "SET", "maxmemory-clients", "0") == b"OK"
