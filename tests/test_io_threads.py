"""I/O threads: the same answers in the same order, whoever reads and writes."""
import threading

import pytest

from harness.resp import pack
from harness.wait import wait_until

pytestmark = pytest.mark.pando_only
THREADS = {"io_threads": 4, "io_threads_auto": "no", "io_threads_do_reads": "yes"}


def used(server):
    stats = server.info("stats")
    return int(stats["io_threaded_reads_processed"]), int(stats["io_threaded_writes_processed"])


def exchange(server, clients, rounds, value=b"x" * 50):
    """Clients that all send before any of them reads, so that turns have much to do at once."""
    connections = [server.connect() for _ in range(clients)]
    for r in range(rounds):
        for i, c in enumerate(connections):
            c.send_raw(b"".join(pack("SET", f"k{i}:{j}", b"%d:%d:%d" % (r, i, j) + value) + pack("GET", f"k{i}:{j}")
                                for j in range(8)))
        for i, c in enumerate(connections):
            for j in range(8):
                assert c.read() == b"OK"
                assert c.read() == b"%d:%d:%d" % (r, i, j) + value
    return connections


def test_every_client_gets_its_own_answers(servers):
    server = servers.pando(**THREADS)
    exchange(server, 60, 30)
    reads, writes = used(server)
    assert reads > 60 and writes > 60
    assert server.info("server")["io_threads_active"] == "1"
    assert server.info("server")["io_threads"] == "4"
    server.call("CONFIG", "RESETSTAT")
    assert used(server)[0] < 10


def test_long_requests_and_replies(servers):
    server = servers.pando(**THREADS)
    connections = exchange(server, 12, 3, b"y" * 30000)
    big = b"z" * (3 << 20)
    for i, c in enumerate(connections):
        threading.Thread(target=c.send_raw, args=(pack("SET", f"big{i}", big) + pack("GET", f"big{i}"),), daemon=True).start()
    for c in connections:
        assert c.read() == b"OK"
        assert c.read() == big


def test_only_writes(servers):
    server = servers.pando(io_threads=3, io_threads_auto="no", io_threads_do_reads="no")
    exchange(server, 30, 10)
    reads, writes = used(server)
    assert reads == 0 and writes > 30


def test_a_client_that_closes_others_of_its_round(servers):
    server = servers.pando(**THREADS)
    for _ in range(20):
        connections = [server.connect() for _ in range(20)]
        ids = [c.call("CLIENT", "ID") for c in connections]
        for c, other in zip(connections, ids[10:] + ids[:10]):
            c.send_raw(pack("INCR", "n") + pack("CLIENT", "KILL", "ID", other) + pack("INCR", "n"))
        for c in connections:
            c.close()
    assert server.call("PING") == b"PONG"
    wait_until(lambda: server.stat("connected_clients") == 1)


def test_under_always_no_reply_before_its_bytes_are_on_disk(servers):
    server = servers.pando(appendonly="yes", appendfsync="always", **THREADS)
    exchange(server, 30, 10)
    digest = server.call("DEBUG", "DIGEST")
    server.kill()
    server.start()
    assert server.call("DEBUG", "DIGEST") == digest


def test_replicas_and_subscribers(servers):
    server = servers.pando(**THREADS)
    replica = servers.pando(**THREADS).replicate(server)
    subscribers = [server.connect() for _ in range(20)]
    for c in subscribers:
        c.call("SUBSCRIBE", "news")
    connections = exchange(server, 30, 10)
    for i, c in enumerate(connections):
        c.send_raw(pack("PUBLISH", "news", f"{i:04d}"))
    for c in connections:
        assert c.read() == 20
    for c in subscribers:
        assert sorted(c.read()[2] for _ in connections) == [b"%04d" % i for i in range(30)]
    wait_until(lambda: server.call("DEBUG", "DIGEST") == replica.call("DEBUG", "DIGEST"))


def test_by_itself_an_idle_server_uses_none(servers):
    server = servers.pando(io_threads=4, io_threads_auto="yes")
    exchange(server, 10, 3)
    assert used(server) == (0, 0)
    assert server.info("server")["io_threads_active"] == "0"


def test_under_load_it_is_tried_whether_they_pay(servers):
    server = servers.pando(io_threads=2, io_threads_auto="yes", loglevel="verbose")
    done = threading.Event()

    def flood(connection):
        connection.send_raw(pack("CLIENT", "REPLY", "OFF"))
        while not done.is_set():
            connection.send_raw(pack("SET", "k", "v") * 5000)

    floods = [threading.Thread(target=flood, args=(server.connect(),)) for _ in range(20)]
    for thread in floods:
        thread.start()
    try:
        wait_until(lambda: server.logged("commands a second with 2 threads"))
    finally:
        done.set()
        for thread in floods:
            thread.join()
    wait_until(lambda: server.info("server")["io_threads_active"] == "0", "the threads to rest without load")
    assert server.call("GET", "k") == b"v"
