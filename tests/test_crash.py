"""kill -9 at any moment: what was acknowledged under `appendfsync always` is there afterwards, no half transaction is, and a
replica's links come back without a full sync. ./test kills some dozen times, the long run (PANDO_SOAK) a thousand."""
import os
import random
import threading

import pytest

from harness.compare import assert_same_keyspace, linked, wait_in_sync, wait_linked
from harness.wait import wait_until

ROUNDS = 1000 if os.environ.get("PANDO_SOAK") else 25


class Client(threading.Thread):
    """Numbers its writes; `acknowledged` is the last one that was answered."""

    def __init__(self, server, name, start):
        super().__init__(daemon=True)
        self.server, self.name_, self.next = server, name, start
        self.acknowledged = start - 1

    def run(self):
        try:
            with self.server.connect() as c:
                while True:
                    i, n = self.next, self.name_
                    self.next += 1
                    db = i % 3
                    c.call("SELECT", db)
                    replies = c.pipeline([("MULTI",), ("SET", f"{n}:a:{i % 500}", i), ("SET", f"{n}:b:{i % 500}", i),
                                          ("RPUSH", f"{n}:list", i), ("EXEC",), ("SET", f"{n}:last", i)])
                    if replies[-1] == b"OK":
                        self.acknowledged = i
        except (OSError, EOFError, AssertionError):
            pass


def check(server, clients):
    for client in clients:
        n, lasts = client.name_, []
        with server.connect() as c:
            for db in range(3):
                c.call("SELECT", db)
                last = c.do("GET", f"{n}:last")
                lasts.append(int(last) if last else -1)
                a = c.call("MGET", *(f"{n}:a:{i}" for i in range(500)))
                b = c.call("MGET", *(f"{n}:b:{i}" for i in range(500)))
                assert [bytes(x) if x else None for x in a] == [bytes(x) if x else None for x in b], "half a transaction"
                tail = c.call("LRANGE", f"{n}:list", -1, -1)
                newest = max((int(x) for x in a if x), default=-1)
                assert not tail or int(tail[0]) == newest, "half a transaction"
        assert max(lasts) >= client.acknowledged, f"{n}: {client.acknowledged} was acknowledged, {max(lasts)} is there"
        client.next = max(lasts) + 1


@pytest.mark.parametrize("policy", ["always", "everysec"])
@pytest.mark.timeout(1800)
def test_killed_at_any_moment(servers, policy):
    source = random.Random(os.environ.get("PANDO_SEED", "1") + policy)
    server = servers.pando(appendonly="yes", appendfsync=policy, aof_timestamp_enabled=source.choice(("yes", "no")),
                           auto_aof_rewrite_min_size="200kb", auto_aof_rewrite_percentage="50", rdb_key_save_delay="2")
    replica = servers.pando()
    replica.replicate(server)
    wait_linked(replica)
    starts = {"one": 0, "two": 0, "three": 0}
    for round_ in range(ROUNDS // 2):
        clients = [Client(server, name, start) for name, start in starts.items()]
        for client in clients:
            client.start()
        wait_until(lambda: any(client.acknowledged >= starts[client.name_] for client in clients))
        if source.random() < 0.5:
            server.do("BGREWRITEAOF")
        target = source.randrange(40)
        first = clients[0].acknowledged
        wait_until(lambda: clients[0].acknowledged >= first + target or not clients[0].is_alive())
        server.kill()
        for client in clients:
            client.join(20)
        server.start()
        check(server, clients)
        starts = {client.name_: client.next for client in clients}
        wait_linked(replica)
        assert server.stat("sync_full") == 0, f"round {round_}"
    wait_in_sync(server, replica)
    assert_same_keyspace(server, replica)
