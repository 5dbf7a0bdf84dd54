"""Removing a big value, in whatever way, leaves the work of freeing it to the reclaimer's thread, so that nobody waits for
it. INFO says what was given to it (reclaimed_objects), and what of that was asked for (lazyfreed_objects, as Redis counts)."""
import pytest

from harness.wait import wait_until

N = 200_000


def numbered(value):
    return [word for i in range(N) for word in value(i)]


MAKE = {
    "string": lambda c: c.call("SET", "big", b"x" * (16 << 20)),
    "list": lambda c: c.call("RPUSH", "big", *range(N)),
    "hash": lambda c: c.call("HSET", "big", *numbered(lambda i: (i, i))),
    "intset-no-more": lambda c: c.call("SADD", "big", *range(N)),
    "set": lambda c: c.call("SADD", "big", *[f"member:{i}" for i in range(N)]),
    "sorted-set": lambda c: c.call("ZADD", "big", *numbered(lambda i: (i, f"member:{i}"))),
    "stream": lambda c: c.pipeline([["XADD", "big", f"{i + 1}-1", "field", "value"] for i in range(N // 4)]),
    "stream-group": lambda c: c.pipeline([*[["XADD", "big", f"{i + 1}-1", "field", "value"] for i in range(N // 8)],
                                          ["XGROUP", "CREATE", "big", "g", "0"],
                                          ["XREADGROUP", "GROUP", "g", "c", "STREAMS", "big", ">"]]),
}

# How it goes, and whether that counts as lazily freed.
WAYS = {
    "DEL": (lambda c: c.call("DEL", "big"), False),
    "UNLINK": (lambda c: c.call("UNLINK", "big"), True),
    "SET": (lambda c: c.call("SET", "big", "small"), False),
    "RENAME": (lambda c: c.pipeline([["SET", "other", "x"], ["RENAME", "other", "big"]]), False),
    "COPY": (lambda c: c.pipeline([["SET", "other", "x"], ["COPY", "other", "big", "REPLACE"]]), False),
    "result": (lambda c: c.pipeline([["RPUSH", "other", 1], ["SORT", "other", "STORE", "big"]]), False),
    "expiry": (lambda c: c.call("PEXPIRE", "big", 1), False),
    "expiry-met": (lambda c: c.pipeline([["DEBUG", "SET-ACTIVE-EXPIRE", "0"], ["PEXPIRE", "big", 1],
                                         ["DEBUG", "SLEEP", "0.01"], ["GET", "big"],
                                         ["DEBUG", "SET-ACTIVE-EXPIRE", "1"]]), False),
    "FLUSHDB": (lambda c: c.call("FLUSHDB"), False),
    "FLUSHALL": (lambda c: c.call("FLUSHALL", "SYNC"), False),
    "FLUSHALL-ASYNC": (lambda c: c.call("FLUSHALL", "ASYNC"), True),
    "lazy-DEL": (lambda c: c.pipeline([["CONFIG", "SET", "lazyfree-lazy-user-del", "yes"], ["DEL", "big"],
                                       ["CONFIG", "SET", "lazyfree-lazy-user-del", "no"]]), True),
    "lazy-expiry": (lambda c: c.pipeline([["CONFIG", "SET", "lazyfree-lazy-expire", "yes"], ["PEXPIREAT", "big", 1],
                                          ["CONFIG", "SET", "lazyfree-lazy-expire", "no"]]), None),
}


@pytest.fixture(scope="module")
def shared():
    from harness.servers import Servers
    servers = Servers()
    yield servers.pando(save="")
    complaints = servers.finish()
    servers.remove()
    assert not complaints, "\n".join(complaints)


@pytest.mark.pando_only
@pytest.mark.parametrize("kind", MAKE)
def test_a_big_value_is_freed_by_the_reclaimer(shared, kind):
    with shared.connect() as c:
        for way, (remove, lazy) in WAYS.items():
            MAKE[kind](c)
            before = shared.info("memory")
            remove(c)
            wait_until(lambda: shared.stat("reclaimed_objects") > int(before["reclaimed_objects"]), f"{way} to give it away")
            wait_until(lambda: shared.stat("lazyfree_pending_objects") == 0, "the reclaimer to be done")
            after = shared.info("memory")
            assert int(after["reclaimed_objects"]) - int(before["reclaimed_objects"]) == 1, way
            counted = int(after["lazyfreed_objects"]) - int(before["lazyfreed_objects"])
            assert lazy is None or counted == lazy, way
            c.call("FLUSHALL")


@pytest.mark.pando_only
def test_small_values_are_freed_at_once(shared):
    before = shared.stat("reclaimed_objects")
    with shared.connect() as c:
        c.pipeline([["RPUSH", "l", *range(100)], ["UNLINK", "l"], ["SET", "s", "x"], ["UNLINK", "s"], ["SADD", "s", "a", "b"],
                    ["FLUSHALL"], ["ZADD", "z", 1, "a"], ["SET", "z", "x"], ["DEL", "z"]])
    assert shared.stat("reclaimed_objects") == before


@pytest.mark.pando_only
def test_a_big_value_that_is_taken_away_piece_by_piece_or_at_once(shared):
    """What a command removes in one go from a big container is as much work as removing the container."""
    before = shared.stat("reclaimed_objects")
    with shared.connect() as c:
        MAKE["list"](c)
        assert c.call("LTRIM", "big", 1, 0) == b"OK"
        assert c.call("EXISTS", "big") == 0
        MAKE["set"](c)
        assert c.call("SPOP", "big", N) is not None
        assert c.call("EXISTS", "big") == 0
    assert shared.stat("reclaimed_objects") - before >= 2
