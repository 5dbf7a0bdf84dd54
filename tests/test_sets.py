"""Sets in files, in snapshots and on replicas: every form goes to Redis 7.0.15 and comes back, and what chance
chose is the same everywhere."""
import random

import pytest

from harness.compare import assert_same_keyspace, digest, wait_in_sync, wait_linked
from harness.wait import wait_until

WIDTHS = [100, 2**15, 2**31, 2**62]


def a_set(dice):
    """Members of a set of some form: integers of some width, few or many texts, both."""
    kind, count = dice.randrange(5), dice.choice([1, 2, 5, 63, 64, 65, 200, 511, 512, 513, 2000])
    integers = [b"%d" % dice.randint(-(width := dice.choice(WIDTHS)), width) for _ in range(count)]
    texts = [dice.randbytes(dice.randint(0, 80)) for _ in range(count)]
    if kind == 0:
        return texts[:5] + [b"x" * dice.choice([64, 65, 300, 70000])]
    return integers if kind < 3 else texts if kind == 3 else integers + texts[:3]


def fill(server, keys=150, seed=3):
    dice = random.Random(seed)
    with server.connect() as client:
        for number in range(keys):
            members = a_set(dice)
            client.call("SADD", f"set:{number}", *members)
            client.call("SREM", f"set:{number}", b"no member", *members[1:dice.randint(1, len(members))])


def encodings(server, keys=150):
    return [server.call("OBJECT", "ENCODING", f"set:{number}") for number in range(keys)]


@pytest.mark.parametrize("saver, loader", [("pando", "oracle"), ("oracle", "pando"), ("pando", "pando")])
def test_a_file_of_one_server_is_loaded_by_the_other(servers, saver, loader):
    first = getattr(servers, saver)()
    fill(first)
    first.call("SAVE")
    second = getattr(servers, loader)(start=False).start_on_file_of(first)
    assert digest(second) == digest(first)
    assert encodings(second) == encodings(servers.oracle(start=False).start_on_file_of(first))


def test_each_server_restores_what_the_other_dumps(servers):
    pando, redis = servers.pando(), servers.oracle()
    for server in (pando, redis):
        fill(server)
    for number in range(150):
        key = f"set:{number}"
        dumps = [server.call("DUMP", key) for server in (pando, redis)]
        for server, dump in zip((redis, pando), dumps):
            assert server.call("RESTORE", "copy", 0, dump, "REPLACE") == b"OK"
        assert pando.call("OBJECT", "ENCODING", "copy") == redis.call("OBJECT", "ENCODING", "copy")
        assert pando.call("DEBUG", "DIGEST-VALUE", key, "copy") == redis.call("DEBUG", "DIGEST-VALUE", key, "copy")


@pytest.mark.pando_only
def test_a_snapshot_holds_a_big_set_as_it_was(servers):
    server = servers.pando(rdb_key_save_delay=10000)
    with server.connect() as client:
        for first in range(0, 200000, 10000):
            client.call("SADD", "big", *(b"member:%012d" % i for i in range(first, first + 10000)))
        client.pipeline([("SADD", f"small:{i}", i) for i in range(300)])
        before = digest(server)
        client.call("BGSAVE")
        client.send("SPOP", "big", 150000)  # waits for the snapshot's lease, if it holds one already
        server.configure(rdb_key_save_delay=0)
        assert len(client.read()) == 150000
        assert client.call("SCARD", "big") == 50000
        client.call("DEL", "big")
    wait_until(lambda: server.stat("rdb_bgsave_in_progress") == 0, "the snapshot to be saved")
    server.kill()
    server.start()
    assert digest(server) == before


@pytest.mark.parametrize("taker", ["pando", "oracle"])
def test_replicas_lose_the_members_that_their_primary_has_popped(servers, taker):
    primary, replica = servers.pando(), getattr(servers, taker)(name="replica")
    fill(primary)
    replica.replicate(primary)
    wait_linked(replica)
    dice = random.Random(5)
    with primary.connect() as client:
        for number in range(150):
            size = client.call("SCARD", f"set:{number}")
            count = dice.choice([0, 1, size // 6, size // 2, size - size // 7, size - 1, size, size + 1])
            popped = client.call("SPOP", f"set:{number}", max(count, 0))
            assert len(popped) == min(max(count, 0), size)
            client.call("SPOP", f"set:{dice.randrange(150)}")
    wait_in_sync(primary, replica)
    assert_same_keyspace(primary, replica)
