"""Sorted sets in files, in snapshots and on replicas: either form goes to Redis 7.0.15 and comes back."""
import random

import pytest

from harness.compare import assert_same_keyspace, digest, wait_in_sync, wait_linked
from harness.wait import wait_until

KEYS = 120


def score(dice):
    return dice.choice([dice.randint(-10, 10), dice.randint(-2**63, 2**63), dice.random(), -dice.random() * 1e300,
                        "inf", "-inf", 0.1 * dice.randint(1, 99), 2**62, -2**62, 2**62 + 2**20, 1e-300])


def pairs(dice):
    """Scores and members of a sorted set of either form."""
    count = dice.choice([1, 2, 5, 127, 128, 129, 300, 2000])
    members = [b"%d" % dice.randint(-2**40, 2**40) if dice.random() < 0.3 else dice.randbytes(dice.randint(0, 64))
               for _ in range(count)]
    if dice.random() < 0.2:
        members.append(b"x" * dice.choice([64, 65, 300, 70000]))
    return sum(([score(dice), member] for member in members), [])


def fill(server, seed=3):
    dice = random.Random(seed)
    with server.connect() as client:
        for number in range(KEYS):
            client.call("ZADD", f"zset:{number}", *pairs(dice))
            client.call("ZREMRANGEBYRANK", f"zset:{number}", 1, dice.choice([0, 1, 10, 1000]))


def encodings(server):
    return [server.call("OBJECT", "ENCODING", f"zset:{number}") for number in range(KEYS)]


@pytest.mark.parametrize("saver, loader", [("pando", "oracle"), ("oracle", "pando"), ("pando", "pando")])
def test_a_file_of_one_server_is_loaded_by_the_other(servers, saver, loader):
    first = getattr(servers, saver)()
    fill(first)
    first.call("SAVE")
    second = getattr(servers, loader)(start=False).start_on_file_of(first)
    assert digest(second) == digest(first)
    assert encodings(second) == encodings(servers.oracle(start=False).start_on_file_of(first))


def test_dumps_are_equal_byte_for_byte(servers):
    pando, redis = servers.pando(), servers.oracle()
    for server in (pando, redis):
        fill(server)
    for number in range(KEYS):
        dump = pando.call("DUMP", f"zset:{number}")
        assert dump == redis.call("DUMP", f"zset:{number}")
        for server in (pando, redis):
            assert server.call("RESTORE", "copy", 0, dump, "REPLACE") == b"OK"
        assert pando.call("OBJECT", "ENCODING", "copy") == redis.call("OBJECT", "ENCODING", "copy")
        assert pando.call("DUMP", "copy") == redis.call("DUMP", "copy")


@pytest.mark.pando_only
def test_a_snapshot_holds_a_big_sorted_set_as_it_was(servers):
    server = servers.pando(rdb_key_save_delay=10000)
    with server.connect() as client:
        for first in range(0, 100000, 10000):
            client.call("ZADD", "big", *sum(([i * 7919 % 10007, b"member:%012d" % i]
                                             for i in range(first, first + 10000)), []))
        client.pipeline([("ZADD", f"small:{i}", i, "a") for i in range(300)])
        before = digest(server)
        client.call("BGSAVE")
        client.send("ZPOPMIN", "big", 60000)  # waits for the snapshot's lease, if it holds one already
        server.configure(rdb_key_save_delay=0)
        assert len(client.read()) == 120000
        assert client.call("ZCARD", "big") == 40000
        client.call("DEL", "big")
    wait_until(lambda: server.stat("rdb_bgsave_in_progress") == 0, "the snapshot to be saved")
    server.kill()
    server.start()
    assert digest(server) == before


@pytest.mark.parametrize("taker", ["pando", "oracle"])
def test_replicas_follow(servers, taker):
    primary, replica = servers.pando(), getattr(servers, taker)(name="replica")
    fill(primary)
    replica.replicate(primary)
    wait_linked(replica)
    dice = random.Random(5)
    with primary.connect() as client:
        for number in range(KEYS):
            key, other = f"zset:{number}", f"zset:{dice.randrange(KEYS)}"
            client.do("ZINCRBY", key, 1.5, "a")
            client.call("ZMPOP", 2, other, key, dice.choice(["MIN", "MAX"]), "COUNT", dice.choice([1, 10, 5000]))
            client.call("ZUNIONSTORE", f"union:{number % 7}", 2, key, other, "WEIGHTS", 1, 0.1)
            client.call("ZRANGESTORE", f"range:{number % 7}", other, "-inf", "(5", "BYSCORE", "LIMIT", 0, 50)
    wait_in_sync(primary, replica)
    assert_same_keyspace(primary, replica)


@pytest.mark.pando_only
def test_a_negative_zero_is_the_same_on_a_replica(servers):
    """Redis would make a small sorted set of what it is sent, and a plain zero."""
    primary, replica = servers.pando(zset_max_listpack_value=5), servers.pando(name="replica", zset_max_listpack_value=5)
    primary.call("ZADD", "k", 1, "long member")
    primary.call("ZADD", "k", "-0", "zero")
    primary.call("ZREM", "k", "long member")
    replica.replicate(primary)
    wait_linked(replica)
    wait_in_sync(primary, replica)
    assert replica.call("ZSCORE", "k", "zero") == b"-0"
    assert_same_keyspace(primary, replica)
    assert primary.call("DEBUG", "RELOAD") == b"OK"
    assert primary.call("ZSCORE", "k", "zero") == b"-0"
